//! Sending texts and files.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::client::Call;
use crate::error::WahaError;
use crate::file_content::{FileContent, JsonWithFile};
use crate::timeouts::CallKind;
use crate::{MessageKey, WahaClient, normalize_chat_id, wire};

/// A text to send.
#[derive(Clone, Default)]
pub struct TextToSend<'a> {
    /// Where to: `<number>@c.us`, `…@g.us`, `…@lid` or `…@newsletter`.
    pub chat_id: &'a str,
    /// The text; not empty.
    pub text: &'a str,
    /// The id of the message that this answers.
    pub reply_to: Option<&'a str>,
    /// The people mentioned; the text must contain `@<number>` for each.
    pub mentions: &'a [&'a str],
    /// Whether a link in the text gets a preview; `None` leaves it to WAHA, which makes one.
    pub link_preview: Option<bool>,
    /// The message's own key, chosen by the caller, by which it is recognised even if the answer is lost. Only
    /// NOWEB and GOWS since WAHA 2026.4.3 use it; others ignore it, and the answer then has another key.
    pub key: Option<&'a str>,
}

/// A file's bytes and what they are.
pub struct FileToSend<'a> {
    /// Such as `image/png`.
    pub mimetype: &'a str,
    /// The name that the receiver sees on documents.
    pub filename: Option<&'a str>,
    /// The bytes. WAHA takes 50 MB in base64, so about 37 MB of them.
    pub content: FileContent,
}

/// A file to send as an image, a video, a voice message or a document.
pub struct MediaToSend<'a> {
    /// Where to, see [`TextToSend::chat_id`].
    pub chat_id: &'a str,
    /// The file.
    pub file: FileToSend<'a>,
    /// The text below it; voice messages have none.
    pub caption: Option<&'a str>,
    /// The id of the message that this answers.
    pub reply_to: Option<&'a str>,
    /// Whether WAHA converts video and voice into what WhatsApp plays. Of no effect on images and documents.
    pub convert: bool,
}

/// A message that WAHA took over.
#[derive(Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// `true_<chat>_<key>`, without the participant that some engines add in groups.
    pub id: String,
    /// WhatsApp's own key of the message, by which events about it are recognised.
    pub key: String,
    /// The chat, see [`normalize_chat_id`].
    pub chat_id: String,
    /// When it was sent, in Unix seconds.
    pub timestamp: Option<i64>,
}

impl fmt::Debug for SentMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentMessage")
            .field("key", &self.key)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TextBody<'a> {
    session: &'a str,
    chat_id: &'a str,
    text: &'a str,
    #[serde(rename = "reply_to", skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    mentions: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    link_preview: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MediaBody<'a> {
    session: &'a str,
    chat_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<&'a str>,
    #[serde(rename = "reply_to", skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    convert: Option<bool>,
    /// Last, because the file's bytes follow what is written here.
    file: FileBody<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TypingBody<'a> {
    session: &'a str,
    chat_id: &'a str,
}

#[derive(Serialize)]
struct FileBody<'a> {
    mimetype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    /// The last field, and empty here: the bytes come while the request is sent.
    data: &'static str,
}

/// All forms of an answer to a send: NOWEB gives WhatsApp's own `key`, GOWS an `id` and `_data`, WEBJS a
/// message whose `id` is an object.
#[derive(Deserialize)]
struct WireSent {
    #[serde(default, deserialize_with = "wire::object")]
    key: Option<WireKey>,
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "wire::seconds")]
    timestamp: Option<i64>,
    #[serde(default, rename = "messageTimestamp", deserialize_with = "wire::seconds")]
    message_timestamp: Option<i64>,
    #[serde(default, rename = "_data", deserialize_with = "wire::object")]
    data: Option<WireSentData>,
}

#[derive(Deserialize)]
struct WireKey {
    #[serde(default, rename = "remoteJid", deserialize_with = "wire::text")]
    remote_jid: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct WireSentData {
    #[serde(default, deserialize_with = "wire::seconds")]
    timestamp: Option<i64>,
}

impl WireSent {
    /// The message, if the answer names one. A bare key as `id` belongs to the chat that was sent to.
    fn into_sent(self, chat_id: &str) -> Option<SentMessage> {
        let timestamp = self
            .timestamp
            .or(self.message_timestamp)
            .or_else(|| self.data.and_then(|data| data.timestamp));
        let from_key = self.key.and_then(|key| {
            let chat_id = key.remote_jid.as_deref().unwrap_or(chat_id);
            Some((normalize_chat_id(chat_id), key.id?))
        });
        let (chat_id, key) = from_key.or_else(|| {
            let id = self.id?;
            Some(match MessageKey::parse(&id) {
                Some(parsed) => (parsed.chat_id, parsed.key),
                None => (normalize_chat_id(chat_id), id),
            })
        })?;
        Some(SentMessage {
            id: format!("true_{chat_id}_{key}"),
            key,
            chat_id,
            timestamp,
        })
    }
}

impl WahaClient {
    /// Sends a text.
    ///
    /// What a session sends leaves in no particular order, and giving up waiting does not stop a send: after
    /// [`Outcome::Unknown`](crate::Outcome::Unknown) the message may have gone out.
    pub async fn send_text(&self, session: &str, text: &TextToSend<'_>) -> Result<SentMessage, WahaError> {
        // WAHA 2026.2.1 sends an empty message when the text is missing.
        if text.text.is_empty() {
            return Err(WahaError::NotSendable {
                what: "the text is empty",
            });
        }
        let body = TextBody {
            session,
            chat_id: text.chat_id,
            text: text.text,
            reply_to: text.reply_to,
            mentions: text.mentions,
            link_preview: text.link_preview,
            id: text.key,
        };
        let call = Call::post(CallKind::Send, &["api", "sendText"]);
        let call = call.body_of_size(&body, text.text.len() + 512)?;
        self.send(call, session, text.chat_id).await
    }

    /// Sends an image. `Unsupported` on a Core without Plus before WAHA 2026.6.1, like all files.
    pub async fn send_image(&self, session: &str, image: MediaToSend<'_>) -> Result<SentMessage, WahaError> {
        self.send_media("sendImage", session, image, false).await
    }

    /// Sends a video.
    pub async fn send_video(&self, session: &str, video: MediaToSend<'_>) -> Result<SentMessage, WahaError> {
        self.send_media("sendVideo", session, video, true).await
    }

    /// Sends a voice message.
    pub async fn send_voice(&self, session: &str, voice: MediaToSend<'_>) -> Result<SentMessage, WahaError> {
        self.send_media("sendVoice", session, voice, true).await
    }

    /// Sends a document.
    pub async fn send_file(&self, session: &str, file: MediaToSend<'_>) -> Result<SentMessage, WahaError> {
        self.send_media("sendFile", session, file, false).await
    }

    /// Shows in a chat that the session is typing, until [`stop_typing`](Self::stop_typing) or until phones take it
    /// for ended.
    pub async fn start_typing(&self, session: &str, chat_id: &str) -> Result<(), WahaError> {
        self.typing("startTyping", session, chat_id).await
    }

    /// Shows in a chat that the session is not typing any more.
    pub async fn stop_typing(&self, session: &str, chat_id: &str) -> Result<(), WahaError> {
        self.typing("stopTyping", session, chat_id).await
    }

    async fn typing(&self, operation: &str, session: &str, chat_id: &str) -> Result<(), WahaError> {
        let body = TypingBody { session, chat_id };
        let call = Call::post(CallKind::Send, &["api", operation]).body(&body)?;
        // WAHA 2026.2.1 answers `{"result":true}`, which says no more than the status.
        self.answer(call).await.map(drop)
    }

    async fn send_media(
        &self,
        operation: &str,
        session: &str,
        media: MediaToSend<'_>,
        convertible: bool,
    ) -> Result<SentMessage, WahaError> {
        let FileToSend {
            mimetype,
            filename,
            content,
        } = media.file;
        if content.is_empty() || mimetype.is_empty() {
            return Err(WahaError::NotSendable {
                what: "the file is empty or has no type",
            });
        }
        let body = MediaBody {
            session,
            chat_id: media.chat_id,
            caption: media.caption,
            reply_to: media.reply_to,
            convert: convertible.then_some(media.convert),
            file: FileBody {
                mimetype,
                filename,
                data: "",
            },
        };
        let body = JsonWithFile::new(&body, content)?;
        let call = Call::post(CallKind::Send, &["api", operation]).file_body(body);
        self.send(call, session, media.chat_id).await
    }

    async fn send(&self, call: Call<'_>, session: &str, chat_id: &str) -> Result<SentMessage, WahaError> {
        // Without a chat WAHA 2026.2.1 fails with status 500, without a session it takes `default`.
        if chat_id.is_empty() || session.is_empty() {
            return Err(WahaError::NotSendable {
                what: "the session or the chat is missing",
            });
        }
        let answer = self.answer(call).await?;
        let sent: WireSent = answer.decode()?;
        sent.into_sent(chat_id)
            .ok_or_else(|| answer.broken("it does not name the message that was sent"))
    }
}
