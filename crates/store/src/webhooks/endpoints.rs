//! Addresses to which the organization's events are delivered.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, Order};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;
use wahana_domain::{
    CustomHeader, EndpointState, LONGEST_DELIVERY_WAIT, OrganizationId, SessionId, Timestamp, UserId,
    WebhookEndpoint, WebhookEndpointId, WebhookSecret, WebhookStyle,
};

use super::deliveries::{self, fail_waiting};
use crate::{
    Belonging, StoreError, TenantTx,
    entity::webhook_endpoint::{ActiveModel, Column, Entity, Model},
    organization_events, readable,
};

/// An endpoint to be made.
#[derive(Clone)]
pub struct NewEndpoint {
    /// The address.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// In which way deliveries are written.
    pub style: WebhookStyle,
    /// The names of the events that are delivered; `None` for all.
    pub events: Option<Vec<String>>,
    /// The sessions of which events are delivered; `None` for all and for the organization itself.
    pub sessions: Option<Vec<SessionId>>,
    /// Headers that deliveries are to have.
    pub headers: Vec<CustomHeader>,
    /// What signs deliveries.
    pub secret: WebhookSecret,
    /// Who makes it; `None` if the operator does.
    pub created_by: Option<UserId>,
}

/// What to change of an endpoint; what is `None` stays.
#[derive(Clone, Default)]
pub struct EndpointChange {
    /// Another address.
    pub url: Option<String>,
    /// Another description; `Some(None)` for none.
    pub description: Option<Option<String>>,
    /// Other names of events; `Some(None)` for all.
    pub events: Option<Option<Vec<String>>>,
    /// Other sessions; `Some(None)` for all and for the organization itself.
    pub sessions: Option<Option<Vec<SessionId>>>,
    /// Other headers.
    pub headers: Option<Vec<CustomHeader>>,
    /// Whether events are delivered. One that is enabled begins anew with what happens from then on.
    pub state: Option<EndpointState>,
}

/// What deliveries are sent with besides what they say.
#[derive(Clone, Debug)]
pub struct Signing {
    /// The secrets that sign, the present one first.
    pub secrets: Vec<WebhookSecret>,
    /// The organization's own headers.
    pub headers: Vec<CustomHeader>,
}

/// For what an endpoint's secrets are encrypted; the previous one for the same, because it was the present one.
pub(crate) const SECRET: &str = "webhook_endpoints.encrypted_secret";
/// For what an endpoint's headers are encrypted.
pub(crate) const HEADERS: &str = "webhook_endpoints.encrypted_headers";

/// What an endpoint's secret belongs to.
pub(crate) const fn belonging(
    purpose: &'static str,
    organization: OrganizationId,
    endpoint: Uuid,
) -> Belonging {
    Belonging {
        purpose,
        organization: Some(organization),
        row: endpoint,
    }
}

/// Makes an endpoint, for what happens from now on.
pub async fn insert(tx: &TenantTx, new: &NewEndpoint) -> Result<WebhookEndpoint, StoreError> {
    let id = WebhookEndpointId::new();
    let now = tx.now().as_micros();
    let row = Model {
        organization_id: tx.organization_id().as_uuid(),
        id: id.as_uuid(),
        url: new.url.clone(),
        description: new.description.clone(),
        style: new.style.as_str().to_owned(),
        events: new.events.as_ref().map(json).transpose()?,
        sessions: new.sessions.as_ref().map(json).transpose()?,
        header_names: json(&names(&new.headers))?,
        encrypted_headers: encrypt_headers(tx, id, &new.headers)?,
        encrypted_secret: encrypt_secret(tx, id, &new.secret)?,
        encrypted_previous_secret: None,
        previous_secret_until: None,
        state: EndpointState::Enabled.as_str().to_owned(),
        disabled_reason: None,
        failing_since: None,
        last_failed_at: None,
        not_before: None,
        position: organization_events::last_number(tx).await?,
        created_by: new.created_by.map(UserId::as_uuid),
        created_at: now,
        updated_at: now,
    };
    let endpoint = from_row(row.clone())?;
    tx.insert(ActiveModel {
        organization_id: Set(row.organization_id),
        ..sea_orm::ActiveModelTrait::reset_all(row.into())
    })
    .await?;
    Ok(endpoint)
}

/// The organization's endpoints that can be read, the oldest first.
pub async fn endpoints(tx: &TenantTx) -> Result<Vec<WebhookEndpoint>, StoreError> {
    let rows = tx
        .find::<Entity>()
        .order_by(Column::CreatedAt, Order::Asc)
        .order_by(Column::Id, Order::Asc)
        .all()
        .await?;
    Ok(readable(rows.into_iter().map(from_row)).collect())
}

/// How many endpoints the organization has.
pub async fn count(tx: &TenantTx) -> Result<u64, StoreError> {
    tx.find::<Entity>().count().await
}

/// One endpoint.
pub async fn endpoint(tx: &TenantTx, id: WebhookEndpointId) -> Result<Option<WebhookEndpoint>, StoreError> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
    found.one().await?.map(from_row).transpose()
}

/// The same, and nobody else changes it or its deliveries before this transaction ends.
pub async fn lock(tx: &TenantTx, id: WebhookEndpointId) -> Result<Option<WebhookEndpoint>, StoreError> {
    lock_row(tx, id).await?.map(from_row).transpose()
}

/// Nobody else changes any endpoint of the organization, or its deliveries, before this transaction ends.
pub async fn lock_all(tx: &TenantTx) -> Result<(), StoreError> {
    tx.find::<Entity>()
        .order_by(Column::Id, Order::Asc)
        .lock()
        .all()
        .await?;
    Ok(())
}

pub(super) async fn lock_row(tx: &TenantTx, id: WebhookEndpointId) -> Result<Option<Model>, StoreError> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
    found.lock().one().await
}

/// Changes an endpoint whose lock the caller holds.
pub async fn update(
    tx: &TenantTx,
    endpoint: &WebhookEndpoint,
    change: &EndpointChange,
) -> Result<(), StoreError> {
    let mut update = tx
        .update::<Entity>()
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::Id.eq(endpoint.id.as_uuid()));
    if let Some(url) = &change.url {
        // What was at the address before says nothing about what is there now.
        update = update
            .set(Column::Url, url.as_str())
            .set(Column::FailingSince, None::<i64>)
            .set(Column::LastFailedAt, None::<i64>)
            .set(Column::NotBefore, None::<i64>);
    }
    if let Some(description) = &change.description {
        update = update.set(Column::Description, description.clone());
    }
    if let Some(events) = &change.events {
        update = update.set(Column::Events, events.as_ref().map(json).transpose()?);
    }
    if let Some(sessions) = &change.sessions {
        update = update.set(Column::Sessions, sessions.as_ref().map(json).transpose()?);
    }
    if let Some(headers) = &change.headers {
        update = update.set(Column::HeaderNames, json(&names(headers))?).set(
            Column::EncryptedHeaders,
            encrypt_headers(tx, endpoint.id, headers)?,
        );
    }
    if change.state == Some(EndpointState::Enabled) && endpoint.state == EndpointState::Disabled {
        update = update
            .set(Column::State, EndpointState::Enabled.as_str())
            .set(Column::DisabledReason, None::<String>)
            .set(Column::FailingSince, None::<i64>)
            .set(Column::LastFailedAt, None::<i64>)
            .set(Column::NotBefore, None::<i64>)
            .set(Column::Position, organization_events::last_number(tx).await?);
    }
    update.run().await?;
    Ok(())
}

/// Does not leave an endpoint alone any more, whatever its receiver asked for: somebody wants something delivered now.
pub async fn end_pause(tx: &TenantTx, id: WebhookEndpointId) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::NotBefore, None::<i64>)
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::NotBefore.is_not_null())
        .run()
        .await?;
    Ok(())
}

/// Endpoints that are not left alone. What is further ahead than any receiver may ask was written by a clock that was
/// wrong.
pub(crate) fn has_no_pause(now: Timestamp) -> Condition {
    Condition::any()
        .add(Column::NotBefore.is_null())
        .add(Column::NotBefore.lte(now.as_micros()))
        .add(Column::NotBefore.gt(now.plus(LONGEST_DELIVERY_WAIT).as_micros()))
}

/// Delivers nothing to an endpoint any more; says whether it was enabled. What waits for it is given up afterwards by
/// [`give_up_waiting`]. The caller holds its lock.
pub async fn disable(tx: &TenantTx, id: WebhookEndpointId, reason: &str) -> Result<bool, StoreError> {
    let disabled = tx
        .update::<Entity>()
        .set(Column::State, EndpointState::Disabled.as_str())
        .set(Column::DisabledReason, reason)
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.eq(EndpointState::Enabled.as_str()))
        .run()
        .await?;
    Ok(disabled == 1)
}

/// Gives up some of what waits for an endpoint, if it is disabled; says how many deliveries.
pub async fn give_up_waiting(tx: &TenantTx, id: WebhookEndpointId, limit: u64) -> Result<u64, StoreError> {
    let row = lock_row(tx, id).await?;
    if row.is_none_or(|row| row.state != EndpointState::Disabled.as_str()) {
        return Ok(0);
    }
    fail_waiting(tx, id, "The endpoint was disabled.", limit).await
}

/// Lets what waits for an endpoint longer than anything does be tried now; says how many deliveries. They were written
/// down by a clock that was ahead.
pub async fn hasten_waiting(tx: &TenantTx, id: WebhookEndpointId) -> Result<u64, StoreError> {
    lock_row(tx, id).await?;
    deliveries::hasten(tx, id, tx.now().plus(LONGEST_DELIVERY_WAIT)).await
}

/// Gives an endpoint another secret. The present one signs too until then; the one before it does not any more.
pub async fn rotate(
    tx: &TenantTx,
    id: WebhookEndpointId,
    secret: &WebhookSecret,
    previous_until: Timestamp,
) -> Result<bool, StoreError> {
    let Some(row) = lock_row(tx, id).await? else {
        return Ok(false);
    };
    let changed = tx
        .update::<Entity>()
        .set(Column::EncryptedSecret, encrypt_secret(tx, id, secret)?)
        .set(Column::EncryptedPreviousSecret, row.encrypted_secret)
        .set(Column::PreviousSecretUntil, previous_until.as_micros())
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::Id.eq(row.id))
        .run()
        .await?;
    Ok(changed == 1)
}

/// Deletes some of an endpoint's deliveries; says how many.
pub async fn delete_deliveries(tx: &TenantTx, id: WebhookEndpointId, limit: u64) -> Result<u64, StoreError> {
    lock_row(tx, id).await?;
    deliveries::delete_some(tx, id, limit).await
}

/// Deletes an endpoint with the deliveries that it still has; says whether it was there.
pub async fn delete(tx: &TenantTx, id: WebhookEndpointId) -> Result<bool, StoreError> {
    Ok(tx.delete::<Entity>(Column::Id.eq(id.as_uuid())).await? == 1)
}

/// With what deliveries to an endpoint are sent; `None` if it is gone.
pub async fn signing_of(tx: &TenantTx, id: WebhookEndpointId) -> Result<Option<Signing>, StoreError> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
    let row = found.one().await?;
    row.map(|row| signing(tx, &row)).transpose()
}

/// The same of an endpoint that was found already.
pub(super) fn signing(tx: &TenantTx, row: &Model) -> Result<Signing, StoreError> {
    let decrypt = |stored: &[u8], purpose| -> Result<SecretString, StoreError> {
        let belonging = belonging(purpose, tx.organization_id(), row.id);
        Ok(tx.keys().decrypt(stored, belonging)?)
    };
    let mut secrets = vec![WebhookSecret::stored(decrypt(&row.encrypted_secret, SECRET)?)];
    let is_overlapping = row
        .previous_secret_until
        .is_some_and(|until| until > tx.now().as_micros());
    if let Some(previous) = row
        .encrypted_previous_secret
        .as_deref()
        .filter(|_| is_overlapping)
    {
        secrets.push(WebhookSecret::stored(decrypt(previous, SECRET)?));
    }
    let headers = match &row.encrypted_headers {
        None => Vec::new(),
        Some(stored) => {
            let text = decrypt(stored, HEADERS)?;
            let pairs: Vec<(String, String)> = serde_json::from_str(text.expose_secret())
                .map_err(|_| inconsistent("encrypted_headers", row.id))?;
            let headers = pairs
                .into_iter()
                .map(|(name, value)| CustomHeader { name, value });
            headers.collect()
        }
    };
    Ok(Signing { secrets, headers })
}

fn encrypt_secret(
    tx: &TenantTx,
    id: WebhookEndpointId,
    secret: &WebhookSecret,
) -> Result<Vec<u8>, StoreError> {
    let belonging = belonging(SECRET, tx.organization_id(), id.as_uuid());
    Ok(tx.keys().encrypt(secret.expose(), belonging)?)
}

fn encrypt_headers(
    tx: &TenantTx,
    id: WebhookEndpointId,
    headers: &[CustomHeader],
) -> Result<Option<Vec<u8>>, StoreError> {
    if headers.is_empty() {
        return Ok(None);
    }
    let pairs: Vec<_> = headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.as_str()))
        .collect();
    let belonging = belonging(HEADERS, tx.organization_id(), id.as_uuid());
    Ok(Some(tx.keys().encrypt(&json(&pairs)?, belonging)?))
}

fn names(headers: &[CustomHeader]) -> Vec<&str> {
    headers.iter().map(|header| header.name.as_str()).collect()
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Database(format!("an endpoint cannot be written: {error}")))
}

fn inconsistent(column: &'static str, row: Uuid) -> StoreError {
    StoreError::Inconsistent {
        table: "webhook_endpoints",
        column,
        row: row.to_string(),
    }
}

fn parse<T: DeserializeOwned>(text: &str, column: &'static str, row: Uuid) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| inconsistent(column, row))
}

pub(super) fn from_row(row: Model) -> Result<WebhookEndpoint, StoreError> {
    let events = row.events.as_deref().map(|text| parse(text, "events", row.id));
    let sessions = row
        .sessions
        .as_deref()
        .map(|text| parse(text, "sessions", row.id));
    Ok(WebhookEndpoint {
        id: row.id.into(),
        organization_id: row.organization_id.into(),
        style: WebhookStyle::from_word(&row.style).ok_or_else(|| inconsistent("style", row.id))?,
        events: events.transpose()?,
        sessions: sessions.transpose()?,
        header_names: parse(&row.header_names, "header_names", row.id)?,
        state: EndpointState::from_word(&row.state).ok_or_else(|| inconsistent("state", row.id))?,
        url: row.url,
        description: row.description,
        disabled_reason: row.disabled_reason,
        failing_since: row.failing_since.map(Timestamp::from_micros),
        last_failed_at: row.last_failed_at.map(Timestamp::from_micros),
        position: row.position,
        previous_secret_until: row.previous_secret_until.map(Timestamp::from_micros),
        created_by: row.created_by.map(Into::into),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
