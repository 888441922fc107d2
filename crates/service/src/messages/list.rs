//! Reading the messages of a chat. wahana keeps none itself, so they are WAHA's.

use waha_client::MessageKey;
use wahana_domain::{ChatId, Direction, Session, Timestamp};

use crate::{
    Part, PartQuery, ServiceError, Services,
    access::{Granted, Owned, ReadMessages},
    ready::Ready,
};

/// Which messages are wanted.
#[derive(Clone, Debug)]
pub struct MessagesQuery {
    /// Of this chat.
    pub chat_id: ChatId,
    /// Only those sent, or only those received.
    pub direction: Option<Direction>,
    /// Sent then or later.
    pub since: Option<Timestamp>,
    /// Sent then or earlier.
    pub until: Option<Timestamp>,
    /// Which part of them.
    pub part: PartQuery,
}

/// A message of a chat. Its text is the organization's alone, so it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// WAHA's id.
    pub waha_message_id: String,
    /// The chat.
    pub chat_id: String,
    /// Whether the session's account sent it.
    pub direction: Direction,
    /// What it is, such as `text`, `image` or `location`.
    pub kind: &'static str,
    /// Its text, or the text below its file.
    pub text: Option<String>,
    /// Its file.
    pub media: Option<Media>,
    /// How far it came: `failed`, `pending`, `sent`, `delivered`, `read` or `played`.
    pub status: Option<&'static str>,
    /// When it was sent.
    pub timestamp: Option<Timestamp>,
    /// Who sent it, unless the session's account did.
    pub sender: Option<String>,
    /// WhatsApp's key of the message that it answers.
    pub reply_to: Option<String>,
}

/// The file of a message, without the file itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// Its type.
    pub mimetype: Option<String>,
    /// Its name; only documents have one.
    pub filename: Option<String>,
    /// Its size in bytes, as the sender's phone gave it.
    pub size: Option<i64>,
}

/// A part of a chat's messages, newest first.
pub async fn list(
    services: &Services,
    access: &Granted<ReadMessages>,
    session: &Owned<Session>,
    query: &MessagesQuery,
) -> Result<Part<Message>, ServiceError> {
    let ready = Ready::find(services, access, session).await?;
    let asked = waha_client::MessagesQuery {
        limit: query.part.limit_to_ask(),
        offset: query.part.offset,
        order: Some(waha_client::SortOrder::Descending),
        since: query.since.map(seconds_up),
        until: query.until.map(Timestamp::as_seconds),
        from_me: query.direction.map(|direction| direction == Direction::Outgoing),
        download_media: false,
    };
    let messages = ready
        .waha()
        .messages(ready.waha_name(), query.chat_id.as_str(), &asked)
        .await
        .map_err(|error| ready.failed_to_read(services, access.context(), "messages.list", &error))?;
    Ok(query.part.part(messages, Message::from))
}

impl From<waha_client::Message> for Message {
    fn from(message: waha_client::Message) -> Self {
        Self {
            waha_message_id: message.id,
            chat_id: message.chat_id,
            direction: if message.from_me {
                Direction::Outgoing
            } else {
                Direction::Incoming
            },
            kind: message.kind.as_str(),
            text: message.body,
            media: message.media.map(|media| Media {
                mimetype: media.mimetype,
                filename: media.filename,
                size: media.size_bytes,
            }),
            status: message.ack.and_then(status),
            timestamp: message.timestamp.map(Timestamp::from_seconds),
            sender: message.sender,
            // Some engines give the whole id, others the key alone.
            reply_to: message
                .reply_to
                .map(|to| MessageKey::parse(&to.id).map_or(to.id, |parsed| parsed.key)),
        }
    }
}

/// WhatsApp's acknowledgements in words.
const fn status(ack: i64) -> Option<&'static str> {
    match ack {
        -1 => Some("failed"),
        0 => Some("pending"),
        1 => Some("sent"),
        2 => Some("delivered"),
        3 => Some("read"),
        4 => Some("played"),
        _ => None,
    }
}

/// The first whole second that is not before this: WAHA knows no parts of seconds.
fn seconds_up(time: Timestamp) -> i64 {
    let seconds = time.as_seconds();
    seconds + i64::from(Timestamp::from_seconds(seconds) < time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_second_before_is_not_since() {
        assert_eq!(seconds_up(Timestamp::from_seconds(7)), 7);
        assert_eq!(seconds_up(Timestamp::from_micros(7_000_001)), 8);
    }
}
