//! Background work: a job is written in the transaction that causes it. Claiming and ending one is the
//! platform's.

use sea_orm::ActiveValue::Set;
use wahana_domain::{JobId, JobState, OrganizationId, ProcessId, Timestamp};

use crate::{StoreError, TenantTx, entity::job};

/// Work to be done.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Of which kind.
    pub kind: &'static str,
    /// What it is about; while one job waits, there is no other of its kind and subject. `None`: any
    /// number of such jobs wait beside each other.
    pub subject: Option<String>,
    /// What the kind needs to know, as JSON. Jobs of one kind and subject must agree on it, because
    /// the one that waits stays as it is.
    pub payload: String,
    /// Not before then.
    pub run_at: Timestamp,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// Whose work it is; `None` for the platform's own.
    pub organization_id: Option<OrganizationId>,
    /// What it is about.
    pub subject: Option<String>,
    /// What the kind needs to know, as JSON.
    pub payload: String,
    /// How it stands.
    pub state: JobState,
    /// Not before then.
    pub run_at: Timestamp,
    /// How often it was begun since it last succeeded or was told to run again.
    pub attempts: i64,
    /// Until when the worker that has it is believed to live.
    pub lease_expires_at: Option<Timestamp>,
    /// Why the last attempt failed, in words.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was done or given up.
    pub finished_at: Option<Timestamp>,
}

/// The right to end a job, until another worker has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobLease {
    /// The job.
    pub job: JobId,
    /// Who has it.
    pub owner: ProcessId,
    /// Rises whenever the job is claimed.
    pub epoch: i64,
}

/// A job that a worker has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The job, with this attempt counted.
    pub job: Job,
    /// The right to end it.
    pub lease: JobLease,
}

/// Writes down work of the organization, in the transaction that causes it. Says whether it was added:
/// it was not if one of its kind and subject waits already.
pub async fn enqueue(tx: &TenantTx, new: &NewJob) -> Result<bool, StoreError> {
    tx.insert_if_absent(row(new, tx.now())).await
}

/// The row; in a tenant's transaction it becomes the organization's.
pub(crate) fn row(new: &NewJob, created_at: Timestamp) -> job::ActiveModel {
    job::ActiveModel {
        id: Set(JobId::new().as_uuid()),
        kind: Set(new.kind.to_owned()),
        organization_id: Set(None),
        subject: Set(new.subject.clone()),
        payload: Set(new.payload.clone()),
        state: Set(JobState::Waiting.as_str().to_owned()),
        run_at: Set(new.run_at.as_micros()),
        attempts: Set(0),
        lease_owner: Set(None),
        lease_epoch: Set(0),
        lease_expires_at: Set(None),
        last_error: Set(None),
        created_at: Set(created_at.as_micros()),
        finished_at: Set(None),
    }
}

pub(crate) fn from_row(row: job::Model) -> Result<Job, StoreError> {
    let state = row.state.parse().map_err(|_| StoreError::Inconsistent {
        table: "jobs",
        column: "state",
        row: row.id.to_string(),
    })?;
    Ok(Job {
        id: row.id.into(),
        kind: row.kind,
        organization_id: row.organization_id.map(OrganizationId::from),
        subject: row.subject,
        payload: row.payload,
        state,
        run_at: Timestamp::from_micros(row.run_at),
        attempts: row.attempts,
        lease_expires_at: row.lease_expires_at.map(Timestamp::from_micros),
        last_error: row.last_error,
        created_at: Timestamp::from_micros(row.created_at),
        finished_at: row.finished_at.map(Timestamp::from_micros),
    })
}
