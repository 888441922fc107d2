//! The organization's sessions.

mod announce;
mod history;
mod list;
mod moving;
mod news;
mod observation;
mod row;

use std::collections::{BTreeSet, HashMap};

use sea_orm::{ActiveModelTrait, ColumnTrait, Condition, IntoActiveModel, Order};
use wahana_domain::{
    BusinessProfile, DesiredStatus, Pacing, PhoneNumber, ServerId, Session, SessionConfiguration, SessionId,
    SessionName, Timestamp,
};

pub use list::{ServersOfSessions, SessionNamed, SessionPage, SessionQuery, SessionReference, SessionSort};
pub use moving::{Relocation, delete_leftover, insert_leftover, postpone_leftover, relocate};
pub use news::{StatusNews, hear};
pub use observation::{Observation, ObservedChange, observe};
pub(crate) use row::from_row;

use crate::{
    StoreError, TenantTx,
    entity::session::{self, Column},
    readable,
};

/// What to change of a session's own fields; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionChange {
    /// Another name for people; `Some(None)` for none.
    pub display_name: Option<Option<String>>,
    /// The whole of what the organization says about itself.
    pub business: Option<BusinessProfile>,
    /// Another configuration.
    pub configuration: Option<SessionConfiguration>,
    /// Another pace; `Some(None)` for none.
    pub pacing: Option<Option<Pacing>>,
}

/// Adds a session.
pub async fn insert(tx: &TenantTx, new: &Session) -> Result<(), StoreError> {
    announce::created(tx, new.id);
    tx.insert(row::to_row(new)?.into_active_model().reset_all()).await
}

/// One living session, by name or id, if it is among those that may be seen.
pub async fn get(
    tx: &TenantTx,
    reference: &SessionReference,
    only: Option<&[SessionId]>,
) -> Result<Option<Session>, StoreError> {
    let condition = match reference {
        SessionReference::Id(id) => Column::Id.eq(id.as_uuid()),
        SessionReference::Name(name) => Column::SessionName.eq(name.as_str()),
    };
    let found = tx
        .find::<session::Entity>()
        .filter(living(only))
        .filter(condition);
    found.one().await?.map(from_row).transpose()
}

/// One living session, until the end of the transaction changed by nobody else: who applies news of it comes in
/// one after the other.
pub async fn lock(tx: &TenantTx, id: SessionId) -> Result<Option<Session>, StoreError> {
    lock_row(tx, id).await?.map(from_row).transpose()
}

async fn lock_row(tx: &TenantTx, id: SessionId) -> Result<Option<session::Model>, StoreError> {
    tx.find::<session::Entity>()
        .filter(living(Some(&[id])))
        .lock()
        .one()
        .await
}

/// Locks the rows of these sessions, also of those that were deleted, in the order of their ids: others who lock
/// several do the same.
pub(crate) async fn lock_rows(
    tx: &TenantTx,
    ids: impl IntoIterator<Item = SessionId>,
) -> Result<(), StoreError> {
    let ids: BTreeSet<_> = ids.into_iter().map(SessionId::as_uuid).collect();
    if ids.is_empty() {
        return Ok(());
    }
    tx.find::<session::Entity>()
        .filter(Column::Id.is_in(ids))
        .order_by(Column::Id, Order::Asc)
        .lock()
        .all()
        .await?;
    Ok(())
}

/// A session, which may be deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct EverySession {
    /// The session.
    pub session: Session,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
}

/// A part of all sessions, also of those that were deleted, in the order of their ids, from behind `after`.
pub async fn every(
    tx: &TenantTx,
    after: Option<SessionId>,
    limit: u64,
) -> Result<Vec<EverySession>, StoreError> {
    let rows = tx
        .find::<session::Entity>()
        .filter(Condition::all().add_option(after.map(|id| Column::Id.gt(id.as_uuid()))))
        .order_by(Column::Id, Order::Asc)
        .limit(limit)
        .all()
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(EverySession {
                deleted_at: row.deleted_at.map(Timestamp::from_micros),
                session: from_row(row)?,
            })
        })
        .collect()
}

/// The living sessions with these ids.
pub async fn with_ids(tx: &TenantTx, ids: &[SessionId]) -> Result<Vec<Session>, StoreError> {
    let rows = tx
        .find::<session::Entity>()
        .filter(living(Some(ids)))
        .all()
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// What a session is called, in the organization and on WhatsApp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalledSession {
    /// Its name.
    pub name: SessionName,
    /// Its number, as long as it is not deleted.
    pub phone_number: Option<PhoneNumber>,
}

/// What these sessions are called, those that were deleted too, as far as they can be read.
pub async fn called(
    tx: &TenantTx,
    ids: impl IntoIterator<Item = SessionId>,
) -> Result<HashMap<SessionId, CalledSession>, StoreError> {
    let ids: Vec<_> = ids.into_iter().map(SessionId::as_uuid).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx
        .find::<session::Entity>()
        .filter(Column::Id.is_in(ids))
        .all()
        .await?;
    let called = rows.into_iter().map(|row| {
        let is_living = row.deleted_at.is_none();
        let session = from_row(row)?;
        let called = CalledSession {
            name: session.name,
            phone_number: session.phone_number.filter(|_| is_living),
        };
        Ok((session.id, called))
    });
    Ok(readable(called).collect())
}

/// Says on a session what went wrong, where nothing better is known.
pub async fn set_last_error(tx: &TenantTx, id: SessionId, error: &str) -> Result<(), StoreError> {
    tx.update::<session::Entity>()
        .set(Column::LastError, error)
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(living(Some(&[id])))
        .run()
        .await?;
    Ok(())
}

/// Says on a session why it is not to be trusted although it works; `None` that it is.
pub async fn set_warning(tx: &TenantTx, id: SessionId, warning: Option<&str>) -> Result<(), StoreError> {
    let Some(row) = lock_row(tx, id).await? else {
        return Ok(());
    };
    tx.update::<session::Entity>()
        .set(Column::Warning, warning.map(str::to_owned))
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(living(Some(&[id])))
        .run()
        .await?;
    let after = session::Model {
        warning: warning.map(str::to_owned),
        ..row.clone()
    };
    announce::changed(tx, row, after, tx.now())
}

/// How many living sessions there are.
pub async fn count(tx: &TenantTx) -> Result<u64, StoreError> {
    tx.find::<session::Entity>().filter(living(None)).count().await
}

/// Whether a living session has this name.
pub async fn name_exists(tx: &TenantTx, name: &SessionName) -> Result<bool, StoreError> {
    let found = tx
        .find::<session::Entity>()
        .filter(living(None))
        .filter(Column::SessionName.eq(name.as_str()));
    Ok(found.count().await? > 0)
}

/// Whether another living session is paired with this number.
pub async fn number_is_taken(
    tx: &TenantTx,
    number: &PhoneNumber,
    by_other_than: SessionId,
) -> Result<bool, StoreError> {
    let found = tx
        .find::<session::Entity>()
        .filter(living(None))
        .filter(Column::PhoneNumber.eq(number.as_str()))
        .filter(Column::Id.ne(by_other_than.as_uuid()));
    Ok(found.count().await? > 0)
}

/// Changes a session's own fields.
pub async fn update(tx: &TenantTx, id: SessionId, change: &SessionChange) -> Result<(), StoreError> {
    let mut update = tx
        .update::<session::Entity>()
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(living(Some(&[id])));
    if let Some(display_name) = &change.display_name {
        update = update.set(Column::DisplayName, display_name.clone());
    }
    if let Some(business) = &change.business {
        update = update
            .set(Column::BusinessName, business.name.clone())
            .set(Column::BusinessDescription, business.description.clone())
            .set(Column::BusinessCategory, business.category.clone())
            .set(Column::BusinessWebsite, business.website.clone())
            .set(Column::BusinessEmail, business.email.clone());
    }
    if let Some(configuration) = &change.configuration {
        update = update.set(Column::Configuration, row::configuration_text(configuration)?);
    }
    if let Some(pacing) = change.pacing {
        let seconds = |get: fn(Pacing) -> u16| pacing.map(|pacing| i32::from(get(pacing)));
        update = update
            .set(Column::PacingMinSeconds, seconds(Pacing::min_seconds))
            .set(Column::PacingMaxSeconds, seconds(Pacing::max_seconds))
            .set(
                Column::PacingShowsTyping,
                pacing.is_some_and(Pacing::shows_typing),
            );
    }
    update.run().await?;
    Ok(())
}

/// Records what the organization wants of a session; says whether that is new.
pub async fn set_desired_status(
    tx: &TenantTx,
    id: SessionId,
    desired: DesiredStatus,
) -> Result<bool, StoreError> {
    let updated = tx
        .update::<session::Entity>()
        .set(Column::DesiredStatus, desired.as_str())
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(living(Some(&[id])))
        .filter(Column::DesiredStatus.ne(desired.as_str()))
        .run()
        .await?;
    Ok(updated == 1)
}

/// Marks a session as deleted; its name is free again. Says whether it was living.
pub async fn delete(tx: &TenantTx, id: SessionId) -> Result<bool, StoreError> {
    mark_deleted(tx, id, living(Some(&[id]))).await
}

/// The same, if the organization still wants that: it may have thought better of it. Says whether it was
/// done.
pub async fn finish_deletion(tx: &TenantTx, id: SessionId) -> Result<bool, StoreError> {
    let is_wanted = Column::DesiredStatus.eq(DesiredStatus::Deleted.as_str());
    mark_deleted(tx, id, living(Some(&[id])).add(is_wanted)).await
}

async fn mark_deleted(tx: &TenantTx, id: SessionId, condition: Condition) -> Result<bool, StoreError> {
    let now = tx.now().as_micros();
    let deleted = tx
        .update::<session::Entity>()
        .set(Column::DeletedAt, now)
        .set(Column::DesiredStatus, DesiredStatus::Deleted.as_str())
        .set(Column::UpdatedAt, now)
        .filter(condition)
        .run()
        .await?;
    if deleted == 1 {
        announce::deleted(tx, id);
    }
    Ok(deleted == 1)
}

/// The WAHA servers on which there are living sessions that may be seen.
pub async fn servers(tx: &TenantTx, only: Option<&[SessionId]>) -> Result<Vec<ServerId>, StoreError> {
    let servers = tx
        .find::<session::Entity>()
        .filter(living(only))
        .distinct_uuids(Column::WahaServerId)
        .await?;
    Ok(servers.into_iter().map(ServerId::from).collect())
}

/// Sessions that were not deleted and may be seen.
fn living(only: Option<&[SessionId]>) -> Condition {
    Condition::all()
        .add(Column::DeletedAt.is_null())
        .add_option(only.map(|ids| Column::Id.is_in(ids.iter().map(|id| id.as_uuid()))))
}
