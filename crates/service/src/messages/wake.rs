//! Telling within a process that messages wait, and that a session's lane is free.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard, futures::Notified};
use wahana_domain::SessionId;
use wahana_store::Tenant;

/// How many sessions' places are kept before those that nobody has are forgotten.
const PLACES: usize = 1_000;

/// What whoever sends in this process tells the others. It only wakes: the truth is in the rows. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SendQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    sessions: Mutex<HashSet<(Tenant, SessionId)>>,
    arrived: Notify,
    freed: Notify,
    places: Mutex<HashMap<SessionId, Weak<AsyncMutex<()>>>>,
}

impl SendQueue {
    /// Says that a session has messages that may be sent now.
    pub fn wake(&self, tenant: Tenant, session: SessionId) {
        // What another thread left half done is a set all the same.
        let mut sessions = self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert((tenant, session));
        drop(sessions);
        self.0.arrived.notify_one();
    }

    /// Says to those who wait for an answer that a session's lane is free: whose turn is it now?
    pub(super) fn lane_is_free(&self) {
        self.0.freed.notify_waiters();
    }

    /// Ends when some session's lane becomes free.
    pub(super) fn freed(&self) -> Notified<'_> {
        self.0.freed.notified()
    }

    /// Waits until there is something to look at, and says which sessions. For one who waits.
    pub(super) async fn woken(&self) -> HashSet<(Tenant, SessionId)> {
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

    /// A place in the line of those of this process who wait for an answer of the same session, in the order in
    /// which they came: one of them at a time asks the database whose turn it is.
    pub(super) async fn place(&self, session: SessionId) -> OwnedMutexGuard<()> {
        let line = {
            let mut places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
            if places.len() > PLACES {
                places.retain(|_, line| line.strong_count() > 0);
            }
            let known = places.get(&session).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let line = Arc::default();
                places.insert(session, Arc::downgrade(&line));
                line
            })
        };
        line.lock_owned().await
    }
}
