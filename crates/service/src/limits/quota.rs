//! How many messages an organization may send in a calendar month of UTC, and how many of them may wait.

use std::time::Duration;

use wahana_domain::{Month, Timestamp};
use wahana_store::{TenantTx, messages, usage};

use super::{Allowance, EffectiveLimits};
use crate::ServiceError;

/// When to come back after as many messages waited as may.
const QUEUE_RETRY: Duration = Duration::from_mins(1);

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

/// Refuses if more messages of the organization wait than it may have. For the transaction that adds one, after it
/// has [counted](MonthlyQuota::count) it: others who add one wait for that, so that none slips past.
pub(crate) async fn check_queue(tx: &TenantTx, limits: &EffectiveLimits) -> Result<(), ServiceError> {
    let limit = limits.queued_messages;
    if !messages::has_queued_more_than(tx, limit).await? {
        return Ok(());
    }
    Err(ServiceError::QuotaExceeded {
        message: format!(
            "At most {limit} messages of the organization may wait to be sent, and as many do. It was not taken in. \
             Hand it in when some of them were sent or cancelled, or have the platform's operator raise the limit."
        ),
        allowance: Allowance {
            limit,
            remaining: 0,
            reset_after: QUEUE_RETRY,
        },
    })
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
