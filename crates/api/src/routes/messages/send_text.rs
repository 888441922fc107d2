//! `POST /api/waha/sessions/{sessionId}/send-text`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;
use wahana_domain::{ChatId, Country, MessageText, Text};
use wahana_service::{
    FieldErrors,
    access::SendMessages,
    messages::{self, TextMessage},
};

use super::SentResource;
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfSession},
    state::ApiState,
};

/// A text to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendText {
    /// A phone number with its country code, or, once the organization has set its country, a national
    /// one; or a chat id ending in `@c.us`, `@s.whatsapp.net`, `@g.us`, `@lid` or `@newsletter`.
    to: String,
    #[schema(min_length = 1, max_length = 4096)]
    text: String,
    /// The `waha_message_id` of the message that it answers.
    #[schema(max_length = 256)]
    reply_to: Option<String>,
    /// Whom it mentions: phone numbers, or chat ids of people. The text must name each as `@<number>`.
    #[schema(max_items = 100)]
    mentions: Option<Vec<String>>,
    /// Whether a link in it gets a preview; left to WAHA if left out.
    link_preview: Option<bool>,
}

/// How many people a message may mention.
const MAX_MENTIONS: usize = 100;

impl SendText {
    fn check(self, country: Option<Country>) -> Result<TextMessage, FieldErrors> {
        let mut errors = FieldErrors::default();
        let to = errors.take("to", ChatId::parse_recipient(&self.to, country));
        let text = errors.take("text", MessageText::parse(self.text));
        let reply_to = self
            .reply_to
            .and_then(|id| errors.take("reply_to", Text::parse(&id)));
        let mentions = self.mentions.unwrap_or_default();
        if mentions.len() > MAX_MENTIONS {
            errors.add("mentions", format!("must be at most {MAX_MENTIONS}"));
        }
        let mentions = mentions
            .iter()
            .take(MAX_MENTIONS)
            .enumerate()
            .filter_map(|(number, text)| {
                let field = format!("mentions[{number}]");
                let mentioned = errors.take(&field, ChatId::parse_recipient(text, country))?;
                if !mentioned.is_person() {
                    errors.add(&field, "must be a person");
                }
                Some(mentioned)
            })
            .collect();
        let message = to.zip(text).map(|(to, text)| TextMessage {
            to,
            text,
            reply_to,
            mentions,
            link_preview: self.link_preview,
        });
        errors.finish(message)
    }
}

/// Sends a text, at most once.
///
/// Only 504 leaves open whether it went out; its `data.message_id` names the message.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/send-text", operation_id = "messages.send_text",
    tag = "messages", params(("sessionId" = String, Path, description = "The session's name or id")),
    request_body = SendText,
    responses(
        (status = OK, body = Envelope<SentResource>), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn send_text(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, SendMessages>,
    Json(body): Json<SendText>,
) -> Result<Response, ApiError> {
    let message = body.check(allowed.access.organization().country)?;
    let sent = messages::send_text(state.services(), &allowed.access, &allowed.found, message).await?;
    let resource = SentResource::from(sent);
    Ok(allowed.reply("Message sent.", resource).into_response())
}
