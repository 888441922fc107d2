//! Access tokens. A token is for the person who makes it, and never stronger than what made it.

use wahana_domain::{Abilities, AccessToken, Secret, SessionId, Timestamp, TokenId};
use wahana_store::{access_tokens, sessions};

use crate::{
    Credential, FieldErrors, ServiceError, Services,
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
    /// When it ends; made by a token that ends, no later than that one, and with it if left open.
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
    Ok(access_tokens::page(&tx, offset, limit).await?)
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
    let expires_at = match own_end(access) {
        Some(end) if new.expires_at.is_some_and(|wanted| wanted > end) => {
            return Err(ServiceError::Forbidden(
                "A token cannot make one that outlives it.".to_owned(),
            ));
        }
        Some(end) => Some(new.expires_at.unwrap_or(end)),
        None => new.expires_at,
    };
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
        expires_at,
        last_used_at: None,
        revoked_at: None,
        created_at: tx.now(),
    };
    access_tokens::insert(&tx, &token, &secret.hash()).await?;
    audit::record_success(&tx, access.context(), "tokens.create").await?;
    tx.commit().await?;
    Ok(CreatedToken { token, secret })
}

/// When the token that calls ends. A sign-in ends too, but the person signs in again.
fn own_end(access: &Granted<ManageTokens>) -> Option<Timestamp> {
    match access.credential() {
        Credential::Token(_) | Credential::PlatformToken(_) => access.expires_at(),
        Credential::SignIn(_) => None,
    }
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
    audit::record_success(&tx, access.context(), "tokens.revoke").await?;
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
