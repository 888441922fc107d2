//! Messages that are handed to wahana.

use std::fmt;

use crate::{ChatId, MessageId, SessionId, Timestamp, words::words};

/// Whether a message was sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// By the session.
    Outgoing,
    /// By the session's WhatsApp account.
    Incoming,
}

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Text.
    Text,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A voice message.
    Voice,
    /// Any other file.
    Document,
}

/// What became of a message. Never better than what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It is being handed to WAHA.
    Sending,
    /// WAHA took it.
    Accepted,
    /// It was not handed over, or WAHA refused it.
    Failed,
    /// WAHA was asked and did not answer: it may have been sent.
    Unknown,
}

/// A message that was handed to wahana for sending. Its content is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// wahana's id for it.
    pub id: MessageId,
    /// The session that sends it.
    pub session_id: SessionId,
    /// Whom it is for.
    pub chat_id: ChatId,
    /// What it carries.
    pub kind: MessageKind,
    /// What became of it.
    pub status: DeliveryStatus,
    /// WAHA's id for it, once WAHA took it.
    pub waha_message_id: Option<String>,
    /// When it was handed to wahana.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
}

/// What a message says, of at most `MAX` characters. It is for WhatsApp alone, so it does not print
/// itself.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageText<const MAX: usize>(String);

/// The text cannot be sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessageText {
    /// There is nothing to be seen in it.
    #[error("must not be empty")]
    Empty,
    /// More characters than allowed.
    #[error("must be at most {0} characters long")]
    TooLong(usize),
}

impl<const MAX: usize> MessageText<MAX> {
    /// Checks a text; it is sent as it is, with the spaces around it.
    pub fn parse(text: String) -> Result<Self, InvalidMessageText> {
        if text.trim().is_empty() {
            return Err(InvalidMessageText::Empty);
        }
        if text.chars().count() > MAX {
            return Err(InvalidMessageText::TooLong(MAX));
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Debug for MessageText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText({} bytes)", self.0.len())
    }
}

words!(Direction { Outgoing => "outgoing", Incoming => "incoming", });
words!(MessageKind { Text => "text", Image => "image", Video => "video", Voice => "voice", Document => "document", });
words!(DeliveryStatus { Sending => "sending", Accepted => "accepted", Failed => "failed", Unknown => "unknown", });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_counted_in_characters_and_kept_as_they_are() {
        let text = |text: &str| MessageText::<4>::parse(text.to_owned());
        assert_eq!(text(" ü\n€").unwrap().as_str(), " ü\n€");
        assert_eq!(text("abcde"), Err(InvalidMessageText::TooLong(4)));
        for empty in ["", " \n\t"] {
            assert_eq!(text(empty), Err(InvalidMessageText::Empty), "{empty:?}");
        }
        assert_eq!(format!("{:?}", text("abc").unwrap()), "MessageText(3 bytes)");
    }
}
