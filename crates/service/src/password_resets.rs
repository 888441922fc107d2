//! Links by which a person who lost their password chooses a new one. Only operators make them: a
//! member of one organization may belong to others too, and its admins must not get into those.

use std::time::Duration;

use secrecy::SecretString;
use wahana_domain::{NewPassword, PasswordResetId, Secret, Timestamp, UserId};

use crate::{
    Operator, RequestOrigin, ServiceError, Services, audit,
    context::Actor,
    links::{Page, PresentedLink, link},
};

/// How long a link can be used.
pub const LIFETIME: Duration = Duration::from_hours(24);

/// A link that was just made.
#[derive(Debug)]
pub struct CreatedPasswordReset {
    /// The link, which is shown this once.
    pub link: SecretString,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Makes a link for a person.
pub async fn create(
    services: &Services,
    operator: &Operator,
    user: UserId,
) -> Result<CreatedPasswordReset, ServiceError> {
    let tx = services.store.platform_write().await?;
    if tx.user(user).await?.is_none() {
        return Err(ServiceError::NotFound("User"));
    }
    let (id, secret) = (PasswordResetId::new(), Secret::generate());
    let expires_at = tx.now().plus(LIFETIME);
    tx.insert_password_reset(id, user, &secret.hash(), expires_at)
        .await?;
    audit::record_by_operator(&tx, operator, None, "password_resets.create").await?;
    tx.commit().await?;
    Ok(CreatedPasswordReset {
        link: link(&services.settings.public_url, Page::PasswordReset, id, &secret),
        expires_at,
    })
}

/// Uses a link up to set a new password. Every sign-in of the person ends.
pub async fn complete(
    services: &Services,
    origin: &RequestOrigin,
    presented: Option<PresentedLink<PasswordResetId>>,
    new: NewPassword,
) -> Result<(), ServiceError> {
    let attempt = services.attempts.on_link(origin.source_address)?;
    let presented = presented.ok_or(ServiceError::LinkInvalid)?;
    // Before the transaction: hashing takes its time, and on SQLite everybody else who writes waits.
    let hash = services.passwords.hash(new).await?;
    let tx = services.store.platform_write().await?;
    let user = tx
        .use_password_reset(presented.id, &presented.secret)
        .await?
        .ok_or(ServiceError::LinkInvalid)?;
    tx.set_password(user, hash).await?;
    tx.revoke_sign_ins(user, None).await?;
    let actor = Actor::person(user, origin);
    audit::record_on_platform(&tx, &actor, None, "auth.reset_password").await?;
    tx.commit().await?;
    attempt.succeeded();
    services.callers.forget();
    Ok(())
}
