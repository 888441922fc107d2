//! With which webhook a session tells wahana its events.

use sea_orm::sea_query::Expr;
use wahana_domain::SessionId;

use crate::{StoreError, TenantTx, entity::session_upkeep::Column, upkeep};

/// The version of a key that was never raised.
pub(crate) const FIRST_VERSION: i64 = 1;

/// The versions of the key of a session's webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionHook {
    /// The newest one. The one before is valid too.
    pub version: i64,
    /// The version that WAHA has; `None` if WAHA never got the webhook.
    pub applied_version: Option<i64>,
}

impl Default for SessionHook {
    /// Of a session of which nothing was noted yet.
    fn default() -> Self {
        Self {
            version: FIRST_VERSION,
            applied_version: None,
        }
    }
}

/// Notes that WAHA has a session's webhook, with the key of this version.
pub async fn set_applied(tx: &TenantTx, session: SessionId, version: i64) -> Result<(), StoreError> {
    let update = upkeep::change(tx, session).await?;
    update
        .set_expression(Column::HookAppliedVersion, Expr::value(version))
        .run()
        .await?;
    Ok(())
}
