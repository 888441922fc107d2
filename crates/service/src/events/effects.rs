//! What one event changes.

use std::time::Duration;

use waha_client::events::{
    AcknowledgementNews, CallNews, EventEnvelope, EventNews, GroupNews, MessageNews, StatusNews,
};
use wahana_domain::{
    DeliveryStatus, Direction, Happening, MessageKind, NewOrganizationEvent, Session, Timestamp,
    organization_event::{Call, GroupChange},
};
use wahana_store::{
    StoreError, TenantTx,
    activity::{Counts, Tally},
    events::StoredEvent,
    messages::{self, Acknowledgement, Ledger},
    organization_events, sessions,
};

use crate::{media::ReceivedFile, sync::phone_number};

/// An event that took longer to arrive was delivered again, perhaps hours later: whatever it says of a session's
/// status may have been seen otherwise since.
const PROMPT: Duration = Duration::from_secs(10);
/// Where WhatsApp shows stories; nobody writes to anybody there.
const STORIES: &str = "status@broadcast";

/// What came of an event.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Whether WAHA should be asked how its sessions are now.
    pub(super) is_doubtful: bool,
    /// Whether it says what the session's status is now, which may not be what is wanted.
    pub(super) is_status: bool,
    /// The file that a message has, which is to be kept.
    pub(super) file: Option<ReceivedFile>,
}

/// What an event says; `None`, with a word in the log, if it cannot be understood.
pub(super) fn read(session: &Session, event: &StoredEvent) -> Option<EventNews> {
    let news = match EventEnvelope::parse(&event.payload) {
        Ok(envelope) => envelope.news().map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match news {
        Ok(news) => Some(news),
        Err(reason) => {
            tracing::warn!(
                organization.id = %session.organization_id,
                session.id = %session.id,
                event.kind = event.kind,
                event.id = event.event_id,
                reason,
                "an event of WAHA's could not be understood and changes nothing"
            );
            None
        }
    }
}

/// The key of the message that an event speaks of, if it speaks of one.
pub(super) fn message_key(news: &EventNews) -> Option<&str> {
    match news {
        EventNews::Message(news) => Some(&news.key),
        EventNews::Acknowledgement(news) => Some(&news.key),
        EventNews::Status(_) | EventNews::Call(_) | EventNews::GroupChange(_) | EventNews::Other => None,
    }
}

/// Takes what one event of a session says into account, in the transaction that ends its waiting.
pub(super) async fn take_in(
    tx: &TenantTx,
    session: &Session,
    event: &StoredEvent,
    news: EventNews,
    (messages, tally): (&mut Ledger, &mut Tally),
) -> Result<Effect, StoreError> {
    // Nothing comes in before it happened; WAHA's clock may be ahead.
    let happened_at = event.happened_at.min(event.received_at);
    let mut effect = Effect::default();
    match news {
        EventNews::Status(news) => {
            let is_latest = sessions::hear(tx, session.id, &status(&news, happened_at)).await?;
            effect.is_status = is_latest;
            effect.is_doubtful = is_latest && event.received_at.since(happened_at) > PROMPT;
        }
        EventNews::Message(news) => {
            let file = ReceivedFile::of(&news);
            if let Some(news) = message(news, happened_at, event.received_at) {
                messages.hear(&news);
                effect.file = file;
            }
        }
        EventNews::Acknowledgement(news) => {
            if let Some(news) = acknowledgement(news) {
                messages.acknowledge(&news);
            }
        }
        EventNews::Call(news) => {
            let counts = Counts {
                calls: 1,
                ..Default::default()
            };
            tally.add(happened_at, &counts);
            tell(tx, session, happened_at, call(news));
        }
        EventNews::GroupChange(news) => {
            let counts = Counts {
                group_changes: 1,
                ..Default::default()
            };
            tally.add(happened_at, &counts);
            tell(tx, session, happened_at, group_change(news));
        }
        EventNews::Other => {}
    }
    Ok(effect)
}

/// Notes for the organization what changes no row of its own.
fn tell(tx: &TenantTx, session: &Session, happened_at: Timestamp, happening: Happening) {
    let event = NewOrganizationEvent {
        session: Some(session.id),
        message: None,
        happened_at,
        happening,
    };
    organization_events::raise(tx, event);
}

fn call(news: CallNews) -> Happening {
    Happening::CallReceived(Call {
        call_id: news.id,
        from: news.from,
        is_video: news.is_video,
        is_group: news.is_group,
    })
}

fn group_change(news: GroupNews) -> Happening {
    let change = match news.change {
        waha_client::events::GroupChange::Joined => "joined",
        waha_client::events::GroupChange::Left => "left",
        waha_client::events::GroupChange::Updated => "updated",
        waha_client::events::GroupChange::Participants => "participants",
    };
    Happening::GroupChanged(GroupChange {
        group_id: news.group_id,
        change: change.to_owned(),
    })
}

fn status(news: &StatusNews, happened_at: Timestamp) -> sessions::StatusNews {
    sessions::StatusNews {
        waha_status: news.status.as_str().to_owned(),
        phone_number: news.me.as_ref().and_then(phone_number),
        happened_at,
    }
}

/// What is kept of a message; `None` for what is none to anybody.
fn message(
    news: MessageNews,
    happened_at: Timestamp,
    received_at: Timestamp,
) -> Option<messages::MessageNews> {
    if news.chat_id == STORIES {
        return None;
    }
    let kind = kind(news.kind, news.has_media)?;
    // Whole seconds, so that both of WAHA's events of a message name the same time.
    let sent_at = news.timestamp.map(Timestamp::from_seconds);
    let acknowledged = news.ack.and_then(DeliveryStatus::from_acknowledgement);
    Some(messages::MessageNews {
        direction: if news.from_me {
            Direction::Outgoing
        } else {
            Direction::Incoming
        },
        status: if news.from_me {
            acknowledged.unwrap_or(DeliveryStatus::Accepted)
        } else {
            DeliveryStatus::Received
        },
        key: news.key,
        waha_message_id: news.id,
        chat_id: news.chat_id,
        kind,
        sender: news.sender,
        // PostgreSQL has no place for this character.
        text: news
            .body
            .filter(|text| !text.is_empty())
            .map(|text| text.replace('\0', "")),
        reply_to: news.reply_to,
        is_from_api: news.is_from_api,
        happened_at: sent_at.unwrap_or(happened_at).min(received_at),
    })
}

/// What a message carries; `None` for what is no message of its own.
const fn kind(kind: waha_client::MessageKind, has_media: bool) -> Option<MessageKind> {
    use waha_client::MessageKind as Waha;
    Some(match kind {
        Waha::Text | Waha::Other if has_media => MessageKind::Document,
        Waha::Text => MessageKind::Text,
        Waha::Image => MessageKind::Image,
        Waha::Video => MessageKind::Video,
        Waha::Audio => MessageKind::Audio,
        Waha::Voice => MessageKind::Voice,
        Waha::Document => MessageKind::Document,
        Waha::Sticker => MessageKind::Sticker,
        Waha::Location => MessageKind::Location,
        Waha::Contact => MessageKind::Contact,
        Waha::Poll => MessageKind::Poll,
        Waha::Other => MessageKind::Other,
        Waha::Reaction | Waha::Revoked => return None,
    })
}

/// What an acknowledgement says; `None` if that is nothing new of any message that was sent.
fn acknowledgement(news: AcknowledgementNews) -> Option<Acknowledgement> {
    let status = DeliveryStatus::from_acknowledgement(news.ack)?;
    (news.from_me && status > DeliveryStatus::Accepted).then_some(Acknowledgement {
        key: news.key,
        waha_message_id: news.id,
        status,
    })
}
