//! Waking whoever looks after a WAHA server, because something changed there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;
use wahana_domain::ServerId;

/// One bell a server; clones share them. A bell that is rung while nobody waits is heard by the next who does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell(Arc<Mutex<HashMap<ServerId, Arc<Notify>>>>);

impl Bell {
    /// Something changed on a server.
    pub(crate) fn ring(&self, server: ServerId) {
        self.of(server).notify_one();
    }

    /// Waits until something has changed on a server.
    pub(crate) async fn rung(&self, server: ServerId) {
        self.of(server).notified().await;
    }

    fn of(&self, server: ServerId) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(server).or_default().clone()
    }
}
