//! `/api/waha/messages/{messageId}`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::{ChatId, MessageId, OutgoingMessage, SessionId, Timestamp};
use wahana_service::{
    access::{ReadMessages, SendMessages},
    messages,
};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfMessage},
    state::ApiState,
};

/// A message that was handed to wahana, and what became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestedMessageResource {
    #[schema(value_type = String, format = Uuid)]
    id: MessageId,
    #[schema(value_type = String, format = Uuid)]
    session_id: SessionId,
    /// Whom it is for, as a chat id.
    #[schema(value_type = String)]
    chat_id: ChatId,
    /// `text`, `image`, `video`, `voice` or `document`.
    r#type: &'static str,
    /// `queued`, `sending`, `accepted` (WAHA took it), `sent` (WhatsApp's server has it), `delivered`, `read`,
    /// `failed`, `unknown` (WAHA was asked and did not answer: it may have been sent), `cancelled` or `expired`.
    status: &'static str,
    /// Why it came no further, or what it waits for, in words.
    reason: Option<String>,
    /// WAHA's id for it, once that is known.
    waha_message_id: Option<String>,
    /// When its turn came, or comes at the earliest.
    #[schema(value_type = String, format = DateTime)]
    send_at: Timestamp,
    /// When it is not sent any more; null of one that nobody waits for no longer.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its status last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<&OutgoingMessage> for RequestedMessageResource {
    fn from(message: &OutgoingMessage) -> Self {
        let is_open = message.status.is_open();
        Self {
            id: message.id,
            session_id: message.session_id,
            chat_id: message.chat_id.clone(),
            r#type: message.kind.as_str(),
            status: message.status.as_str(),
            reason: message.reason.clone(),
            waha_message_id: message.waha_message_id.clone(),
            send_at: message.due_at,
            expires_at: message.expires_at.filter(|_| is_open),
            sent_at: message.sent_at,
            created_at: message.created_at,
            updated_at: message.updated_at,
        }
    }
}

/// A message that was handed to wahana, and what became of it.
#[utoipa::path(
    get, path = "/api/waha/messages/{messageId}", operation_id = "messages.get", tag = "messages",
    params(("messageId" = String, Path, description = "wahana's id of the message")),
    responses(
        (status = OK, body = Envelope<RequestedMessageResource>), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn get(allowed: Allowed<OfMessage, ReadMessages>) -> Result<Response, ApiError> {
    let resource = RequestedMessageResource::from(&*allowed.found);
    Ok(allowed.reply("Message retrieved.", resource).into_response())
}

/// Takes a message back that is queued, so that it is never sent. Again has no effect.
#[utoipa::path(
    post, path = "/api/waha/messages/{messageId}/cancel", operation_id = "messages.cancel", tag = "messages",
    params(("messageId" = String, Path, description = "wahana's id of the message")),
    responses(
        (status = OK, body = Envelope<RequestedMessageResource>), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    allowed: Allowed<OfMessage, SendMessages>,
) -> Result<Response, ApiError> {
    let message = messages::cancel(state.services(), &allowed.access, &allowed.found).await?;
    let resource = RequestedMessageResource::from(&message);
    Ok(allowed.reply("Message cancelled.", resource).into_response())
}
