//! Keeping wahana's hands off a session while somebody does something to it.

use std::time::Duration;

use wahana_domain::{SessionId, reconciliation::Attempts};
use wahana_store::{TenantTx, sessions, upkeep};

use crate::ServiceError;

/// Longer than WAHA is ever waited for. Who died meanwhile cannot let go.
pub(super) const HOLD: Duration = Duration::from_mins(1);

/// Keeps hands off a session from now on; in the transaction that writes down what is about to be done.
pub(crate) async fn hold(tx: &TenantTx, session: SessionId) -> Result<(), ServiceError> {
    let attempts = attempts(tx, session).await?;
    let held = Attempts {
        next_at: Some(tx.now().plus(HOLD)),
        ..attempts
    };
    Ok(upkeep::set_attempts(tx, session, &held).await?)
}

/// Lets go, and forgets what was tried before: somebody has said anew what should be. What may still be going on
/// is held on to.
pub(crate) async fn reset(
    tx: &TenantTx,
    session: SessionId,
    may_be_going_on: bool,
) -> Result<(), ServiceError> {
    let attempts = attempts(tx, session).await?;
    let fresh = Attempts {
        next_at: attempts.next_at.filter(|_| may_be_going_on),
        repaired_at: attempts.repaired_at,
        ..Attempts::default()
    };
    Ok(upkeep::set_attempts(tx, session, &fresh).await?)
}

/// Lets go, and leaves what was tried before as it was.
pub(crate) async fn resume(
    tx: &TenantTx,
    session: SessionId,
    may_be_going_on: bool,
) -> Result<(), ServiceError> {
    let attempts = attempts(tx, session).await?;
    let has_history = attempts.count > 0 || attempts.halt.is_some();
    let next_at = if may_be_going_on {
        attempts.next_at
    } else {
        has_history.then(|| tx.now())
    };
    let resumed = Attempts { next_at, ..attempts };
    Ok(upkeep::set_attempts(tx, session, &resumed).await?)
}

/// What was tried, which nobody else changes until the transaction ends.
async fn attempts(tx: &TenantTx, session: SessionId) -> Result<Attempts, ServiceError> {
    sessions::lock(tx, session).await?;
    Ok(upkeep::get(tx, session).await?.attempts)
}
