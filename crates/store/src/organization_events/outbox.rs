//! What a transaction has to tell, until it ends.
//!
//! Events are numbered by a row of their organization, which is raised in the transaction that writes them. Its lock
//! is held until that commits, so the order of numbers is the order of commits: who has seen an event has seen all
//! that have lower numbers. Others of the organization wait for that lock, so a transaction takes it once, as the
//! last thing that it does.

use std::sync::{Mutex, PoisonError};

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, EntityTrait, ExprTrait,
    sea_query::{Expr, OnConflict, Query},
};
use wahana_domain::{EventId, NewOrganizationEvent, OrganizationId, Timestamp};

use crate::{
    StoreError,
    entity::{organization_event, organization_event_counter},
    transaction::Transaction,
};

/// How many rows are written in one statement: SQLite takes no more than 32766 values in one.
const ROWS_AT_ONCE: usize = 1000;

/// The events that tell of what a transaction does. They are written when it commits.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Mutex<Vec<NewOrganizationEvent>>);

impl Outbox {
    pub(crate) fn add(&self, event: NewOrganizationEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Writes them all; says whether there were any.
    pub(crate) async fn write(
        &self,
        organization: OrganizationId,
        now: Timestamp,
        transaction: &Transaction,
    ) -> Result<bool, StoreError> {
        let events = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let Ok(count) = i64::try_from(events.len()) else {
            return Ok(false);
        };
        if count == 0 {
            return Ok(false);
        }
        let last = raise(organization, count, transaction).await?;
        let rows = (last - count + 1..)
            .zip(events)
            .map(|(number, event)| row(organization, number, now, &event))
            .collect::<Result<Vec<_>, _>>()?;
        for rows in rows.chunks(ROWS_AT_ONCE) {
            organization_event::Entity::insert_many(rows.to_vec())
                .exec_without_returning(transaction)
                .await?;
        }
        Ok(true)
    }
}

/// Takes the next numbers of an organization, which nobody else of it gets before the transaction ends; says the
/// last of them.
async fn raise(
    organization: OrganizationId,
    count: i64,
    transaction: &Transaction,
) -> Result<i64, StoreError> {
    use organization_event_counter::{Column, Entity};
    // Within the update, a column's bare name would be ambiguous.
    let raised = Expr::col((Entity, Column::LastNumber)).add(count);
    let statement = Query::insert()
        .into_table(Entity)
        .columns([Column::OrganizationId, Column::LastNumber])
        .values_panic([organization.as_uuid().into(), count.into()])
        .on_conflict(
            OnConflict::column(Column::OrganizationId)
                .value(Column::LastNumber, raised)
                .to_owned(),
        )
        .returning_col(Column::LastNumber)
        .take();
    let statement = transaction.get_database_backend().build(&statement);
    let row = transaction.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| StoreError::Database("the number of an event was not given".to_owned()))?;
    Ok(row.try_get("", "last_number")?)
}

fn row(
    organization: OrganizationId,
    number: i64,
    now: Timestamp,
    event: &NewOrganizationEvent,
) -> Result<organization_event::ActiveModel, StoreError> {
    let data = event
        .happening
        .to_json()
        .map_err(|error| StoreError::Database(format!("an event cannot be written: {error}")))?;
    Ok(organization_event::ActiveModel {
        organization_id: Set(organization.as_uuid()),
        number: Set(number),
        id: Set(EventId::new().as_uuid()),
        r#type: Set(event.happening.event_type().as_str().to_owned()),
        session_id: Set(event.session.map(wahana_domain::SessionId::as_uuid)),
        message_id: Set(event.message.map(wahana_domain::MessageId::as_uuid)),
        data: Set(data),
        happened_at: Set(event.happened_at.as_micros()),
        created_at: Set(now.as_micros()),
    })
}
