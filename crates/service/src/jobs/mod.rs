//! Background work that must not get lost. A job is a row; a worker has it under a lease, and whatever it
//! changes, it changes in transactions that ask for the lease.

mod kind;
mod retention;
mod running;
#[cfg(test)]
mod tests;
mod worker;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

pub use kind::JobKind;
pub(crate) use kind::Pool;
pub use retention::RetentionSettings;
use running::Work;
pub(crate) use running::{Ended, JobError, Running};
use worker::Worker;

use crate::{ServiceError, Services, erasures, exports, media, platform};

/// Works off jobs until `stop` is cancelled, and then ends those that run.
pub async fn work(services: &Services, stop: CancellationToken) {
    let workers =
        Pool::ALL.map(|pool| Worker::new(services.clone(), pool, Kinds(services.clone())).run(stop.clone()));
    join_all(workers).await;
}

/// Begins what is done again and again, where it has not begun. To be called now and then: somebody may
/// have deleted a job.
pub async fn begin_periodic(services: &Services) -> Result<(), ServiceError> {
    let tx = services.store.platform_write().await?;
    let mut has_begun = false;
    for kind in JobKind::ALL {
        if kind.period().is_some() && !tx.has_open_job(kind.as_str()).await? {
            has_begun |= tx.enqueue(&kind.periodic(tx.now())).await?;
        }
    }
    tx.commit().await?;
    if has_begun {
        services.wake_workers();
    }
    Ok(())
}

/// The kinds of this release.
struct Kinds(Services);

impl Work for Kinds {
    async fn run(&self, kind: JobKind, job: &Running) -> Result<Ended, JobError> {
        match kind {
            JobKind::Retention => retention::run(&self.0, job).await,
            JobKind::ForgetTexts => retention::forget_texts(&self.0, job).await,
            JobKind::FetchMedia => media::fetch(&self.0, job).await,
            JobKind::Export => exports::run(&self.0, job).await,
            JobKind::EraseChat => erasures::erase(&self.0, job).await,
            JobKind::EraseOrganization => platform::erasures::erase(&self.0, job).await,
        }
    }
}
