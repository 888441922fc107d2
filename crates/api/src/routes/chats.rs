//! `GET /api/waha/sessions/{sessionId}/chats`

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::Timestamp;
use wahana_service::{
    access::ReadMessages,
    chats::{self, Chat},
};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfSession, Query},
    part::{ListIdentity, PartMeta, PartParams},
    state::ApiState,
};

/// A chat.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatResource {
    /// Such as `6281234567890@c.us`.
    id: String,
    /// Of the person or group; null if it is not known.
    name: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_message_at: Option<Timestamp>,
    /// Null where the engine does not say it.
    unread_count: Option<i64>,
    /// Where WhatsApp serves the picture; null if there is none.
    picture_url: Option<String>,
}

impl From<Chat> for ChatResource {
    fn from(chat: Chat) -> Self {
        Self {
            id: chat.id,
            name: chat.name,
            last_message_at: chat.last_message_at,
            unread_count: chat.unread_count,
            picture_url: chat.picture_url,
        }
    }
}

/// The session's chats, the most recent first.
#[utoipa::path(
    get, path = "/api/waha/sessions/{sessionId}/chats", operation_id = "chats.list", tag = "chats",
    params(("sessionId" = String, Path, description = "The session's name or id"), PartParams),
    responses(
        (status = OK, body = Envelope<Vec<ChatResource>, PartMeta>), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ReadMessages>,
    Query(params): Query<PartParams>,
) -> Result<Response, ApiError> {
    let list = ListIdentity::new("chats.list", allowed.found.id);
    let query = params.check(&list)?;
    let part = chats::list(state.services(), &allowed.access, &allowed.found, query).await?;
    Ok(list.answer(&allowed, "Chats retrieved.", part, ChatResource::from))
}
