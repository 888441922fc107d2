//! `/api/waha/erasures`

use std::fmt;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{ChatId, Erasure, ErasureId, Timestamp};
use wahana_service::{FieldErrors, access::ManageOrganization, erasures};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfErasure, OfOrganization},
    state::ApiState,
};

/// The erasure of a chat. It does not say which, because that is erased, too.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErasureResource {
    #[schema(value_type = String, format = Uuid)]
    id: ErasureId,
    /// `running` or `done`.
    state: &'static str,
    /// How many messages were erased so far, with what they said and their files.
    messages: u64,
    /// Out of how many events the chat was taken so far.
    events: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When nothing was left; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

/// What to erase.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseChat {
    /// The chat, by its id or a phone number.
    chat_id: String,
}

/// Chat ids are phone numbers.
impl fmt::Debug for EraseChat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EraseChat").finish_non_exhaustive()
    }
}

impl From<&Erasure> for ErasureResource {
    fn from(erasure: &Erasure) -> Self {
        Self {
            id: erasure.id,
            state: if erasure.finished_at.is_some() {
                "done"
            } else {
                "running"
            },
            messages: erasure.messages,
            events: erasure.events,
            created_at: erasure.created_at,
            finished_at: erasure.finished_at,
        }
    }
}

/// Erases everything that wahana keeps of a chat.
///
/// Its messages, and those that its person sent to groups, with what they say, their files and the answers to their
/// requests; messages to it that wait are cancelled. Events of calls and groups do not name it any more. WhatsApp and
/// WAHA keep what they have. It goes on in the background.
#[utoipa::path(
    post, path = "/api/waha/erasures", operation_id = "erasures.create", tag = "erasures", request_body = EraseChat,
    responses((status = ACCEPTED, body = Envelope<ErasureResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ManageOrganization>,
    Json(body): Json<EraseChat>,
) -> Result<Response, ApiError> {
    let mut errors = FieldErrors::default();
    let country = allowed.access.organization().country;
    let chat = ChatId::parse_recipient(&body.chat_id, country);
    let chat = chat.or_else(|refused| ChatId::parse_source(body.chat_id.trim()).map_err(|_| refused));
    let chat = errors.take("chat_id", chat);
    let chat = errors.finish(chat)?;
    let erasure = erasures::create(state.services(), &allowed.access, chat).await?;
    let resource = ErasureResource::from(&erasure);
    let reply = allowed.reply("The chat is being erased.", resource);
    Ok(reply.with_status(StatusCode::ACCEPTED).into_response())
}

/// How far an erasure came.
#[utoipa::path(
    get, path = "/api/waha/erasures/{erasureId}", operation_id = "erasures.get", tag = "erasures",
    params(("erasureId" = String, Path)),
    responses((status = OK, body = Envelope<ErasureResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn get(allowed: Allowed<OfErasure, ManageOrganization>) -> Response {
    let resource = ErasureResource::from(&*allowed.found);
    allowed.reply("Erasure retrieved.", resource).into_response()
}
