//! `/api/waha/sessions/{sessionId}/{send-text,send-media,messages}`

mod list;
mod send_media;
mod send_text;

pub(crate) use list::*;
pub(crate) use send_media::*;
pub(crate) use send_text::*;

use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::{ChatId, MessageId, Timestamp};
use wahana_service::messages::SentMessage;

/// A message that was handed over.
#[derive(Serialize, ToSchema)]
pub(crate) struct SentResource {
    /// wahana's id for it.
    #[schema(value_type = String, format = Uuid)]
    message_id: MessageId,
    /// WAHA's id for it, such as `true_6281234567890@c.us_3EB0…`, by which it can be answered.
    waha_message_id: String,
    /// Whom it is for, as a chat id.
    #[schema(value_type = String)]
    chat_id: ChatId,
    /// `accepted`: WAHA took it. What becomes of it then is WhatsApp's.
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

impl From<SentMessage> for SentResource {
    fn from(sent: SentMessage) -> Self {
        Self {
            message_id: sent.message_id,
            waha_message_id: sent.waha_message_id,
            chat_id: sent.chat_id,
            status: sent.status.as_str(),
            timestamp: sent.timestamp,
        }
    }
}
