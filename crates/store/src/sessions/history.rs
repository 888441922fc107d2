//! The one place where a session's changes of status and health are written down.

use wahana_domain::{SessionStatus, Timestamp};

use crate::{
    StoreError, TenantTx,
    entity::session::Model,
    transitions::{self, Subject},
};

/// What a session was seen to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) status: SessionStatus,
    pub(super) is_gone: bool,
    /// What is wrong, if that can be said of it.
    pub(super) reason: Option<&'a str>,
    pub(super) at: Timestamp,
    /// Whether it is written down also if it is what was known; see [`transitions::Seen`].
    pub(super) keeps_repeat: bool,
}

/// Writes what was seen into a session's histories. Says by how much that changes how often the session failed.
pub(super) async fn record(tx: &TenantTx, row: &Model, seen: &Seen<'_>) -> Result<i64, StoreError> {
    begin(tx, row).await?;
    let place = write(tx, row, seen).await?;
    let fails = |from: Option<&str>, to: &str| {
        let error = SessionStatus::Error.as_str();
        i64::from(to == error && from != Some(error))
    };
    let (before, own) = (place.before.as_deref(), seen.status.as_str());
    let Some(after) = place.after.as_deref() else {
        return Ok(fails(before, own));
    };
    Ok(fails(before, own) + fails(Some(own), after) - fails(before, after))
}

/// A session that was observed before there were histories begins with what was known of it.
async fn begin(tx: &TenantTx, row: &Model) -> Result<(), StoreError> {
    let (Some(observed_at), Ok(status)) = (row.observed_at, row.status.parse::<SessionStatus>()) else {
        return Ok(());
    };
    if !transitions::is_empty(tx, row.id.into()).await? {
        return Ok(());
    }
    let is_gone = row.waha_status.is_none();
    let tells_error = is_gone || matches!(status, SessionStatus::Error | SessionStatus::ActionRequired);
    let known = Seen {
        status,
        is_gone,
        reason: row.last_error.as_deref().filter(|_| tells_error),
        at: Timestamp::from_micros(observed_at),
        keeps_repeat: true,
    };
    write(tx, row, &known).await?;
    Ok(())
}

async fn write(tx: &TenantTx, row: &Model, seen: &Seen<'_>) -> Result<transitions::Place, StoreError> {
    let of = |value| transitions::Seen {
        value,
        reason: seen.reason,
        at: seen.at,
        keeps_repeat: seen.keeps_repeat,
    };
    let health = seen.status.health(seen.is_gone);
    transitions::record(tx, row.id.into(), Subject::Health, of(health.as_str())).await?;
    transitions::record(tx, row.id.into(), Subject::Status, of(seen.status.as_str())).await
}
