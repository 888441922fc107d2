//! Sending a text.

use wahana_domain::{ChatId, MessageText, Session, Text};

use super::send::{Outgoing, SentMessage, send};
use crate::{
    ServiceError, Services,
    access::{Granted, Owned, SendMessages},
    limits,
    ready::Ready,
};

/// A text to send.
#[derive(Clone, Debug)]
pub struct TextMessage {
    /// Whom it is for.
    pub to: ChatId,
    /// What it says.
    pub text: MessageText<4096>,
    /// WAHA's id of the message that it answers.
    pub reply_to: Option<Text<256>>,
    /// The people whom it mentions.
    pub mentions: Vec<ChatId>,
    /// Whether a link in it gets a preview; `None` leaves it to WAHA.
    pub link_preview: Option<bool>,
}

/// Sends a text.
///
/// # Errors
///
/// Of the refusals only [`ServiceError::WahaTimeout`] means that the message may have gone out.
pub async fn send_text(
    services: &Services,
    access: &Granted<SendMessages>,
    session: &Owned<Session>,
    message: TextMessage,
) -> Result<SentMessage, ServiceError> {
    let ready = Ready::find(services, access, session).await?;
    let permit = limits::take_message(services, access.context(), session.id, false).await?;
    send(services, access, ready, permit, Outgoing::Text(message)).await
}
