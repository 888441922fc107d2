//! What an event says, as far as anybody needs it.

use std::fmt;

use serde::Deserialize;

use super::{CallNews, EventEnvelope, EventName, GroupNews};
use crate::messages::WireMessage;
use crate::{Me, Media, MessageKey, MessageKind, SessionStatus, normalize_chat_id, wire};

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventNews {
    /// A session went into a state, or was in it again: each new QR code is told as another `SCAN_QR_CODE`.
    Status(StatusNews),
    /// A message came in or went out. WAHA tells most of them twice.
    Message(MessageNews),
    /// A message that went out got further.
    Acknowledgement(AcknowledgementNews),
    /// Somebody calls.
    Call(CallNews),
    /// A group, or who is in it, changed.
    GroupChange(GroupNews),
    /// Anything else.
    Other,
}

/// A session's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusNews {
    /// The state.
    pub status: SessionStatus,
    /// Whose the session is; WAHA does not always say it.
    pub me: Option<Me>,
}

/// A message.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageNews {
    /// WAHA's id.
    pub id: String,
    /// WhatsApp's own key of it, by which two ids of the same message are recognised; see [`MessageKey`].
    pub key: String,
    /// The chat.
    pub chat_id: String,
    /// Whether the session's own account sent it.
    pub from_me: bool,
    /// Who sent it, unless the own account did.
    pub sender: Option<String>,
    /// When, in Unix seconds.
    pub timestamp: Option<i64>,
    /// What it is.
    pub kind: MessageKind,
    /// Whether it carries a file.
    pub has_media: bool,
    /// The file, as far as WAHA describes it.
    pub media: Option<Media>,
    /// How far it came: -1 error, 0 pending, 1 on WhatsApp's server, 2 on the device, 3 read, 4 played.
    pub ack: Option<i64>,
    /// Its text, or the text below its file.
    pub body: Option<String>,
    /// WhatsApp's own key of the message that it answers.
    pub reply_to: Option<String>,
    /// Whether it was sent through WAHA's API, and not by the account's phone or another of its devices.
    pub is_from_api: bool,
}

/// How far a message came.
#[derive(Clone, PartialEq, Eq)]
pub struct AcknowledgementNews {
    /// WAHA's id of the message.
    pub id: String,
    /// WhatsApp's own key of it.
    pub key: String,
    /// The chat.
    pub chat_id: String,
    /// Whether the session's own account sent it.
    pub from_me: bool,
    /// How far: -1 error, 0 pending, 1 on WhatsApp's server, 2 on the device, 3 read, 4 played.
    pub ack: i64,
}

impl fmt::Debug for MessageNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageNews")
            .field("key", &self.key)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AcknowledgementNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcknowledgementNews")
            .field("key", &self.key)
            .field("ack", &self.ack)
            .finish_non_exhaustive()
    }
}

/// An event does not say what its kind always says. Nothing of it is in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadablePayload(&'static str);

/// Ids and states are shorter. WhatsApp's keys have 20 to 32 characters, chat ids up to 40.
const LONGEST_WORD: usize = 200;

#[derive(Deserialize)]
struct WireStatus {
    #[serde(default, deserialize_with = "wire::text")]
    status: Option<String>,
}

#[derive(Deserialize)]
struct WireAck {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    from: Option<String>,
    #[serde(default, rename = "fromMe", deserialize_with = "wire::flag")]
    from_me: bool,
    #[serde(default, deserialize_with = "wire::number")]
    ack: Option<i64>,
}

/// A payload that may also be `null`, a list or a text.
#[derive(Deserialize)]
#[serde(transparent, bound = "T: serde::de::DeserializeOwned")]
struct Maybe<T>(#[serde(deserialize_with = "wire::object")] Option<T>);

fn read<T: serde::de::DeserializeOwned>(payload: &str) -> Result<T, UnreadablePayload> {
    serde_json::from_str::<Maybe<T>>(payload)
        .ok()
        .and_then(|Maybe(payload)| payload)
        .ok_or(UnreadablePayload("its payload is not an object"))
}

pub(super) fn is_word(text: &str) -> bool {
    (1..=LONGEST_WORD).contains(&text.len()) && !text.contains(char::is_control)
}

impl EventEnvelope<'_> {
    /// What the event says.
    pub fn news(&self) -> Result<EventNews, UnreadablePayload> {
        Ok(match self.event {
            EventName::SessionStatus => EventNews::Status(self.status()?),
            EventName::Message | EventName::MessageAny => EventNews::Message(self.message()?),
            EventName::MessageAck | EventName::MessageAckGroup => {
                EventNews::Acknowledgement(self.acknowledgement()?)
            }
            EventName::CallReceived => EventNews::Call(self.call()),
            // WEBJS tells of the same changes in the older form, too.
            EventName::GroupV2Join
            | EventName::GroupV2Leave
            | EventName::GroupV2Update
            | EventName::GroupV2Participants => EventNews::GroupChange(self.group()),
            _ => EventNews::Other,
        })
    }

    fn status(&self) -> Result<StatusNews, UnreadablePayload> {
        let wire: WireStatus = read(self.payload)?;
        let word = wire.status.filter(|word| is_word(word));
        let word = word.ok_or(UnreadablePayload("it names no status"))?;
        Ok(StatusNews {
            status: SessionStatus::from(word.as_str()),
            me: self.me.clone(),
        })
    }

    fn message(&self) -> Result<MessageNews, UnreadablePayload> {
        let wire: WireMessage = read(self.payload)?;
        let message = wire
            .into_message()
            .ok_or(UnreadablePayload("it names no message or no chat"))?;
        let words = [&message.id, &message.key, &message.chat_id];
        if !words.into_iter().chain(&message.sender).all(|word| is_word(word)) {
            return Err(UnreadablePayload("an id in it is none"));
        }
        // Some engines give the whole id, others the key alone.
        let reply_to = message
            .reply_to
            .map(|to| MessageKey::parse(&to.id).map_or(to.id, |parsed| parsed.key));
        Ok(MessageNews {
            id: message.id,
            key: message.key,
            chat_id: message.chat_id,
            from_me: message.from_me,
            sender: message.sender,
            timestamp: message.timestamp,
            kind: message.kind,
            has_media: message.has_media,
            media: message.media,
            ack: message.ack,
            body: message.body,
            reply_to: reply_to.filter(|key| is_word(key)),
            is_from_api: message.is_from_api,
        })
    }

    fn acknowledgement(&self) -> Result<AcknowledgementNews, UnreadablePayload> {
        let wire: WireAck = read(self.payload)?;
        let id = wire.id.ok_or(UnreadablePayload("it names no message"))?;
        let ack = wire
            .ack
            .ok_or(UnreadablePayload("it does not say how far the message came"))?;
        let (key, chat_id, from_me) = if let Some(parsed) = MessageKey::parse(&id) {
            (parsed.key, parsed.chat_id, parsed.from_me)
        } else {
            let chat = wire.from.ok_or(UnreadablePayload("it names no chat"))?;
            (id.clone(), normalize_chat_id(&chat), wire.from_me)
        };
        if ![&id, &key, &chat_id].into_iter().all(|word| is_word(word)) {
            return Err(UnreadablePayload("an id in it is none"));
        }
        Ok(AcknowledgementNews {
            id,
            key,
            chat_id,
            from_me,
            ack,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn recorded(text: &str) -> EventNews {
        EventEnvelope::parse(text).unwrap().news().unwrap()
    }

    fn news(event: &str, payload: &Value) -> Result<EventNews, UnreadablePayload> {
        let text =
            json!({"id": "evt_1", "timestamp": 1, "event": event, "session": "one", "payload": payload})
                .to_string();
        EventEnvelope::parse(&text).unwrap().news()
    }

    #[test]
    fn recorded_events_say_what_happened() {
        let EventNews::Status(status) = recorded(include_str!("fixtures/session.status.json")) else {
            panic!("it is a status");
        };
        assert_eq!((status.status, status.me), (SessionStatus::Starting, None));

        let EventNews::Message(sent) = recorded(include_str!("fixtures/message.any.json")) else {
            panic!("it is a message");
        };
        assert!(sent.from_me && sent.is_from_api && sent.sender.is_none() && !sent.has_media);
        assert_eq!((sent.kind, sent.ack), (MessageKind::Text, Some(0)));
        assert_eq!(sent.chat_id, "15550001111@c.us");
        assert_eq!(sent.timestamp, Some(1_795_412_435));

        let EventNews::Acknowledgement(ack) = recorded(include_str!("fixtures/message.ack.json")) else {
            panic!("it is an acknowledgement");
        };
        assert_eq!((&ack.key, &ack.chat_id), (&sent.key, &sent.chat_id));
        assert!(ack.from_me);
        assert_eq!(ack.ack, 1);

        let EventNews::Message(received) = recorded(include_str!("fixtures/message.json")) else {
            panic!("it is a message");
        };
        assert!(received.body.is_some() && received.reply_to.is_none());
        assert!(!received.from_me);
        assert_eq!(received.sender.as_deref(), Some("15550001111@c.us"));

        for (text, expected) in [
            (include_str!("fixtures/message.reaction.json"), EventNews::Other),
            (include_str!("fixtures/message.revoked.json"), EventNews::Other),
        ] {
            assert_eq!(recorded(text), expected);
        }
    }

    #[test]
    fn a_paired_session_is_told_with_its_account() {
        let text = json!({
            "id": "evt_1", "timestamp": 1, "event": "session.status", "session": "one",
            "me": {"id": "15551230001@c.us", "pushName": "One"},
            "payload": {"name": "one", "status": "WORKING"},
        })
        .to_string();
        let EventNews::Status(status) = recorded(&text) else {
            panic!("it is a status");
        };
        assert_eq!(status.status, SessionStatus::Working);
        assert_eq!(status.me.unwrap().id, "15551230001@c.us");
    }

    /// WEBJS writes ids as objects, GOWS its raw message with a capital letter; neither was recorded.
    #[test]
    fn each_engine_names_a_message_by_the_same_key() {
        let noweb = json!({
            "id": "false_120363000000000001@g.us_3A18_15550002222@c.us", "timestamp": 1_795_412_442,
            "from": "120363000000000001@g.us", "participant": "15550002222@c.us", "fromMe": false,
            "hasMedia": true, "media": null,
            "_data": {"message": {"imageMessage": {"mimetype": "image/jpeg"}}},
        });
        let gows = json!({
            "id": "false_120363000000000001@g.us_3A18_15550002222@s.whatsapp.net",
            "timestamp": "1795412442", "from": "120363000000000001@g.us",
            "participant": "15550002222@s.whatsapp.net", "fromMe": false, "hasMedia": true,
            "_data": {"Message": {"imageMessage": {"mimetype": "image/jpeg"}}},
        });
        let webjs = json!({
            "id": {"_serialized": "false_120363000000000001@g.us_3A18_15550002222@c.us"},
            "timestamp": 1_795_412_442, "from": "120363000000000001@g.us",
            "author": {"_serialized": "15550002222@c.us"}, "fromMe": false, "hasMedia": true,
            "_data": {"type": "image"},
        });
        for payload in [noweb, gows, webjs] {
            let EventNews::Message(message) = news("message", &payload).unwrap() else {
                panic!("it is a message");
            };
            assert_eq!(message.key, "3A18");
            assert_eq!(message.chat_id, "120363000000000001@g.us");
            assert_eq!(message.sender.as_deref(), Some("15550002222@c.us"));
            assert_eq!(message.timestamp, Some(1_795_412_442));
            assert_eq!((message.kind, message.has_media), (MessageKind::Image, true));
        }
    }

    #[test]
    fn a_file_is_told_by_its_path_whatever_wahas_idea_of_its_address() {
        let payload = json!({
            "id": "false_15550001111@c.us_3A18", "from": "15550001111@c.us", "fromMe": false, "hasMedia": true,
            "media": {
                "url": "http://localhost:3000/api/files/main/false_15550001111@c.us_3A18.pdf",
                "mimetype": "application/pdf", "filename": "offer.pdf",
            },
            "_data": {"message": {"documentMessage": {"fileLength": "5"}}},
        });
        let EventNews::Message(message) = news("message.any", &payload).unwrap() else {
            panic!("it is a message");
        };
        let media = message.media.unwrap();
        assert_eq!(media.mimetype.as_deref(), Some("application/pdf"));
        assert_eq!(
            (media.filename.as_deref(), media.size_bytes),
            (Some("offer.pdf"), Some(5))
        );
        let path = media.file.unwrap();
        assert_eq!(path.session(), Some("main"));
        assert_eq!(
            path.to_url_path(),
            "/api/files/main/false_15550001111@c.us_3A18.pdf"
        );
    }

    #[test]
    fn what_lacks_what_its_kind_always_says_is_unreadable() {
        for (event, payload) in [
            ("session.status", json!(null)),
            ("session.status", json!({})),
            ("session.status", json!({"status": ["WORKING"]})),
            ("session.status", json!({"status": "a\u{0}b"})),
            ("message", json!([])),
            ("message", json!({"from": "1@c.us"})),
            ("message", json!({"id": "false_1@c.us_A\u{0}", "from": "1@c.us"})),
            (
                "message.any",
                json!({"id": format!("true_1@c.us_{}", "A".repeat(300))}),
            ),
            ("message.ack", json!({"ack": 1})),
            ("message.ack", json!({"id": "true_1@c.us_A"})),
            ("message.ack", json!({"id": "A", "ack": 1})),
        ] {
            assert!(news(event, &payload).is_err(), "{event}: {payload}");
        }
        for event in [
            "presence.update",
            "call.received",
            "group.v2.join",
            "something.new",
        ] {
            assert!(news(event, &json!(null)).is_ok(), "{event}");
        }
    }

    #[test]
    fn debug_output_says_nothing_of_who_wrote_what() {
        for text in [
            include_str!("fixtures/message.json"),
            include_str!("fixtures/message.ack.json"),
        ] {
            let shown = format!("{:?}", recorded(text));
            assert!(!shown.contains("1555") && !shown.contains("hello"), "{shown}");
        }
    }
}
