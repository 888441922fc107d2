//! What only one process may do: it has a lease, which carries an epoch.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use wahana_domain::{ProcessId, Timestamp};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::lease::{ActiveModel, Column, Entity},
};

/// The right to do something that only one process may do, until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Who has it.
    pub owner: ProcessId,
    /// Rises whenever the lease is taken anew, so that who lost it can be told from who has it.
    pub epoch: i64,
}

/// A lease as somebody has it at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingLease {
    /// The lease.
    pub lease: Lease,
    /// When it ends, by the clock of who has it.
    pub expires_at: Timestamp,
}

impl PlatformTx {
    /// Takes a lease that nobody has until `expires_at`, and keeps one that `owner` has; `None` if
    /// another process has it. Who works for all organizations belongs to none.
    pub async fn take_lease(
        &self,
        name: &str,
        owner: ProcessId,
        expires_at: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        let now = self.now().as_micros();
        let first = ActiveModel {
            name: Set(name.to_owned()),
            owner: Set(owner.as_uuid()),
            epoch: Set(1),
            expires_at: Set(expires_at.as_micros()),
        };
        let inserted = Entity::insert(first)
            .on_conflict(OnConflict::column(Column::Name).do_nothing().to_owned())
            .exec_without_returning(&self.transaction)
            .await?;
        if inserted == 0 {
            Entity::update_many()
                .col_expr(Column::Owner, Expr::value(owner.as_uuid()))
                .col_expr(Column::Epoch, Expr::col(Column::Epoch).add(1))
                .col_expr(Column::ExpiresAt, Expr::value(expires_at.as_micros()))
                .filter(Column::Name.eq(name))
                .filter(Column::ExpiresAt.lte(now))
                .exec(&self.transaction)
                .await?;
        }
        let Some(row) = Entity::find_by_id(name).one(&self.transaction).await? else {
            return Ok(None);
        };
        let lease = Lease {
            name: row.name,
            owner: row.owner.into(),
            epoch: row.epoch,
        };
        let is_ours = lease.owner == owner && self.renew_lease(&lease, expires_at).await?;
        Ok(is_ours.then_some(lease))
    }

    /// Who has a lease, or had it last; `None` if nobody ever did.
    pub async fn standing_lease(&self, name: &str) -> Result<Option<StandingLease>, StoreError> {
        let row = Entity::find_by_id(name).one(&self.transaction).await?;
        Ok(row.map(|row| StandingLease {
            expires_at: Timestamp::from_micros(row.expires_at),
            lease: Lease {
                name: row.name,
                owner: row.owner.into(),
                epoch: row.epoch,
            },
        }))
    }

    /// Takes a lease from a holder that has not renewed it since it was seen like this, whenever it ends: for who
    /// has seen it stand still for longer than its holder may say nothing. `None` if it was renewed or taken.
    pub async fn take_standing_lease(
        &self,
        seen: &StandingLease,
        owner: ProcessId,
        expires_at: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        let taken = Lease {
            name: seen.lease.name.clone(),
            owner,
            epoch: seen.lease.epoch + 1,
        };
        let updated = Entity::update_many()
            .col_expr(Column::Owner, Expr::value(owner.as_uuid()))
            .col_expr(Column::Epoch, Expr::value(taken.epoch))
            .col_expr(Column::ExpiresAt, Expr::value(expires_at.as_micros()))
            .filter(Column::Name.eq(seen.lease.name.as_str()))
            .filter(Column::Epoch.eq(seen.lease.epoch))
            .filter(Column::ExpiresAt.eq(seen.expires_at.as_micros()))
            .exec(&self.transaction)
            .await?;
        Ok((updated.rows_affected == 1).then_some(taken))
    }

    /// Keeps a lease for longer; says whether it was still held. One that ended is not held any more,
    /// even if nobody else took it.
    pub async fn renew_lease(&self, lease: &Lease, expires_at: Timestamp) -> Result<bool, StoreError> {
        self.set_expiry(lease, expires_at).await
    }

    /// Gives a lease back, so that another process need not wait for its end; says whether it was still
    /// held.
    pub async fn release_lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        // The row stays, because its epoch must never be given out again.
        self.set_expiry(lease, self.now()).await
    }

    async fn set_expiry(&self, lease: &Lease, expires_at: Timestamp) -> Result<bool, StoreError> {
        let updated = Entity::update_many()
            .col_expr(Column::ExpiresAt, Expr::value(expires_at.as_micros()))
            .filter(held(lease, self.now()))
            .exec(&self.transaction)
            .await?;
        Ok(updated.rows_affected == 1)
    }

    /// Whether a lease is held, and nobody can take it before this transaction ends: asked in every
    /// transaction that writes what only the holder may write.
    pub async fn holds_lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        let found = Entity::find().filter(held(lease, self.now())).lock_shared();
        Ok(found.one(&self.transaction).await?.is_some())
    }
}

fn held(lease: &Lease, now: Timestamp) -> Condition {
    Condition::all()
        .add(Column::Name.eq(lease.name.as_str()))
        .add(Column::Owner.eq(lease.owner.as_uuid()))
        .add(Column::Epoch.eq(lease.epoch))
        .add(Column::ExpiresAt.gt(now.as_micros()))
}
