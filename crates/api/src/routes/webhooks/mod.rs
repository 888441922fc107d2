//! `/api/waha/webhooks`

mod deliveries;
mod requests;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::{SessionId, Timestamp, UserId, WebhookEndpoint, WebhookEndpointId};
use wahana_service::{
    access::ManageWebhooks,
    webhooks::{self, CreatedEndpoint},
};

pub(crate) use self::deliveries::{
    __path_deliveries, __path_delivery, __path_replay, __path_replay_delivery, __path_test, deliveries,
    delivery, replay, replay_delivery, test,
};
use self::requests::{CreateWebhook, UpdateWebhook};
use crate::{
    envelope::{Envelope, Nothing},
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfOrganization, OfWebhook},
    state::ApiState,
};

/// An address to which events are delivered, without its secret and the values of its headers.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookResource {
    #[schema(value_type = String, format = Uuid)]
    id: WebhookEndpointId,
    url: String,
    description: Option<String>,
    /// `standard` (Standard Webhooks), or `waha` for receivers that were made for WAHA.
    style: &'static str,
    /// The names of the events that are delivered; null for all.
    events: Option<Vec<String>>,
    /// The ids of the sessions of which events are delivered; null for all and for the organization itself.
    #[schema(value_type = Option<Vec<String>>)]
    sessions: Option<Vec<SessionId>>,
    /// The names of the headers that deliveries have besides wahana's own.
    header_names: Vec<String>,
    /// `enabled` or `disabled`.
    state: &'static str,
    /// Why it is disabled, for people.
    disabled_reason: Option<String>,
    /// Since when nothing could be delivered; null if the last attempt succeeded.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// The number up to which events became deliveries, or are none of its events.
    last_event_number: i64,
    /// Until when the secret before the present one signs too.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_secret_until: Option<Timestamp>,
    /// The user who made it; null if the operator did.
    #[schema(value_type = Option<String>, format = Uuid)]
    created_by: Option<UserId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A webhook with its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookResource,
    /// What signs deliveries; shown this once.
    secret: String,
}

impl From<WebhookEndpoint> for WebhookResource {
    fn from(endpoint: WebhookEndpoint) -> Self {
        Self {
            id: endpoint.id,
            url: endpoint.url,
            description: endpoint.description,
            style: endpoint.style.as_str(),
            events: endpoint.events,
            sessions: endpoint.sessions,
            header_names: endpoint.header_names,
            state: endpoint.state.as_str(),
            disabled_reason: endpoint.disabled_reason,
            failing_since: endpoint.failing_since,
            last_event_number: endpoint.position,
            previous_secret_until: endpoint.previous_secret_until,
            created_by: endpoint.created_by,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}

impl From<CreatedEndpoint> for WebhookWithSecret {
    fn from(created: CreatedEndpoint) -> Self {
        Self {
            secret: created.secret.expose().to_owned(),
            webhook: created.endpoint.into(),
        }
    }
}

/// The webhooks that the caller sees, the oldest first.
///
/// An organization has at most 20.
#[utoipa::path(
    get, path = "/api/waha/webhooks", operation_id = "webhooks.list", tag = "webhooks",
    responses((status = OK, body = Envelope<Vec<WebhookResource>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ManageWebhooks>,
) -> Result<Response, ApiError> {
    let endpoints = webhooks::list(state.services(), &allowed.access).await?;
    let resources: Vec<WebhookResource> = endpoints.into_iter().map(Into::into).collect();
    Ok(allowed.reply("Webhooks retrieved.", resources).into_response())
}

/// Makes a webhook for what happens from now on.
///
/// Its secret is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/api/waha/webhooks", operation_id = "webhooks.create", tag = "webhooks",
    request_body = CreateWebhook,
    responses((status = CREATED, body = Envelope<WebhookWithSecret>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ManageWebhooks>,
    Json(body): Json<CreateWebhook>,
) -> Result<Response, ApiError> {
    let new = body.check(state.services(), &allowed.access).await?;
    let created = webhooks::create(state.services(), &allowed.access, new).await?;
    let resource = WebhookWithSecret::from(created);
    Ok(allowed
        .reply("Webhook created. Its secret is not shown again.", resource)
        .created()
        .into_response())
}

/// One webhook.
#[utoipa::path(
    get, path = "/api/waha/webhooks/{webhookId}", operation_id = "webhooks.get", tag = "webhooks",
    params(("webhookId" = String, Path)),
    responses((status = OK, body = Envelope<WebhookResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn get(allowed: Allowed<OfWebhook, ManageWebhooks>) -> Response {
    let resource = WebhookResource::from((*allowed.found).clone());
    allowed.reply("Webhook retrieved.", resource).into_response()
}

/// Changes a webhook.
///
/// One that is enabled again begins with what happens from then on; what happened meanwhile can be replayed.
#[utoipa::path(
    patch, path = "/api/waha/webhooks/{webhookId}", operation_id = "webhooks.update", tag = "webhooks",
    params(("webhookId" = String, Path)), request_body = UpdateWebhook,
    responses((status = OK, body = Envelope<WebhookResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn update(
    State(state): State<ApiState>,
    allowed: Allowed<OfWebhook, ManageWebhooks>,
    Json(body): Json<UpdateWebhook>,
) -> Result<Response, ApiError> {
    let update = body.check(state.services(), &allowed.access).await?;
    let changed = webhooks::update(state.services(), &allowed.access, &allowed.found, update).await?;
    let resource = WebhookResource::from(changed);
    Ok(allowed.reply("Webhook updated.", resource).into_response())
}

/// Deletes a webhook with its deliveries.
#[utoipa::path(
    delete, path = "/api/waha/webhooks/{webhookId}", operation_id = "webhooks.delete", tag = "webhooks",
    params(("webhookId" = String, Path)),
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    allowed: Allowed<OfWebhook, ManageWebhooks>,
) -> Result<Response, ApiError> {
    webhooks::delete(state.services(), &allowed.access, &allowed.found).await?;
    Ok(allowed.reply("Webhook deleted.", Nothing).into_response())
}

/// Gives a webhook a new secret.
///
/// The secret that it has signs too for 24 hours; one before that does not any more.
#[utoipa::path(
    post, path = "/api/waha/webhooks/{webhookId}/rotate-secret", operation_id = "webhooks.rotate_secret",
    tag = "webhooks", params(("webhookId" = String, Path)),
    responses((status = OK, body = Envelope<WebhookWithSecret>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn rotate_secret(
    State(state): State<ApiState>,
    allowed: Allowed<OfWebhook, ManageWebhooks>,
) -> Result<Response, ApiError> {
    let rotated = webhooks::rotate_secret(state.services(), &allowed.access, &allowed.found).await?;
    let resource = WebhookWithSecret::from(rotated);
    Ok(allowed
        .reply("Secret rotated. It is not shown again.", resource)
        .into_response())
}
