//! What the functions of this crate share.

use std::{collections::HashMap, sync::Mutex};

use url::Url;
use wahana_domain::{Timestamp, TokenId};
use wahana_store::{Callers, Credential, Identity, Store, TenantCache, sessions::SessionNamed};

use crate::{ServiceError, attempts::Attempts, passwords::Passwords};

/// How many sessions the caches hold together, about: at half a kilobyte each some tens of megabytes.
const CACHED_SESSIONS: u64 = 20_000;

/// How the services are set up.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// wahana's address as people see it. Every link is made from it, and from nothing that a request
    /// says.
    pub public_url: Url,
}

/// Everything that the functions of this crate share. One a process.
#[derive(Debug)]
pub struct Services {
    pub(crate) store: Store,
    pub(crate) settings: ServiceSettings,
    pub(crate) callers: Callers,
    pub(crate) passwords: Passwords,
    pub(crate) attempts: Attempts,
    used_tokens: Mutex<HashMap<TokenId, Timestamp>>,
    pub(crate) session_by_name: TenantCache<SessionNamed>,
}

impl Services {
    /// Over an open store.
    #[must_use]
    pub fn new(store: Store, settings: ServiceSettings) -> Self {
        Self {
            settings,
            callers: Callers::new(store.clone()),
            passwords: Passwords::new(),
            attempts: Attempts::new(store.clock().clone()),
            used_tokens: Mutex::default(),
            session_by_name: TenantCache::new(store.clone(), CACHED_SESSIONS),
            store,
        }
    }

    /// Recognizes callers.
    #[must_use]
    pub const fn callers(&self) -> &Callers {
        &self.callers
    }

    /// Notes that a token was used, to be written down with others once a minute.
    pub fn note_use(&self, identity: &Identity) {
        if let Credential::Token(id) | Credential::PlatformToken(id) = identity.credential()
            && let Ok(mut used) = self.used_tokens.lock()
        {
            match used.get_mut(id) {
                Some(at) => *at = self.now(),
                None => drop(used.insert(id.clone(), self.now())),
            }
        }
    }

    /// Writes down when tokens were last used.
    pub async fn write_token_uses(&self) -> Result<(), ServiceError> {
        let used = match self.used_tokens.lock() {
            Ok(mut used) => std::mem::take(&mut *used),
            Err(_) => {
                return Err(ServiceError::Internal(
                    "the list of used tokens is poisoned".to_owned(),
                ));
            }
        };
        if used.is_empty() {
            return Ok(());
        }
        let used: Vec<_> = used.into_iter().collect();
        let tx = self.store.platform_write().await?;
        tx.touch_tokens(&used).await?;
        Ok(tx.commit().await?)
    }

    /// Makes sure that the database answers and has this release's schema.
    pub async fn check(&self) -> Result<(), ServiceError> {
        Ok(self.store.check().await?)
    }

    /// How many bytes the database takes on its disk.
    pub async fn database_size(&self) -> Result<u64, ServiceError> {
        Ok(self.store.size().await?)
    }

    /// Closes the database, after running transactions have ended.
    pub async fn close(&self) -> Result<(), ServiceError> {
        Ok(self.store.close().await?)
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }
}
