//! Works off the queue.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use wahana_domain::OrganizationId;
use wahana_store::{JobClaim, StoreError, jobs::ClaimedJob};

use super::{
    JobKind, Pool,
    running::{Cause, Ended, JobError, Running, Work, put_back},
};
use crate::{ServiceError, Services};

/// How often is looked for work of which this process was not told.
const POLL: Duration = Duration::from_secs(1);
/// How long a job is a worker's without a word from it. A killed worker's jobs wait that long.
pub(super) const LEASE: Duration = Duration::from_mins(1);
/// How often a worker says that it still runs a job.
const RENEWAL: Duration = Duration::from_secs(15);
/// How many jobs that were left behind are put back in one transaction.
const LEFT_AT_ONCE: u64 = 100;

/// Takes jobs and runs them. Dropped, it breaks off what it runs, as a killed process would.
pub(super) struct Worker<W> {
    services: Services,
    pool: Pool,
    work: Arc<W>,
    running: JoinSet<()>,
    /// Whose job was taken last: the next organization's turn comes after that.
    after: Option<OrganizationId>,
}

impl<W: Work> Worker<W> {
    pub(super) fn new(services: Services, pool: Pool, work: W) -> Self {
        Self {
            services,
            pool,
            work: Arc::new(work),
            running: JoinSet::new(),
            after: None,
        }
    }

    /// Works until `stop` is cancelled, and then ends the jobs that run.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // Before the search, so that what comes during it is not missed.
            let services = self.services.clone();
            let woken = services.woken(self.pool);
            if let Err(error) = self.take_work(&stop).await {
                tracing::warn!(error = %error, "the queue of background work cannot be read");
            }
            tokio::select! {
                () = woken => {}
                Some(_) = self.running.join_next() => {}
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
        while self.running.join_next().await.is_some() {}
    }

    /// Puts back what was left, and begins jobs as long as there are some and there is room.
    async fn take_work(&mut self, stop: &CancellationToken) -> Result<(), StoreError> {
        if self.pool == Pool::General {
            // One of a process is enough, whatever kinds they are of.
            self.put_back_left().await?;
        }
        while self.running.len() < self.pool.places() && !stop.is_cancelled() {
            let Some(claimed) = self.claim().await? else {
                // A round has ended: the next begins with the first organization.
                self.after = None;
                return Ok(());
            };
            self.after = claimed.job.organization_id;
            let job = Running {
                store: self.services.store.clone(),
                claimed,
                stop: stop.clone(),
            };
            let work = self.work.clone();
            self.running.spawn(async move { run(work.as_ref(), &job).await });
        }
        Ok(())
    }

    async fn claim(&self) -> Result<Option<ClaimedJob>, StoreError> {
        let tx = self.services.store.platform_write().await?;
        let claim = JobClaim {
            kinds: &self.pool.kinds(),
            owner: self.services.process(),
            lease: LEASE,
            after: self.after,
        };
        let claimed = tx.claim_job(&claim).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    async fn put_back_left(&self) -> Result<(), StoreError> {
        let tx = self.services.store.platform_write().await?;
        for left in tx.expired_jobs(LEFT_AT_ONCE).await? {
            let kind = left.job.kind.parse().ok();
            let put_back = put_back(&tx, &left, kind, &Cause::Left).await?;
            tell(&left, put_back, &Cause::Left);
        }
        tx.commit().await
    }
}

/// Runs a job to its end, and writes down how it ended.
async fn run<W: Work>(work: &W, job: &Running) {
    let name = &job.claimed.job.kind;
    // Only jobs of known kinds are claimed.
    let Ok(kind) = name.parse::<JobKind>() else {
        tracing::error!(job.kind = %name, "a job of an unknown kind was claimed, which is a defect of wahana");
        return;
    };
    let ended = tokio::select! {
        ended = AssertUnwindSafe(work.run(kind, job)).catch_unwind() => ended,
        () = renew(job) => Ok(Err(JobError::Lost)),
    };
    let ended = ended.unwrap_or_else(|_| Err(ServiceError::Internal("the job panicked".to_owned()).into()));
    let written = match ended {
        Ok(ended) => end(job, kind, ended).await,
        Err(JobError::Failed(error)) => fail(job, kind, &error).await,
        Err(JobError::Lost) => Err(JobError::Lost),
    };
    if let Err(error) = written {
        // Nothing was changed: when the lease ends, somebody runs it again.
        tracing::warn!(job.id = %job.claimed.job.id, job.kind = %kind, error = %error, "how a job ended could not be written down");
    }
}

async fn end(job: &Running, kind: JobKind, ended: Ended) -> Result<(), JobError> {
    job.end(kind, ended).await?;
    tracing::debug!(job.id = %job.claimed.job.id, job.kind = %kind, "a job ended");
    Ok(())
}

async fn fail(job: &Running, kind: JobKind, error: &ServiceError) -> Result<(), JobError> {
    let error = error.to_string();
    let tx = job.store.platform_write().await?;
    let cause = Cause::Failed(&error);
    let put_back = put_back(&tx, &job.claimed, Some(kind), &cause).await?;
    tx.commit().await?;
    tell(&job.claimed, put_back, &cause);
    if put_back.is_none() {
        return Err(JobError::Lost);
    }
    Ok(())
}

/// Says in the log what becomes of a job that did not succeed.
fn tell(claimed: &ClaimedJob, put_back: Option<bool>, cause: &Cause<'_>) {
    let error = cause.in_words();
    let (id, kind, attempts) = (claimed.job.id, &claimed.job.kind, claimed.job.attempts);
    match put_back {
        Some(true) => {
            tracing::warn!(job.id = %id, job.kind = %kind, job.attempts = attempts, error, "a job failed and will be tried again");
        }
        Some(false) => {
            tracing::error!(job.id = %id, job.kind = %kind, job.attempts = attempts, error, "a job failed for the last time; see `wahana jobs show`");
        }
        None => {}
    }
}

/// Keeps the job; ends when another worker has it.
async fn renew(job: &Running) {
    let mut interval = tokio::time::interval(RENEWAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.tick().await;
    loop {
        interval.tick().await;
        match extend(job).await {
            Ok(true) => {}
            Ok(false) => return,
            // If it stays so, the lease ends, and the job's own writes are refused.
            Err(error) => {
                tracing::warn!(job.id = %job.claimed.job.id, error = %error, "a job could not be kept");
            }
        }
    }
}

async fn extend(job: &Running) -> Result<bool, StoreError> {
    let tx = job.store.platform_write().await?;
    let is_held = tx.extend_job(&job.claimed.lease, tx.now().plus(LEASE)).await?;
    tx.commit().await?;
    Ok(is_held)
}
