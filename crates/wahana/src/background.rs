//! What a process does beside answering requests: one entry for each loop.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wahana_api::Metrics;
use wahana_domain::ProcessRole;
use wahana_service::{
    Background, Operator, ReconcileSettings, Reconciler, ServiceError, Services, events, jobs, messages,
    platform::{self, moving},
    processes, webhooks,
};

/// How often what gathers in memory is written down, and what is periodic begun.
const UPKEEP_INTERVAL: Duration = Duration::from_mins(1);
/// How often what was measured is folded into buckets: until then each request is a number in memory, and
/// thousands of requests a second are megabytes a minute.
const FOLD_INTERVAL: Duration = Duration::from_secs(5);
/// How often what moved sessions left on WAHA servers is deleted there.
const LEFTOVERS_INTERVAL: Duration = Duration::from_mins(1);
/// How often background work and sessions are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);
/// How often the tables are measured, at most.
const MEASURE_INTERVAL: Duration = Duration::from_mins(1);
/// Of so many seconds at most one goes into measuring: on SQLite it reads the whole database.
const MEASURE_SHARE: u32 = 100;

/// Starts what a process of this role does.
pub(crate) fn start(
    services: &Services,
    metrics: &Metrics,
    role: ProcessRole,
    reconcile: ReconcileSettings,
) -> Background {
    let background = Background::new();
    let every = |name, interval, act: Act| {
        let (services, metrics) = (services.clone(), metrics.clone());
        background.every(name, interval, move || {
            let (services, metrics) = (services.clone(), metrics.clone());
            async move { act.run(&services, &metrics, role).await }
        });
    };
    every("heartbeat", processes::HEARTBEAT, Act::Heartbeat);
    every("folding measurements", FOLD_INTERVAL, Act::FoldMeasurements);
    every("token uses", UPKEEP_INTERVAL, Act::WriteTokenUses);
    // A process that takes events in applies them at once, whatever its role.
    let applier = services.clone();
    background.start("events", move |stop| {
        let services = applier.clone();
        async move { events::dispatch(&services, &stop).await }
    });
    // The same of messages that are to be sent later.
    let sender = services.clone();
    background.start("messages", move |stop| {
        let services = sender.clone();
        async move { messages::dispatch(&services, &stop).await }
    });
    if role.works() {
        every("periodic jobs", UPKEEP_INTERVAL, Act::BeginJobs);
        every("counting jobs", COUNT_INTERVAL, Act::CountJobs);
        every("counting sessions", COUNT_INTERVAL, Act::CountSessions);
        let worker = services.clone();
        background.start("jobs", move |stop| {
            let services = worker.clone();
            async move { jobs::work(&services, stop).await }
        });
        let teller = services.clone();
        background.start("webhook deliveries", move |stop| {
            let services = teller.clone();
            async move { webhooks::fan_out(&services, &stop).await }
        });
        let deliverer = services.clone();
        background.start("webhooks", move |stop| {
            let services = deliverer.clone();
            async move { webhooks::dispatch(&services, &stop).await }
        });
        let reconciler = Reconciler::new(services.clone(), services.process(), reconcile);
        background.start("reconciling", move |stop| {
            let reconciler = reconciler.clone();
            async move { reconciler.run(stop).await }
        });
        let mover = services.clone();
        background.start("leftovers of moved sessions", move |stop| {
            let services = mover.clone();
            async move { delete_leftovers(&services, stop).await }
        });
        let (services, metrics) = (services.clone(), metrics.clone());
        background.start("table sizes", move |stop| {
            let (services, metrics) = (services.clone(), metrics.clone());
            async move { measure_tables(&services, &metrics, stop).await }
        });
    }
    background
}

/// What is done now and then.
#[derive(Clone, Copy)]
enum Act {
    /// Says that the process lives.
    Heartbeat,
    /// Folds what was measured into buckets.
    FoldMeasurements,
    /// Writes down when tokens were last used.
    WriteTokenUses,
    /// Begins what is done again and again.
    BeginJobs,
    /// Counts background work.
    CountJobs,
    /// Counts sessions, and looks how events and WAHA servers stand.
    CountSessions,
}

impl Act {
    async fn run(
        self,
        services: &Services,
        metrics: &Metrics,
        role: ProcessRole,
    ) -> Result<(), ServiceError> {
        match self {
            Self::Heartbeat => processes::announce(services, &process_name(), role).await,
            Self::FoldMeasurements => {
                metrics.upkeep();
                Ok(())
            }
            Self::WriteTokenUses => services.write_token_uses().await,
            Self::BeginJobs => jobs::begin_periodic(services).await,
            Self::CountJobs => {
                let counts = platform::jobs::counts(services, &Operator::CommandLine).await?;
                metrics.show_jobs(&counts, services.now());
                Ok(())
            }
            Self::CountSessions => {
                let standing = platform::standing::look(services, &Operator::CommandLine).await?;
                metrics.show_standing(&standing);
                Ok(())
            }
        }
    }
}

/// The machine and the number of the process there, for people.
fn process_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.as_deref().map_or("unknown", str::trim);
    format!("{host}/{}", std::process::id())
}

/// Deletes on WAHA servers what moved sessions left there while they were away. Broken off, it goes on where
/// it is begun again.
async fn delete_leftovers(services: &Services, stop: CancellationToken) {
    let mut interval = tokio::time::interval(LEFTOVERS_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let rounds = async {
        loop {
            interval.tick().await;
            if let Err(error) = moving::delete_leftovers(services).await {
                tracing::warn!(error = %error, "what moved sessions left on WAHA servers could not be looked up");
            }
        }
    };
    tokio::select! {
        () = rounds => {}
        () = stop.cancelled() => {}
    }
}

async fn measure_tables(services: &Services, metrics: &Metrics, stop: CancellationToken) {
    loop {
        let begun = Instant::now();
        match services.table_sizes().await {
            Ok(sizes) => metrics.show_tables(&sizes),
            Err(error) => tracing::warn!(error = %error, "the tables cannot be measured"),
        }
        let pause = MEASURE_INTERVAL.max(begun.elapsed() * MEASURE_SHARE);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
