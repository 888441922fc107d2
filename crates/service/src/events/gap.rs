//! Noticing that a WAHA server's events do not arrive: its sessions change, and it says nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use wahana_domain::{ServerId, Timestamp, WahaServer};
use wahana_store::Store;

use crate::ServiceError;

/// 1 while a server has a gap.
pub(super) const GAP: &str = "wahana_waha_event_gap";

/// How long an event may take until a change counts as untold: it is sent at once, and tried again after
/// seconds.
const GRACE: Duration = Duration::from_mins(1);
/// An event may be noted so much earlier than the change that it told of is found: servers' last events are
/// written down every ten seconds, and read every four.
const SLACK: Duration = Duration::from_secs(15);

/// The changes that were found by asking and that no event told of yet, of each server.
#[derive(Debug, Default)]
pub(crate) struct Gap(Mutex<HashMap<ServerId, Option<Untold>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Untold {
    since: Timestamp,
    changes: usize,
}

impl Gap {
    /// Takes note of how many changes of sessions a snapshot found, and begins a gap if the server said nothing
    /// for too long. `is_expected`: whether it was ever told where events go.
    pub(crate) async fn look(
        &self,
        store: &Store,
        server: &WahaServer,
        is_expected: bool,
        changes: usize,
        asked_at: Timestamp,
    ) -> Result<(), ServiceError> {
        let is_known = server.event_gap_since.is_some();
        metrics::gauge!(GAP, "server" => server.name.clone()).set(if is_known { 1.0 } else { 0.0 });
        if !is_expected && server.last_event_at.is_none() {
            return Ok(());
        }
        let Some(untold) = self.untold(server, changes, asked_at) else {
            return Ok(());
        };
        if is_known || asked_at.since(untold.since) < GRACE {
            return Ok(());
        }
        let tx = store.platform_write().await?;
        let is_new = tx.begin_event_gap(server.id, untold.since).await?;
        tx.commit().await?;
        if is_new {
            tracing::warn!(
                server.name = server.name,
                changes = untold.changes,
                since = %untold.since,
                "changes of sessions on a WAHA server are found only by asking: its events do not arrive"
            );
        }
        Ok(())
    }

    fn untold(&self, server: &WahaServer, changes: usize, asked_at: Timestamp) -> Option<Untold> {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(untold) = servers.get_mut(&server.id) else {
            // What changed before this process looked for the first time may have been told, and is on its way.
            servers.insert(server.id, None);
            return None;
        };
        let is_told = |untold: &Untold| {
            server
                .last_event_at
                .is_some_and(|at| at.plus(SLACK) >= untold.since)
        };
        if untold.as_ref().is_some_and(is_told) {
            *untold = None;
        }
        if changes > 0 {
            let untold = untold.get_or_insert(Untold {
                since: asked_at,
                changes: 0,
            });
            untold.changes += changes;
        }
        *untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn at(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn server(last_event_at: Option<Timestamp>) -> WahaServer {
        WahaServer {
            id: uuid::Uuid::nil().into(),
            name: "one".to_owned(),
            base_url: "http://127.0.0.1:1".to_owned(),
            api_key: "key".into(),
            capacity: None,
            concurrency: None,
            requests_per_second: None,
            organization: None,
            paused_at: None,
            draining_at: None,
            last_snapshot_at: None,
            hook_version: 1,
            last_event_at,
            event_gap_since: None,
            created_at: START,
            updated_at: START,
        }
    }

    #[test]
    fn changes_are_untold_from_the_first_until_an_event_comes() {
        let gap = Gap::default();
        let quiet = server(None);
        // What the first look finds happened while nobody looked.
        assert_eq!(gap.untold(&quiet, 9, at(0)), None);
        assert_eq!(gap.untold(&quiet, 0, at(5)), None);
        let untold = |changes| {
            Some(Untold {
                since: at(10),
                changes,
            })
        };
        assert_eq!(gap.untold(&quiet, 1, at(10)), untold(1));
        assert_eq!(gap.untold(&quiet, 2, at(60)), untold(3));
        // An event from long before tells nothing of it; one from about then does.
        assert_eq!(
            gap.untold(&server(Some(START.minus(GRACE))), 0, at(70)),
            untold(3)
        );
        assert_eq!(gap.untold(&server(Some(at(0))), 0, at(80)), None);
        assert_eq!(gap.untold(&server(Some(at(0))), 0, at(90)), None);
    }
}
