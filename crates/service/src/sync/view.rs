//! What is known of one server's list, and the one call for it that may be in flight.

use std::{sync::Mutex, time::Duration};

use tokio::sync::watch;
use waha_client::WahaSession;
use wahana_domain::{ServerId, Timestamp};

use super::{
    Synchronizer,
    unchanged::{Compared, Configurations},
};
use crate::ServiceError;

/// After a failure, readers are answered from what is known for so long before anybody tries again.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How often the time of the last snapshot is written down, for a process that starts later.
const WRITE_DOWN_EVERY: Duration = Duration::from_secs(30);

/// What is known of one server's list.
#[derive(Debug, Default)]
pub(super) struct View(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the last snapshot was taken that arrived whole.
    synced_at: Option<Timestamp>,
    /// When that was last written down.
    written_down_at: Option<Timestamp>,
    /// When the last attempt failed, and why; `None` after one that did not.
    failed: Option<(Timestamp, &'static str)>,
    flight: Option<Flight>,
    /// Until when something changed; a snapshot that was taken before then does not do.
    outdated_at: Option<Timestamp>,
    compared: Option<Compared>,
    configurations: Configurations,
}

/// Which news are new enough.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// Those that are not older than an answer may be.
    Young,
    /// Those of a call that was made since then.
    Since(Timestamp),
}

/// A call for a server's list that is under way. It ends when its sender is dropped, also by a panic.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    departed_at: Timestamp,
    landed: watch::Receiver<()>,
}

impl Flight {
    /// Waits until it has ended.
    pub(super) async fn landed(mut self) {
        while self.landed.changed().await.is_ok() {}
    }

    fn is_in_the_air(&self) -> bool {
        self.landed.has_changed().is_ok()
    }
}

impl View {
    /// Whatever must be waited for until the news are as new as they should be: a call that is under
    /// way already, or one that departs now. `None` if they are new enough, and when waiting is known
    /// to be of no use.
    pub(super) fn board(
        &self,
        sync: &Synchronizer,
        server: ServerId,
        now: Timestamp,
        wanted: Wanted,
    ) -> Option<Flight> {
        let mut state = self.0.lock().ok()?;
        // A time in the future means that the clock was set back, and says nothing.
        let synced_at = state.synced_at.filter(|at| *at <= now);
        let is_at_most = |age: Duration| synced_at.is_some_and(|at| now.since(at) <= age);
        let is_fresh = match wanted {
            Wanted::Since(demanded_at) => synced_at.is_some_and(|at| at >= demanded_at),
            Wanted::Young => {
                is_at_most(sync.0.max_age) && state.outdated_at.is_none_or(|at| synced_at >= Some(at))
            }
        };
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.is_in_the_air()) {
            let is_hopeful = match wanted {
                // Who waited for it in vain was one too many already.
                Wanted::Young => now.since(flight.departed_at) < sync.0.wait,
                Wanted::Since(_) => true,
            };
            return (!is_fresh && is_hopeful).then(|| flight.clone());
        }
        let is_enough = match wanted {
            // News are renewed before they grow old.
            Wanted::Young => is_fresh && is_at_most(sync.0.max_age * 4 / 5),
            Wanted::Since(_) => is_fresh,
        };
        let is_hopeless = state.failed.is_some_and(|(at, _)| match wanted {
            Wanted::Young => at <= now && now.since(at) < PAUSE_AFTER_FAILURE,
            Wanted::Since(demanded_at) => at >= demanded_at,
        });
        if is_enough || is_hopeless {
            return None;
        }
        let (sender, landed) = watch::channel(());
        let flight = Flight {
            departed_at: now,
            landed,
        };
        state.flight = Some(flight.clone());
        drop(state);
        let sync = sync.clone();
        tokio::spawn(async move {
            let outcome = sync.snapshot(server).await;
            sync.view(server).arrive(&sync, server, outcome).await;
            drop(sender);
        });
        // News that are new enough are not waited for.
        (!is_fresh).then_some(flight)
    }

    async fn arrive(&self, sync: &Synchronizer, server: ServerId, outcome: Result<Timestamp, ServiceError>) {
        let write_down = {
            let Ok(mut state) = self.0.lock() else { return };
            match outcome {
                Ok(at) => {
                    state.synced_at = Some(at);
                    state.failed = None;
                    let is_due = state
                        .written_down_at
                        .is_none_or(|last| at.since(last) >= WRITE_DOWN_EVERY);
                    if is_due {
                        state.written_down_at = Some(at);
                    }
                    is_due.then_some(at)
                }
                Err(error) => {
                    state.failed = Some((sync.0.store.clock().now(), reason(&error)));
                    None
                }
            }
        };
        if let Some(at) = write_down
            && let Err(error) = write_down_snapshot(sync, server, at).await
        {
            tracing::warn!(server.id = %server, error = %error, "the time of a snapshot could not be written down");
        }
    }

    /// Whether the last comparison found everything that this one could find.
    pub(super) fn covers(&self, comparison: &Compared) -> bool {
        let last = self.0.lock().ok().and_then(|state| state.compared);
        last.is_some_and(|last| last.covers(comparison))
    }

    /// Remembers a comparison whose findings were written.
    pub(super) fn compared(&self, comparison: Compared) {
        if let Ok(mut state) = self.0.lock() {
            state.compared = Some(comparison);
        }
    }

    /// Remembers how the sessions of a list are configured.
    pub(super) fn configured(&self, sessions: &[WahaSession]) {
        let known = self.configurations();
        let configurations = Configurations::of(sessions, &known);
        if let Ok(mut state) = self.0.lock() {
            state.configurations = configurations;
        }
    }

    /// How the sessions of the last list are configured.
    pub(super) fn configurations(&self) -> Configurations {
        self.0
            .lock()
            .map(|state| state.configurations.clone())
            .unwrap_or_default()
    }

    /// Makes the next reader ask again.
    pub(super) fn outdate(&self, at: Timestamp) {
        if let Ok(mut state) = self.0.lock() {
            state.outdated_at = Some(at);
        }
    }

    /// Takes over what an earlier process wrote down, if this one knows nothing yet.
    pub(super) fn remember(&self, synced_at: Option<Timestamp>) {
        if let Ok(mut state) = self.0.lock() {
            state.synced_at = state.synced_at.or(synced_at);
        }
    }

    /// When the last snapshot was taken that arrived whole, and why there is no newer one.
    pub(super) fn news(&self) -> (Option<Timestamp>, Option<&'static str>) {
        self.0.lock().map_or((None, None), |state| {
            (state.synced_at, state.failed.map(|(_, why)| why))
        })
    }
}

async fn write_down_snapshot(
    sync: &Synchronizer,
    server: ServerId,
    at: Timestamp,
) -> Result<(), ServiceError> {
    let tx = sync.0.store.platform_write().await?;
    tx.set_last_snapshot(server, at).await?;
    Ok(tx.commit().await?)
}

fn reason(error: &ServiceError) -> &'static str {
    match error {
        ServiceError::WahaUnavailable { .. } => "WAHA cannot be reached.",
        ServiceError::WahaTimeout { .. } => "WAHA does not answer.",
        ServiceError::Store(_) => "wahana's own storage failed.",
        _ => "WAHA gave an unexpected answer.",
    }
}
