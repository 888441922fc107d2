//! Messages and chat ids, and how the engines write them.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::engine::Engine;

/// How far a message got. WAHA numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ack {
    /// Not sent.
    Error,
    /// On its way to WhatsApp.
    Pending,
    /// WhatsApp has it.
    Server,
    /// The other phone has it.
    Device,
    /// It was read.
    Read,
}

impl Ack {
    /// WAHA's number: -1 for an error, 0 for pending, up to 3 for read.
    #[must_use]
    pub fn number(self) -> i8 {
        match self {
            Self::Error => -1,
            Self::Pending => 0,
            Self::Server => 1,
            Self::Device => 2,
            Self::Read => 3,
        }
    }

    /// WAHA's `ackName`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Pending => "PENDING",
            Self::Server => "SERVER",
            Self::Device => "DEVICE",
            Self::Read => "READ",
        }
    }

    /// NOWEB's own word for it, used in raw messages of sends and events.
    fn noweb_name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Pending => "PENDING",
            Self::Server => "SERVER_ACK",
            Self::Device => "DELIVERY_ACK",
            Self::Read => "READ",
        }
    }
}

/// Puts a chat id into WAHA's outward form: a bare number and `@s.whatsapp.net` become `@c.us`.
pub(crate) fn chat_id(given: &str) -> String {
    match given.split_once('@') {
        None => format!("{given}@c.us"),
        Some((number, "s.whatsapp.net")) => format!("{number}@c.us"),
        Some(_) => given.to_owned(),
    }
}

/// The form NOWEB uses inside: `@c.us` becomes `@s.whatsapp.net`.
pub(crate) fn jid(chat: &str) -> String {
    match chat.strip_suffix("@c.us") {
        Some(number) => format!("{number}@s.whatsapp.net"),
        None => chat.to_owned(),
    }
}

/// The bytes a message carries.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    pub(crate) mimetype: String,
    pub(crate) filename: Option<String>,
    pub(crate) bytes: Bytes,
}

impl Media {
    /// The ending of the file WAHA keeps it in.
    pub(crate) fn extension(&self) -> &'static str {
        match self.mimetype.split(';').next().unwrap_or_default() {
            "image/png" => "png",
            "image/jpeg" => "jpeg",
            "image/webp" => "webp",
            "audio/ogg" => "oga",
            "audio/mpeg" => "mp3",
            "video/mp4" => "mp4",
            "application/pdf" => "pdf",
            "text/plain" => "txt",
            _ => "bin",
        }
    }
}

/// One message in a chat.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// In WAHA's outward form.
    pub(crate) chat: String,
    pub(crate) from_me: bool,
    /// Who wrote it, in a group.
    pub(crate) participant: Option<String>,
    /// Seconds since 1970.
    pub(crate) timestamp: u64,
    pub(crate) source: &'static str,
    pub(crate) body: Option<String>,
    /// NOWEB's inner message.
    pub(crate) inner: Value,
    pub(crate) media: Option<Media>,
    pub(crate) location: Value,
    pub(crate) vcards: Value,
    pub(crate) reply_to: Value,
    pub(crate) ack: Ack,
    pub(crate) push_name: Option<String>,
}

impl Message {
    /// A text, as it is when it just left or arrived.
    pub(crate) fn text(id: String, chat: String, from_me: bool, timestamp: u64, text: &str) -> Self {
        Self {
            id,
            chat,
            from_me,
            participant: None,
            timestamp,
            source: if from_me { "api" } else { "app" },
            body: Some(text.to_owned()),
            inner: json!({"conversation": text}),
            media: None,
            location: Value::Null,
            vcards: Value::Null,
            reply_to: Value::Null,
            ack: if from_me { Ack::Pending } else { Ack::Device },
            push_name: None,
        }
    }

    /// WAHA's id of the message: `true_15550001111@c.us_3EB0…`, in groups with the writer at the end.
    pub(crate) fn full_id(&self) -> String {
        let base = format!("{}_{}_{}", self.from_me, self.chat, self.id);
        match &self.participant {
            Some(participant) => format!("{base}_{participant}"),
            None => base,
        }
    }

    fn key(&self) -> Value {
        let mut key = json!({"remoteJid": jid(&self.chat), "fromMe": self.from_me, "id": self.id});
        if let Some(participant) = &self.participant {
            key["participant"] = jid(participant).into();
        }
        key
    }

    /// NOWEB's raw message as sends answer it and events carry it.
    pub(crate) fn raw_live(&self) -> Value {
        let mut raw = json!({
            "key": self.key(),
            "message": self.inner,
            "messageTimestamp": self.timestamp.to_string(),
            "status": self.ack.noweb_name(),
        });
        if let Some(name) = &self.push_name {
            raw["pushName"] = name.clone().into();
        }
        raw
    }

    /// NOWEB's raw message as its store gives it back: numbers and buffers instead of texts.
    fn raw_stored(&self) -> Value {
        json!({
            "key": self.key(),
            "message": stored(&self.inner),
            "messageTimestamp": self.timestamp,
            "status": self.ack.number() + 1,
        })
    }

    /// WAHA's own message object, for an event (`live`) or from the store.
    pub(crate) fn to_waha(&self, engine: Engine, live: bool, media: &Value) -> Value {
        let data = match engine {
            Engine::Noweb if live => self.raw_live(),
            Engine::Noweb => self.raw_stored(),
            Engine::Gows => {
                json!({"Info": {"ID": self.id, "Chat": jid(&self.chat), "IsFromMe": self.from_me}})
            }
            Engine::Webjs => {
                json!({"id": {"_serialized": self.full_id(), "fromMe": self.from_me, "id": self.id}})
            }
        };
        let mut message = json!({
            "id": self.full_id(),
            "timestamp": self.timestamp,
            "from": self.chat,
            "fromMe": self.from_me,
            "source": self.source,
            "body": self.body,
            "hasMedia": self.media.is_some(),
            "media": media,
            "ack": self.ack.number(),
            "ackName": self.ack.name(),
            "location": self.location,
            "vCards": self.vcards,
            "replyTo": self.reply_to,
            "_data": data,
        });
        if let Some(participant) = &self.participant {
            message["to"] = self.chat.clone().into();
            message["participant"] = participant.clone().into();
        }
        message
    }

    /// What a send answers, which is the engine's own shape.
    pub(crate) fn to_send_answer(&self, engine: Engine) -> Value {
        match engine {
            Engine::Noweb => self.raw_live(),
            Engine::Gows => {
                json!({"id": self.full_id(), "_data": {"Info": {"ID": self.id, "Chat": jid(&self.chat)}}})
            }
            Engine::Webjs => self.to_waha(engine, true, &Value::Null),
        }
    }
}

/// NOWEB's store gives bytes back as Node buffers and lengths as numbers.
fn stored(inner: &Value) -> Value {
    match inner {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("fileSha256" | "mediaKey" | "fileEncSha256", Value::String(data)) => {
                        json!({"type": "Buffer", "data": data})
                    }
                    ("fileLength", Value::String(length)) => {
                        length.parse::<u64>().map_or(Value::Null, Value::from)
                    }
                    _ => stored(value),
                };
                (name.clone(), value)
            })
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_ids_take_their_outward_form() {
        for (given, expected) in [
            ("15550001111", "15550001111@c.us"),
            ("15550001111@s.whatsapp.net", "15550001111@c.us"),
            ("120363000000000001@g.us", "120363000000000001@g.us"),
            ("123456789012345@lid", "123456789012345@lid"),
            ("status@broadcast", "status@broadcast"),
        ] {
            assert_eq!(chat_id(given), expected);
        }
        assert_eq!(jid("15550001111@c.us"), "15550001111@s.whatsapp.net");
        assert_eq!(jid("1@lid"), "1@lid");
    }

    #[test]
    fn the_store_gives_buffers_and_numbers_back() {
        let inner = json!({"imageMessage": {"fileLength": "70", "mediaKey": "AAAA", "caption": "c"}});
        assert_eq!(
            stored(&inner),
            json!({"imageMessage": {"fileLength": 70, "mediaKey": {"type": "Buffer", "data": "AAAA"}, "caption": "c"}})
        );
    }
}
