//! How passwords are kept: argon2id, and no more of it at a time than the machine bears.

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordHasher};
use tokio::{sync::Semaphore, task};
use wahana_domain::NewPassword;
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

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let _place = self.places.try_acquire().map_err(|_| ServiceError::RateLimited {
            retry_after: RETRY_AFTER,
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
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_not_the_password() {
        let passwords = Passwords::new();
        let hash = || passwords.hash(NewPassword::parse("correct horse").unwrap());
        let (one, other) = (hash().await.unwrap(), hash().await.unwrap());
        assert!(one.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(one.0, other.0);
    }

    #[tokio::test]
    async fn a_flood_is_turned_away() {
        let passwords = Passwords::new();
        let taken = passwords.places.try_acquire_many(64).unwrap();
        let hash = || passwords.hash(NewPassword::parse("correct horse").unwrap());
        assert!(matches!(hash().await, Err(ServiceError::RateLimited { .. })));
        drop(taken);
        assert!(hash().await.is_ok());
    }
}
