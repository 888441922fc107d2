//! Access tokens. A token is for the person who makes it, and never stronger than what made it.

use wahana_domain::{Abilities, AccessToken, AuditOutcome, Secret, SessionId, Timestamp, TokenId};
use wahana_store::{access_tokens, sessions};

use crate::{
    FieldErrors, ServiceError, Services,
    access::{Granted, ManageTokens, Owned},
    audit,
};

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewAccessToken {
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub abilities: Abilities,
    /// The only sessions there are for it; `None` for all.
    pub sessions: Option<Vec<SessionId>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A token that was just made, with its secret, which is shown this once.
#[derive(Debug)]
pub struct CreatedToken {
    /// The token.
    pub token: AccessToken,
    /// Its secret.
    pub secret: Secret,
}

/// A page of the organization's tokens and how many there are.
pub async fn page(
    services: &Services,
    access: &Granted<ManageTokens>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<AccessToken>, u64), ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    Ok(access_tokens::page(&tx, None, offset, limit).await?)
}

/// Makes a token for the caller.
pub async fn create(
    services: &Services,
    access: &Granted<ManageTokens>,
    new: NewAccessToken,
) -> Result<CreatedToken, ServiceError> {
    if !access.abilities().includes(new.abilities) {
        return Err(ServiceError::Forbidden(
            "A token cannot make one with abilities that it lacks itself.".to_owned(),
        ));
    }
    let tx = services.store.write(access.tenant()).await?;
    not_in_the_past(new.expires_at, tx.now())?;
    if let Some(wanted) = &new.sessions {
        let known = sessions::with_ids(&tx, wanted).await?;
        if wanted
            .iter()
            .any(|id| !known.iter().any(|session| session.id == *id))
        {
            return Err(FieldErrors::one("sessions", "must be sessions of this organization").into());
        }
    }
    let secret = Secret::generate();
    let token = AccessToken {
        id: TokenId::generate(),
        organization_id: access.tenant().organization_id(),
        user_id: access.user_id(),
        name: new.name,
        abilities: new.abilities,
        sessions: new.sessions,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
        created_at: tx.now(),
    };
    access_tokens::insert(&tx, &token, &secret.hash()).await?;
    audit::record(
        &tx,
        access.context(),
        "tokens.create",
        None,
        AuditOutcome::Success,
    )
    .await?;
    tx.commit().await?;
    Ok(CreatedToken { token, secret })
}

/// Takes a token back.
pub async fn revoke(
    services: &Services,
    access: &Granted<ManageTokens>,
    token: &Owned<AccessToken>,
) -> Result<(), ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    if !access_tokens::revoke(&tx, &token.id).await? {
        return Err(ServiceError::NotFound("Token"));
    }
    audit::record(
        &tx,
        access.context(),
        "tokens.revoke",
        None,
        AuditOutcome::Success,
    )
    .await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(())
}

/// A token that has ended before it began is a mistake.
pub(crate) fn not_in_the_past(expires_at: Option<Timestamp>, now: Timestamp) -> Result<(), FieldErrors> {
    if expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(FieldErrors::one("expires_at", "must lie in the future"));
    }
    Ok(())
}
