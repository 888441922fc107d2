//! Workers, on both databases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use waha_client::{HttpClient, HttpOptions};
use wahana_domain::{ActorKind, AuditEntry, AuditEntryId, AuditOutcome, JobState, ManualClock, Timestamp};
use wahana_store::{JobQuery, jobs::Job};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::{
    JobKind, Pool,
    retention::BATCH,
    running::{Ended, JobError, Running, Work},
    worker::{LEASE, Worker},
};
use crate::{ServiceError, ServiceSettings, Services};

const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// How long a test looks whether something happened before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

struct Installation {
    services: Services,
    clock: Arc<ManualClock>,
}

impl Installation {
    async fn new(db: &TestDatabase) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::at(START));
        let services = services(db, &clock).await;
        Self { services, clock }
    }

    /// Writes down a job that is due.
    async fn enqueue(&self) {
        let tx = self.services.store.platform_write().await.unwrap();
        assert!(tx.enqueue(&JobKind::Retention.periodic(tx.now())).await.unwrap());
        tx.commit().await.unwrap();
        self.services.wake_workers();
    }

    async fn jobs(&self, state: JobState) -> Vec<Job> {
        let tx = self.services.store.platform_read().await.unwrap();
        let query = JobQuery {
            state: Some(state),
            kind: Some(JobKind::Retention.as_str()),
            limit: 100,
        };
        tx.jobs(&query).await.unwrap()
    }

    async fn wait_for(&self, state: JobState, count: usize) -> Vec<Job> {
        loop {
            let jobs = self.jobs(state).await;
            if jobs.len() == count {
                return jobs;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// A process: services of its own over the same database.
async fn services(db: &TestDatabase, clock: &Arc<ManualClock>) -> Services {
    let store = db.store(clock.clone()).await;
    let http = HttpClient::new(&HttpOptions::default()).unwrap();
    let settings = ServiceSettings::at("http://wahana.test/".parse().unwrap());
    Services::new(store, http, settings)
}

/// What a job does in these tests: it says that it was begun, waits until it may go on, and ends so.
#[derive(Clone)]
struct Script {
    begun: Arc<Semaphore>,
    may_go_on: Arc<Semaphore>,
    at_once: Arc<AtomicUsize>,
    most_at_once: Arc<AtomicUsize>,
    outcome: Outcome,
}

#[derive(Clone, Copy)]
enum Outcome {
    Good,
    Bad,
    Panic,
}

impl Script {
    fn new(outcome: Outcome) -> Self {
        Self {
            begun: Arc::new(Semaphore::new(0)),
            may_go_on: Arc::new(Semaphore::new(0)),
            at_once: Arc::default(),
            most_at_once: Arc::default(),
            outcome,
        }
    }

    async fn has_begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }

    fn let_go_on(&self) {
        self.may_go_on.add_permits(1);
    }
}

impl Work for Script {
    async fn run(&self, _: JobKind, job: &Running) -> Result<Ended, JobError> {
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        self.begun.add_permits(1);
        self.may_go_on.acquire().await.unwrap().forget();
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        // What a job writes, it writes while it has the lease.
        let tx = job.write().await?;
        tx.record(&entry("script")).await?;
        tx.commit().await?;
        match self.outcome {
            Outcome::Good => Ok(Ended::Done),
            Outcome::Bad => Err(ServiceError::Internal("it rained".to_owned()).into()),
            Outcome::Panic => panic!("as a defect would"),
        }
    }
}

fn entry(operation: &str) -> AuditEntry {
    AuditEntry {
        id: AuditEntryId::new(),
        organization_id: None,
        actor: ActorKind::System,
        user_id: None,
        token_id: None,
        session_id: None,
        operation: operation.to_owned(),
        outcome: AuditOutcome::Success,
        source_address: None,
        request_id: None,
        created_at: START,
    }
}

fn start(services: Services, script: &Script) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    let worker = Worker::new(services, Pool::General, script.clone()).run(stop.clone());
    (tokio::spawn(worker), stop)
}

async fn written(installation: &Installation) -> usize {
    let tx = installation.services.store.platform_read().await.unwrap();
    let entries = tx.audit_entries(None, 1000).await.unwrap();
    entries.iter().filter(|entry| entry.operation == "script").count()
}

async fn two_workers_never_run_one_job_at_once(db: &TestDatabase) {
    let installation = Installation::new(db).await;
    let script = Script::new(Outcome::Good);
    let second = services(db, &installation.clock).await;
    let workers = [
        start(installation.services.clone(), &script),
        start(second, &script),
    ];
    for done in 1..=3 {
        installation
            .wait_for(JobState::Waiting, usize::from(done > 1))
            .await;
        if done == 1 {
            installation.enqueue().await;
        } else {
            installation.clock.advance(JobKind::Retention.period().unwrap());
        }
        script.has_begun().await;
        script.let_go_on();
        installation.wait_for(JobState::Done, done).await;
    }
    for (worker, stop) in workers {
        stop.cancel();
        worker.await.unwrap();
    }
    assert_eq!(script.most_at_once.load(Ordering::SeqCst), 1);
    assert_eq!(written(&installation).await, 3);
}

async fn a_killed_workers_job_runs_again_and_ends_once(db: &TestDatabase) {
    let installation = Installation::new(db).await;
    let script = Script::new(Outcome::Good);
    installation.enqueue().await;
    let (killed, _) = start(installation.services.clone(), &script);
    script.has_begun().await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    let (worker, stop) = start(services(db, &installation.clock).await, &script);
    installation.clock.advance(LEASE);
    script.has_begun().await;
    script.let_go_on();
    let done = installation.wait_for(JobState::Done, 1).await;
    assert_eq!(done[0].attempts, 2);
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(written(&installation).await, 1);
}

async fn a_frozen_worker_that_wakes_up_writes_nothing(db: &TestDatabase) {
    let installation = Installation::new(db).await;
    let (frozen, script) = (Script::new(Outcome::Good), Script::new(Outcome::Good));
    installation.enqueue().await;
    let (frozen_worker, stop_frozen) = start(installation.services.clone(), &frozen);
    frozen.has_begun().await;
    // It takes no new work, and the job that it runs does not know the time.
    stop_frozen.cancel();
    installation.clock.advance(LEASE);
    let (worker, stop) = start(services(db, &installation.clock).await, &script);
    script.has_begun().await;
    frozen.let_go_on();
    frozen_worker.await.unwrap();
    assert_eq!(written(&installation).await, 0);
    assert_eq!(installation.jobs(JobState::Running).await.len(), 1);
    script.let_go_on();
    installation.wait_for(JobState::Done, 1).await;
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(written(&installation).await, 1);
}

async fn stopping_ends_the_jobs_that_run(db: &TestDatabase) {
    let installation = Installation::new(db).await;
    let script = Script::new(Outcome::Good);
    installation.enqueue().await;
    let (worker, stop) = start(installation.services.clone(), &script);
    script.has_begun().await;
    stop.cancel();
    tokio::time::sleep(LOOK_AGAIN).await;
    assert!(!worker.is_finished());
    script.let_go_on();
    worker.await.unwrap();
    assert_eq!(installation.jobs(JobState::Done).await.len(), 1);
}

async fn what_fails_is_tried_by_its_schedule_and_then_given_up(db: &TestDatabase) {
    for outcome in [Outcome::Bad, Outcome::Panic] {
        let installation = Installation::new(db).await;
        let known: Vec<_> = installation.jobs(JobState::Dead).await;
        let script = Script::new(outcome);
        if known.is_empty() {
            installation.enqueue().await;
        } else {
            // The round that follows the one that was given up.
            installation
                .clock
                .advance(JobKind::Retention.period().unwrap() * 2);
        }
        let (worker, stop) = start(installation.services.clone(), &script);
        for wait in JobKind::Retention.retries() {
            script.has_begun().await;
            script.let_go_on();
            let waiting = installation.wait_for(JobState::Waiting, 1).await;
            assert_eq!(waiting[0].run_at, installation.clock.now_plus(*wait));
            let error = waiting[0].last_error.as_deref();
            assert!(
                matches!(error, Some("it rained" | "the job panicked")),
                "{error:?}"
            );
            installation.clock.advance(*wait);
        }
        script.has_begun().await;
        script.let_go_on();
        let dead = installation.wait_for(JobState::Dead, known.len() + 1).await;
        assert_eq!(dead[0].attempts, 5);
        // What is done again and again is begun anew all the same.
        let next = installation.wait_for(JobState::Waiting, 1).await;
        let period = JobKind::Retention.period().unwrap();
        assert_eq!(next[0].run_at, installation.clock.now_plus(period));
        stop.cancel();
        worker.await.unwrap();
    }
}

trait NowPlus {
    fn now_plus(&self, wait: Duration) -> Timestamp;
}

impl NowPlus for ManualClock {
    fn now_plus(&self, wait: Duration) -> Timestamp {
        wahana_domain::Clock::now(self).plus(wait)
    }
}

async fn retention_deletes_in_batches_what_is_due_and_says_so(db: &TestDatabase) {
    let installation = Installation::new(db).await;
    let services = &installation.services;
    let tx = services.store.platform_write().await.unwrap();
    let old = START.minus(Duration::from_hours(24 * 3000));
    for _ in 0..=BATCH {
        let old = AuditEntry {
            created_at: old,
            ..entry("old")
        };
        tx.record(&old).await.unwrap();
    }
    tx.record(&entry("new")).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..2 {
        super::begin_periodic(services).await.unwrap();
    }
    let stop = CancellationToken::new();
    let working = {
        let (services, stop) = (services.clone(), stop.clone());
        tokio::spawn(async move { super::work(&services, stop).await })
    };
    installation.wait_for(JobState::Done, 1).await;
    stop.cancel();
    working.await.unwrap();
    let next = installation.jobs(JobState::Waiting).await;
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].run_at, START.plus(JobKind::Retention.period().unwrap()));
    let tx = services.store.platform_read().await.unwrap();
    let left = tx.audit_entries(None, 1000).await.unwrap();
    let mut left: Vec<_> = left.into_iter().map(|entry| entry.operation).collect();
    left.sort();
    assert_eq!(
        left,
        ["new", "retention.audit_entries", "retention.audit_entries"]
    );
}

/// What is due in some hours stays, whatever an hour's step of the clock says, and the work goes on after it.
async fn a_clock_that_is_set_deletes_nothing_early(db: &TestDatabase) {
    let installation = Installation::new(db).await;
    let services = &installation.services;
    let hour = Duration::from_hours(1);
    let kept_for = Duration::from_hours(24) * services.settings.retention.audit_days;
    let tx = services.store.platform_write().await.unwrap();
    for (operation, age) in [
        ("young", kept_for.saturating_sub(hour * 5)),
        ("old", kept_for + Duration::from_hours(25)),
    ] {
        let created_at = START.minus(age);
        let entry = AuditEntry {
            created_at,
            ..entry(operation)
        };
        tx.record(&entry).await.unwrap();
    }
    tx.commit().await.unwrap();
    let left = async || {
        let tx = services.store.platform_read().await.unwrap();
        let entries = tx.audit_entries(None, 1000).await.unwrap();
        let kept = entries.into_iter().map(|entry| entry.operation);
        kept.filter(|operation| operation == "young" || operation == "old")
            .collect::<Vec<_>>()
    };
    installation.clock.advance(hour);
    super::begin_periodic(services).await.unwrap();
    let stop = CancellationToken::new();
    let working = {
        let (services, stop) = (services.clone(), stop.clone());
        tokio::spawn(async move { super::work(&services, stop).await })
    };
    installation.wait_for(JobState::Done, 1).await;
    assert_eq!(left().await, ["young"]);

    installation.clock.set(START);
    let next = installation.wait_for(JobState::Waiting, 1).await.remove(0);
    assert!(next.run_at <= START.plus(hour + JobKind::Retention.period().unwrap()));
    installation.clock.set(next.run_at);
    installation.wait_for(JobState::Done, 2).await;
    assert_eq!(left().await, ["young"]);
    stop.cancel();
    working.await.unwrap();
}

on_both_databases!(
    two_workers_never_run_one_job_at_once,
    a_killed_workers_job_runs_again_and_ends_once,
    a_frozen_worker_that_wakes_up_writes_nothing,
    stopping_ends_the_jobs_that_run,
    what_fails_is_tried_by_its_schedule_and_then_given_up,
    retention_deletes_in_batches_what_is_due_and_says_so,
    a_clock_that_is_set_deletes_nothing_early,
);
