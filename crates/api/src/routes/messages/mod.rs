//! `/api/waha/sessions/{sessionId}/{send-text,send-media,messages}` and `/api/waha/messages`

mod history;
mod list;
mod media;
mod requested;
mod send_media;
mod send_text;

pub(crate) use history::*;
pub(crate) use list::*;
pub(crate) use media::*;
pub(crate) use requested::*;
pub(crate) use send_media::*;
pub(crate) use send_text::*;

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::{ChatId, DeliveryStatus, MessageId, Timestamp};
use wahana_service::{
    access::SendMessages,
    messages::{KeptAnswer, Schedule, SendOptions, SentMessage, Submitted},
};

use crate::{
    envelope::Reply,
    extract::{Allowed, OfSession, SendPreferences},
};

/// A message that was handed over, or that waits for its turn.
#[derive(Serialize, ToSchema)]
pub(crate) struct SentResource {
    /// wahana's id for it.
    #[schema(value_type = String, format = Uuid)]
    message_id: MessageId,
    /// WAHA's id for it, such as `true_6281234567890@c.us_3EB0…`, by which it can be answered; null while it
    /// waits.
    waha_message_id: Option<String>,
    /// Whom it is for, as a chat id.
    #[schema(value_type = String)]
    chat_id: ChatId,
    /// `accepted`: WAHA took it, and what becomes of it then is WhatsApp's. `queued`: it waits for its turn.
    status: &'static str,
    /// When it was sent; of one that waits, when its turn comes at the earliest.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

impl From<&SentMessage> for SentResource {
    fn from(sent: &SentMessage) -> Self {
        Self {
            message_id: sent.message_id,
            waha_message_id: sent.waha_message_id.clone(),
            chat_id: sent.chat_id.clone(),
            status: sent.status.as_str(),
            timestamp: sent.timestamp,
        }
    }
}

/// Says that an answer is one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How a message is sent in this request, and how it is answered.
fn options(
    allowed: &Allowed<OfSession, SendMessages>,
    preferences: SendPreferences,
    schedule: Schedule,
) -> SendOptions {
    let scope = allowed.scope().clone();
    SendOptions {
        schedule,
        key: preferences.key,
        answer: Arc::new(move |sent| {
            let is_queued = sent.status == DeliveryStatus::Queued;
            let message = match sent.status {
                DeliveryStatus::Queued => "Message queued.",
                DeliveryStatus::Failed => "WhatsApp refused the message.",
                _ => "Message sent.",
            };
            // Texts and numbers can always be written.
            let body = Reply::new(&scope, message, SentResource::from(sent))
                .body()
                .unwrap_or_default();
            KeptAnswer {
                status: if is_queued {
                    StatusCode::ACCEPTED
                } else {
                    StatusCode::OK
                }
                .as_u16(),
                body: String::from_utf8(body).unwrap_or_default(),
            }
        }),
    }
}

/// The answer, which is the same whether it is given for the first time or again.
fn answer(submitted: Submitted, options: &SendOptions) -> Response {
    let (answer, is_again) = match submitted {
        Submitted::Message(sent) => ((options.answer)(&sent), false),
        Submitted::Again(answer) => (answer, true),
    };
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if is_again {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if answer.status == StatusCode::ACCEPTED {
        headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("respond-async"));
    }
    response
}
