//! `GET /api/waha/messages`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;
use wahana_domain::{ChatId, Country, DeliveryStatus, Direction, InvalidRecipient, Text, Timestamp};
use wahana_service::{
    FieldErrors,
    access::ReadMessages,
    messages::{self, HistoryPart, HistoryQuery, KeptMessage},
};

use super::list::{MediaResource, MessageResource};
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, NextCursor, OfOrganization, Query, Resource, limit, position},
    state::ApiState,
};

/// Which messages are wanted.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryFilter {
    /// Of the session with this id, which may be deleted.
    #[param(format = Uuid)]
    pub(super) session_id: Option<String>,
    /// Of the chat with this id or phone number.
    pub(super) chat_id: Option<String>,
    /// `incoming` or `outgoing`; both if left out.
    pub(super) direction: Option<String>,
    /// Of which this became, such as `failed`.
    pub(super) status: Option<String>,
    /// Sent then or later.
    #[param(format = DateTime)]
    pub(super) since: Option<String>,
    /// Sent then or earlier.
    #[param(format = DateTime)]
    pub(super) until: Option<String>,
    /// With these words in their text, whatever the case of their letters.
    #[param(max_length = 100)]
    pub(super) text: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub(super) limit: Option<i64>,
    /// Where to go on: the `next_cursor` of the answer before.
    pub(super) cursor: Option<String>,
}

impl HistoryFilter {
    pub(super) fn check(self, country: Option<Country>) -> Result<(HistoryQuery, u64), FieldErrors> {
        let mut errors = FieldErrors::default();
        let limit = limit(self.limit, &mut errors);
        let before = position(self.cursor, &mut errors);
        let session = self.session_id.and_then(|text| {
            errors.take(
                "session_id",
                text.parse().map_err(|_| "must be the id of a session"),
            )
        });
        let chat_id = self
            .chat_id
            .and_then(|text| errors.take("chat_id", chat(&text, country)));
        let direction = self.direction.and_then(|word| {
            let direction = Direction::from_word(&word).ok_or("must be incoming or outgoing");
            errors.take("direction", direction)
        });
        let status = self.status.and_then(|word| {
            let status = DeliveryStatus::from_word(&word).ok_or("must be a status of messages");
            errors.take("status", status)
        });
        let text = self
            .text
            .and_then(|words| errors.take("text", Text::<100>::parse(&words)));
        let mut time =
            |field, text: Option<String>| text.and_then(|text| errors.take(field, Timestamp::parse(&text)));
        let (since, until) = (time("since", self.since), time("until", self.until));
        if since.zip(until).is_some_and(|(since, until)| until < since) {
            errors.add("until", "must not be before since");
        }
        let query = HistoryQuery {
            session,
            only: None,
            chat_id,
            direction,
            status,
            since,
            until,
            text: text.map(Text::into_string),
            before,
        };
        errors.finish(limit.map(|limit| (query, limit)))
    }
}

/// A chat as messages name it; also one of a kind that nothing can be sent to, such as `status@broadcast`.
fn chat(text: &str, country: Option<Country>) -> Result<String, String> {
    match ChatId::parse_recipient(text, country) {
        Ok(chat) => Ok(chat.as_str().to_owned()),
        Err(InvalidRecipient::ChatId) => {
            let chat = Text::<200>::parse(text).map_err(|fault| fault.to_string())?;
            Ok(chat.into_string())
        }
        Err(fault) => Err(fault.to_string()),
    }
}

impl From<KeptMessage> for MessageResource {
    fn from(message: KeptMessage) -> Self {
        Self {
            id: message.id.to_string(),
            waha_message_id: message.waha_message_id,
            session_id: message.session_id,
            chat_id: message.chat_id,
            direction: message.direction.as_str(),
            r#type: message.kind.as_str(),
            text: message.text,
            media: message.media.map(|file| MediaResource {
                mimetype: Some(file.media_type.as_str().to_owned()),
                filename: file.name.map(|name| name.as_str().to_owned()),
                size: file.stored.and_then(|stored| i64::try_from(stored.size).ok()),
                state: Some(file.state.as_str()),
            }),
            status: Some(message.status.as_str()),
            timestamp: Some(message.at),
            sender: message.sender,
            reply_to: message.reply_to,
        }
    }
}

/// The messages that wahana keeps, of all sessions and chats, newest first.
///
/// Their files are at `/api/waha/messages/{messageId}/media`. What has not been sent yet has the time at which it is
/// to be sent.
#[utoipa::path(
    get, path = "/api/waha/messages", operation_id = "messages.history", tag = "messages", params(HistoryFilter),
    responses(
        (status = OK, body = Envelope<Vec<MessageResource>, NextCursor>), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn history(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ReadMessages>,
    Query(filter): Query<HistoryFilter>,
) -> Result<Response, ApiError> {
    let (query, limit) = filter.check(allowed.access.organization().country)?;
    let part = messages::history(state.services(), &allowed.access, query, limit).await?;
    Ok(answer(&allowed, part))
}

/// The answer that gives a part, and what leads to the part after it.
pub(super) fn answer<R: Resource, P>(allowed: &Allowed<R, P>, part: HistoryPart) -> Response {
    let resources: Vec<_> = part.messages.into_iter().map(MessageResource::from).collect();
    let reply = allowed.reply("Messages retrieved.", resources);
    reply.with_meta(NextCursor::of(part.next)).into_response()
}
