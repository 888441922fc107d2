//! What kind of message an engine's raw data (`_data`) describes, and the file in it.
//!
//! WAHA's own fields do not say the kind, and say nothing of a file that was not downloaded. NOWEB and GOWS
//! pass WhatsApp's message on, an object with one field named after the kind (`imageMessage`); WEBJS has a
//! `type`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::{MessageKind, wire};

/// An engine's raw data.
#[derive(Deserialize)]
pub(crate) struct Raw {
    /// WEBJS: the kind and, of a file, its type, name and size.
    #[serde(default, rename = "type", deserialize_with = "wire::text")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    mimetype: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    filename: Option<String>,
    #[serde(default, deserialize_with = "wire::number")]
    size: Option<i64>,
    /// NOWEB.
    #[serde(default, deserialize_with = "content")]
    message: Option<Content>,
    /// GOWS.
    #[serde(default, rename = "Message", deserialize_with = "content")]
    go_message: Option<Content>,
}

/// A message's kind and the file in it.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) kind: MessageKind,
    pub(crate) mimetype: Option<String>,
    pub(crate) filename: Option<String>,
    pub(crate) size: Option<i64>,
}

impl Raw {
    /// What the raw data says, if it says anything of use.
    pub(crate) fn into_content(self) -> Option<Content> {
        let Self {
            kind,
            mimetype,
            filename,
            size,
            message,
            go_message,
        } = self;
        message.or(go_message).or_else(|| {
            let kind = web_kind(&kind?)?;
            Some(Content {
                kind,
                mimetype,
                filename,
                size,
            })
        })
    }
}

/// The content of one kind of message.
#[derive(Deserialize)]
struct Part {
    #[serde(default, deserialize_with = "wire::text")]
    mimetype: Option<String>,
    #[serde(default, rename = "fileName", deserialize_with = "wire::text")]
    file_name: Option<String>,
    #[serde(default, rename = "fileLength", deserialize_with = "wire::number")]
    file_length: Option<i64>,
    /// Whether audio is a voice message; GOWS writes it in capitals.
    #[serde(default, deserialize_with = "wire::flag")]
    ptt: bool,
    #[serde(default, rename = "PTT", deserialize_with = "wire::flag")]
    go_ptt: bool,
    /// What a protocol message is about, such as `REVOKE`.
    #[serde(default, rename = "type", deserialize_with = "wire::text")]
    protocol: Option<String>,
    /// The message inside a wrapper.
    #[serde(default, deserialize_with = "boxed_content")]
    message: Option<Box<Content>>,
}

/// WhatsApp's field names, which are the same in both engines that pass them on.
fn field_kind(name: &str) -> Option<MessageKind> {
    Some(match name {
        "conversation" | "extendedTextMessage" => MessageKind::Text,
        "imageMessage" => MessageKind::Image,
        "videoMessage" | "ptvMessage" => MessageKind::Video,
        "audioMessage" => MessageKind::Audio,
        "documentMessage" => MessageKind::Document,
        "stickerMessage" | "lottieStickerMessage" => MessageKind::Sticker,
        "locationMessage" | "liveLocationMessage" => MessageKind::Location,
        "contactMessage" | "contactsArrayMessage" => MessageKind::Contact,
        "reactionMessage" => MessageKind::Reaction,
        "protocolMessage" => MessageKind::Other,
        _ if name.starts_with("pollCreationMessage") => MessageKind::Poll,
        _ => return None,
    })
}

/// Fields that wrap another message.
fn is_wrapper(name: &str) -> bool {
    matches!(
        name,
        "documentWithCaptionMessage"
            | "ephemeralMessage"
            | "viewOnceMessage"
            | "viewOnceMessageV2"
            | "viewOnceMessageV2Extension"
            | "editedMessage"
            | "deviceSentMessage"
    )
}

/// The kinds of whatsapp-web.js.
fn web_kind(kind: &str) -> Option<MessageKind> {
    Some(match kind {
        "chat" => MessageKind::Text,
        "image" => MessageKind::Image,
        "video" => MessageKind::Video,
        "ptt" => MessageKind::Voice,
        "audio" => MessageKind::Audio,
        "document" => MessageKind::Document,
        "sticker" => MessageKind::Sticker,
        "location" => MessageKind::Location,
        "vcard" | "multi_vcard" => MessageKind::Contact,
        "poll_creation" => MessageKind::Poll,
        "reaction" => MessageKind::Reaction,
        "revoked" => MessageKind::Revoked,
        _ => return None,
    })
}

fn content<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Content>, D::Error> {
    Ok(wire::object::<D, Fields>(json)?.and_then(|fields| fields.0))
}

fn boxed_content<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Box<Content>>, D::Error> {
    Ok(content(json)?.map(Box::new))
}

/// The first field of a message that says its kind.
struct Fields(Option<Content>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(FieldsVisitor).map(Self)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Option<Content>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a WhatsApp message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            let kind = field_kind(&name);
            if found.is_some() || (kind.is_none() && !is_wrapper(&name)) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let MaybePart(part) = map.next_value()?;
            found = match (kind, part) {
                (None, part) => part.and_then(|part| part.message).map(|message| *message),
                (Some(kind), None) => Some(Content {
                    kind,
                    mimetype: None,
                    filename: None,
                    size: None,
                }),
                (Some(kind), Some(part)) => Some(Content {
                    kind: refined(kind, &part),
                    mimetype: part.mimetype,
                    filename: part.file_name,
                    size: part.file_length,
                }),
            };
        }
        Ok(found)
    }
}

/// A field's content; `conversation` is not an object but the text itself.
#[derive(Deserialize)]
#[serde(transparent)]
struct MaybePart(#[serde(deserialize_with = "wire::object")] Option<Part>);

fn refined(kind: MessageKind, part: &Part) -> MessageKind {
    match kind {
        MessageKind::Audio if part.ptt || part.go_ptt => MessageKind::Voice,
        MessageKind::Other if part.protocol.as_deref() == Some("REVOKE") => MessageKind::Revoked,
        kind => kind,
    }
}
