//! Tokens of platform administrators: for the platform API, and nobody in any organization.

use wahana_domain::{PlatformToken, Secret, Timestamp, TokenId, UserId};
use wahana_store::NewPlatformToken as NewPlatformTokenRow;

use crate::{
    FieldErrors, Operator, ServiceError, Services, access_tokens::not_in_the_past, audit::record_by_operator,
};

/// A token of a platform administrator, to be made.
#[derive(Clone, Debug)]
pub struct NewPlatformToken {
    /// Whose it is; through the API, the administrator who asks.
    pub user_id: UserId,
    /// What it is called.
    pub name: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A token that was just made, with its secret, which is shown this once.
#[derive(Debug)]
pub struct CreatedPlatformToken {
    /// The token.
    pub token: PlatformToken,
    /// Its secret.
    pub secret: Secret,
}

/// Makes a token for a platform administrator.
///
/// # Errors
///
/// [`ServiceError::Forbidden`] if an administrator asks for another's.
pub async fn create(
    services: &Services,
    operator: &Operator,
    new: NewPlatformToken,
) -> Result<CreatedPlatformToken, ServiceError> {
    if operator.actor().user.is_some_and(|asking| asking != new.user_id) {
        return Err(ServiceError::Forbidden(
            "A platform administrator makes tokens for themself.".to_owned(),
        ));
    }
    let tx = services.store.platform_write().await?;
    not_in_the_past(new.expires_at, tx.now())?;
    let user = tx
        .user(new.user_id)
        .await?
        .ok_or(ServiceError::NotFound("User"))?;
    if !user.is_platform_administrator || user.disabled_at.is_some() {
        return Err(FieldErrors::one("user", "must be a platform administrator who is not disabled").into());
    }
    let secret = Secret::generate();
    let token = PlatformToken {
        id: TokenId::generate_platform(),
        user_id: user.id,
        name: new.name,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
        created_at: tx.now(),
    };
    tx.insert_platform_token(&NewPlatformTokenRow {
        id: token.id.clone(),
        user_id: token.user_id,
        name: token.name.clone(),
        secret: secret.hash(),
        expires_at: token.expires_at,
    })
    .await?;
    let operation = "platform.tokens.create";
    record_by_operator(&tx, operator, None, operation).await?;
    tx.commit().await?;
    Ok(CreatedPlatformToken { token, secret })
}

/// Every platform administrator's tokens, newest first.
pub async fn list(services: &Services, _: &Operator) -> Result<Vec<PlatformToken>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.platform_tokens().await?)
}

/// Takes a token back, whosever it is.
pub async fn revoke(services: &Services, operator: &Operator, id: &TokenId) -> Result<(), ServiceError> {
    let tx = services.store.platform_write().await?;
    if !tx.revoke_platform_token(id).await? {
        return Err(ServiceError::NotFound("Token"));
    }
    let operation = "platform.tokens.revoke";
    record_by_operator(&tx, operator, None, operation).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(())
}
