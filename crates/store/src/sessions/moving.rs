//! Sessions that go to another WAHA server, and what they leave behind.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use uuid::Uuid;
use wahana_domain::{SessionId, SessionStatus, Timestamp, WahaAddress};

use super::{announce, history, living, lock_row};
use crate::{
    StoreError, TenantTx,
    entity::{
        session::{self, Column},
        session_leftover, session_upkeep,
    },
};

/// Where a session is from now on, and how it stands there.
#[derive(Clone, Debug)]
pub struct Relocation {
    /// The session.
    pub session: SessionId,
    /// Where it was.
    pub from: WahaAddress,
    /// Where it is.
    pub to: WahaAddress,
    /// Its status there.
    pub status: SessionStatus,
    /// WAHA's word for it.
    pub waha_status: Option<String>,
    /// What a person must do.
    pub last_error: String,
}

/// Takes a session to another WAHA server, where it is paired with no number; what earlier looks and attempts
/// found out about it is forgotten with its old place. Says whether it was still where it came from.
pub async fn relocate(tx: &TenantTx, relocation: &Relocation) -> Result<bool, StoreError> {
    let found = lock_row(tx, relocation.session).await?;
    let Some(row) = found.filter(|row| is_at(row, &relocation.from)) else {
        return Ok(false);
    };
    let seen = history::Seen {
        status: relocation.status,
        is_gone: false,
        reason: None,
        at: tx.now(),
        keeps_repeat: false,
    };
    let failures = history::record(tx, &row, &seen).await?;
    let now = tx.now().as_micros();
    tx.update::<session::Entity>()
        .set(Column::WahaServerId, relocation.to.server.as_uuid())
        .set(Column::WahaName, relocation.to.name.as_str())
        .set(Column::Status, relocation.status.as_str())
        .set(Column::WahaStatus, relocation.waha_status.clone())
        .set(Column::LastError, relocation.last_error.clone())
        .set(Column::Warning, None::<String>)
        .set(Column::PhoneNumber, None::<String>)
        .set(Column::PhoneNumberAt, now)
        .set(Column::ErrorCount, row.error_count + failures)
        .set(Column::ObservedAt, now)
        .set(Column::UpdatedAt, now)
        .filter(living(Some(&[relocation.session])))
        .run()
        .await?;
    forget_upkeep(tx, relocation.session).await?;
    let after = session::Model {
        status: relocation.status.as_str().to_owned(),
        waha_status: relocation.waha_status.clone(),
        last_error: Some(relocation.last_error.clone()),
        warning: None,
        observed_at: Some(now),
        ..row.clone()
    };
    announce::changed(tx, row, after, tx.now())?;
    Ok(true)
}

fn is_at(row: &session::Model, address: &WahaAddress) -> bool {
    row.waha_server_id == address.server.as_uuid() && row.waha_name == address.name.as_str()
}

/// What was tried, seen missing and heard at a session's old place. What WhatsApp restricts stays: it knows
/// the account and not the place.
async fn forget_upkeep(tx: &TenantTx, session: SessionId) -> Result<(), StoreError> {
    use session_upkeep::Column as Upkeep;
    let mut update = tx
        .update::<session_upkeep::Entity>()
        .set(Upkeep::Attempts, 0_i64)
        .set(Upkeep::UpdatedAt, tx.now().as_micros())
        .filter(Upkeep::SessionId.eq(session.as_uuid()));
    for text in [Upkeep::HaltedReason, Upkeep::Drift] {
        update = update.set(text, None::<String>);
    }
    for number in [
        Upkeep::NextAttemptAt,
        Upkeep::HaltedAt,
        Upkeep::HookAppliedVersion,
        Upkeep::LastEventAt,
        Upkeep::ProbeFailedAt,
        Upkeep::SilentRestartAt,
    ] {
        update = update.set(number, None::<i64>);
    }
    update.run().await?;
    Ok(())
}

/// Writes down that what is at this address on WAHA is to be deleted there, from then on.
pub async fn insert_leftover(
    tx: &TenantTx,
    session: SessionId,
    address: &WahaAddress,
    due_at: Timestamp,
) -> Result<(), StoreError> {
    tx.insert(session_leftover::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(tx.organization_id().as_uuid()),
        session_id: Set(session.as_uuid()),
        waha_server_id: Set(address.server.as_uuid()),
        waha_name: Set(address.name.as_str().to_owned()),
        due_at: Set(due_at.as_micros()),
    })
    .await
}

/// Lets that be tried at another time.
pub async fn postpone_leftover(
    tx: &TenantTx,
    address: &WahaAddress,
    due_at: Timestamp,
) -> Result<(), StoreError> {
    tx.update::<session_leftover::Entity>()
        .set(session_leftover::Column::DueAt, due_at.as_micros())
        .filter(at(address))
        .run()
        .await?;
    Ok(())
}

/// Strikes that out: it was deleted there, or is to stay. Says whether it was written down.
pub async fn delete_leftover(tx: &TenantTx, address: &WahaAddress) -> Result<bool, StoreError> {
    Ok(tx.delete::<session_leftover::Entity>(at(address)).await? == 1)
}

fn at(address: &WahaAddress) -> Condition {
    use session_leftover::Column as Leftover;
    Condition::all()
        .add(Leftover::WahaServerId.eq(address.server.as_uuid()))
        .add(Leftover::WahaName.eq(address.name.as_str()))
}
