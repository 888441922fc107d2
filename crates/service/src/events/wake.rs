//! Telling who applies events that there are new ones.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;
use wahana_domain::SessionId;
use wahana_store::Tenant;

use super::Haste;

/// The sessions of which new events were stored. Clones share it. It only wakes: what there is to do is in
/// the database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wake(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    sessions: Mutex<HashMap<(Tenant, SessionId), Haste>>,
    arrived: Notify,
}

impl Wake {
    /// Says that a session has new events.
    pub(super) fn wake(&self, tenant: Tenant, session: SessionId, haste: Haste) {
        // What another thread left half done is a set all the same.
        let mut sessions = self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sessions.entry((tenant, session)).or_insert(haste);
        *known = (*known).min(haste);
        drop(sessions);
        self.0.arrived.notify_one();
    }

    /// Waits until sessions have new events, and says which. For one who waits.
    pub(super) async fn woken(&self) -> HashMap<(Tenant, SessionId), Haste> {
        loop {
            let sessions = {
                let mut sessions = self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *sessions)
            };
            if !sessions.is_empty() {
                return sessions;
            }
            self.0.arrived.notified().await;
        }
    }
}
