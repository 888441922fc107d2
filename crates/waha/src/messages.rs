//! Reading messages.

use std::fmt;

use serde::Deserialize;

use crate::chats::SortOrder;
use crate::client::Call;
use crate::content::{Content, Raw};
use crate::error::WahaError;
use crate::timeouts::CallKind;
use crate::{FilePath, MessageKey, WahaClient, normalize_chat_id, wire};

/// Which messages of a chat to read.
#[derive(Debug, Clone)]
pub struct MessagesQuery {
    /// At most this many; 50.
    pub limit: u32,
    /// After leaving out this many.
    pub offset: u32,
    /// By time; `None` leaves it to WAHA, which gives the newest first.
    pub order: Option<SortOrder>,
    /// Sent at or after this time, in Unix seconds.
    pub since: Option<i64>,
    /// Sent at or before this time, in Unix seconds.
    pub until: Option<i64>,
    /// Only own messages, or only those of others.
    pub from_me: Option<bool>,
    /// Whether WAHA fetches the files of all these messages from WhatsApp before it answers, which can take
    /// long.
    pub download_media: bool,
}

impl Default for MessagesQuery {
    fn default() -> Self {
        Self {
            limit: 50,
            offset: 0,
            order: None,
            since: None,
            until: None,
            from_me: None,
            download_media: false,
        }
    }
}

/// A message of a chat.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// WAHA's id, by which the message can be answered or read again.
    pub id: String,
    /// WhatsApp's own key, by which two ids of the same message are recognised; see [`MessageKey`].
    pub key: String,
    /// The chat.
    pub chat_id: String,
    /// Whether the session's own account sent it.
    pub from_me: bool,
    /// Who sent it, unless the own account did: in a direct chat the other person, in a group the
    /// participant.
    pub sender: Option<String>,
    /// When, in Unix seconds.
    pub timestamp: Option<i64>,
    /// What it is.
    pub kind: MessageKind,
    /// Its text, or the text below its file.
    pub body: Option<String>,
    /// Whether it carries a file.
    pub has_media: bool,
    /// The file, as far as WAHA describes it.
    pub media: Option<Media>,
    /// How far it came: -1 error, 0 pending, 1 on WhatsApp's server, 2 on the device, 3 read, 4 played.
    pub ack: Option<i64>,
    /// The message that it answers.
    pub reply_to: Option<ReplyTo>,
    /// Whether it was sent through WAHA's API, and not by the account's phone or another of its devices.
    pub is_from_api: bool,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("key", &self.key)
            .field("kind", &self.kind)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

/// The file of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// Its type, such as `image/jpeg`.
    pub mimetype: Option<String>,
    /// Its name; only documents have one.
    pub filename: Option<String>,
    /// Its size in bytes as the sender's phone gave it.
    pub size_bytes: Option<i64>,
    /// Where this server keeps it, once downloaded. WAHA 2026.2.1 keeps a file for 180 seconds by default.
    pub file: Option<FilePath>,
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("mimetype", &self.mimetype)
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

/// The message that another one answers.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyTo {
    /// Its key, or on some engines its whole id.
    pub id: String,
    /// Who sent it.
    pub participant: Option<String>,
    /// Its text.
    pub body: Option<String>,
}

impl fmt::Debug for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyTo").finish_non_exhaustive()
    }
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Text alone.
    Text,
    /// A picture.
    Image,
    /// A video, round ones too.
    Video,
    /// An audio file.
    Audio,
    /// A voice message.
    Voice,
    /// Any other file.
    Document,
    /// A sticker.
    Sticker,
    /// A place, fixed or live.
    Location,
    /// One or more contacts.
    Contact,
    /// A poll.
    Poll,
    /// A reaction to another message.
    Reaction,
    /// A message that was taken back.
    Revoked,
    /// Something else.
    Other,
}

impl MessageKind {
    /// A stable word in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Document => "document",
            Self::Sticker => "sticker",
            Self::Location => "location",
            Self::Contact => "contact",
            Self::Poll => "poll",
            Self::Reaction => "reaction",
            Self::Revoked => "revoked",
            Self::Other => "other",
        }
    }

    /// The kind of a file whose message does not say it.
    fn of_file(mimetype: Option<&str>) -> Self {
        match mimetype.and_then(|mimetype| mimetype.split('/').next()) {
            Some("image") => Self::Image,
            Some("video") => Self::Video,
            Some("audio") => Self::Audio,
            _ => Self::Document,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are what WAHA answers, and independent of each other"
)]
pub(crate) struct WireMessage {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "wire::seconds")]
    timestamp: Option<i64>,
    #[serde(default, deserialize_with = "wire::text")]
    from: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    to: Option<String>,
    #[serde(default, deserialize_with = "wire::flag")]
    from_me: bool,
    #[serde(default, deserialize_with = "wire::text")]
    participant: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    author: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    body: Option<String>,
    #[serde(default, deserialize_with = "wire::flag")]
    has_media: bool,
    #[serde(default, deserialize_with = "wire::object")]
    media: Option<WireMedia>,
    #[serde(default, deserialize_with = "wire::text")]
    media_url: Option<String>,
    #[serde(default, deserialize_with = "wire::number")]
    ack: Option<i64>,
    #[serde(default, deserialize_with = "wire::present")]
    location: bool,
    #[serde(default, deserialize_with = "wire::present")]
    v_cards: bool,
    #[serde(default, deserialize_with = "wire::object")]
    reply_to: Option<WireReplyTo>,
    #[serde(default, deserialize_with = "wire::text")]
    source: Option<String>,
    #[serde(default, rename = "_data", deserialize_with = "wire::object")]
    data: Option<Raw>,
}

#[derive(Deserialize)]
struct WireMedia {
    #[serde(default, deserialize_with = "wire::text")]
    url: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    mimetype: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    filename: Option<String>,
}

#[derive(Deserialize)]
struct WireReplyTo {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    participant: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    body: Option<String>,
}

impl WireMessage {
    /// The message, if it has an id.
    pub(crate) fn into_message(self) -> Option<Message> {
        let id = self.id?;
        let content = self.data.and_then(Raw::into_content);
        let kind = match &content {
            Some(content) => content.kind,
            None if self.has_media => {
                MessageKind::of_file(self.media.as_ref().and_then(|media| media.mimetype.as_deref()))
            }
            None if self.location => MessageKind::Location,
            None if self.v_cards => MessageKind::Contact,
            None if self.body.is_some() => MessageKind::Text,
            None => MessageKind::Other,
        };
        let media = self
            .has_media
            .then(|| media(self.media, self.media_url.as_deref(), content));
        let parsed = MessageKey::parse(&id);
        // Where ids have no parts: `from` is the chat, except that WEBJS names the own account in own
        // messages.
        let chat = if self.from_me {
            self.to.as_deref().or(self.from.as_deref())
        } else {
            self.from.as_deref()
        };
        let chat_id = match (&parsed, chat) {
            (Some(parsed), _) => parsed.chat_id.clone(),
            (None, Some(chat)) => normalize_chat_id(chat),
            (None, None) => return None,
        };
        let participant = parsed.as_ref().and_then(|parsed| parsed.participant.clone());
        let sender = self.participant.or(self.author).or(participant).or(self.from);
        Some(Message {
            key: parsed.map_or_else(|| id.clone(), |parsed| parsed.key),
            chat_id,
            from_me: self.from_me,
            sender: sender.filter(|_| !self.from_me).as_deref().map(normalize_chat_id),
            timestamp: self.timestamp,
            kind,
            body: self.body,
            has_media: self.has_media,
            media,
            ack: self.ack,
            reply_to: self.reply_to.and_then(WireReplyTo::into_reply_to),
            is_from_api: self.from_me && self.source.as_deref() == Some("api"),
            id,
        })
    }
}

impl WireReplyTo {
    fn into_reply_to(self) -> Option<ReplyTo> {
        let participant = self.participant.as_deref().map(normalize_chat_id);
        Some(ReplyTo {
            id: self.id?,
            participant,
            body: self.body,
        })
    }
}

/// What WAHA's own fields say, completed by what the engine's raw data says.
fn media(media: Option<WireMedia>, media_url: Option<&str>, content: Option<Content>) -> Media {
    let (url, mimetype, filename) = media.map_or((None, None, None), |media| {
        (media.url, media.mimetype, media.filename)
    });
    let (raw_mimetype, raw_filename, size_bytes) = content.map_or((None, None, None), |content| {
        (content.mimetype, content.filename, content.size)
    });
    Media {
        mimetype: mimetype.or(raw_mimetype),
        filename: filename.or(raw_filename),
        size_bytes,
        file: url.as_deref().or(media_url).and_then(FilePath::from_url),
    }
}

impl WahaClient {
    /// Messages of a chat. `Unsupported` on NOWEB without its store.
    pub async fn messages(
        &self,
        session: &str,
        chat_id: &str,
        query: &MessagesQuery,
    ) -> Result<Vec<Message>, WahaError> {
        let call = Call::get(CallKind::Read, &["api", session, "chats", chat_id, "messages"])
            .query("limit", query.limit)
            .query("offset", query.offset)
            .query("downloadMedia", query.download_media)
            .query_if("sortOrder", query.order.map(SortOrder::as_str))
            .query_if("filter.timestamp.gte", query.since)
            .query_if("filter.timestamp.lte", query.until)
            .query_if("filter.fromMe", query.from_me);
        self.list(call, WireMessage::into_message).await
    }

    /// One message; `NotFound` if there is none.
    pub async fn message(
        &self,
        session: &str,
        chat_id: &str,
        message_id: &str,
        download_media: bool,
    ) -> Result<Message, WahaError> {
        let path = ["api", session, "chats", chat_id, "messages", message_id];
        let call = Call::get(CallKind::Read, &path).query("downloadMedia", download_media);
        let message: Option<WireMessage> = self.optional_json(call).await?;
        // An engine that finds nothing may answer nothing.
        let message = message.ok_or(WahaError::NotFound)?;
        message.into_message().ok_or_else(|| WahaError::BrokenAnswer {
            status: 200,
            what: "it is not a message".to_owned(),
        })
    }
}
