//! `POST /api/waha/sessions/{sessionId}/send-text`

use axum::{extract::State, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use wahana_domain::{ChatId, Country, MessageText, Text, Timestamp};
use wahana_service::{
    FieldErrors,
    access::SendMessages,
    messages::{self, Schedule, TextMessage},
};

use super::SentResource;
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfSession, SendPreferences},
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
    /// Not before then, in RFC 3339, at most 90 days ahead: nobody waits for it, and it is answered with 202.
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<String>,
    /// When it is not sent any more, in RFC 3339; a day after `send_at` if left out. With it, too, nobody waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
}

/// How many people a message may mention.
const MAX_MENTIONS: usize = 100;

impl SendText {
    fn check(
        self,
        country: Option<Country>,
        preferences: &SendPreferences,
        now: Timestamp,
    ) -> Result<(TextMessage, Schedule), FieldErrors> {
        let mut errors = FieldErrors::default();
        let (send_at, expires_at) = (self.send_at.as_deref(), self.expires_at.as_deref());
        let schedule = preferences.schedule(send_at, expires_at, now, &mut errors);
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
        errors.finish(message.map(|message| (message, schedule)))
    }
}

/// Sends a text, at most once.
///
/// Only 504 leaves open whether it went out; its `data.message_id` names the message, which can be asked for. With
/// `Prefer: respond-async`, or when `send_at` or `expires_at` is given, it is answered with 202 at once, and sent
/// when the session works, the limits allow it and its turn comes, until it expires.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/send-text", operation_id = "messages.send_text",
    tag = "messages",
    params(
        ("sessionId" = String, Path, description = "The session's name or id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Recognizes the request when it is made again within a day: what was answered is answered again, with `Idempotency-Replayed: true`. One for each message, of at most 255 visible ASCII characters."),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: answer with 202 at once. `wait=<seconds>`: for how long to wait for the turn of the message and for WAHA; 10 if it is not said, at most 55."),
    ),
    request_body = SendText,
    responses(
        (status = OK, body = Envelope<SentResource>), (status = ACCEPTED, body = Envelope<SentResource>),
        (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn send_text(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, SendMessages>,
    preferences: SendPreferences,
    Json(body): Json<SendText>,
) -> Result<Response, ApiError> {
    let services = state.services();
    let country = allowed.access.organization().country;
    let (message, schedule) = body.check(country, &preferences, services.now())?;
    let options = super::options(&allowed, preferences, schedule);
    let sent = messages::send_text(
        services,
        &allowed.access,
        &allowed.found,
        message,
        options.clone(),
    )
    .await?;
    Ok(super::answer(sent, &options))
}
