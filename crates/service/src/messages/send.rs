//! Handing a message to WAHA, at most once, and writing down what became of it.
//!
//! The message and the intent are written before WAHA is called, in one transaction, and the outcome
//! after it. Nothing here tries a second time: a message whose outcome is not known may have gone out.

use std::time::Duration;

use waha_client::{FileToSend, MediaToSend, NumberRestriction, Outcome, TextToSend, WahaClient, WahaError};
use wahana_domain::{
    AuditOutcome, ChatId, DeliveryStatus, MessageId, MessageKind, MessageText, OutgoingMessage, Timestamp,
};
use wahana_store::{
    activity::Tally,
    messages::{self as stored, Accepted},
    sessions,
    upkeep::{self, Restriction},
};

use super::{MediaFile, TextMessage};
use crate::{
    Context, ServiceError, Services,
    access::{Granted, SendMessages},
    audit,
    limits::{MonthlyQuota, Permit},
    ready::Ready,
};

/// How long to wait before an outcome that could not be written down is written again. What happened
/// has happened, so more than one attempt is worth it.
const RECORD_AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

/// A message that WAHA took.
#[derive(Clone, Debug)]
pub struct SentMessage {
    /// wahana's id for it.
    pub message_id: MessageId,
    /// WAHA's id for it.
    pub waha_message_id: String,
    /// Whom it is for.
    pub chat_id: ChatId,
    /// What became of it.
    pub status: DeliveryStatus,
    /// When it was sent.
    pub timestamp: Timestamp,
}

/// A message that is ready to be handed over.
pub(super) enum Outgoing {
    Text(TextMessage),
    Media {
        to: ChatId,
        file: MediaFile,
        caption: Option<MessageText<1024>>,
    },
}

impl Outgoing {
    const fn operation(&self) -> &'static str {
        match self {
            Self::Text(_) => "messages.send_text",
            Self::Media { .. } => "messages.send_media",
        }
    }

    const fn to(&self) -> &ChatId {
        match self {
            Self::Text(message) => &message.to,
            Self::Media { to, .. } => to,
        }
    }

    fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Media { file, .. } => file.media_type.message_kind(),
        }
    }

    /// The one call.
    async fn hand_over(
        &self,
        waha: &WahaClient,
        session: &str,
    ) -> Result<waha_client::SentMessage, WahaError> {
        let (file, caption) = match self {
            Self::Text(message) => {
                let mentions: Vec<&str> = message.mentions.iter().map(ChatId::as_str).collect();
                let text = TextToSend {
                    chat_id: message.to.as_str(),
                    text: message.text.as_str(),
                    reply_to: message.reply_to.as_ref().map(wahana_domain::Text::as_str),
                    mentions: &mentions,
                    link_preview: message.link_preview,
                    key: None,
                };
                return waha.send_text(session, &text).await;
            }
            Self::Media { file, caption, .. } => (file, caption),
        };
        let media = MediaToSend {
            chat_id: self.to().as_str(),
            file: FileToSend {
                mimetype: match file.media_type.as_str() {
                    // Phones play a voice message only if its type says so.
                    "audio/ogg" => "audio/ogg; codecs=opus",
                    other => other,
                },
                filename: file.name.as_ref().map(wahana_domain::FileName::as_str),
                data: &file.data,
            },
            caption: caption.as_ref().map(MessageText::as_str),
            reply_to: None,
            convert: file.media_type.needs_conversion(),
        };
        match file.media_type.message_kind() {
            MessageKind::Image => waha.send_image(session, &media).await,
            MessageKind::Video => waha.send_video(session, &media).await,
            MessageKind::Voice => waha.send_voice(session, &media).await,
            _ => waha.send_file(session, &media).await,
        }
    }
}

/// Sends a message. What was begun is brought to its end even if the caller hangs up.
pub(super) async fn send(
    services: &Services,
    access: &Granted<SendMessages>,
    ready: Ready,
    permit: Permit,
    message: Outgoing,
) -> Result<SentMessage, ServiceError> {
    let (own, context) = (services.clone(), access.context().clone());
    services
        .to_the_end(async move {
            Attempt::begin(&own, &context, &ready, &message)
                .await?
                .make(permit)
                .await
        })
        .await
}

/// A message on its way, whose intent is written down.
struct Attempt<'a> {
    services: &'a Services,
    context: &'a Context,
    ready: &'a Ready,
    message: &'a Outgoing,
    id: MessageId,
    quota: MonthlyQuota,
}

/// What became of it.
struct Conclusion {
    fate: Fate,
    audit: AuditOutcome,
    restriction: Option<NumberRestriction>,
}

enum Fate {
    /// WAHA took it, and it is this message of WhatsApp's, sent at this time.
    Accepted(waha_client::SentMessage, Timestamp),
    /// It was not handed over, or refused.
    Failed,
    /// Nobody knows.
    Unknown,
}

impl Fate {
    const fn status(&self) -> DeliveryStatus {
        match self {
            Self::Accepted(..) => DeliveryStatus::Accepted,
            Self::Failed => DeliveryStatus::Failed,
            Self::Unknown => DeliveryStatus::Unknown,
        }
    }
}

impl<'a> Attempt<'a> {
    async fn begin(
        services: &'a Services,
        context: &'a Context,
        ready: &'a Ready,
        message: &'a Outgoing,
    ) -> Result<Self, ServiceError> {
        let tx = services.store.write(context.caller.tenant()).await?;
        let now = tx.now();
        let row = OutgoingMessage {
            id: MessageId::new(),
            session_id: ready.session.id,
            chat_id: message.to().clone(),
            kind: message.kind(),
            status: DeliveryStatus::Sending,
            waha_message_id: None,
            created_at: now,
            updated_at: now,
        };
        stored::insert(&tx, &row).await?;
        let operation = message.operation();
        audit::record(
            &tx,
            context,
            operation,
            Some(ready.session.id),
            AuditOutcome::Intent,
        )
        .await?;
        // Last, because others of the organization wait for it until the commit.
        let quota = MonthlyQuota::count(&tx, &services.limits_of(context)).await?;
        tx.commit().await?;
        Ok(Self {
            services,
            context,
            ready,
            message,
            id: row.id,
            quota,
        })
    }

    /// Hands the message over. What it needed of the limits is given back if WAHA did not take it.
    async fn make(self, permit: Permit) -> Result<SentMessage, ServiceError> {
        let handed_over = self
            .message
            .hand_over(self.ready.waha(), self.ready.waha_name())
            .await;
        let answered_at = self.services.now();
        match handed_over {
            Ok(sent) => {
                permit.spend();
                let sent_at = sent.timestamp.map_or(answered_at, Timestamp::from_seconds);
                let conclusion = Conclusion {
                    fate: Fate::Accepted(sent.clone(), sent_at),
                    audit: AuditOutcome::Success,
                    restriction: None,
                };
                self.conclude(&conclusion).await;
                Ok(SentMessage {
                    message_id: self.id,
                    waha_message_id: sent.id,
                    chat_id: self.message.to().clone(),
                    status: DeliveryStatus::Accepted,
                    timestamp: sent_at,
                })
            }
            Err(error) => {
                let refusal =
                    self.ready
                        .failed(self.services, self.context, self.message.operation(), &error);
                let (fate, failure) = match error.outcome() {
                    Outcome::NotHandedOver | Outcome::Refused => {
                        drop(permit);
                        (Fate::Failed, refusal)
                    }
                    Outcome::Unknown => {
                        permit.spend();
                        let message_id = Some(self.id);
                        (Fate::Unknown, ServiceError::WahaTimeout { message_id })
                    }
                };
                let conclusion = Conclusion {
                    fate,
                    audit: audit::failure(failure.code()),
                    restriction: error.restriction(),
                };
                self.conclude(&conclusion).await;
                Err(failure)
            }
        }
    }

    /// Writes down what became of the message. The caller is told that also when it cannot be written:
    /// any other answer would make them send again what was sent.
    async fn conclude(&self, conclusion: &Conclusion) {
        let mut outcome = self.record(conclusion).await;
        for pause in RECORD_AGAIN_AFTER {
            if outcome.is_ok() {
                return;
            }
            tokio::time::sleep(pause).await;
            outcome = self.record(conclusion).await;
        }
        if let Err(error) = outcome {
            tracing::error!(
                request.id = self.context.origin.request_id,
                organization.id = %self.ready.session.organization_id,
                session.id = %self.ready.session.id,
                message.id = %self.id,
                message.status = conclusion.fate.status().as_str(),
                error = %error,
                "the outcome of a message could not be written down"
            );
        }
    }

    async fn record(&self, conclusion: &Conclusion) -> Result<(), ServiceError> {
        let session = self.ready.session.id;
        let tx = self.services.store.write(self.context.caller.tenant()).await?;
        // WAHA tells of the message by events, too, which are applied at the same time.
        sessions::lock(&tx, session).await?;
        // A commit whose answer was lost is not made twice.
        let known = stored::get(&tx, self.id).await?;
        if known.is_some_and(|message| message.status != DeliveryStatus::Sending) {
            return Ok(());
        }
        match &conclusion.fate {
            Fate::Accepted(sent, sent_at) => {
                let accepted = Accepted {
                    id: self.id,
                    key: &sent.key,
                    waha_message_id: &sent.id,
                    happened_at: *sent_at,
                };
                let mut tally = Tally::new();
                stored::accept(&tx, session, accepted, &mut tally).await?;
                tally.write(&tx, session).await?;
                // WhatsApp would have refused it.
                upkeep::lift_restriction(&tx, session).await?;
            }
            Fate::Failed => {
                stored::set_outcome(&tx, self.id, DeliveryStatus::Failed).await?;
                self.quota.take_back(&tx).await?;
            }
            Fate::Unknown => stored::set_outcome(&tx, self.id, DeliveryStatus::Unknown).await?,
        }
        if let Some(restriction) = conclusion.restriction {
            let restriction = Restriction {
                reason: restriction.as_str().to_owned(),
                until: None,
            };
            upkeep::set_restriction(&tx, session, &restriction).await?;
        }
        let operation = self.message.operation();
        audit::record(
            &tx,
            self.context,
            operation,
            Some(session),
            conclusion.audit.clone(),
        )
        .await?;
        Ok(tx.commit().await?)
    }
}
