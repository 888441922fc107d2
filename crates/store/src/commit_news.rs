//! What a commit changes for others in this process: caches that are out of date, and events to be told.

use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};
use wahana_domain::OrganizationId;

use crate::cache::Generations;

/// How many organizations may have got events before who waits for them has looked: beyond that it is told that
/// anybody may have got some.
const REMEMBERED: usize = 1024;

/// Whom a commit is told to. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct CommitNews {
    pub(crate) generations: Generations,
    pub(crate) events: EventBell,
}

impl CommitNews {
    pub(crate) fn new() -> Self {
        Self {
            generations: Generations::new(),
            events: EventBell::new(),
        }
    }
}

/// Rings when an organization has new events. It only wakes: the truth is in the rows.
#[derive(Clone, Debug)]
pub(crate) struct EventBell(broadcast::Sender<OrganizationId>);

impl EventBell {
    fn new() -> Self {
        Self(broadcast::Sender::new(REMEMBERED))
    }

    pub(crate) fn ring(&self, organization: OrganizationId) {
        // Nobody may be waiting.
        let _ = self.0.send(organization);
    }

    pub(crate) fn watch(&self) -> EventWatch {
        EventWatch(self.0.subscribe())
    }
}

/// Who has new events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// This organization.
    Organization(OrganizationId),
    /// So many that they were not remembered: any organization may have some.
    Everybody,
}

/// Hears which organizations get events in this process.
#[derive(Debug)]
pub struct EventWatch(broadcast::Receiver<OrganizationId>);

impl EventWatch {
    /// Waits until an organization has new events; `None` when there will be none any more, because the store is
    /// gone.
    pub async fn next(&mut self) -> Option<Woken> {
        match self.0.recv().await {
            Ok(organization) => Some(Woken::Organization(organization)),
            Err(RecvError::Lagged(_)) => Some(Woken::Everybody),
            Err(RecvError::Closed) => None,
        }
    }

    /// The same without waiting; `None` if nobody has new events at the moment.
    pub fn try_next(&mut self) -> Option<Woken> {
        match self.0.try_recv() {
            Ok(organization) => Some(Woken::Organization(organization)),
            Err(TryRecvError::Lagged(_)) => Some(Woken::Everybody),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
