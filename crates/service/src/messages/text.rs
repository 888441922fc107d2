//! Sending a text.

use wahana_domain::{ChatId, MessageText, Session, Text};

use super::{
    idempotency::Fingerprint,
    outgoing::Outgoing,
    submit::{Request, Schedule, SendOptions, Submitted},
};
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

/// Sends a text, or writes it down to be sent.
///
/// # Errors
///
/// Of the refusals only [`ServiceError::WahaTimeout`] means that the message may have gone out.
pub async fn send_text(
    services: &Services,
    access: &Granted<SendMessages>,
    session: &Owned<Session>,
    message: TextMessage,
    options: SendOptions,
) -> Result<Submitted, ServiceError> {
    let schedule = options.schedule;
    let fingerprint = || fingerprint(session, &message, schedule);
    let request = Request::new(services, access, session.id, options, fingerprint);
    match schedule {
        Schedule::Later { send_at, expires_at } => {
            if let Some(earlier) = request.earlier(super::DEFAULT_WAIT).await? {
                return Ok(earlier);
            }
            request.later(&Outgoing::Text(message), send_at, expires_at).await
        }
        Schedule::Now { wait } => {
            let permit = limits::take_message(services, access.context(), session.id, false).await?;
            if let Some(earlier) = request.earlier(wait).await? {
                return Ok(earlier);
            }
            let ready = Ready::still(services, access, session).await?;
            request.now(ready, permit, Outgoing::Text(message), wait).await
        }
    }
}

fn fingerprint(session: &Session, message: &TextMessage, schedule: Schedule) -> Fingerprint {
    let print = Fingerprint::new("messages.send_text", session.id)
        .scheduled(schedule)
        .with(Some(message.to.as_str()))
        .with(Some(message.text.as_str()))
        .with(message.reply_to.as_ref().map(Text::as_str))
        .with(message.link_preview.map(|wanted| [u8::from(wanted)]));
    message
        .mentions
        .iter()
        .fold(print, |print, mentioned| print.with(Some(mentioned.as_str())))
}
