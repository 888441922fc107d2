//! Making sessions what their organizations want them to be.
//!
//! Every few seconds, and at once when a status changed, a round looks at one WAHA server: which of its
//! sessions are not as wanted, and what to do about each. What is done is written down before, so that a
//! process that dies leaves nothing done twice, and at most one process looks after a server.

mod bell;
mod drift;
mod hold;
mod leadership;
mod pace;
mod round;
mod silence;
mod step;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wahana_domain::{ProcessId, ServerId, SessionId};

pub(crate) use bell::Bell;
pub(crate) use hold::{hold, reset, resume};

use crate::{ServiceError, Services, sync::Configurations};
use leadership::Leadership;
use pace::Pace;
use silence::Sweep;

/// How much is done at once.
#[derive(Clone, Copy, Debug)]
pub struct ReconcileSettings {
    /// How often a server is looked at when nothing happens. Five seconds by default.
    pub interval: Duration,
    /// How many sessions of one server are started, stopped or made again in a second at most. Two by default:
    /// each is a phone's connection to WhatsApp, and many at once look like an attack.
    pub steps_per_second: u32,
    /// How many of these may be under way on one server. Eight by default.
    pub concurrency: usize,
}

impl Default for ReconcileSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            steps_per_second: 2,
            concurrency: 8,
        }
    }
}

/// Looks after WAHA servers. One a process.
#[derive(Clone, Debug)]
pub struct Reconciler(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    services: Services,
    settings: ReconcileSettings,
    leadership: Leadership,
    servers: Mutex<HashMap<ServerId, Arc<Care>>>,
    steps: TaskTracker,
}

/// What is remembered of a server between rounds.
#[derive(Debug)]
struct Care {
    pace: Pace,
    /// The sessions to which something is being done.
    busy: Mutex<HashSet<SessionId>>,
    /// Whether the last round had something to do.
    has_trouble: AtomicBool,
    /// The configurations that were compared with what is wanted.
    checked: Mutex<Configurations>,
    /// The sessions that are listened to.
    sweep: Mutex<Sweep>,
}

impl Reconciler {
    /// For this process.
    #[must_use]
    pub fn new(services: Services, process: ProcessId, settings: ReconcileSettings) -> Self {
        Self(Arc::new(Shared {
            leadership: Leadership::new(services.store.clone(), process),
            services,
            settings,
            servers: Mutex::default(),
            steps: TaskTracker::new(),
        }))
    }

    /// Looks after all servers until it is told to stop; ends what was begun, and lets other processes take over.
    pub async fn run(&self, stop: CancellationToken) {
        let mut cared_for: HashMap<ServerId, CancellationToken> = HashMap::new();
        let tasks = TaskTracker::new();
        loop {
            match self.servers().await {
                Ok(servers) => {
                    cared_for.retain(|server, end| {
                        let is_there = servers.contains(server);
                        if !is_there {
                            end.cancel();
                        }
                        is_there
                    });
                    for server in servers {
                        cared_for.entry(server).or_insert_with(|| {
                            let end = stop.child_token();
                            let (own, ends) = (self.clone(), end.clone());
                            tasks.spawn(async move { own.care_for(server, &ends).await });
                            end
                        });
                    }
                }
                Err(error) => {
                    tracing::error!(error = %error, "the list of WAHA servers cannot be read");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(self.0.settings.interval) => {}
                () = stop.cancelled() => break,
            }
        }
        tasks.close();
        tasks.wait().await;
        self.settle().await;
        self.0.leadership.give_up().await;
    }

    async fn servers(&self) -> Result<Vec<ServerId>, ServiceError> {
        let tx = self.0.services.store.platform_read().await?;
        let servers = tx.servers_in_care(None).await?;
        Ok(servers.into_iter().map(|server| server.id).collect())
    }

    async fn care_for(&self, server: ServerId, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let round = tokio::select! {
                round = self.round(server) => round,
                () = stop.cancelled() => return,
            };
            if let Err(error) = round {
                tracing::error!(server.id = %server, error = %error, "a round over a WAHA server broke off");
            }
            tokio::select! {
                () = tokio::time::sleep(self.0.settings.interval) => {}
                () = self.0.services.bell.rung(server) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Waits until what was begun has ended.
    pub async fn settle(&self) {
        self.0.steps.close();
        self.0.steps.wait().await;
        self.0.steps.reopen();
    }

    fn care(&self, server: ServerId) -> Arc<Care> {
        let mut servers = self.0.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = &self.0.settings;
        let care = servers.entry(server).or_insert_with(|| {
            Arc::new(Care {
                pace: Pace::new(settings.steps_per_second, settings.concurrency),
                busy: Mutex::default(),
                has_trouble: AtomicBool::new(false),
                checked: Mutex::default(),
                sweep: Mutex::default(),
            })
        });
        care.clone()
    }
}
