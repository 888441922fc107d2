//! What a process does beside answering requests: it applies events and looks after sessions.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waha_client::{GuardLimits, HttpClient, HttpOptions};
use wahana_domain::ProcessId;
use wahana_service::{ReconcileSettings, Reconciler, ServiceSettings, Services, events};
use wahana_store::Store;

use crate::world::World;

/// Works until it is dropped, as a process does until it is killed.
pub(crate) struct Living(Vec<JoinHandle<()>>);

impl Living {
    /// A process that looks after sessions, often, and applies events.
    pub(crate) fn begin(world: &World<'_>, store: Store) -> Self {
        let services = services(world, store);
        let often = ReconcileSettings {
            interval: Duration::from_millis(100),
            steps_per_second: 1000,
            concurrency: 8,
        };
        let reconciler = Reconciler::new(services.clone(), ProcessId::new(), often);
        let reconciling = tokio::spawn(async move { reconciler.run(CancellationToken::new()).await });
        let applying = apply(services);
        // The hook wakes those of its own process.
        Self(vec![reconciling, applying, apply(world.services.clone())])
    }

    /// One that only applies events, beside the hook's own process.
    pub(crate) fn applying(world: &World<'_>, store: Store) -> Self {
        let services = services(world, store);
        Self(vec![apply(services), apply(world.services.clone())])
    }
}

fn services(world: &World<'_>, store: Store) -> Services {
    let settings = ServiceSettings {
        hook_url: Some(world.url.clone()),
        sync_max_age: Duration::from_millis(100),
        waha_guard: GuardLimits {
            first_pause: Duration::ZERO,
            ..GuardLimits::default()
        },
        ..ServiceSettings::at(world.url.clone())
    };
    let http = HttpClient::new(&HttpOptions::default()).unwrap();
    Services::new(store, http, settings)
}

fn apply(services: Services) -> JoinHandle<()> {
    tokio::spawn(async move { events::dispatch(&services, &CancellationToken::new()).await })
}

impl Drop for Living {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}
