//! Trying to deliver.
//!
//! Whoever tries a delivery has it until its time is over; then somebody else may. So what a process does not come
//! back from is tried again, as the same delivery. What it says after that does not count.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, ColumnTrait, ExprTrait, Order, sea_query::Expr};
use wahana_domain::{
    DeliveryState, EndpointState, LONGEST_DELIVERY_WAIT, OUTAGE_GAP, OrganizationState, Timestamp,
    WebhookAttempt, WebhookAttemptId, WebhookDelivery, WebhookDeliveryId, WebhookEndpoint, WebhookEndpointId,
};

use super::{
    deliveries::{self, is_waiting},
    endpoints::{self, Signing},
};
use crate::{
    StoreError, TenantTx,
    entity::{
        webhook_attempt,
        webhook_delivery::{Column, Entity},
        webhook_endpoint,
    },
    organizations, readable,
};

/// A delivery that is being tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedDelivery {
    /// The delivery; its attempts count this one, which is written down once it ended.
    pub delivery: WebhookDelivery,
    /// Which claim of it this is.
    epoch: i64,
}

/// An endpoint and those of its deliveries that are to be tried now.
#[derive(Clone, Debug)]
pub struct ClaimedEndpoint {
    /// The endpoint.
    pub endpoint: WebhookEndpoint,
    /// With what its deliveries are sent.
    pub signing: Signing,
    /// The deliveries, those that have waited longest first.
    pub deliveries: Vec<ClaimedDelivery>,
    /// Whether the organization keeps what messages say longer than it takes to deliver it.
    pub keeps_message_texts: bool,
}

/// What becomes of a delivery after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver took it.
    Delivered,
    /// It is tried again then.
    RetryAt(Timestamp),
    /// It is not tried any more.
    Failed,
}

/// How a try ended. What the receiver answered is not printed.
#[derive(Clone)]
pub struct AttemptEnd {
    /// What was tried.
    pub claimed: ClaimedDelivery,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The status of the receiver's answer, if it answered.
    pub status: Option<u16>,
    /// Why it failed, in words.
    pub error: Option<String>,
    /// The beginning of the receiver's answer.
    pub answer: Option<String>,
    /// What becomes of the delivery.
    pub outcome: AttemptOutcome,
    /// Whether it was sent: if not, it says nothing about the endpoint.
    pub was_sent: bool,
    /// Until when the receiver asked to be left alone.
    pub not_before: Option<Timestamp>,
}

impl std::fmt::Debug for AttemptEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttemptEnd")
            .field("claimed", &self.claimed)
            .field("status", &self.status)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// Takes deliveries of an endpoint that are due, and keeps them until `until`; `None` if the endpoint is gone, disabled
/// or left alone, or its organization not active.
pub async fn claim(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    limit: u64,
    until: Timestamp,
) -> Result<Option<ClaimedEndpoint>, StoreError> {
    let Some(row) = endpoints::lock_row(tx, endpoint).await? else {
        return Ok(None);
    };
    let organization = organizations::get(tx).await?;
    let organization = organization.filter(|organization| organization.state == OrganizationState::Active);
    let has_pause = row.not_before.is_some_and(|until| {
        let until = Timestamp::from_micros(until);
        until > tx.now() && until <= tx.now().plus(LONGEST_DELIVERY_WAIT)
    });
    let is_enabled = row.state == EndpointState::Enabled.as_str();
    let Some(organization) = organization.filter(|_| is_enabled && !has_pause) else {
        return Ok(None);
    };
    let due = tx
        .find::<Entity>()
        .filter(Column::EndpointId.eq(endpoint.as_uuid()))
        .filter(is_waiting())
        .filter(Column::DueAt.lte(tx.now().as_micros()))
        .order_by(Column::DueAt, Order::Asc)
        .order_by(Column::Id, Order::Asc)
        .limit(limit)
        .all()
        .await?;
    tx.update::<Entity>()
        .set_expression(Column::LeaseEpoch, Expr::col(Column::LeaseEpoch).add(1))
        .set(Column::DueAt, until.as_micros())
        .filter(Column::Id.is_in(due.iter().map(|row| row.id)))
        .run()
        .await?;
    let deliveries = due.into_iter().map(|mut row| {
        row.attempts += 1;
        row.lease_epoch += 1;
        row.due_at = Some(until.as_micros());
        let epoch = row.lease_epoch;
        let delivery = deliveries::from_row(row)?;
        Ok(ClaimedDelivery { delivery, epoch })
    });
    Ok(Some(ClaimedEndpoint {
        signing: endpoints::signing(tx, &row)?,
        // One that cannot be read is left alone for as long as it would be tried.
        deliveries: readable(deliveries).collect(),
        keeps_message_texts: organization.keeps_message_texts,
        endpoint: endpoints::from_row(row)?,
    }))
}

/// Writes down how tries ended, and whether the endpoint takes anything; gives the endpoint back as it is then. `None`
/// if it is gone. The end of a try that took so long that somebody else tries the delivery is kept, and changes
/// nothing of the delivery. What was tried at an endpoint before people changed it says nothing about the endpoint.
pub async fn conclude(
    tx: &TenantTx,
    tried: &WebhookEndpoint,
    ends: &[AttemptEnd],
) -> Result<Option<WebhookEndpoint>, StoreError> {
    use webhook_endpoint::Column;
    let Some(row) = endpoints::lock_row(tx, tried.id).await? else {
        return Ok(None);
    };
    let mut endpoint = endpoints::from_row(row)?;
    for end in ends {
        conclude_one(tx, end).await?;
    }
    let before = (endpoint.failing_since, endpoint.last_failed_at);
    if endpoint.updated_at == tried.updated_at {
        note_failures(&mut endpoint, ends);
        note_pause(tx, &endpoint, ends).await?;
    }
    if before != (endpoint.failing_since, endpoint.last_failed_at) {
        let since = endpoint.failing_since.map(Timestamp::as_micros);
        let last = endpoint.last_failed_at.map(Timestamp::as_micros);
        tx.update::<webhook_endpoint::Entity>()
            .set(Column::FailingSince, since)
            .set(Column::LastFailedAt, last)
            .filter(Column::Id.eq(endpoint.id.as_uuid()))
            .run()
            .await?;
    }
    Ok(Some(endpoint))
}

/// Leaves an endpoint alone for as long as its receiver asked for: what else waits for it would only be refused.
async fn note_pause(
    tx: &TenantTx,
    endpoint: &WebhookEndpoint,
    ends: &[AttemptEnd],
) -> Result<(), StoreError> {
    use webhook_endpoint::Column;
    if let Some(until) = ends.iter().filter_map(|end| end.not_before).max() {
        tx.update::<webhook_endpoint::Entity>()
            .set(Column::NotBefore, until.as_micros())
            .filter(Column::Id.eq(endpoint.id.as_uuid()))
            .run()
            .await?;
    }
    Ok(())
}

/// Says of an endpoint since when it has taken nothing, after these tries.
fn note_failures(endpoint: &mut WebhookEndpoint, ends: &[AttemptEnd]) {
    if ends.iter().any(|end| end.outcome == AttemptOutcome::Delivered) {
        (endpoint.failing_since, endpoint.last_failed_at) = (None, None);
        return;
    }
    let mut failed: Vec<_> = ends
        .iter()
        .filter(|end| end.was_sent)
        .map(|end| end.started_at)
        .collect();
    failed.sort_unstable();
    for at in failed {
        let is_same_outage = endpoint
            .last_failed_at
            .is_some_and(|last| at.since(last) < OUTAGE_GAP);
        if !is_same_outage {
            endpoint.failing_since = Some(at);
        }
        endpoint.last_failed_at = Some(at);
    }
}

async fn conclude_one(tx: &TenantTx, end: &AttemptEnd) -> Result<(), StoreError> {
    let (state, due_at) = match end.outcome {
        AttemptOutcome::Delivered => (DeliveryState::Delivered, None),
        AttemptOutcome::RetryAt(at) => (DeliveryState::Waiting, Some(at)),
        AttemptOutcome::Failed => (DeliveryState::Failed, None),
    };
    let own = Column::Id.eq(end.claimed.delivery.id.as_uuid());
    let status = end.status.map(i32::from);
    let changed = tx
        .update::<Entity>()
        .set(Column::State, state.as_str())
        .set(Column::DueAt, due_at.map(Timestamp::as_micros))
        .set(Column::Attempts, end.claimed.delivery.attempts)
        .set(Column::LastStatus, status)
        .set(Column::LastError, end.error.clone())
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(own.clone())
        .filter(Column::LeaseEpoch.eq(end.claimed.epoch))
        .filter(is_waiting())
        .run()
        .await?;
    if changed == 0 && tx.find::<Entity>().filter(own).one().await?.is_none() {
        return Ok(());
    }
    tx.insert(webhook_attempt::ActiveModel {
        organization_id: Set(tx.organization_id().as_uuid()),
        delivery_id: Set(end.claimed.delivery.id.as_uuid()),
        id: Set(WebhookAttemptId::new().as_uuid()),
        number: Set(end.claimed.delivery.attempts),
        started_at: Set(end.started_at.as_micros()),
        duration_ms: Set(i64::try_from(end.duration.as_millis()).unwrap_or(i64::MAX)),
        status: Set(status),
        error: Set(end.error.clone()),
        answer: Set(end.answer.clone()),
    })
    .await
}

/// Gives back what was claimed and not tried: it is due again.
pub async fn give_back(tx: &TenantTx, claimed: &[ClaimedDelivery]) -> Result<(), StoreError> {
    for claimed in claimed {
        tx.update::<Entity>()
            .set(Column::DueAt, tx.now().as_micros())
            .filter(Column::Id.eq(claimed.delivery.id.as_uuid()))
            .filter(Column::LeaseEpoch.eq(claimed.epoch))
            .filter(is_waiting())
            .run()
            .await?;
    }
    Ok(())
}

/// The tries of a delivery, the newest first.
pub async fn attempts_of(
    tx: &TenantTx,
    delivery: WebhookDeliveryId,
    limit: u64,
) -> Result<Vec<WebhookAttempt>, StoreError> {
    use webhook_attempt::Column;
    let rows = tx
        .find::<webhook_attempt::Entity>()
        .filter(Column::DeliveryId.eq(delivery.as_uuid()))
        .order_by(Column::StartedAt, Order::Desc)
        .order_by(Column::Id, Order::Desc)
        .limit(limit)
        .all()
        .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.map(u16::try_from).transpose();
            Ok(WebhookAttempt {
                id: row.id.into(),
                delivery_id: row.delivery_id.into(),
                number: row.number,
                started_at: Timestamp::from_micros(row.started_at),
                duration_ms: row.duration_ms,
                status: status.map_err(|_| StoreError::Inconsistent {
                    table: "webhook_attempts",
                    column: "status",
                    row: row.id.to_string(),
                })?,
                error: row.error,
                answer: row.answer,
            })
        })
        .collect()
}
