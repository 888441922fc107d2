//! The queue of background work. Workers serve every organization, in turn.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, LockBehavior, LockType, OnConflict, Query, SimpleExpr},
};
use wahana_domain::{JobId, JobState, OrganizationId, ProcessId, Timestamp};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::job::{Column, Entity, Model},
    jobs::{ClaimedJob, Job, JobLease, NewJob, from_row, row},
    transaction::within_database,
};

/// Which job a worker wants.
#[derive(Clone, Copy, Debug)]
pub struct JobClaim<'a> {
    /// The kinds that this release knows.
    pub kinds: &'a [&'a str],
    /// The worker's process.
    pub owner: ProcessId,
    /// How long it has the job, unless it asks for more.
    pub lease: Duration,
    /// Whose job it had last: the organization after that is next.
    pub after: Option<OrganizationId>,
}

/// Which jobs an operator wants to see.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobQuery<'a> {
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<&'a str>,
    /// At most so many.
    pub limit: u64,
}

/// How many jobs of a kind are in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// The kind.
    pub kind: String,
    /// The state.
    pub state: JobState,
    /// How many there are.
    pub jobs: u64,
    /// When the first of them was or is to run.
    pub oldest_run_at: Timestamp,
}

/// What was left to say of a job whose work another job is to do.
const ANOTHER_WAITS: &str = "another job for the same thing waits, and does its work";

impl PlatformTx {
    /// Writes down work of the platform's own, which belongs to no organization. Says whether it was
    /// added: it was not if one of its kind and subject waits already.
    pub async fn enqueue(&self, new: &NewJob) -> Result<bool, StoreError> {
        let inserted = Entity::insert(row(new, self.now()))
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(&self.transaction)
            .await?;
        Ok(inserted == 1)
    }

    /// Takes a job that is due, of whichever organization's turn it is: after the organization that was
    /// served last comes the next one that has work, with its oldest job. The platform's own work has a
    /// turn, too. While a job runs, another for the same thing waits.
    pub async fn claim_job(&self, claim: &JobClaim<'_>) -> Result<Option<ClaimedJob>, StoreError> {
        // One moment for what is due and for how long it is had, or a clock that is set meanwhile ends the
        // lease before it begins.
        let now = self.now();
        let own = Column::OrganizationId.is_null();
        let (later, earlier) = match claim.after {
            Some(last) => (
                Column::OrganizationId.gt(last.as_uuid()),
                Column::OrganizationId.lte(last.as_uuid()),
            ),
            None => (Column::OrganizationId.is_not_null(), own.clone()),
        };
        // The platform's turn lies between the last organization and the first.
        for turn in [later, own, earlier] {
            if let Some(found) = due(claim.kinds, turn, now).one(&self.transaction).await? {
                return Ok(Some(
                    self.claimed(found, claim.owner, now.plus(claim.lease)).await?,
                ));
            }
        }
        Ok(None)
    }

    async fn claimed(
        &self,
        found: Model,
        owner: ProcessId,
        expires_at: Timestamp,
    ) -> Result<ClaimedJob, StoreError> {
        let lease = JobLease {
            job: found.id.into(),
            owner,
            epoch: found.lease_epoch + 1,
        };
        let mut job = from_row(found)?;
        job.state = JobState::Running;
        job.attempts += 1;
        job.lease_expires_at = Some(expires_at);
        Entity::update_many()
            .col_expr(Column::State, Expr::value(JobState::Running.as_str()))
            .col_expr(Column::Attempts, Expr::value(job.attempts))
            .col_expr(Column::LeaseOwner, Expr::value(lease.owner.as_uuid()))
            .col_expr(Column::LeaseEpoch, Expr::value(lease.epoch))
            .col_expr(Column::LeaseExpiresAt, Expr::value(expires_at.as_micros()))
            .filter(Column::Id.eq(lease.job.as_uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(ClaimedJob { job, lease })
    }

    /// Keeps a job for longer; says whether the worker still had it.
    pub async fn extend_job(&self, lease: &JobLease, expires_at: Timestamp) -> Result<bool, StoreError> {
        let extended = Entity::update_many()
            .col_expr(Column::LeaseExpiresAt, Expr::value(expires_at.as_micros()))
            .filter(held(lease))
            .exec(&self.transaction)
            .await?;
        Ok(extended.rows_affected == 1)
    }

    /// Whether the worker still has the job, which nobody takes from it before this transaction ends:
    /// asked in every transaction in which a job changes something.
    pub async fn holds_job(&self, lease: &JobLease) -> Result<bool, StoreError> {
        let found = Entity::find().filter(held(lease)).lock_exclusive();
        Ok(found.one(&self.transaction).await?.is_some())
    }

    /// Ends a job that was done, in the transaction of its last change; says whether the worker still
    /// had it. If not, nothing may be committed.
    pub async fn finish_job(&self, lease: &JobLease) -> Result<bool, StoreError> {
        self.end_job(lease, JobState::Done, None).await
    }

    /// Puts back a job that could not be done, to be tried again at `retry_at`, or gives it up; says
    /// whether the worker still had it.
    pub async fn fail_job(
        &self,
        lease: &JobLease,
        error: &str,
        retry_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let Some(retry_at) = retry_at else {
            return self.end_job(lease, JobState::Dead, Some(error)).await;
        };
        if self.has_successor(lease.job).await? {
            return self.end_job(lease, JobState::Done, Some(ANOTHER_WAITS)).await;
        }
        let put_back = Entity::update_many()
            .col_expr(Column::State, Expr::value(JobState::Waiting.as_str()))
            .col_expr(Column::RunAt, Expr::value(retry_at.as_micros()))
            .col_expr(Column::LeaseOwner, Expr::value(None::<uuid::Uuid>))
            .col_expr(Column::LeaseExpiresAt, Expr::value(None::<i64>))
            .col_expr(Column::LastError, Expr::value(error))
            .filter(held(lease))
            .exec(&self.transaction)
            .await?;
        Ok(put_back.rows_affected == 1)
    }

    /// Puts back a job that has done what it could and goes on at `at`: its attempts are counted anew. Says whether
    /// the worker still had it.
    pub async fn postpone_job(&self, lease: &JobLease, why: &str, at: Timestamp) -> Result<bool, StoreError> {
        Entity::update_many()
            .col_expr(Column::Attempts, Expr::value(0))
            .filter(held(lease))
            .exec(&self.transaction)
            .await?;
        self.fail_job(lease, why, Some(at)).await
    }

    async fn end_job(
        &self,
        lease: &JobLease,
        state: JobState,
        error: Option<&str>,
    ) -> Result<bool, StoreError> {
        let ended = Entity::update_many()
            .col_expr(Column::State, Expr::value(state.as_str()))
            .col_expr(Column::LeaseExpiresAt, Expr::value(None::<i64>))
            .col_expr(Column::LastError, Expr::value(error))
            .col_expr(Column::FinishedAt, Expr::value(self.now().as_micros()))
            .filter(held(lease))
            .exec(&self.transaction)
            .await?;
        Ok(ended.rows_affected == 1)
    }

    /// Whether another job of the same kind and subject waits, so that this one cannot.
    async fn has_successor(&self, id: JobId) -> Result<bool, StoreError> {
        let of_this = |column| {
            Query::select()
                .column(column)
                .from(Entity)
                .and_where(Column::Id.eq(id.as_uuid()))
                .take()
        };
        let found = Entity::find()
            .filter(Expr::cust("jobs.state = 'waiting'"))
            .filter(Column::Id.ne(id.as_uuid()))
            .filter(Column::Kind.in_subquery(of_this(Column::Kind)))
            .filter(Column::Subject.in_subquery(of_this(Column::Subject)));
        Ok(found.one(&self.transaction).await?.is_some())
    }

    /// Jobs whose workers did not come back in time, whoever had them. They are to be put back or given
    /// up, which their leases still allow.
    pub async fn expired_jobs(&self, limit: u64) -> Result<Vec<ClaimedJob>, StoreError> {
        let rows = Entity::find()
            .filter(Expr::cust("jobs.state = 'running'"))
            .filter(Column::LeaseExpiresAt.lte(self.now().as_micros()))
            .order_by_asc(Column::LeaseExpiresAt)
            .limit(within_database(limit))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&self.transaction)
            .await?;
        rows.into_iter()
            .map(|row| {
                let lease = JobLease {
                    job: row.id.into(),
                    owner: row.lease_owner.unwrap_or_default().into(),
                    epoch: row.lease_epoch,
                };
                let job = from_row(row)?;
                Ok(ClaimedJob { job, lease })
            })
            .collect()
    }

    /// Whether a job of this kind waits or runs: what is done again and again is begun by whichever
    /// process finds that it is not.
    pub async fn has_open_job(&self, kind: &str) -> Result<bool, StoreError> {
        let found = Entity::find()
            .filter(Expr::cust("jobs.state IN ('waiting', 'running')"))
            .filter(Column::Kind.eq(kind));
        Ok(found.one(&self.transaction).await?.is_some())
    }

    /// Jobs of every organization, for operators: the newest first, and of those that wait the next.
    pub async fn jobs(&self, query: &JobQuery<'_>) -> Result<Vec<Job>, StoreError> {
        let condition = Condition::all()
            .add_option(query.state.map(|state| Column::State.eq(state.as_str())))
            .add_option(query.kind.map(|kind| Column::Kind.eq(kind)));
        let found = Entity::find().filter(condition);
        let found = if query.state == Some(JobState::Waiting) {
            found.order_by_asc(Column::RunAt)
        } else {
            found.order_by_desc(Column::CreatedAt)
        };
        let rows = found
            .order_by_desc(Column::Id)
            .limit(within_database(query.limit))
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// One job of any organization, for operators.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let row = Entity::find_by_id(id.as_uuid()).one(&self.transaction).await?;
        row.map(from_row).transpose()
    }

    /// Lets a job that was given up, or that waits for its time, run now, as operators may wish; says
    /// whether there is such a job. If another does its work, that one runs.
    pub async fn retry_job(&self, id: JobId) -> Result<bool, StoreError> {
        let now = self.now().as_micros();
        let can_run = Condition::all()
            .add(Column::Id.eq(id.as_uuid()))
            .add(Column::State.is_in([JobState::Dead, JobState::Waiting].map(JobState::as_str)));
        let update = Entity::update_many().filter(can_run);
        let update = if self.has_successor(id).await? {
            update
                .col_expr(Column::State, Expr::value(JobState::Done.as_str()))
                .col_expr(Column::LastError, Expr::value(ANOTHER_WAITS))
        } else {
            update
                .col_expr(Column::State, Expr::value(JobState::Waiting.as_str()))
                .col_expr(Column::RunAt, Expr::value(now))
                .col_expr(Column::Attempts, Expr::value(0_i64))
                .col_expr(Column::LeaseOwner, Expr::value(None::<uuid::Uuid>))
                .col_expr(Column::FinishedAt, Expr::value(None::<i64>))
        };
        Ok(update.exec(&self.transaction).await?.rows_affected == 1)
    }

    /// How many jobs of every organization wait, run or were given up, by kind.
    pub async fn job_counts(&self) -> Result<Vec<JobCount>, StoreError> {
        let counted: Vec<(String, String, i64, i64)> = Entity::find()
            .select_only()
            .column(Column::Kind)
            .column(Column::State)
            .column_as(Column::Id.count(), "jobs")
            .column_as(Column::RunAt.min(), "oldest_run_at")
            .filter(Expr::cust("jobs.state IN ('waiting', 'running', 'dead')"))
            .group_by(Column::Kind)
            .group_by(Column::State)
            .order_by_asc(Column::Kind)
            .order_by_asc(Column::State)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        counted
            .into_iter()
            .map(|(kind, state, jobs, oldest_run_at)| {
                Ok(JobCount {
                    state: state.parse().map_err(|_| StoreError::Inconsistent {
                        table: "jobs",
                        column: "state",
                        row: format!("of kind {kind}"),
                    })?,
                    kind,
                    jobs: u64::try_from(jobs).unwrap_or(0),
                    oldest_run_at: Timestamp::from_micros(oldest_run_at),
                })
            })
            .collect()
    }
}

/// The oldest job of those whose turn it is.
fn due(kinds: &[&str], turn: SimpleExpr, now: Timestamp) -> Select<Entity> {
    // Spelled out, because only then do both databases see that the partial indexes hold all of them.
    Entity::find()
            .filter(Expr::cust("jobs.state = 'waiting'"))
            .filter(turn)
            .filter(Column::RunAt.lte(now.as_micros()))
            .filter(Column::Kind.is_in(kinds.iter().copied()))
            .filter(Expr::cust(
                "NOT EXISTS (SELECT 1 FROM jobs r WHERE r.state = 'running' AND r.kind = jobs.kind AND r.subject = jobs.subject)",
            ))
            .order_by_asc(Column::OrganizationId)
            .order_by_asc(Column::RunAt)
            .order_by_asc(Column::Id)
            .limit(1)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
}

/// The job while the worker has it.
fn held(lease: &JobLease) -> Condition {
    Condition::all()
        .add(Column::Id.eq(lease.job.as_uuid()))
        .add(Column::LeaseOwner.eq(lease.owner.as_uuid()))
        .add(Column::LeaseEpoch.eq(lease.epoch))
        .add(Expr::cust("state = 'running'"))
}
