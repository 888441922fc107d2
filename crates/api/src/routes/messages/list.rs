//! `GET /api/waha/sessions/{sessionId}/messages`

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wahana_domain::{ChatId, Country, Direction, SessionId, Timestamp};
use wahana_service::{
    FieldErrors,
    access::ReadMessages,
    messages::{self, Media, Message, MessagesQuery},
};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfSession, Query},
    part::{ListIdentity, PartMeta},
    state::ApiState,
};

/// Which messages are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListMessages {
    /// Of which chat: its id, or a phone number.
    #[param(required)]
    chat_id: Option<String>,
    /// `incoming` or `outgoing`; both if left out.
    direction: Option<String>,
    /// Sent then or later, in RFC 3339.
    since: Option<String>,
    /// Sent then or earlier, in RFC 3339.
    until: Option<String>,
    /// At most how many.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// The `meta.next_cursor` of the part before, for the same chat and filters.
    cursor: Option<String>,
}

/// A message of a chat.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageResource {
    /// The same as `waha_message_id`: wahana has no id of its own for what it does not keep.
    id: String,
    waha_message_id: String,
    #[schema(value_type = String, format = Uuid)]
    session_id: SessionId,
    chat_id: String,
    /// `incoming` or `outgoing`.
    direction: &'static str,
    /// `text`, `image`, `video`, `audio`, `voice`, `document`, `sticker`, `location`, `contact`, `poll`,
    /// `reaction`, `revoked` or `other`.
    r#type: &'static str,
    /// The text, or the text below the file.
    text: Option<String>,
    media: Option<MediaResource>,
    /// `failed`, `pending`, `sent`, `delivered`, `read` or `played`; null where WAHA does not say.
    status: Option<&'static str>,
    #[schema(value_type = Option<String>, format = DateTime)]
    timestamp: Option<Timestamp>,
    /// Who sent it, as a chat id; null for the session's own messages.
    sender: Option<String>,
    /// WhatsApp's key of the message that it answers: the part of its `waha_message_id` behind the chat.
    reply_to: Option<String>,
}

/// The file of a message.
#[derive(Serialize, ToSchema)]
pub(crate) struct MediaResource {
    mimetype: Option<String>,
    /// Only documents have one.
    filename: Option<String>,
    /// In bytes, as the sender's phone gave it.
    size: Option<i64>,
}

impl ListMessages {
    fn check(
        self,
        session: SessionId,
        country: Option<Country>,
        errors: &mut FieldErrors,
    ) -> (ListIdentity, Option<MessagesQuery>) {
        let list = ListIdentity::new("messages.list", session)
            .filtered(self.chat_id.as_deref())
            .filtered(self.direction.as_deref())
            .filtered(self.since.as_deref())
            .filtered(self.until.as_deref());
        let chat_id = self.chat_id.as_deref().map_or_else(
            || Err("is required: messages are listed chat by chat".to_owned()),
            |text| ChatId::parse_recipient(text, country).map_err(|fault| fault.to_string()),
        );
        let chat_id = errors.take("chat_id", chat_id);
        let direction = self.direction.and_then(|word| {
            let direction = Direction::from_word(&word).ok_or("must be incoming or outgoing");
            errors.take("direction", direction)
        });
        let mut time =
            |field, text: Option<String>| text.and_then(|text| errors.take(field, Timestamp::parse(&text)));
        let (since, until) = (time("since", self.since), time("until", self.until));
        if since.zip(until).is_some_and(|(since, until)| until < since) {
            errors.add("until", "must not be before since");
        }
        let part = list.check(self.limit, self.cursor.as_deref(), errors);
        let query = chat_id.zip(part).map(|(chat_id, part)| MessagesQuery {
            chat_id,
            direction,
            since,
            until,
            part,
        });
        (list, query)
    }
}

impl MessageResource {
    fn of(message: Message, session_id: SessionId) -> Self {
        Self {
            id: message.waha_message_id.clone(),
            waha_message_id: message.waha_message_id,
            session_id,
            chat_id: message.chat_id,
            direction: message.direction.as_str(),
            r#type: message.kind,
            text: message.text,
            media: message.media.map(MediaResource::from),
            status: message.status,
            timestamp: message.timestamp,
            sender: message.sender,
            reply_to: message.reply_to,
        }
    }
}

impl From<Media> for MediaResource {
    fn from(media: Media) -> Self {
        Self {
            mimetype: media.mimetype,
            filename: media.filename,
            size: media.size,
        }
    }
}

/// The messages of a chat that WAHA has, newest first.
#[utoipa::path(
    get, path = "/api/waha/sessions/{sessionId}/messages", operation_id = "messages.list", tag = "messages",
    params(("sessionId" = String, Path, description = "The session's name or id"), ListMessages),
    responses(
        (status = OK, body = Envelope<Vec<MessageResource>, PartMeta>), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ReadMessages>,
    Query(query): Query<ListMessages>,
) -> Result<Response, ApiError> {
    let session = allowed.found.id;
    let mut errors = FieldErrors::default();
    let (list, query) = query.check(session, allowed.access.organization().country, &mut errors);
    let query = errors.finish(query)?;
    let part = messages::list(state.services(), &allowed.access, &allowed.found, &query).await?;
    Ok(list.answer(&allowed, "Messages retrieved.", part, |message| {
        MessageResource::of(message, session)
    }))
}
