//! Access tokens of organizations as the command line makes them, for any member.

use wahana_domain::{
    Abilities, AccessToken, AuditOutcome, EmailAddress, OrganizationId, Secret, SessionId, Timestamp,
    TokenId, UserId,
};
use wahana_store::{Tenant, access_tokens, members, sessions, sessions::SessionReference};

use crate::{
    FieldErrors, Operator, ServiceError, Services,
    access_tokens::{CreatedToken, not_in_the_past},
    audit::record_by_operator_in,
};

/// A token to be made for a member.
#[derive(Clone, Debug)]
pub struct NewMemberToken {
    /// The organization it is for.
    pub organization: OrganizationId,
    /// Whose it is.
    pub email: EmailAddress,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub abilities: Abilities,
    /// The only sessions there are for it, by name or id; `None` for all.
    pub sessions: Option<Vec<String>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// How many tokens a list shows at most.
const MAX_LISTED: u64 = 10_000;

/// Makes a token for a member of an organization.
pub async fn create(
    services: &Services,
    operator: &Operator,
    new: NewMemberToken,
) -> Result<CreatedToken, ServiceError> {
    let (tenant, user_id) = member(services, new.organization, &new.email).await?;
    let tx = services.store.write(tenant).await?;
    not_in_the_past(new.expires_at, tx.now())?;
    if members::get(&tx, user_id).await?.is_none() {
        return Err(not_a_member());
    }
    let sessions = match &new.sessions {
        Some(named) => {
            let mut ids = Vec::with_capacity(named.len());
            for named in named {
                ids.push(session_id(&tx, named).await?);
            }
            ids.sort_unstable();
            ids.dedup();
            Some(ids)
        }
        None => None,
    };
    let secret = Secret::generate();
    let token = AccessToken {
        id: TokenId::generate(),
        organization_id: new.organization,
        user_id,
        name: new.name,
        abilities: new.abilities,
        sessions,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
        created_at: tx.now(),
    };
    access_tokens::insert(&tx, &token, &secret.hash()).await?;
    record_by_operator_in(&tx, operator, "tokens.create", None, AuditOutcome::Success).await?;
    tx.commit().await?;
    Ok(CreatedToken { token, secret })
}

/// The tokens of an organization, newest first.
pub async fn list(
    services: &Services,
    _: &Operator,
    organization: OrganizationId,
) -> Result<Vec<AccessToken>, ServiceError> {
    let tenant = tenant(services, organization).await?;
    let tx = services.store.read(tenant).await?;
    let (tokens, _) = access_tokens::page(&tx, 0, MAX_LISTED).await?;
    Ok(tokens)
}

/// Takes a token of an organization back.
pub async fn revoke(
    services: &Services,
    operator: &Operator,
    organization: OrganizationId,
    id: &TokenId,
) -> Result<(), ServiceError> {
    let tenant = tenant(services, organization).await?;
    let tx = services.store.write(tenant).await?;
    if !access_tokens::revoke(&tx, id).await? {
        return Err(ServiceError::NotFound("Token"));
    }
    record_by_operator_in(&tx, operator, "tokens.revoke", None, AuditOutcome::Success).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(())
}

async fn tenant(services: &Services, organization: OrganizationId) -> Result<Tenant, ServiceError> {
    let tx = services.store.platform_read().await?;
    tx.tenant(organization)
        .await?
        .ok_or(ServiceError::NotFound("Organization"))
}

async fn member(
    services: &Services,
    organization: OrganizationId,
    email: &EmailAddress,
) -> Result<(Tenant, UserId), ServiceError> {
    let tx = services.store.platform_read().await?;
    let tenant = tx.tenant(organization).await?;
    let tenant = tenant.ok_or(ServiceError::NotFound("Organization"))?;
    let user = tx.user_by_email(email).await?.ok_or_else(not_a_member)?;
    Ok((tenant, user.id))
}

async fn session_id(tx: &wahana_store::TenantTx, named: &str) -> Result<SessionId, ServiceError> {
    let unknown = || FieldErrors::one("sessions", "must be sessions of this organization, by name or id");
    let reference = SessionReference::parse(named).ok_or_else(unknown)?;
    let found = sessions::get(tx, &reference, None).await?;
    Ok(found.ok_or_else(unknown)?.id)
}

fn not_a_member() -> ServiceError {
    FieldErrors::one("user", "must be a member of this organization").into()
}
