//! Organizations as operators see them: they make, list, suspend, resume and close them.

use wahana_domain::{
    Country, Language, Month, Organization, OrganizationId, OrganizationLimits, OrganizationState, Retention,
    TimeZone,
};
use wahana_store::usage;

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
    /// How much it may have and do.
    pub limits: OrganizationLimits,
}

/// What to change of an organization's limits; what is `None` stays, and `Some(None)` is the default.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of `OrganizationLimits`")]
pub struct LimitsChange {
    pub sessions: Option<Option<i32>>,
    pub messages_per_minute: Option<Option<i32>>,
    pub messages_per_hour: Option<Option<i32>>,
    pub media_per_minute: Option<Option<i32>>,
    pub media_per_hour: Option<Option<i32>>,
    pub requests_per_minute: Option<Option<i32>>,
    pub organization_messages_per_minute: Option<Option<i32>>,
    pub organization_messages_per_hour: Option<Option<i32>>,
    pub monthly_messages: Option<Option<i32>>,
    pub queued_messages: Option<Option<i32>>,
}

impl LimitsChange {
    /// Every limit as it is by default.
    #[must_use]
    pub const fn to_default() -> Self {
        let default = Some(None);
        Self {
            sessions: default,
            messages_per_minute: default,
            messages_per_hour: default,
            media_per_minute: default,
            media_per_hour: default,
            requests_per_minute: default,
            organization_messages_per_minute: default,
            organization_messages_per_hour: default,
            monthly_messages: default,
            queued_messages: default,
        }
    }

    /// What becomes of these limits.
    fn applied_to(&self, before: &OrganizationLimits) -> OrganizationLimits {
        OrganizationLimits {
            sessions: self.sessions.unwrap_or(before.sessions),
            messages_per_minute: self.messages_per_minute.unwrap_or(before.messages_per_minute),
            messages_per_hour: self.messages_per_hour.unwrap_or(before.messages_per_hour),
            media_per_minute: self.media_per_minute.unwrap_or(before.media_per_minute),
            media_per_hour: self.media_per_hour.unwrap_or(before.media_per_hour),
            requests_per_minute: self.requests_per_minute.unwrap_or(before.requests_per_minute),
            organization_messages_per_minute: self
                .organization_messages_per_minute
                .unwrap_or(before.organization_messages_per_minute),
            organization_messages_per_hour: self
                .organization_messages_per_hour
                .unwrap_or(before.organization_messages_per_hour),
            monthly_messages: self.monthly_messages.unwrap_or(before.monthly_messages),
            queued_messages: self.queued_messages.unwrap_or(before.queued_messages),
        }
    }
}

/// Makes an organization.
pub async fn create(
    services: &Services,
    operator: &Operator,
    new: NewOrganization,
) -> Result<Organization, ServiceError> {
    check_limits(&new.limits)?;
    let tx = services.store.platform_write().await?;
    let now = tx.now();
    let organization = Organization {
        id: OrganizationId::new(),
        name: new.name,
        state: OrganizationState::Active,
        country: new.country,
        time_zone: new.time_zone.unwrap_or(TimeZone::UTC),
        language: new.language.unwrap_or(Language::English),
        limits: new.limits,
        retention: Retention::default(),
        restarts_silent_sessions: false,
        resends_lost_messages: false,
        keeps_message_texts: true,
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

/// Changes how much an organization may have and do. Sessions that it has above a new limit stay.
pub async fn set_limits(
    services: &Services,
    operator: &Operator,
    id: OrganizationId,
    change: &LimitsChange,
) -> Result<Organization, ServiceError> {
    let tx = services.store.platform_write().await?;
    let limits = change.applied_to(&organization(&tx, id).await?.limits);
    check_limits(&limits)?;
    if !tx.set_organization_limits(id, &limits).await? {
        return Err(ServiceError::NotFound("Organization"));
    }
    record_by_operator(&tx, operator, Some(id), "platform.organizations.update").await?;
    let after = organization(&tx, id).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(after)
}

/// What an organization has sent in the present calendar month of UTC.
pub async fn messages_this_month(
    services: &Services,
    _: &Operator,
    id: OrganizationId,
) -> Result<u64, ServiceError> {
    let tx = services.store.platform_read().await?;
    let tenant = tx.tenant(id).await?;
    drop(tx);
    let Some(tenant) = tenant else {
        return Err(ServiceError::NotFound("Organization"));
    };
    let tx = services.store.read(tenant).await?;
    Ok(usage::messages(&tx, Month::of(tx.now())).await?)
}

/// One of an organization's limits.
type Limit = fn(&OrganizationLimits) -> Option<i32>;

/// The largest that each limit may be.
const MAXIMA: [(&str, i32, Limit); 10] = [
    ("sessions", 1_000_000, |limits| limits.sessions),
    ("messages_per_minute", 1_000_000, |limits| {
        limits.messages_per_minute
    }),
    ("messages_per_hour", 10_000_000, |limits| limits.messages_per_hour),
    ("media_per_minute", 1_000_000, |limits| limits.media_per_minute),
    ("media_per_hour", 10_000_000, |limits| limits.media_per_hour),
    ("requests_per_minute", 10_000_000, |limits| {
        limits.requests_per_minute
    }),
    ("organization_messages_per_minute", 10_000_000, |limits| {
        limits.organization_messages_per_minute
    }),
    ("organization_messages_per_hour", 100_000_000, |limits| {
        limits.organization_messages_per_hour
    }),
    ("monthly_messages", i32::MAX, |limits| limits.monthly_messages),
    ("queued_messages", 1_000_000, |limits| limits.queued_messages),
];

fn check_limits(limits: &OrganizationLimits) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    for (name, most, get) in MAXIMA {
        if get(limits).is_some_and(|limit| !(0..=most).contains(&limit)) {
            errors.add(
                &format!("limits.{name}"),
                format!("must be from 0 to {most}, or none"),
            );
        }
    }
    errors.finish(Some(()))
}
