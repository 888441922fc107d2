//! From a status and a body that is not a success to the error it means. WAHA's words are those of 2026.2.1;
//! 2024.10.8 has the same or fewer of them.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::SessionStatus;
use crate::error::{NumberRestriction, RefusalMessage, WahaError};

/// What refusals of WAHA, of its engines and of its body parser say in one place or another.
#[derive(Default)]
struct Facts {
    /// `message`, a text or a list of texts.
    message: Option<String>,
    /// `error`: the reason in refusals about a session's state, else only the name of the status.
    error: Option<String>,
    /// `status`: the state of a session in the wrong state.
    status: Option<SessionStatus>,
    /// `expected`: the states it should be in.
    expected: Vec<SessionStatus>,
    /// `exception.name` and `exception.message` of a status 500.
    exception_name: Option<String>,
    exception_message: Option<String>,
}

/// The error that a refusal means. `body` may be cut off.
pub(crate) fn classify(status: u16, is_html: bool, body: &[u8]) -> WahaError {
    if matches!(status, 401 | 403) {
        return WahaError::KeyRefused { status };
    }
    let facts = Facts::scan(body);
    if status >= 500 {
        return facts.server_error(status);
    }
    let is_text = !body.trim_ascii().is_empty() && !body.trim_ascii_start().starts_with(b"{");
    if is_html || is_text {
        // A proxy's own limits are refusals; any other page comes from something that is not WAHA.
        return match status {
            408 | 413 | 429 => WahaError::Rejected {
                status,
                message: RefusalMessage::default(),
            },
            _ => WahaError::BrokenAnswer {
                status,
                what: "it is a web page or plain text".to_owned(),
            },
        };
    }
    facts.client_error(status)
}

impl Facts {
    /// Takes what can be found. The end of a cut-off body is an error of the parser, but not of the scan.
    fn scan(body: &[u8]) -> Self {
        let mut facts = Self::default();
        let mut json = serde_json::Deserializer::from_slice(body);
        if json.deserialize_map(FactsVisitor(&mut facts)).is_err() {
            // What stands before the fault is in `facts` and is all there is to know.
            return facts;
        }
        facts
    }

    fn client_error(self, status: u16) -> WahaError {
        if let (Some(status), false) = (self.status, self.expected.is_empty()) {
            return WahaError::WrongState {
                status,
                expected: self.expected,
            };
        }
        let said = self.message.or(self.error).unwrap_or_default();
        let says = |words: &str| said.contains(words);
        // Status 422: "Session \"x\" does not exist"; status 404: "Session not found".
        if (says("Session \"") && says("does not exist")) || says("Session not found") {
            return WahaError::UnknownSession;
        }
        if says("We didn't find a session with name") {
            return WahaError::NotRunning;
        }
        if says("already exists. Use PUT to update it") {
            return WahaError::AlreadyExists;
        }
        if says_unsupported(&said) {
            return WahaError::Unsupported {
                message: RefusalMessage::new(&said),
            };
        }
        // "Cannot GET /api/…" is Nest's answer for a path that this version does not have.
        if status == 404 && said.starts_with("Cannot ") {
            return WahaError::Unsupported {
                message: RefusalMessage::new("this WAHA has no such call"),
            };
        }
        if status == 404 || (says("Message with id") && says("not found")) {
            return WahaError::NotFound;
        }
        WahaError::Rejected {
            status,
            message: RefusalMessage::new(&said),
        }
    }

    fn server_error(self, status: u16) -> WahaError {
        // Waiting for the lock timed out, so the work did not begin.
        let said = self.exception_message.as_deref().unwrap_or_default();
        if said.starts_with("async-lock timed out") {
            return WahaError::Busy;
        }
        if status == 501 {
            let said = self.message.unwrap_or_default();
            return WahaError::Unsupported {
                message: RefusalMessage::new(&said),
            };
        }
        WahaError::ServerError {
            status,
            restriction: NumberRestriction::named_in(said),
            exception_name: self.exception_name.filter(|name| is_identifier(name)),
        }
    }
}

/// Features that this edition, engine or configuration lacks.
fn says_unsupported(said: &str) -> bool {
    [
        "only in Plus version",
        "WAHA Core support only",
        "not available in this edition",
        "is not implemented by",
        "engine doesn't support",
        "Enable NOWEB store",
    ]
    .iter()
    .any(|words| said.contains(words))
}

/// An exception's name is kept only if it can be nothing but a name.
fn is_identifier(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

struct FactsVisitor<'a>(&'a mut Facts);

impl<'de> Visitor<'de> for FactsVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a refusal")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let facts = self.0;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "message" => facts.message = text(&map.next_value()?),
                "error" => facts.error = text(&map.next_value()?),
                "status" => facts.status = state(&map.next_value()?),
                "expected" => facts.expected = states(&map.next_value()?),
                "exception" => {
                    let exception: Value = map.next_value()?;
                    facts.exception_name = exception.get("name").and_then(text);
                    facts.exception_message = exception.get("message").and_then(text);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A text, or the texts of a list one after the other.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(texts) => Some(
            texts
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join("; "),
        ),
        _ => None,
    }
}

/// A session's state, whose words are capitals. Anything else is not taken, because errors show states.
fn state(value: &Value) -> Option<SessionStatus> {
    let word = value.as_str()?;
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_word.then(|| word.into())
}

fn states(value: &Value) -> Vec<SessionStatus> {
    value.as_array().into_iter().flatten().filter_map(state).collect()
}
