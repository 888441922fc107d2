//! Messages: those that are handed to wahana, and those that come in.

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
    /// An audio file that is no voice message. Only received.
    Audio,
    /// A sticker. Only received.
    Sticker,
    /// A place. Only received.
    Location,
    /// One or more contacts. Only received.
    Contact,
    /// A poll. Only received.
    Poll,
    /// Something else, or not known yet. Only received.
    Other,
}

impl MessageKind {
    /// Whether it is counted as a medium.
    #[must_use]
    pub const fn is_media(self) -> bool {
        matches!(
            self,
            Self::Image | Self::Video | Self::Voice | Self::Document | Self::Audio | Self::Sticker
        )
    }
}

/// What became of a message. Never better than what is known.
///
/// Messages only advance in the order in which the words stand here, whatever order the news of them arrive in.
/// A failure stands above `Sent`, because WhatsApp may refuse what its server took, and below `Delivered`,
/// because what arrived did not fail. What WAHA or WhatsApp says of a message stands above all that wahana
/// decided by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryStatus {
    /// It waits for its turn.
    Queued,
    /// It is being handed to WAHA.
    Sending,
    /// It was taken back before its turn came, and was not sent.
    Cancelled,
    /// Its time was over before its turn came, and it was not sent.
    Expired,
    /// WAHA was asked and did not answer: it may have been sent.
    Unknown,
    /// WAHA took it.
    Accepted,
    /// WhatsApp's server has it.
    Sent,
    /// It was not handed over, or WAHA or WhatsApp refused it.
    Failed,
    /// It is on the phone that it is for.
    Delivered,
    /// It was read, or played.
    Read,
    /// It came in.
    Received,
}

impl DeliveryStatus {
    /// What an acknowledgement of WhatsApp's says of an outgoing message: -1 error, 0 pending, 1 on
    /// WhatsApp's server, 2 on the phone, 3 read, 4 played. `None` for other numbers.
    #[must_use]
    pub const fn from_acknowledgement(number: i64) -> Option<Self> {
        Some(match number {
            -1 => Self::Failed,
            0 => Self::Accepted,
            1 => Self::Sent,
            2 => Self::Delivered,
            3 | 4 => Self::Read,
            _ => return None,
        })
    }

    /// Whether it is still to be handed to WAHA, or is just being.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Sending)
    }
}

/// A message that was handed to wahana for sending, without what it says.
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
    /// Its place among those of its session that wait: not before then, and after those whose time came
    /// earlier.
    pub due_at: Timestamp,
    /// When it is not to be sent any more, if it was not until then.
    pub expires_at: Option<Timestamp>,
    /// Whether nobody waits for what becomes of it.
    pub is_asynchronous: bool,
    /// Why it came no further, in words.
    pub reason: Option<String>,
    /// When it was sent, once WAHA took it.
    pub sent_at: Option<Timestamp>,
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
words!(MessageKind { Text => "text", Image => "image", Video => "video", Voice => "voice", Document => "document", Audio => "audio", Sticker => "sticker", Location => "location", Contact => "contact", Poll => "poll", Other => "other", });
words!(DeliveryStatus { Queued => "queued", Sending => "sending", Cancelled => "cancelled", Expired => "expired", Unknown => "unknown", Accepted => "accepted", Sent => "sent", Failed => "failed", Delivered => "delivered", Read => "read", Received => "received", });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_only_advance_a_message() {
        let words = [0, 1, -1, 2, 3].map(|number| DeliveryStatus::from_acknowledgement(number).unwrap());
        assert!(words.is_sorted(), "{words:?}");
        assert!(words[0] > DeliveryStatus::Unknown && DeliveryStatus::Unknown > DeliveryStatus::Sending);
        assert_eq!(
            DeliveryStatus::from_acknowledgement(4),
            Some(DeliveryStatus::Read)
        );
        assert_eq!(DeliveryStatus::from_acknowledgement(5), None);
    }

    #[test]
    fn what_waha_says_stands_above_what_was_decided_here() {
        use DeliveryStatus as Status;
        for here in [
            Status::Queued,
            Status::Sending,
            Status::Cancelled,
            Status::Expired,
        ] {
            assert!(here < Status::Unknown && here < Status::Accepted, "{here:?}");
            assert_eq!(here.is_open(), here < Status::Cancelled, "{here:?}");
        }
    }

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
