//! The envelope that every event comes in.

use std::{borrow::Cow, fmt};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::EventName;
use crate::Me;
use crate::sessions::WireMe;

/// An event as WAHA sends it (seen on 2026.2.1). What it says in particular is in `payload`, as it was sent.
#[derive(Clone, PartialEq)]
pub struct EventEnvelope<'a> {
    /// The event's id, `evt_…`; the same for every attempt to deliver it and for all of a session's webhooks.
    pub id: Cow<'a, str>,
    /// When it happened, in Unix milliseconds; the same for every attempt.
    pub timestamp: i64,
    /// Its name.
    pub event: EventName,
    /// The session's name on WAHA.
    pub session: Cow<'a, str>,
    /// Whose the session is, once paired.
    pub me: Option<Me>,
    /// What happened, as JSON; `null` if the event has none.
    pub payload: &'a str,
    /// The engine, such as `NOWEB`.
    pub engine: Option<String>,
    /// WAHA's version.
    pub version: Option<String>,
}

impl fmt::Debug for EventEnvelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventEnvelope")
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

/// The text is no event of WAHA's. Nothing of it is in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenEnvelope {
    /// It is no JSON object with the fields that every event has.
    #[error("it is not a JSON object with id, timestamp, event and session")]
    Shape,
    /// The named field holds what WAHA never writes there.
    #[error("its {0} is none that WAHA writes")]
    Field(&'static str),
}

/// WAHA's ids have 30 characters, its event names up to 21, and names of sessions up to 54.
const LONGEST_WORD: usize = 128;

#[derive(Deserialize)]
struct WireEnvelope<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    timestamp: i64,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    session: Cow<'a, str>,
    #[serde(default, deserialize_with = "crate::wire::object")]
    me: Option<WireMe>,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "crate::wire::text")]
    engine: Option<String>,
    #[serde(default, deserialize_with = "crate::wire::object")]
    environment: Option<WireEnvironment>,
}

#[derive(Deserialize)]
struct WireEnvironment {
    #[serde(default, deserialize_with = "crate::wire::text")]
    version: Option<String>,
}

impl<'a> EventEnvelope<'a> {
    /// Reads an envelope. What every event has must be there and look as WAHA writes it; of the rest, what
    /// is missing or of an unexpected type is `None`. A field that is given twice is refused.
    pub fn parse(text: &'a str) -> Result<Self, BrokenEnvelope> {
        let wire: WireEnvelope<'a> = serde_json::from_str(text).map_err(|_| BrokenEnvelope::Shape)?;
        let is_word = |word: &str| {
            (1..=LONGEST_WORD).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic())
        };
        for (field, word) in [
            ("id", &wire.id),
            ("event", &wire.event),
            ("session", &wire.session),
        ] {
            if !is_word(word) {
                return Err(BrokenEnvelope::Field(field));
            }
        }
        if wire.timestamp < 0 {
            return Err(BrokenEnvelope::Field("timestamp"));
        }
        Ok(Self {
            event: EventName::from(wire.event.as_ref()),
            id: wire.id,
            timestamp: wire.timestamp,
            session: wire.session,
            me: wire.me.and_then(WireMe::into_me),
            payload: wire.payload.map_or("null", RawValue::get),
            engine: wire.engine,
            version: wire.environment.and_then(|environment| environment.version),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Events as WAHA 2026.2.1 sent them, without what only the recording had.
    const RECORDED: [(&str, &str); 9] = [
        ("session.status", include_str!("fixtures/session.status.json")),
        ("message", include_str!("fixtures/message.json")),
        ("message.any", include_str!("fixtures/message.any.json")),
        ("message.ack", include_str!("fixtures/message.ack.json")),
        ("message.reaction", include_str!("fixtures/message.reaction.json")),
        ("message.revoked", include_str!("fixtures/message.revoked.json")),
        ("call.received", include_str!("fixtures/call.received.json")),
        ("group.v2.update", include_str!("fixtures/group.v2.update.json")),
        (
            "group.v2.participants",
            include_str!("fixtures/group.v2.participants.json"),
        ),
    ];

    #[test]
    fn recorded_events_are_read() {
        for (name, text) in RECORDED {
            let text = text.trim_end();
            let event = EventEnvelope::parse(text).unwrap();
            assert_eq!(event.event.as_str(), name);
            assert!(event.id.starts_with("evt_01m83e"), "{}", event.id);
            assert!((1_795_412_400_000..1_795_412_460_000).contains(&event.timestamp));
            assert_eq!(event.session, "org1_main");
            assert_eq!(event.engine.as_deref(), Some("NOWEB"));
            assert_eq!(event.version.as_deref(), Some("2026.2.1"));
            let whole: Value = serde_json::from_str(text).unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(event.payload).unwrap(),
                whole["payload"]
            );
            let paired = (name != "session.status").then_some("15551230001@c.us");
            assert_eq!(event.me.as_ref().map(|me| me.id.as_str()), paired);
        }
    }

    fn sample() -> Value {
        json!({"id": "evt_1", "timestamp": 1, "event": "message", "session": "one"})
    }

    #[test]
    fn what_not_every_event_has_may_be_missing() {
        let text = sample().to_string();
        let event = EventEnvelope::parse(&text).unwrap();
        assert_eq!((event.payload, event.me, event.engine), ("null", None, None));

        let mut odd = sample();
        odd["me"] = json!("nobody");
        odd["environment"] = json!([]);
        odd["engine"] = json!({"engine": "NOWEB"});
        let text = odd.to_string();
        let event = EventEnvelope::parse(&text).unwrap();
        assert_eq!((event.me, event.engine, event.version), (None, None, None));
    }

    #[test]
    fn what_every_event_has_must_be_as_waha_writes_it() {
        for field in ["id", "timestamp", "event", "session"] {
            let mut without = sample();
            without.as_object_mut().unwrap().remove(field);
            assert_eq!(
                EventEnvelope::parse(&without.to_string()),
                Err(BrokenEnvelope::Shape),
                "{field}"
            );
            for value in [
                json!(null),
                json!([]),
                json!(""),
                json!("a\u{0}b"),
                json!("x".repeat(129)),
            ] {
                let mut faulty = sample();
                faulty[field] = value.clone();
                assert!(
                    EventEnvelope::parse(&faulty.to_string()).is_err(),
                    "{field}: {value}"
                );
            }
        }
        let mut early = sample();
        early["timestamp"] = json!(-1);
        assert_eq!(
            EventEnvelope::parse(&early.to_string()),
            Err(BrokenEnvelope::Field("timestamp"))
        );
        let text = sample().to_string();
        let twice = text.replacen('{', r#"{"session":"other","#, 1);
        for text in ["", "null", "[]", "{}", "{", &twice, &format!("{text} {text}")] {
            assert_eq!(EventEnvelope::parse(text), Err(BrokenEnvelope::Shape), "{text}");
        }
    }

    #[test]
    fn debug_output_says_nothing_of_what_happened() {
        let text = RECORDED[1].1;
        let event = EventEnvelope::parse(text).unwrap();
        let shown = format!("{event:?}");
        for hidden in ["hello", "1555", "org1_main"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
