//! A job that runs, and what a worker needs to know to run jobs.

use tokio_util::sync::CancellationToken;
use wahana_domain::Timestamp;
use wahana_store::{PlatformTx, Store, StoreError, Tenant, TenantTx, jobs::ClaimedJob};

use super::JobKind;
use crate::{ServiceError, exports};

/// How a job ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was done; a periodic one comes again after its period.
    Done,
    /// It was interrupted and goes on from here as soon as somebody has time.
    Interrupted,
    /// It has done what it could, and goes on later.
    Later {
        /// When.
        at: Timestamp,
        /// What it waits for, in words.
        why: &'static str,
    },
}

/// Why a job did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// Another worker has it, or may have: nothing may be changed any more.
    #[error("the job took so long that another worker may have it")]
    Lost,
    /// It failed.
    #[error(transparent)]
    Failed(#[from] ServiceError),
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What a worker runs.
pub(super) trait Work: Send + Sync + 'static {
    /// Does a job of this kind.
    fn run(&self, kind: JobKind, job: &Running) -> impl Future<Output = Result<Ended, JobError>> + Send;
}

/// A job that runs.
pub(crate) struct Running {
    pub(super) store: Store,
    pub(super) claimed: ClaimedJob,
    pub(super) stop: CancellationToken,
}

impl Running {
    /// Whether the process stops: what takes long should interrupt itself.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// A transaction in which the job may change something, because nobody else has it until its end.
    pub(crate) async fn write(&self) -> Result<PlatformTx, JobError> {
        let tx = self.store.platform_write().await?;
        if tx.holds_job(&self.claimed.lease).await? {
            Ok(tx)
        } else {
            Err(JobError::Lost)
        }
    }

    /// The same for the rows of the organization whose job it is.
    pub(crate) async fn write_of(&self, tenant: Tenant) -> Result<TenantTx, JobError> {
        let tx = self
            .store
            .write_while_running(&self.claimed.lease, tenant)
            .await?;
        tx.ok_or(JobError::Lost)
    }

    /// The right to act for the organization whose job it is; `None` if there is none, or none any more.
    pub(crate) async fn tenant(&self) -> Result<Option<Tenant>, JobError> {
        let Some(organization) = self.claimed.job.organization_id else {
            return Ok(None);
        };
        let tx = self.store.platform_read().await?;
        Ok(tx.tenant(organization).await?)
    }

    /// What the job needs to know, as JSON.
    pub(crate) fn payload(&self) -> &str {
        &self.claimed.job.payload
    }

    /// Whether the job is given up if this attempt fails.
    pub(crate) fn is_last_attempt(&self) -> bool {
        let kind = self.claimed.job.kind.parse::<JobKind>();
        kind.is_ok_and(|kind| {
            kind.retry_at(self.claimed.job.attempts, Timestamp::from_micros(0))
                .is_none()
        })
    }

    /// Ends the job; a periodic one is to come again.
    pub(super) async fn end(&self, kind: JobKind, ended: Ended) -> Result<(), JobError> {
        let tx = self.write().await?;
        match ended {
            Ended::Done => {
                tx.finish_job(&self.claimed.lease).await?;
                enqueue_next(&tx, kind).await?;
            }
            Ended::Interrupted => {
                tx.fail_job(&self.claimed.lease, INTERRUPTED, Some(tx.now()))
                    .await?;
            }
            Ended::Later { at, why } => {
                tx.postpone_job(&self.claimed.lease, why, at).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

const INTERRUPTED: &str = "the process stopped meanwhile; the rest is still to be done";

/// Why a job is put back.
pub(super) enum Cause<'a> {
    /// It failed, and is tried again by the schedule of its kind.
    Failed(&'a str),
    /// Its worker did not come back. That is no fault of the job's, and it is tried again at once, but not
    /// more often: it may be what ends the workers.
    Left,
}

const LEFT: &str = "the process that ran it did not come back in time";

impl Cause<'_> {
    pub(super) const fn in_words(&self) -> &str {
        match self {
            Self::Failed(error) => error,
            Self::Left => LEFT,
        }
    }
}

/// Puts a job back, or gives it up, as its kind says. Says whether it will be tried again; `None` if another
/// worker has it.
pub(super) async fn put_back(
    tx: &PlatformTx,
    claimed: &ClaimedJob,
    kind: Option<JobKind>,
    cause: &Cause<'_>,
) -> Result<Option<bool>, StoreError> {
    // Of a kind that this release does not know it knows no schedule either.
    let by_schedule = kind.map_or(Some(tx.now()), |kind| {
        kind.retry_at(claimed.job.attempts, tx.now())
    });
    let retry_at = match cause {
        Cause::Left if kind.is_none_or(|kind| kind.has_schedule_left(claimed.job.attempts)) => Some(tx.now()),
        Cause::Failed(_) | Cause::Left => by_schedule,
    };
    if !tx.fail_job(&claimed.lease, cause.in_words(), retry_at).await? {
        return Ok(None);
    }
    if let (Some(kind), None) = (kind, retry_at) {
        give_up(tx, kind, &claimed.job.payload).await?;
        enqueue_next(tx, kind).await?;
    }
    Ok(Some(retry_at.is_some()))
}

/// Says of what a job was to do that it is not done any more, where somebody waits for it.
async fn give_up(tx: &PlatformTx, kind: JobKind, payload: &str) -> Result<(), StoreError> {
    if kind == JobKind::Export
        && let Ok(exports::Payload { export }) = serde_json::from_str(payload)
    {
        tx.give_up_export(export).await?;
    }
    Ok(())
}

/// Writes down the next job of a kind that is done again and again.
async fn enqueue_next(tx: &PlatformTx, kind: JobKind) -> Result<(), StoreError> {
    if let Some(period) = kind.period() {
        tx.enqueue(&kind.periodic(tx.now().plus(period))).await?;
    }
    Ok(())
}
