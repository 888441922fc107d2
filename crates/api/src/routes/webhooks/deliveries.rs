//! Deliveries of webhooks: what became of them, and delivering again.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wahana_domain::{
    DeliveryState, EventId, SessionId, Timestamp, WebhookAttempt, WebhookDelivery, WebhookDeliveryId,
    WebhookEndpointId,
};
use wahana_service::{
    FieldErrors,
    access::ManageWebhooks,
    webhooks::{self, DeliveryQuery, EventRange, Replayed},
};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, NextCursor, OfDelivery, OfWebhook, Query, id_after, limit},
    state::ApiState,
};

/// An event on its way to a webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryResource {
    #[schema(value_type = String, format = Uuid)]
    id: WebhookDeliveryId,
    #[schema(value_type = String, format = Uuid)]
    webhook_id: WebhookEndpointId,
    /// The event's number; 0 for a test.
    event_number: i64,
    #[schema(value_type = String, format = Uuid)]
    event_id: EventId,
    /// The session that the event is about; null for what concerns the organization, and for a test.
    #[schema(value_type = Option<String>, format = Uuid)]
    session_id: Option<SessionId>,
    /// The name under which the receiver gets it.
    event: String,
    /// `waiting`, `delivered` or `failed`.
    state: &'static str,
    /// How often it was tried since it was last asked for.
    attempts: i64,
    /// When it is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// The status of the receiver's last answer, if it answered.
    last_status: Option<u16>,
    /// Why the last attempt failed, for people.
    last_error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last tried, or asked for again.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A delivery with what came of trying.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryWithAttempts {
    #[serde(flatten)]
    delivery: DeliveryResource,
    /// The attempts, the newest first, at most 100.
    tried: Vec<AttemptResource>,
}

/// One try to deliver.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptResource {
    /// The how manyeth it was since the delivery was last asked for, from 1.
    number: i64,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    duration_ms: i64,
    /// The status of the receiver's answer, if it answered.
    status: Option<u16>,
    /// Why it failed, for people.
    error: Option<String>,
    /// The beginning of the receiver's answer, at most four kilobytes. Null for who may not be told the event, and for
    /// events of messages in an organization that does not keep what messages say.
    answer: Option<String>,
}

/// Which deliveries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListDeliveries {
    /// Only those that are `waiting`, `delivered` or `failed`.
    state: Option<String>,
    /// At most how many.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
    /// The `meta.next_cursor` of the part before.
    cursor: Option<String>,
}

/// What is to be delivered again: everything that failed, or a range of events.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayWebhook {
    /// Everything that failed. Not together with a range.
    failed: Option<bool>,
    /// From this event on, by its number.
    #[schema(minimum = 1)]
    from_number: Option<i64>,
    /// Up to this event, by its number.
    #[schema(minimum = 1)]
    to_number: Option<i64>,
    /// Events that were written down then or later, in RFC 3339.
    since: Option<String>,
    /// Events that were written down then or earlier, in RFC 3339.
    until: Option<String>,
}

/// What is delivered again.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplayedResource {
    /// How many deliveries that are.
    deliveries: u64,
    /// Where to go on with a long range, as `from_number`; null at its end.
    next_number: Option<i64>,
}

/// What was asked for.
enum Wanted {
    Failed,
    Range(EventRange),
}

impl ReplayWebhook {
    fn check(self) -> Result<Wanted, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut time =
            |field, text: Option<String>| text.and_then(|text| errors.take(field, Timestamp::parse(&text)));
        let has_range = self.from_number.is_some()
            || self.to_number.is_some()
            || self.since.is_some()
            || self.until.is_some();
        let (since, until) = (time("since", self.since), time("until", self.until));
        for (field, number) in [("from_number", self.from_number), ("to_number", self.to_number)] {
            if number.is_some_and(|number| number < 1) {
                errors.add(field, "must be the number of an event");
            }
        }
        let from_number = self.from_number.unwrap_or(1);
        let to_number = self.to_number.unwrap_or(i64::MAX);
        if to_number < from_number {
            errors.add("to_number", "must not be before from_number");
        }
        if since.zip(until).is_some_and(|(since, until)| until < since) {
            errors.add("until", "must not be before since");
        }
        let wanted = match (self.failed.unwrap_or(false), has_range) {
            (true, false) => Some(Wanted::Failed),
            (false, true) => Some(Wanted::Range(EventRange {
                from_number,
                to_number,
                since,
                until,
            })),
            _ => {
                errors.add("failed", "must be true, or a range be given, and not both");
                None
            }
        };
        errors.finish(wanted)
    }
}

impl ListDeliveries {
    fn check(self) -> Result<DeliveryQuery, FieldErrors> {
        let mut errors = FieldErrors::default();
        let state = self.state.and_then(|word| {
            let state = DeliveryState::from_word(&word).ok_or("must be waiting, delivered or failed");
            errors.take("state", state)
        });
        let before = id_after(self.cursor, &mut errors);
        let limit = limit(self.limit, &mut errors);
        errors.finish(limit.map(|limit| DeliveryQuery {
            state,
            sessions: None,
            before: before.map(Into::into),
            limit,
        }))
    }
}

impl From<WebhookDelivery> for DeliveryResource {
    fn from(delivery: WebhookDelivery) -> Self {
        Self {
            id: delivery.id,
            webhook_id: delivery.endpoint_id,
            event_number: delivery.event_number,
            event_id: delivery.event_id,
            session_id: delivery.session_id,
            event: delivery.event_name,
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: delivery.created_at,
            updated_at: delivery.updated_at,
        }
    }
}

impl From<WebhookAttempt> for AttemptResource {
    fn from(attempt: WebhookAttempt) -> Self {
        Self {
            number: attempt.number,
            started_at: attempt.started_at,
            duration_ms: attempt.duration_ms,
            status: attempt.status,
            error: attempt.error,
            answer: attempt.answer,
        }
    }
}

impl From<Replayed> for ReplayedResource {
    fn from(replayed: Replayed) -> Self {
        Self {
            deliveries: replayed.deliveries,
            next_number: replayed.next_number,
        }
    }
}

/// A webhook's deliveries, newest first.
///
/// They are kept for 30 days by default.
#[utoipa::path(
    get, path = "/api/waha/webhooks/{webhookId}/deliveries", operation_id = "webhooks.deliveries.list",
    tag = "webhooks", params(("webhookId" = String, Path), ListDeliveries),
    responses((status = OK, body = Envelope<Vec<DeliveryResource>, NextCursor>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn deliveries(
    State(state): State<ApiState>,
    allowed: Allowed<OfWebhook, ManageWebhooks>,
    Query(query): Query<ListDeliveries>,
) -> Result<Response, ApiError> {
    let query = query.check()?;
    let page = webhooks::page(state.services(), &allowed.access, &allowed.found, query).await?;
    let resources: Vec<DeliveryResource> = page.deliveries.into_iter().map(Into::into).collect();
    Ok(allowed
        .reply("Deliveries retrieved.", resources)
        .with_meta(NextCursor::after(page.next.map(WebhookDeliveryId::as_uuid)))
        .into_response())
}

/// One delivery with its attempts.
#[utoipa::path(
    get, path = "/api/waha/webhooks/deliveries/{deliveryId}", operation_id = "webhooks.deliveries.get",
    tag = "webhooks", params(("deliveryId" = String, Path)),
    responses((status = OK, body = Envelope<DeliveryWithAttempts>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn delivery(
    State(state): State<ApiState>,
    allowed: Allowed<OfDelivery, ManageWebhooks>,
) -> Result<Response, ApiError> {
    let attempts = webhooks::attempts(state.services(), &allowed.access, &allowed.found).await?;
    let resource = DeliveryWithAttempts {
        delivery: (*allowed.found).clone().into(),
        tried: attempts.into_iter().map(Into::into).collect(),
    };
    Ok(allowed.reply("Delivery retrieved.", resource).into_response())
}

/// Delivers something again, whatever became of it.
///
/// It is the same delivery, with the same id for its receiver.
#[utoipa::path(
    post, path = "/api/waha/webhooks/deliveries/{deliveryId}/replay", operation_id = "webhooks.deliveries.replay",
    tag = "webhooks", params(("deliveryId" = String, Path)),
    responses((status = ACCEPTED, body = Envelope<DeliveryResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn replay_delivery(
    State(state): State<ApiState>,
    allowed: Allowed<OfDelivery, ManageWebhooks>,
) -> Result<Response, ApiError> {
    let again = webhooks::replay(state.services(), &allowed.access, &allowed.found).await?;
    Ok(allowed
        .reply("It is delivered again.", DeliveryResource::from(again))
        .with_status(StatusCode::ACCEPTED)
        .into_response())
}

/// Delivers again: everything that failed, or a range of events, whether they were delivered before or not.
///
/// Only events that are still kept can be delivered (7 days by default). Of a long range the beginning is delivered, and
/// `next_number` says where to go on.
#[utoipa::path(
    post, path = "/api/waha/webhooks/{webhookId}/replay", operation_id = "webhooks.replay", tag = "webhooks",
    params(("webhookId" = String, Path)), request_body = ReplayWebhook,
    responses((status = ACCEPTED, body = Envelope<ReplayedResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn replay(
    State(state): State<ApiState>,
    allowed: Allowed<OfWebhook, ManageWebhooks>,
    Json(body): Json<ReplayWebhook>,
) -> Result<Response, ApiError> {
    let (services, endpoint) = (state.services(), &allowed.found);
    let replayed = match body.check()? {
        Wanted::Failed => webhooks::replay_failed(services, &allowed.access, endpoint).await?,
        Wanted::Range(range) => webhooks::replay_range(services, &allowed.access, endpoint, range).await?,
    };
    Ok(allowed
        .reply("They are delivered again.", ReplayedResource::from(replayed))
        .with_status(StatusCode::ACCEPTED)
        .into_response())
}

/// Delivers a test, an event of the type `webhook.test` that says nothing.
#[utoipa::path(
    post, path = "/api/waha/webhooks/{webhookId}/test", operation_id = "webhooks.test", tag = "webhooks",
    params(("webhookId" = String, Path)),
    responses((status = ACCEPTED, body = Envelope<DeliveryResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn test(
    State(state): State<ApiState>,
    allowed: Allowed<OfWebhook, ManageWebhooks>,
) -> Result<Response, ApiError> {
    let delivery = webhooks::test(state.services(), &allowed.access, &allowed.found).await?;
    Ok(allowed
        .reply("A test is delivered.", DeliveryResource::from(delivery))
        .with_status(StatusCode::ACCEPTED)
        .into_response())
}
