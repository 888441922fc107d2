//! How many messages an organization may send in a calendar month of UTC.

use wahana_domain::{Month, Timestamp};
use wahana_store::{TenantTx, usage};

use super::{Allowance, EffectiveLimits};
use crate::ServiceError;

/// The month in which a message was counted, so that it can be taken back from that very month.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonthlyQuota(Month);

impl MonthlyQuota {
    /// Counts a message, in the transaction that writes it down; refuses beyond the quota.
    pub(crate) async fn count(tx: &TenantTx, limits: &EffectiveLimits) -> Result<(), ServiceError> {
        let now = tx.now();
        let month = Month::of(now);
        let quota = limits.monthly_messages;
        if usage::raise(tx, month, quota).await? {
            return Ok(());
        }
        Err(exceeded(quota.unwrap_or(0), month, now))
    }

    /// Refuses if the quota is used up, without counting.
    pub(crate) async fn check(tx: &TenantTx, limits: &EffectiveLimits) -> Result<(), ServiceError> {
        let Some(quota) = limits.monthly_messages else {
            return Ok(());
        };
        let now = tx.now();
        let month = Month::of(now);
        if usage::messages(tx, month).await? < u64::from(quota) {
            return Ok(());
        }
        Err(exceeded(quota, month, now))
    }

    /// That of a message that was counted in this month.
    pub(crate) const fn of(month: Month) -> Self {
        Self(month)
    }

    /// Takes a message back that WAHA did not take, in the transaction that writes that down.
    pub(crate) async fn take_back(self, tx: &TenantTx) -> Result<(), ServiceError> {
        Ok(usage::lower(tx, self.0).await?)
    }
}

fn exceeded(quota: u32, month: Month, now: Timestamp) -> ServiceError {
    ServiceError::QuotaExceeded {
        message: format!(
            "The organization may send {quota} messages in a month and has sent them. More can be sent when \
             the next month begins (UTC), or when the platform's operator raises the quota."
        ),
        allowance: Allowance {
            limit: quota,
            remaining: 0,
            reset_after: month.left_at(now),
        },
    }
}
