//! With which webhook a session tells wahana its events.

use sea_orm::{ColumnTrait, sea_query::Expr};
use wahana_domain::{SessionId, Timestamp};

use crate::{
    StoreError, TenantTx,
    entity::session_upkeep::{self, Column},
    upkeep,
};

/// What is known of a session's webhook, and why it must perhaps be left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHook {
    /// The version of its key: the newest one. The one before is valid too.
    pub version: i64,
    /// The version that WAHA has; `None` if WAHA never got the webhook.
    pub applied_version: Option<i64>,
    /// What WhatsApp restricts it to, if anything is known.
    pub restriction: Option<String>,
    /// Until when; `None` if that is not known.
    pub restricted_until: Option<Timestamp>,
}

/// The version of a key that was never raised.
pub(crate) const FIRST_VERSION: i64 = 1;

impl SessionHook {
    /// Of a session of which nothing was noted yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            version: FIRST_VERSION,
            applied_version: None,
            restriction: None,
            restricted_until: None,
        }
    }

    /// Whether WhatsApp restricts the session: then a restart could turn the restriction into a ban.
    #[must_use]
    pub fn is_restricted(&self, now: Timestamp) -> bool {
        self.restriction.is_some() && self.restricted_until.is_none_or(|until| until > now)
    }
}

impl Default for SessionHook {
    fn default() -> Self {
        Self::new()
    }
}

/// A session's webhook.
pub async fn get(tx: &TenantTx, session: SessionId) -> Result<SessionHook, StoreError> {
    let row = tx
        .find::<session_upkeep::Entity>()
        .filter(Column::SessionId.eq(session.as_uuid()))
        .one()
        .await?;
    Ok(row.map_or_else(SessionHook::new, |row| SessionHook {
        version: row.hook_version,
        applied_version: row.hook_applied_version,
        restriction: row.restriction,
        restricted_until: row.restricted_until.map(Timestamp::from_micros),
    }))
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
