//! The organization's events as WAHA tells them, for receivers that were made for WAHA.

use serde::Serialize;
use serde_json::{Value, json};
use wahana_domain::{
    DeliveryStatus, Direction, EventId, Happening, MessageKind, PhoneNumber, Timestamp,
    organization_event::{Call, GroupChange, MessageProgress},
};
use wahana_store::messages::DescribedMessage;

use crate::organization_events::MediaBody;

/// The events of WAHA that there are, by the words by which receivers choose them.
pub(crate) const NAMES: [&str; 9] = [
    SESSION_STATUS,
    MESSAGE,
    MESSAGE_ANY,
    MESSAGE_ACK,
    CALL_RECEIVED,
    GROUP_JOIN,
    GROUP_LEAVE,
    GROUP_UPDATE,
    GROUP_PARTICIPANTS,
];
const SESSION_STATUS: &str = "session.status";
const MESSAGE: &str = "message";
const MESSAGE_ANY: &str = "message.any";
const MESSAGE_ACK: &str = "message.ack";
const CALL_RECEIVED: &str = "call.received";
const GROUP_JOIN: &str = "group.v2.join";
const GROUP_LEAVE: &str = "group.v2.leave";
const GROUP_UPDATE: &str = "group.v2.update";
const GROUP_PARTICIPANTS: &str = "group.v2.participants";

/// An event of a session, with what is known of it when it is told.
pub(crate) struct SessionEvent<'a> {
    /// Its id.
    pub(crate) id: EventId,
    /// When it happened.
    pub(crate) happened_at: Timestamp,
    /// The session's name in the organization, never that on WAHA.
    pub(crate) session_name: &'a str,
    /// The session's number, once paired.
    pub(crate) phone_number: Option<&'a PhoneNumber>,
    /// What happened.
    pub(crate) happening: &'a Happening,
    /// The message that it is about, as far as it is still kept.
    pub(crate) message: Option<&'a DescribedMessage>,
    /// What that message says, as far as it is still kept.
    pub(crate) text: Option<&'a str>,
    /// The file of that message.
    pub(crate) media: Option<&'a MediaBody>,
}

/// What WAHA writes around each of its events (seen on 2026.2.1).
#[derive(Serialize)]
struct Envelope<'a> {
    id: String,
    timestamp: i64,
    event: &'a str,
    session: &'a str,
    metadata: Value,
    me: Option<Value>,
    payload: Value,
    engine: Option<&'a str>,
    environment: Value,
}

/// The names of WAHA's events for what happened; none where WAHA has nothing like it. An incoming message is told by
/// two, as WAHA does it, and receivers want one of them.
pub(crate) fn names(happening: &Happening) -> &'static [&'static str] {
    match happening {
        // WAHA tells the same status again when there is a new code.
        Happening::SessionStatus(_) | Happening::SessionQr => &[SESSION_STATUS],
        Happening::MessageReceived(_) => &[MESSAGE, MESSAGE_ANY],
        Happening::MessageSent(_) => &[MESSAGE_ANY],
        Happening::MessageStatus(progress)
            if !was_refused(progress) && acknowledgement(progress).is_some_and(|ack| ack != PENDING) =>
        {
            &[MESSAGE_ACK]
        }
        Happening::CallReceived(_) => &[CALL_RECEIVED],
        Happening::GroupChanged(change) => match change.change.as_str() {
            "joined" => &[GROUP_JOIN],
            "left" => &[GROUP_LEAVE],
            "updated" => &[GROUP_UPDATE],
            _ => &[GROUP_PARTICIPANTS],
        },
        Happening::MessageStatus(_)
        | Happening::SessionCreated
        | Happening::SessionDeleted
        | Happening::SessionHealth(_)
        | Happening::WebhookEndpointDisabled(_) => &[],
    }
}

/// An event's body as WAHA writes it under one of its [`names`]; `None` for another name, and for a message that is
/// not kept any more or never had an id at WAHA.
///
/// Every field is there that WAHA 2026.2.1 writes (engine NOWEB), but for `_data`, which is the engine's own, and
/// for what fits no other field:
///
/// - around all: `id` (`evt_…`, the same each time that it is told, and another for each name), `timestamp` in
///   milliseconds, `event`, `session` (the organization's own name for it), `me.id`. Empty are `metadata`,
///   `me.pushName`, `me.lid`, `engine` and all of `environment`, which tell of the server and not of the event.
/// - `session.status`: `name`, `status` and `statuses` with this one alone. A session that its server does not know
///   any more is `STOPPED`.
/// - `message`, `message.any`: `id`, `timestamp` in seconds, `from` (the chat), in groups `participant`, `fromMe`,
///   `source` (`api` if it was handed to wahana), `body` (null unless what messages say is kept), `hasMedia`, `media`
///   (`url` is a link to wahana that needs no credential for an hour), `ack` and `ackName`. Always null are
///   `location`, `vCards` and `replyTo`.
/// - `message.ack`: `id`, `from`, `fromMe`, `ack` and `ackName`; a message that was played counts as read.
/// - `call.received`: `id`, `from`, `timestamp` in seconds, `isVideo` and `isGroup`.
/// - `group.v2.…`: `group.id` and `timestamp`; `group.v2.participants` has no `type` (null) and names nobody.
pub(crate) fn render(name: &str, event: &SessionEvent<'_>) -> Option<String> {
    let place = names(event.happening).iter().position(|told| *told == name)?;
    let payload = match event.happening {
        Happening::SessionStatus(change) => status(event, change.waha_status.as_deref().unwrap_or("STOPPED")),
        Happening::SessionQr => status(event, "SCAN_QR_CODE"),
        Happening::MessageReceived(progress) | Happening::MessageSent(progress) => message(event, progress)?,
        Happening::MessageStatus(progress) => message_ack(event, progress)?,
        Happening::CallReceived(call) => received_call(event, call),
        Happening::GroupChanged(change) => group(event, name, change),
        _ => return None,
    };
    let me = |number: &PhoneNumber| {
        let digits = number.as_str().trim_start_matches('+');
        json!({"id": format!("{digits}@c.us"), "pushName": null, "lid": null})
    };
    let envelope = Envelope {
        id: envelope_id(event.id, place),
        timestamp: milliseconds(event.happened_at),
        event: name,
        session: event.session_name,
        metadata: json!({}),
        me: event.phone_number.map(me),
        payload,
        engine: None,
        environment: json!({
            "version": null, "engine": null, "tier": null, "browser": null, "platform": null,
            "worker": {"id": null},
        }),
    };
    serde_json::to_string(&envelope).ok()
}

/// `evt_` and a ULID in small letters. Ids of events are UUIDs of version 7, which begin with the time as ULIDs do;
/// the last bits, which are random, tell two names of one event apart.
fn envelope_id(id: EventId, place: usize) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut number = id.as_uuid().as_u128() ^ place as u128;
    let mut letters = [b'0'; 26];
    for letter in letters.iter_mut().rev() {
        let [.., last] = number.to_be_bytes();
        *letter = LETTERS[usize::from(last & 0x1f)];
        number >>= 5;
    }
    format!("evt_{}", letters.map(char::from).iter().collect::<String>())
}

const fn milliseconds(at: Timestamp) -> i64 {
    at.as_micros() / 1000
}

fn status(event: &SessionEvent<'_>, status: &str) -> Value {
    json!({
        "name": event.session_name,
        "status": status,
        "statuses": [{"status": status, "timestamp": milliseconds(event.happened_at)}],
    })
}

/// A number and WAHA's word for it.
type Ack = (i64, &'static str);
const PENDING: Ack = (0, "PENDING");

/// What WAHA says of a message that is so far; `None` if WAHA does not know of it yet, or will not.
fn acknowledgement(progress: &MessageProgress) -> Option<Ack> {
    match DeliveryStatus::from_word(&progress.status)? {
        DeliveryStatus::Failed => Some((-1, "ERROR")),
        DeliveryStatus::Accepted => Some(PENDING),
        DeliveryStatus::Sent => Some((1, "SERVER")),
        DeliveryStatus::Delivered | DeliveryStatus::Received => Some((2, "DEVICE")),
        DeliveryStatus::Read => Some((3, "READ")),
        DeliveryStatus::Queued
        | DeliveryStatus::Sending
        | DeliveryStatus::Cancelled
        | DeliveryStatus::Expired
        | DeliveryStatus::Unknown => None,
    }
}

/// Whether WAHA refused the message when it was handed over, and so never gave it an id by which it could tell of it.
fn was_refused(progress: &MessageProgress) -> bool {
    let before = progress
        .previous_status
        .as_deref()
        .and_then(DeliveryStatus::from_word);
    DeliveryStatus::from_word(&progress.status) == Some(DeliveryStatus::Failed)
        && matches!(before, Some(DeliveryStatus::Queued | DeliveryStatus::Sending))
}

fn message(event: &SessionEvent<'_>, progress: &MessageProgress) -> Option<Value> {
    let message = event.message?;
    let (ack, ack_name) = acknowledgement(progress).unwrap_or(PENDING);
    let has_media = matches!(
        message.kind,
        MessageKind::Image
            | MessageKind::Video
            | MessageKind::Voice
            | MessageKind::Audio
            | MessageKind::Document
            | MessageKind::Sticker
    );
    let mut payload = json!({
        "id": message.waha_message_id.as_deref()?,
        "timestamp": message.at.as_seconds(),
        "from": message.chat_id,
        "fromMe": message.direction == Direction::Outgoing,
        "source": if message.is_handed_in { "api" } else { "app" },
        "body": event.text,
        "hasMedia": has_media,
        "media": event.media.map(media),
        "ack": ack,
        "ackName": ack_name,
        "location": null,
        "vCards": null,
        "replyTo": null,
    });
    if let Some(sender) = &message.sender
        && *sender != message.chat_id
    {
        payload["participant"] = json!(sender);
    }
    Some(payload)
}

/// The file as WAHA says it, at wahana.
fn media(file: &MediaBody) -> Value {
    json!({
        "url": file.url,
        "mimetype": file.mimetype,
        "filename": file.filename,
        "error": file.url.is_none().then_some("The file is not kept."),
    })
}

fn message_ack(event: &SessionEvent<'_>, progress: &MessageProgress) -> Option<Value> {
    let message = event.message?;
    let (ack, ack_name) = acknowledgement(progress)?;
    Some(json!({
        "id": message.waha_message_id.as_deref()?,
        "from": message.chat_id,
        "fromMe": message.direction == Direction::Outgoing,
        "ack": ack,
        "ackName": ack_name,
    }))
}

fn received_call(event: &SessionEvent<'_>, call: &Call) -> Value {
    json!({
        "id": call.call_id,
        "from": call.from,
        "timestamp": event.happened_at.as_seconds(),
        "isVideo": call.is_video,
        "isGroup": call.is_group,
    })
}

fn group(event: &SessionEvent<'_>, name: &str, change: &GroupChange) -> Value {
    let mut payload = json!({
        "group": {"id": change.group_id},
        "timestamp": milliseconds(event.happened_at),
    });
    if name == GROUP_PARTICIPANTS {
        payload["type"] = Value::Null;
        payload["participants"] = json!([]);
    }
    payload
}

#[cfg(test)]
mod tests;
