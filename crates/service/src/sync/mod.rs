//! Keeping what wahana knows of sessions as true as WAHA allows.
//!
//! A server's session list belongs to the platform: one snapshot, and one call in flight, per server,
//! whoever asked. It is compared with every known session of that server; what is new is written, and
//! nothing else. It creates, claims and reassigns nothing.

mod apply;
mod unchanged;
mod view;

pub(crate) use apply::{forget_number, observation, observe, phone_number};
pub(crate) use unchanged::Configurations;

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
    time::Duration,
};

use futures_util::future::join_all;
use wahana_domain::{ServerId, Timestamp};
use wahana_store::Store;

use crate::{
    ServiceError, ServiceSettings, events::Gap, messages::SendQueue, reconcile::Bell, upstream::Upstreams,
};
use unchanged::{Compared, Listed};
use view::{Flight, View, Wanted};

/// How old the news are that an answer is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// When the oldest of the snapshots concerned was taken; `None` if one never was, or none concerned.
    pub synced_at: Option<Timestamp>,
    /// Whether all of them are as new as an answer should be.
    pub is_fresh: bool,
    /// Why not, in words.
    pub reason: Option<&'static str>,
}

/// Takes snapshots of WAHA servers when somebody wants to know. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Synchronizer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    upstreams: Upstreams,
    max_age: Duration,
    wait: Duration,
    views: RwLock<HashMap<ServerId, Arc<View>>>,
    bell: Bell,
    queue: SendQueue,
    gap: Gap,
    hears_events: bool,
}

impl Synchronizer {
    pub(crate) fn new(
        store: Store,
        upstreams: Upstreams,
        bell: Bell,
        queue: SendQueue,
        settings: &ServiceSettings,
    ) -> Self {
        Self(Arc::new(Shared {
            store,
            upstreams,
            max_age: settings.sync_max_age,
            wait: settings.sync_wait,
            views: RwLock::default(),
            bell,
            queue,
            gap: Gap::default(),
            hears_events: settings.hook_url.is_some(),
        }))
    }

    /// Makes what is known of these servers' sessions new enough, if that can be done within the bound
    /// on waiting; servers are asked at the same time.
    pub(crate) async fn refresh(&self, servers: &[ServerId]) -> SyncReport {
        self.wait_for_news(servers).await;
        self.report(servers, self.0.store.clock().now().minus(self.0.max_age))
    }

    /// The same without a report; says whether it was waited for, so that what was read before is old now.
    pub(crate) async fn wait_for_news(&self, servers: &[ServerId]) -> bool {
        let now = self.0.store.clock().now();
        let flights = self.board(servers, now, Wanted::Young);
        if flights.is_empty() {
            return false;
        }
        // Whoever is not back in time arrives later and serves the next reader.
        let landed = join_all(flights.into_iter().map(Flight::landed));
        let _ = tokio::time::timeout(self.0.wait, landed).await;
        true
    }

    /// The same, and a snapshot that was taken before now does not do, nor one that is being taken.
    pub(crate) async fn refresh_now(&self, servers: &[ServerId]) -> SyncReport {
        let demanded_at = self.0.store.clock().now();
        let satisfied = async {
            loop {
                let now = self.0.store.clock().now();
                let flights = self.board(servers, now, Wanted::Since(demanded_at));
                if flights.is_empty() {
                    return;
                }
                join_all(flights.into_iter().map(Flight::landed)).await;
            }
        };
        let _ = tokio::time::timeout(self.0.wait, satisfied).await;
        self.report(servers, demanded_at)
    }

    /// The calls to wait for.
    fn board(&self, servers: &[ServerId], now: Timestamp, wanted: Wanted) -> Vec<Flight> {
        servers
            .iter()
            .filter_map(|server| self.view(*server).board(self, *server, now, wanted))
            .collect()
    }

    fn report(&self, servers: &[ServerId], oldest_allowed: Timestamp) -> SyncReport {
        let mut report = SyncReport {
            synced_at: None,
            is_fresh: true,
            reason: None,
        };
        let now = self.0.store.clock().now();
        for (number, server) in servers.iter().enumerate() {
            let (synced_at, failure) = self.view(*server).news();
            // A time in the future means that the clock was set back, and says nothing.
            let is_fresh = synced_at.is_some_and(|at| at >= oldest_allowed && at <= now);
            report.synced_at = match (number, report.synced_at, synced_at) {
                (0, _, at) => at,
                (_, Some(oldest), Some(at)) => Some(oldest.min(at)),
                _ => None,
            };
            if !is_fresh {
                report.is_fresh = false;
                report.reason = Some(failure.unwrap_or("WAHA has not answered yet."));
            }
        }
        report
    }

    /// Lets nobody be content with an earlier snapshot of a server: something has changed, or is about to.
    pub(crate) fn outdate(&self, server: ServerId) {
        self.view(server).outdate(self.0.store.clock().now());
    }

    /// When the last snapshot of a server was taken that arrived whole.
    pub(crate) fn synced_at(&self, server: ServerId) -> Option<Timestamp> {
        self.view(server).news().0
    }

    /// How the sessions of a server were configured when it was last asked.
    pub(crate) fn configurations(&self, server: ServerId) -> Configurations {
        self.view(server).configurations()
    }

    fn view(&self, server: ServerId) -> Arc<View> {
        if let Ok(views) = self.0.views.read()
            && let Some(view) = views.get(&server)
        {
            return view.clone();
        }
        match self.0.views.write() {
            Ok(mut views) => views.entry(server).or_default().clone(),
            // A poisoned list costs an extra snapshot, never a wrong one.
            Err(_) => Arc::default(),
        }
    }

    /// Asks a server for all its sessions and writes down what is new. Says when it was asked.
    async fn snapshot(&self, server: ServerId) -> Result<Timestamp, ServiceError> {
        let upstream = self.0.upstreams.get(server).await?;
        self.view(server).remember(upstream.server.last_snapshot_at);
        let asked_at = self.0.store.clock().now();
        let sessions = upstream.waha().list_sessions().await.map_err(|error| {
            tracing::warn!(
                server.name = upstream.server.name,
                error.kind = error.kind(),
                error = %error,
                "a WAHA server did not give its session list"
            );
            crate::upstream::refused_by_waha(&error)
        })?;
        let view = self.view(server);
        view.configured(&sessions);
        let tx = self.0.store.platform_read().await?;
        let comparison = Compared {
            listed: Listed::new(&sessions),
            sessions: tx.session_changes(server).await?,
            asked_at,
        };
        let mut changes = 0;
        if view.covers(&comparison) {
            drop(tx);
        } else {
            let applied = apply::apply(&self.0.store, tx, server, asked_at, &sessions).await?;
            changes = applied.changed_on_waha;
            view.compared(comparison);
            self.0.bell.ring(server);
            // What waits for a session to work may go on.
            for (tenant, session) in applied.working_again {
                self.0.queue.wake(tenant, session);
            }
        }
        let (own, gap) = (&self.0, &self.0.gap);
        gap.look(&own.store, &upstream.server, own.hears_events, changes, asked_at)
            .await?;
        Ok(asked_at)
    }
}
