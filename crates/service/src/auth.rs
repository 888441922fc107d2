//! People sign in, sign out, and change their passwords.

use std::time::Duration;

use wahana_domain::{EmailAddress, NewPassword, Password, Secret, SignInId, UserId};
use wahana_store::{Identity, StoredPassword};

use crate::{
    FieldErrors, RequestOrigin, ServiceError, Services, audit,
    context::{Actor, Person},
};

/// How long a sign-in lasts.
pub const SIGN_IN_LIFETIME: Duration = Duration::from_hours(14 * 24);

/// A sign-in that was just made.
#[derive(Debug)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// Its secret, which is shown this once.
    pub secret: Secret,
    /// Who signed in.
    pub identity: Identity,
}

/// Signs a person in. A wrong password, an address that nobody has, a user without a password and one
/// who is disabled are answered alike, after the same work.
pub async fn sign_in(
    services: &Services,
    origin: &RequestOrigin,
    email: &EmailAddress,
    password: Password,
) -> Result<SignIn, ServiceError> {
    let attempt = services
        .attempts
        .on_account(origin.source_address, email)
        .inspect_err(|_| log_refusal(origin, None, "too many attempts"))?;
    let (user, stored) = {
        let tx = services.store.platform_read().await?;
        let user = tx.user_by_email(email).await?;
        let id = user.as_ref().map_or_else(UserId::new, |user| user.id);
        let stored = tx.password(id).await?;
        (user, stored)
    };
    let verified = stored.clone();
    let is_right = services.passwords.matches(password, stored).await?;
    let Some(user) = user else {
        log_refusal(origin, None, "nobody has this address");
        return Err(ServiceError::WrongPassword);
    };
    if !is_right || user.disabled_at.is_some() {
        let why = if is_right {
            "the user is disabled"
        } else {
            "wrong password"
        };
        log_refusal(origin, Some(user.id), why);
        return Err(ServiceError::WrongPassword);
    }

    let tx = services.store.platform_write().await?;
    // Somebody may have changed the password, and ended all sign-ins, while it was compared.
    if !is_same(tx.password(user.id).await?.as_ref(), verified.as_ref()) {
        return Err(ServiceError::WrongPassword);
    }
    let (id, secret) = (SignInId::new(), Secret::generate());
    tx.insert_sign_in(id, user.id, &secret.hash(), tx.now().plus(SIGN_IN_LIFETIME))
        .await?;
    let Some(identity) = tx.identity_of_sign_in(id).await? else {
        return Err(ServiceError::WrongPassword);
    };
    let actor = Actor::person(user.id, origin);
    audit::record_on_platform(&tx, &actor, None, "auth.login").await?;
    tx.commit().await?;
    attempt.succeeded();
    Ok(SignIn { id, secret, identity })
}

/// Ends the sign-in by which a person calls.
pub async fn sign_out(services: &Services, person: &Person) -> Result<(), ServiceError> {
    let sign_in = person.sign_in()?;
    let tx = services.store.platform_write().await?;
    tx.revoke_sign_in(sign_in).await?;
    audit::record_on_platform(&tx, &person.actor(), None, "auth.logout").await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(())
}

/// Changes a person's password. Every other sign-in of theirs ends, and every link to choose one.
pub async fn change_password(
    services: &Services,
    person: &Person,
    current: Password,
    new: NewPassword,
) -> Result<(), ServiceError> {
    let sign_in = person.sign_in()?;
    let user = person.identity.user();
    let attempt = services
        .attempts
        .on_account(person.origin.source_address, &user.email)?;
    let stored = {
        let tx = services.store.platform_read().await?;
        tx.password(user.id).await?
    };
    if !services.passwords.matches(current, stored).await? {
        return Err(FieldErrors::one("current_password", "is wrong").into());
    }
    attempt.succeeded();
    let hash = services.passwords.hash(new).await?;
    let tx = services.store.platform_write().await?;
    tx.set_password(user.id, hash).await?;
    tx.revoke_sign_ins(user.id, Some(sign_in)).await?;
    audit::record_on_platform(&tx, &person.actor(), None, "auth.change_password").await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(())
}

fn is_same(one: Option<&StoredPassword>, other: Option<&StoredPassword>) -> bool {
    one.map(|password| &password.0) == other.map(|password| &password.0)
}

/// An attempt without a valid credential leaves a line, never a row; and never the address that was
/// typed, which may be a password in the wrong field.
fn log_refusal(origin: &RequestOrigin, user: Option<UserId>, why: &'static str) {
    tracing::warn!(
        request.id = origin.request_id,
        source.address = origin.source_address.map(tracing::field::display),
        user.id = user.map(tracing::field::display),
        reason = why,
        "sign-in refused"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use waha_client::{HttpClient, HttpOptions};
    use wahana_domain::SystemClock;
    use wahana_testkit::database::TestDatabase;

    use super::*;
    use crate::ServiceSettings;

    #[tokio::test]
    async fn an_address_that_nobody_has_costs_a_hash_too() {
        let database = TestDatabase::sqlite().await;
        let store = database.store(Arc::new(SystemClock)).await;
        // Another test of this process may have chosen the provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let settings = ServiceSettings::at("https://wahana.example".parse().unwrap());
        let services = Services::new(store, http, settings);
        let nobody = EmailAddress::parse("nobody@example.com").unwrap();
        let origin = RequestOrigin::default();
        let sign_in = || sign_in(&services, &origin, &nobody, Password::presented("correct horse"));
        // With all places taken, whoever wants a hash is turned away.
        let places = services.passwords.occupy();
        assert!(matches!(sign_in().await, Err(ServiceError::RateLimited { .. })));
        drop(places);
        assert!(matches!(sign_in().await, Err(ServiceError::WrongPassword)));
    }
}
