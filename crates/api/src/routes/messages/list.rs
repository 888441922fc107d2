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

use super::history::{HistoryFilter, answer};
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfSession, Query},
    part::{ListIdentity, PartMeta},
    state::ApiState,
};

/// How many messages are listed if the request does not say it.
const DEFAULT_LIMIT: i64 = 20;

/// Which messages are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListMessages {
    /// Of which chat, by its id or a phone number: then these are the messages that WAHA has. Those that wahana keeps,
    /// of all chats, if left out.
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

/// A message.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageResource {
    /// wahana's id for it. In the list of one chat, which is WAHA's, the same as `waha_message_id`.
    pub(super) id: String,
    /// WAHA's id for it; null while that is not known.
    pub(super) waha_message_id: Option<String>,
    #[schema(value_type = String, format = Uuid)]
    pub(super) session_id: SessionId,
    pub(super) chat_id: String,
    /// `incoming` or `outgoing`.
    pub(super) direction: &'static str,
    /// `text`, `image`, `video`, `audio`, `voice`, `document`, `sticker`, `location`, `contact`, `poll`,
    /// `reaction`, `revoked` or `other`.
    pub(super) r#type: &'static str,
    /// The text, or the text below the file.
    pub(super) text: Option<String>,
    pub(super) media: Option<MediaResource>,
    /// In the list of one chat, which is WAHA's, `failed`, `pending`, `sent`, `delivered`, `read` or `played`, or null
    /// where WAHA does not say. Else the status that the message has here, or `received`.
    pub(super) status: Option<&'static str>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) timestamp: Option<Timestamp>,
    /// Who sent it, as a chat id; null for the session's own messages.
    pub(super) sender: Option<String>,
    /// WhatsApp's key of the message that it answers: the part of its `waha_message_id` behind the chat.
    pub(super) reply_to: Option<String>,
}

/// The file of a message.
#[derive(Serialize, ToSchema)]
pub(crate) struct MediaResource {
    pub(super) mimetype: Option<String>,
    /// Only documents have one.
    pub(super) filename: Option<String>,
    /// In bytes; in the list of one chat as the sender's phone gave it.
    pub(super) size: Option<i64>,
    /// Of a file that wahana keeps: `waiting` (it is being fetched), `stored`, `expired` or `failed`; else null.
    pub(super) state: Option<&'static str>,
}

impl ListMessages {
    fn of_all_chats(self, session: SessionId) -> HistoryFilter {
        HistoryFilter {
            session_id: Some(session.to_string()),
            direction: self.direction,
            since: self.since,
            until: self.until,
            limit: self.limit.or(Some(DEFAULT_LIMIT)),
            cursor: self.cursor,
            ..HistoryFilter::default()
        }
    }

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
            || Err("is required".to_owned()),
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
            waha_message_id: Some(message.waha_message_id),
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
            state: None,
        }
    }
}

/// The messages of a chat that WAHA has, or those of all chats that wahana keeps, newest first.
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
    if query.chat_id.is_none() {
        let country = allowed.access.organization().country;
        let (query, limit) = query.of_all_chats(session).check(country)?;
        let part = messages::history(state.services(), &allowed.access, query, limit).await?;
        return Ok(answer(&allowed, part));
    }
    let mut errors = FieldErrors::default();
    let (list, query) = query.check(session, allowed.access.organization().country, &mut errors);
    let query = errors.finish(query)?;
    let part = messages::list(state.services(), &allowed.access, &allowed.found, &query).await?;
    Ok(list.answer(&allowed, "Messages retrieved.", part, |message| {
        MessageResource::of(message, session)
    }))
}
