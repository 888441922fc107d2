//! How passwords are kept and checked: argon2id, and no more of it at a time than the machine bears.

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash, password_hash::phc::PasswordHash};
use tokio::{sync::Semaphore, task};
use wahana_domain::{NewPassword, Password};
use wahana_store::StoredPassword;

use crate::ServiceError;

/// How many hashes are computed at a time. Each takes 19 MiB and a thread for some tens of
/// milliseconds (argon2id, two passes, one lane).
const RUNNING: usize = 4;
/// How many may run or wait. Whoever comes then is turned away, instead of everybody waiting longer
/// and longer.
const PLACES: usize = 64;
/// When it may be tried again after that.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Hashes passwords. One a process.
#[derive(Debug)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    places: Semaphore,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(RUNNING)),
            places: Semaphore::new(PLACES),
        }
    }

    /// What may be stored of a password.
    pub(crate) async fn hash(&self, new: NewPassword) -> Result<StoredPassword, ServiceError> {
        let hash = self
            .compute(move || hasher().hash_password(new.password().expose().as_bytes()))
            .await?
            .map_err(|error| internal(&error))?;
        Ok(StoredPassword(hash.to_string()))
    }

    /// Whether a password is the stored one. Without a stored one it takes as long, and it is not.
    pub(crate) async fn matches(
        &self,
        presented: Password,
        stored: Option<StoredPassword>,
    ) -> Result<bool, ServiceError> {
        let compared = self
            .compute(move || {
                let presented = presented.expose().as_bytes();
                match stored {
                    Some(stored) => {
                        let hash = PasswordHash::new(&stored.0)
                            .map_err(|_| password_hash::Error::EncodingInvalid)?;
                        hasher().verify_password(presented, &hash)
                    }
                    None => hasher()
                        .hash_password_with_salt(presented, &[0; 16])
                        .and(Err(password_hash::Error::PasswordInvalid)),
                }
            })
            .await?;
        match compared {
            Ok(()) => Ok(true),
            Err(password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(internal(&error)),
        }
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let _place = self.places.try_acquire().map_err(|_| {
            ServiceError::too_many_attempts(u32::try_from(PLACES).unwrap_or(u32::MAX), RETRY_AFTER)
        })?;
        let running = self.running.clone().acquire_owned();
        let running = running.await.map_err(|error| internal(&error))?;
        // The thread keeps its permit, even if whoever asked goes away meanwhile.
        let work = move || {
            let result = work();
            drop(running);
            result
        };
        task::spawn_blocking(work).await.map_err(|error| internal(&error))
    }
}

/// Argon2id with 19 MiB, two passes and one lane: the least that OWASP's password storage cheat sheet
/// asks for.
fn hasher() -> Argon2<'static> {
    Argon2::default()
}

fn internal(error: &dyn std::error::Error) -> ServiceError {
    ServiceError::Internal(format!("a password cannot be hashed: {error}"))
}

#[cfg(test)]
impl Passwords {
    /// Takes every place.
    pub(crate) fn occupy(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.places.try_acquire_many(64).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let passwords = Passwords::new();
        let stored = passwords
            .hash(NewPassword::parse("correct horse").unwrap())
            .await
            .unwrap();
        assert!(stored.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let matches =
            |text: &str, stored: Option<StoredPassword>| passwords.matches(Password::presented(text), stored);
        assert!(matches("correct horse", Some(stored.clone())).await.unwrap());
        assert!(!matches("Correct horse", Some(stored)).await.unwrap());
        assert!(!matches("correct horse", None).await.unwrap());
        let unreadable = Some(StoredPassword("plain".to_owned()));
        assert!(matches!(
            matches("plain", unreadable).await,
            Err(ServiceError::Internal(_))
        ));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away() {
        let passwords = Passwords::new();
        let taken = passwords.occupy();
        let attempt = passwords.matches(Password::presented("x"), None).await;
        assert!(matches!(attempt, Err(ServiceError::RateLimited { .. })));
        drop(taken);
        assert!(!passwords.matches(Password::presented("x"), None).await.unwrap());
    }
}
