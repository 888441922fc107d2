//! Background work as operators see it: they look at it, and let it run again.

use wahana_domain::{JobId, JobState};
use wahana_store::PlatformTx;
pub use wahana_store::{JobCount, JobQuery, jobs::Job};

use crate::{Conflict, Operator, ServiceError, Services, audit::record_by_operator};

/// How many jobs that were given up run again at once.
const RETRIED_AT_ONCE: u64 = 1000;
const OPERATION: &str = "platform.jobs.retry";

/// Jobs of every organization: the newest first, and of those that wait the next.
pub async fn list(services: &Services, _: &Operator, query: &JobQuery<'_>) -> Result<Vec<Job>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.jobs(query).await?)
}

/// One job.
pub async fn get(services: &Services, _: &Operator, id: JobId) -> Result<Job, ServiceError> {
    let tx = services.store.platform_read().await?;
    load(&tx, id).await
}

/// How many jobs wait, run or were given up, by kind.
pub async fn counts(services: &Services, _: &Operator) -> Result<Vec<JobCount>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.job_counts().await?)
}

/// Lets a job that was given up, or that waits for its time, run now.
///
/// # Errors
///
/// [`ServiceError::Conflict`] if it runs or was done.
pub async fn retry(services: &Services, operator: &Operator, id: JobId) -> Result<Job, ServiceError> {
    let tx = services.store.platform_write().await?;
    let job = load(&tx, id).await?;
    if !tx.retry_job(id).await? {
        return Err(ServiceError::Conflict {
            kind: Conflict::Other,
            message: format!(
                "The job is {}. Only one that is dead or waiting can be run.",
                job.state
            ),
        });
    }
    record(&tx, operator, &job).await?;
    let retried = load(&tx, id).await?;
    tx.commit().await?;
    services.wake_workers();
    Ok(retried)
}

/// Lets every job that was given up run again; says how many.
pub async fn retry_dead(services: &Services, operator: &Operator) -> Result<usize, ServiceError> {
    let dead = JobQuery {
        state: Some(JobState::Dead),
        kind: None,
        limit: RETRIED_AT_ONCE,
    };
    let mut retried = 0;
    loop {
        let tx = services.store.platform_write().await?;
        let jobs = tx.jobs(&dead).await?;
        if jobs.is_empty() {
            return Ok(retried);
        }
        for job in &jobs {
            if tx.retry_job(job.id).await? {
                record(&tx, operator, job).await?;
                retried += 1;
            }
        }
        tx.commit().await?;
        services.wake_workers();
    }
}

async fn record(tx: &PlatformTx, operator: &Operator, job: &Job) -> Result<(), ServiceError> {
    record_by_operator(tx, operator, job.organization_id, OPERATION).await
}

async fn load(tx: &PlatformTx, id: JobId) -> Result<Job, ServiceError> {
    tx.job(id).await?.ok_or(ServiceError::NotFound("Job"))
}
