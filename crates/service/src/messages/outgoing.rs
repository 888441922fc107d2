//! What is sent, and the one call that hands it over.

use serde::{Deserialize, Serialize};
use waha_client::{FileContent, FileToSend, MediaToSend, TextToSend, WahaClient, WahaError};
use wahana_domain::{ChatId, FileName, MessageKind, MessageText, Text};
use wahana_store::messages::MessageContent;

use super::{MediaFile, TextMessage};
use crate::ServiceError;

/// A message that is ready to be handed over.
pub(super) enum Outgoing {
    Text(TextMessage),
    Media {
        to: ChatId,
        file: MediaFile,
        caption: Option<MessageText<1024>>,
    },
}

/// What is kept of a message beside its text.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_preview: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mimetype: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
}

impl Outgoing {
    pub(super) const fn to(&self) -> &ChatId {
        match self {
            Self::Text(message) => &message.to,
            Self::Media { to, .. } => to,
        }
    }

    pub(super) fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Media { file, .. } => file.media_type.message_kind(),
        }
    }

    /// Its file, if it has one.
    pub(super) const fn file(&self) -> Option<&MediaFile> {
        match self {
            Self::Text(_) => None,
            Self::Media { file, .. } => Some(file),
        }
    }

    /// How many letters it has, if it is a text: so long it takes to type.
    pub(super) fn letters(&self) -> Option<usize> {
        match self {
            Self::Text(message) => Some(message.text.as_str().chars().count()),
            Self::Media { .. } => None,
        }
    }

    /// Whether WAHA lets the caller choose its key, where server and engine do.
    pub(super) const fn may_have_own_key(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// What is kept of it. The bytes of a file are not.
    pub(super) fn content(&self) -> Result<MessageContent, ServiceError> {
        let (text, details) = match self {
            Self::Text(message) => {
                let details = Details {
                    reply_to: message.reply_to.as_ref().map(|id| id.as_str().to_owned()),
                    mentions: message.mentions.iter().map(|id| id.as_str().to_owned()).collect(),
                    link_preview: message.link_preview,
                    ..Details::default()
                };
                (Some(message.text.as_str().to_owned()), details)
            }
            Self::Media { file, caption, .. } => {
                let details = Details {
                    mimetype: Some(file.media_type.as_str().to_owned()),
                    filename: file.name.as_ref().map(|name| name.as_str().to_owned()),
                    ..Details::default()
                };
                (caption.as_ref().map(|text| text.as_str().to_owned()), details)
            }
        };
        let details = serde_json::to_string(&details)
            .map_err(|error| ServiceError::Internal(format!("a message cannot be written: {error}")))?;
        Ok(MessageContent {
            text,
            details: Some(details),
        })
    }

    /// A text as it was kept; `None` if what was kept is not a whole text.
    pub(super) fn text_of(to: ChatId, content: &MessageContent) -> Option<Self> {
        let details = match &content.details {
            Some(details) => serde_json::from_str(details).ok()?,
            None => Details::default(),
        };
        let mentions = details.mentions.iter().map(|id| ChatId::parse(id).ok());
        Some(Self::Text(TextMessage {
            to,
            text: MessageText::parse(content.text.clone()?).ok()?,
            reply_to: match details.reply_to {
                Some(id) => Some(Text::parse(&id).ok()?),
                None => None,
            },
            mentions: mentions.collect::<Option<_>>()?,
            link_preview: details.link_preview,
        }))
    }

    /// A file's message as it was kept, with the file; `None` if what was kept is not the text below a file.
    pub(super) fn media_of(to: ChatId, content: &MessageContent, file: MediaFile) -> Option<Self> {
        let caption = match &content.text {
            Some(text) => Some(MessageText::parse(text.clone()).ok()?),
            None => None,
        };
        Some(Self::Media { to, file, caption })
    }

    /// The one call, with the message's own key if there is one.
    pub(super) async fn hand_over(
        &self,
        waha: &WahaClient,
        session: &str,
        key: Option<&str>,
    ) -> Result<waha_client::SentMessage, WahaError> {
        let (file, caption) = match self {
            Self::Text(message) => {
                let mentions: Vec<&str> = message.mentions.iter().map(ChatId::as_str).collect();
                let text = TextToSend {
                    chat_id: message.to.as_str(),
                    text: message.text.as_str(),
                    reply_to: message.reply_to.as_ref().map(Text::as_str),
                    mentions: &mentions,
                    link_preview: message.link_preview,
                    key,
                };
                return waha.send_text(session, &text).await;
            }
            Self::Media { file, caption, .. } => (file, caption),
        };
        let media = MediaToSend {
            chat_id: self.to().as_str(),
            file: FileToSend {
                content: content(file).await?,
                mimetype: match file.media_type.as_str() {
                    // Phones play a voice message only if its type says so.
                    "audio/ogg" => "audio/ogg; codecs=opus",
                    other => other,
                },
                filename: file.name.as_ref().map(FileName::as_str),
            },
            caption: caption.as_ref().map(MessageText::as_str),
            reply_to: None,
            convert: file.media_type.needs_conversion(),
        };
        match file.media_type.message_kind() {
            MessageKind::Image => waha.send_image(session, media).await,
            MessageKind::Video => waha.send_video(session, media).await,
            MessageKind::Voice => waha.send_voice(session, media).await,
            _ => waha.send_file(session, media).await,
        }
    }
}

/// The bytes of a file, which are read while they are sent.
async fn content(file: &MediaFile) -> Result<FileContent, WahaError> {
    let bytes = file.upload.open().await.map_err(|error| {
        tracing::warn!(media.key = %file.upload.bytes().key, error = %error, "a file that is to be sent cannot be read");
        WahaError::NotSendable {
            what: "its file cannot be read",
        }
    })?;
    Ok(FileContent::streamed(file.upload.bytes().size, bytes))
}

/// Under which operation the audit log has the sending of a message of this kind.
pub(super) const fn operation(kind: MessageKind) -> &'static str {
    if kind.is_media() {
        "messages.send_media"
    } else {
        "messages.send_text"
    }
}
