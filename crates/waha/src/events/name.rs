//! The names of events.

use std::fmt;

/// An event's name. Those here are the ones that WAHA 2026.2.1 accepts in a webhook's `events`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventName {
    /// A session's state changed, or its QR code was renewed.
    SessionStatus,
    /// A message came in.
    Message,
    /// Somebody reacted to a message.
    MessageReaction,
    /// A message came in or went out. One that came in is told as [`Message`](Self::Message) too, with
    /// another event id and the same message id.
    MessageAny,
    /// A message that went out got further.
    MessageAck,
    /// The same for one member of a group.
    MessageAckGroup,
    /// A message came in that cannot be read yet.
    MessageWaiting,
    /// A message was taken back.
    MessageRevoked,
    /// A message was changed.
    MessageEdited,
    /// The engine's own state changed.
    StateChange,
    /// Somebody joined a group (older form).
    GroupJoin,
    /// Somebody left a group (older form).
    GroupLeave,
    /// The session's account joined a group, or was added to it.
    GroupV2Join,
    /// The session's account left a group, or was removed from it.
    GroupV2Leave,
    /// A group was changed.
    GroupV2Update,
    /// Members of a group came, left or got another role.
    GroupV2Participants,
    /// Somebody is there, types, or went away.
    PresenceUpdate,
    /// Somebody voted in a poll.
    PollVote,
    /// A vote could not be read.
    PollVoteFailed,
    /// A chat was archived or brought back.
    ChatArchive,
    /// Somebody calls.
    CallReceived,
    /// A call was taken.
    CallAccepted,
    /// A call was declined.
    CallRejected,
    /// A label was made or changed.
    LabelUpsert,
    /// A label was deleted.
    LabelDeleted,
    /// A chat got a label.
    LabelChatAdded,
    /// A chat lost a label.
    LabelChatDeleted,
    /// Somebody answered an invitation to an event.
    EventResponse,
    /// Such an answer could not be read.
    EventResponseFailed,
    /// Whatever the engine says.
    EngineEvent,
    /// A name that this crate does not know.
    Other(String),
}

macro_rules! words {
    ($($name:ident = $word:literal,)+) => {
        impl EventName {
            /// WAHA's word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for EventName {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$name,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        #[cfg(test)]
        const WORDS: &[&str] = &[$($word,)+];
    };
}

words! {
    SessionStatus = "session.status",
    Message = "message",
    MessageReaction = "message.reaction",
    MessageAny = "message.any",
    MessageAck = "message.ack",
    MessageAckGroup = "message.ack.group",
    MessageWaiting = "message.waiting",
    MessageRevoked = "message.revoked",
    MessageEdited = "message.edited",
    StateChange = "state.change",
    GroupJoin = "group.join",
    GroupLeave = "group.leave",
    GroupV2Join = "group.v2.join",
    GroupV2Leave = "group.v2.leave",
    GroupV2Update = "group.v2.update",
    GroupV2Participants = "group.v2.participants",
    PresenceUpdate = "presence.update",
    PollVote = "poll.vote",
    PollVoteFailed = "poll.vote.failed",
    ChatArchive = "chat.archive",
    CallReceived = "call.received",
    CallAccepted = "call.accepted",
    CallRejected = "call.rejected",
    LabelUpsert = "label.upsert",
    LabelDeleted = "label.deleted",
    LabelChatAdded = "label.chat.added",
    LabelChatDeleted = "label.chat.deleted",
    EventResponse = "event.response",
    EventResponseFailed = "event.response.failed",
    EngineEvent = "engine.event",
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        assert_eq!(WORDS.len(), 30);
        for word in WORDS {
            let name = EventName::from(*word);
            assert_eq!(name.as_str(), *word);
            assert!(!matches!(name, EventName::Other(_)), "{word}");
        }
        assert_eq!(EventName::from("future.event").to_string(), "future.event");
    }
}
