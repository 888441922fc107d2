//! What is told of sessions when their rows change. Whatever changes a row says it here.

use wahana_domain::{
    Happening, NewOrganizationEvent, SessionId, SessionStatus, Timestamp,
    organization_event::{HealthChange, StatusChange},
};

use super::from_row;
use crate::{StoreError, TenantTx, entity::session::Model, organization_events::raise};

/// Notes that a session is there.
pub(super) fn created(tx: &TenantTx, session: SessionId) {
    tell(tx, session, tx.now(), Happening::SessionCreated);
}

/// Notes that a session was deleted.
pub(super) fn deleted(tx: &TenantTx, session: SessionId) {
    tell(tx, session, tx.now(), Happening::SessionDeleted);
}

/// Notes that a code waits to be scanned.
pub(super) fn code(tx: &TenantTx, session: SessionId, at: Timestamp) {
    tell(tx, session, at, Happening::SessionQr);
}

/// Notes what is new about a session's status and health, if anything is.
pub(super) fn changed(tx: &TenantTx, before: Model, after: Model, at: Timestamp) -> Result<(), StoreError> {
    let (before, after) = (from_row(before)?, from_row(after)?);
    // What is to be done on the phone has several steps, which are one status.
    let is_another_step =
        after.status == SessionStatus::ActionRequired && after.waha_status != before.waha_status;
    if after.status != before.status || is_another_step {
        let tells_error =
            after.is_gone() || matches!(after.status, SessionStatus::Error | SessionStatus::ActionRequired);
        let change = StatusChange {
            status: after.status.as_str().to_owned(),
            previous_status: before.status.as_str().to_owned(),
            waha_status: after.waha_status.clone(),
            reason: after.last_error.clone().filter(|_| tells_error),
        };
        tell(tx, after.id, at, Happening::SessionStatus(change));
    }
    let (old, new) = (before.health(), after.health());
    if new.status != old.status {
        let change = HealthChange {
            health_status: new.status.as_str().to_owned(),
            previous_health_status: old.status.as_str().to_owned(),
            reason: new.reason.to_owned(),
        };
        tell(tx, after.id, at, Happening::SessionHealth(change));
    }
    Ok(())
}

fn tell(tx: &TenantTx, session: SessionId, happened_at: Timestamp, happening: Happening) {
    let event = NewOrganizationEvent {
        session: Some(session),
        message: None,
        happened_at,
        happening,
    };
    raise(tx, event);
}
