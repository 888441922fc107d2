//! The name that an organization gives a session.

use std::fmt;

use rand::RngExt;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// A session's name: 1 to 54 of `A-Z a-z 0-9 _ -`, unique in its organization, case-sensitive. The
/// rule is WAHA's own, so that every name works on both faces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(String);

/// The text cannot be a session's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSessionName {
    /// Too long, empty, or other characters.
    #[error("must be 1 to 54 characters of A-Z, a-z, 0-9, _ and -")]
    Characters,
    /// A path could mean the name or an id.
    #[error("must not be a UUID")]
    Uuid,
    /// A path could mean the name or another route.
    #[error("is a reserved word; choose another name")]
    Reserved,
}

/// The longest name.
const MAX_LENGTH: usize = 54;

/// Words that stand where a session's name can stand in a route of either face, in lower case. No
/// letter case of them can be a name.
pub const RESERVED_SESSION_NAMES: [&str; 28] = [
    "apps",
    "auth",
    "checknumberstatus",
    "contacts",
    "files",
    "forwardmessage",
    "health",
    "keys",
    "logout",
    "mcp",
    "messages",
    "metrics",
    "ping",
    "platform",
    "reaction",
    "reply",
    "screenshot",
    "send",
    "server",
    "sessions",
    "star",
    "start",
    "starttyping",
    "stop",
    "stoptyping",
    "version",
    "waha",
    "ws",
];

impl SessionName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, InvalidSessionName> {
        let sound = (1..=MAX_LENGTH).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !sound {
            return Err(InvalidSessionName::Characters);
        }
        if Uuid::parse_str(text).is_ok() {
            return Err(InvalidSessionName::Uuid);
        }
        let lower = text.to_ascii_lowercase();
        if RESERVED_SESSION_NAMES.contains(&lower.as_str()) || lower.starts_with("send") {
            return Err(InvalidSessionName::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    /// A name for a session whose creator gave none.
    #[must_use]
    pub fn generate() -> Self {
        Self(format!("session_{:08x}", rand::rng().random::<u32>()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SessionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_names() {
        for text in ["a", "sales", "Sales_2-b", "0812", "default", &"x".repeat(54)] {
            assert_eq!(SessionName::parse(text).unwrap().as_str(), text);
        }
        assert!(SessionName::parse(SessionName::generate().as_str()).is_ok());
        assert_ne!(SessionName::parse("sales"), SessionName::parse("Sales"));
    }

    #[test]
    fn tricks_are_not() {
        let characters = [
            "",
            "a b",
            "a/b",
            "..",
            "a.b",
            "a%2fb",
            "s\u{430}les",
            "a\u{200B}b",
            "a\0b",
            "a;b",
            "a\n",
            "ａ",
            &"x".repeat(55),
        ];
        for text in characters {
            assert_eq!(
                SessionName::parse(text),
                Err(InvalidSessionName::Characters),
                "{text:?}"
            );
        }
        for text in [
            "0190a3b1-7c44-7def-8a51-0123456789ab",
            "0190a3b17c447def8a510123456789ab",
        ] {
            assert_eq!(SessionName::parse(text), Err(InvalidSessionName::Uuid));
        }
        for text in ["start", "Stop", "server", "sendText", "sendAnything"] {
            assert_eq!(
                SessionName::parse(text),
                Err(InvalidSessionName::Reserved),
                "{text}"
            );
        }
    }
}
