//! What is told of messages when their rows change. Whatever changes a row says it here.

use wahana_domain::{
    DeliveryStatus, Direction, Happening, MessageId, NewOrganizationEvent, SessionId, Timestamp,
    organization_event::MessageProgress,
};

use crate::{TenantTx, entity::message::Model, organization_events::raise};

/// Notes what is new about a message. One of which nothing but an acknowledgement is known is not told of before it
/// is described.
pub(super) fn changed(tx: &TenantTx, before: Option<&Model>, after: &Model) {
    let was_told = before.filter(|row| row.happened_at.is_some() || is_before_waha(row));
    if let Some(at) = after.happened_at
        && before.is_none_or(|row| row.happened_at.is_none())
    {
        let progress = MessageProgress {
            status: after.status.clone(),
            previous_status: None,
        };
        let happening = if after.direction == Direction::Incoming.as_str() {
            Happening::MessageReceived(progress)
        } else {
            Happening::MessageSent(progress)
        };
        tell(tx, after, Timestamp::from_micros(at), happening);
    }
    if let Some(before) = was_told
        && before.status != after.status
    {
        status(tx, after, Some(&before.status), &after.status);
    }
}

/// Notes that a message which wahana sends, or is to send, has another status; `None` before if it is new.
pub(super) fn status(tx: &TenantTx, row: &Model, before: Option<&str>, after: &str) {
    let progress = MessageProgress {
        status: after.to_owned(),
        previous_status: before.map(str::to_owned),
    };
    tell(tx, row, tx.now(), Happening::MessageStatus(progress));
}

/// Whether only wahana knows of a message, because WAHA did not take it yet or was not heard to.
fn is_before_waha(row: &Model) -> bool {
    DeliveryStatus::from_word(&row.status).is_some_and(|status| status < DeliveryStatus::Accepted)
}

fn tell(tx: &TenantTx, row: &Model, happened_at: Timestamp, happening: Happening) {
    let event = NewOrganizationEvent {
        session: Some(SessionId::from(row.session_id)),
        message: Some(MessageId::from(row.id)),
        happened_at,
        happening,
    };
    raise(tx, event);
}
