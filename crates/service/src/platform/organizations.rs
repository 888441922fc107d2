//! Organizations as operators see them: they make, list, suspend, resume and close them.

use wahana_domain::{
    Country, Language, Organization, OrganizationId, OrganizationLimits, OrganizationState, Retention,
    TimeZone,
};

use super::organization;
use crate::{FieldErrors, Operator, ServiceError, Services, audit::record_by_operator};

/// An organization to be made.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// Its name.
    pub name: String,
    /// Where its national numbers are from; without one they are refused.
    pub country: Option<Country>,
    /// Its time zone; UTC if left out.
    pub time_zone: Option<TimeZone>,
    /// The language it is spoken to in; English if left out.
    pub language: Option<Language>,
    /// How many living sessions it may have; `None` is no limit.
    pub session_limit: Option<i32>,
}

/// The most sessions that an organization may be limited to.
pub const MAX_SESSION_LIMIT: i32 = 1_000_000;

/// Makes an organization.
pub async fn create(
    services: &Services,
    operator: &Operator,
    new: NewOrganization,
) -> Result<Organization, ServiceError> {
    check_session_limit(new.session_limit)?;
    let tx = services.store.platform_write().await?;
    let now = tx.now();
    let organization = Organization {
        id: OrganizationId::new(),
        name: new.name,
        state: OrganizationState::Active,
        country: new.country,
        time_zone: new.time_zone.unwrap_or(TimeZone::UTC),
        language: new.language.unwrap_or(Language::English),
        limits: OrganizationLimits {
            sessions: new.session_limit,
            ..OrganizationLimits::default()
        },
        retention: Retention::default(),
        restarts_silent_sessions: false,
        created_at: now,
        updated_at: now,
    };
    tx.insert_organization(&organization).await?;
    record_by_operator(
        &tx,
        operator,
        Some(organization.id),
        "platform.organizations.create",
    )
    .await?;
    tx.commit().await?;
    Ok(organization)
}

/// A page of all organizations by name, and how many there are.
pub async fn page(
    services: &Services,
    _: &Operator,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Organization>, u64), ServiceError> {
    let tx = services.store.platform_read().await?;
    let total = tx.organization_count().await?;
    Ok((tx.organizations(offset, limit).await?, total))
}

/// One organization.
pub async fn get(
    services: &Services,
    _: &Operator,
    id: OrganizationId,
) -> Result<Organization, ServiceError> {
    let tx = services.store.platform_read().await?;
    organization(&tx, id).await
}

/// The organization that somebody at the command line names: any by its id, one that is not closed by its
/// exact name too.
///
/// # Errors
///
/// [`ServiceError::Conflict`] if several have the name; it lists their ids.
pub async fn find(
    services: &Services,
    operator: &Operator,
    named: &str,
) -> Result<Organization, ServiceError> {
    if let Ok(id) = named.parse() {
        return get(services, operator, id).await;
    }
    let mut found = living_named(services, operator, named).await?;
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            found.push(last);
            let ids: Vec<String> = found
                .iter()
                .map(|organization| organization.id.to_string())
                .collect();
            Err(ServiceError::conflict(format!(
                "Several organizations have this name: {}. Name the one you mean by its id.",
                ids.join(", ")
            )))
        }
        (None, _) => Err(ServiceError::NotFound("Organization")),
    }
}

/// The organizations with exactly this name that are not closed, the oldest first.
pub async fn living_named(
    services: &Services,
    _: &Operator,
    name: &str,
) -> Result<Vec<Organization>, ServiceError> {
    // No name has one, and PostgreSQL cannot even look for it.
    if name.contains('\0') {
        return Ok(Vec::new());
    }
    let tx = services.store.platform_read().await?;
    let mut found = tx.organizations_named(name).await?;
    found.retain(|organization| organization.state != OrganizationState::Closed);
    Ok(found)
}

/// Gives an organization another name.
pub async fn rename(
    services: &Services,
    operator: &Operator,
    id: OrganizationId,
    name: &str,
) -> Result<Organization, ServiceError> {
    let tx = services.store.platform_write().await?;
    if !tx.rename_organization(id, name).await? {
        return Err(ServiceError::NotFound("Organization"));
    }
    record_by_operator(&tx, operator, Some(id), "platform.organizations.update").await?;
    let after = organization(&tx, id).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(after)
}

/// Suspends an organization: its members are told so and can do nothing.
pub async fn suspend(
    services: &Services,
    operator: &Operator,
    id: OrganizationId,
) -> Result<Organization, ServiceError> {
    let operation = "platform.organizations.suspend";
    set_state(services, operator, id, operation, OrganizationState::Suspended).await
}

/// Lets a suspended organization work again.
pub async fn resume(
    services: &Services,
    operator: &Operator,
    id: OrganizationId,
) -> Result<Organization, ServiceError> {
    let operation = "platform.organizations.resume";
    set_state(services, operator, id, operation, OrganizationState::Active).await
}

/// Closes an organization: for its members it does not exist any more. This cannot be undone.
pub async fn close(
    services: &Services,
    operator: &Operator,
    id: OrganizationId,
) -> Result<Organization, ServiceError> {
    let operation = "platform.organizations.close";
    set_state(services, operator, id, operation, OrganizationState::Closed).await
}

async fn set_state(
    services: &Services,
    operator: &Operator,
    id: OrganizationId,
    operation: &str,
    state: OrganizationState,
) -> Result<Organization, ServiceError> {
    let tx = services.store.platform_write().await?;
    let before = organization(&tx, id).await?;
    if before.state == OrganizationState::Closed && state != OrganizationState::Closed {
        return Err(ServiceError::conflict(
            "This organization is closed, and stays so.",
        ));
    }
    if before.state != state {
        tx.set_organization_state(id, state).await?;
    }
    record_by_operator(&tx, operator, Some(id), operation).await?;
    let after = organization(&tx, id).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(after)
}

/// Changes how many living sessions an organization may have; `None` is no limit. Sessions that it
/// has above a new limit stay.
pub async fn set_session_limit(
    services: &Services,
    operator: &Operator,
    id: OrganizationId,
    limit: Option<i32>,
) -> Result<Organization, ServiceError> {
    check_session_limit(limit)?;
    let tx = services.store.platform_write().await?;
    if !tx.set_session_limit(id, limit).await? {
        return Err(ServiceError::NotFound("Organization"));
    }
    record_by_operator(&tx, operator, Some(id), "platform.organizations.update").await?;
    let after = organization(&tx, id).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(after)
}

fn check_session_limit(limit: Option<i32>) -> Result<(), FieldErrors> {
    match limit {
        Some(limit) if !(0..=MAX_SESSION_LIMIT).contains(&limit) => Err(FieldErrors::one(
            "limits.sessions",
            format!("must be from 0 to {MAX_SESSION_LIMIT}, or none"),
        )),
        _ => Ok(()),
    }
}
