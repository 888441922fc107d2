//! Finding out what became of a message of which nobody knows whether it was sent: WAHA is asked for it by the key
//! that wahana chose. It is sent again only if WAHA does not have it and the organization wants that. Where WAHA takes no
//! key, the message's own event tells, if it can be recognised.

use std::time::Duration;

use waha_client::WahaError;
use wahana_domain::{AuditOutcome, DeliveryStatus, ErrorCode, Month, OutgoingMessage, Timestamp};
use wahana_store::{
    Tenant, TenantTx,
    messages::{self as stored, Head},
    organizations, sessions,
};

use super::{
    attempt::{Sender, accept, not_sent},
    outgoing::operation,
};
use crate::{ServiceError, Services, audit, ready::Ready};

/// When WAHA is first asked, after the answer was lost.
pub(super) const FIRST: Duration = Duration::from_secs(2);
/// How long after that it is asked again while it does not have the message. A call that was given up may still be
/// carried out, so only the last answer counts.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_secs(50),
    Duration::from_mins(2),
];
/// How long it is waited while WAHA cannot be asked.
const WHILE_AWAY: Duration = Duration::from_secs(30);
/// For how long it is tried to ask at all.
const GIVE_UP_AFTER: Duration = Duration::from_hours(24);

const NOT_THERE: &str = "WAHA did not answer when it was sent, was asked for it later, and does not have it: it was \
                         not sent.";
const SENT_AGAIN: &str = "WAHA did not answer when it was sent, was asked for it later, and does not have it: it is \
                          sent again.";

/// What WAHA says of a message.
enum Said {
    Has(waha_client::SentMessage),
    HasNot,
    /// It cannot be asked now.
    Nothing,
    /// It can never be asked: its engine keeps no messages.
    Never,
}

/// Asks WAHA for one message, and writes down what follows.
pub(super) async fn settle(
    services: &Services,
    tenant: Tenant,
    ready: Option<&Ready>,
    head: &Head,
) -> Result<(), ServiceError> {
    let said = match (ready, &head.key) {
        (Some(ready), Some(key)) => ask(ready, head, key).await,
        (None, Some(_)) => Said::Nothing,
        (_, None) => Said::Never,
    };
    let message = &head.message;
    let tx = services.store.write(tenant).await?;
    sessions::lock(&tx, message.session_id).await?;
    let now = tx.now();
    // An event may have told meanwhile.
    let known = stored::get(&tx, message.id).await?;
    if known.is_none_or(|known| known.status != DeliveryStatus::Unknown) {
        stored::wait_to_settle(&tx, message.id, None).await?;
        return Ok(tx.commit().await?);
    }
    let said = match (said, &head.key) {
        (Said::Never, None) => recognised(&tx, message).await?,
        (said, _) => said,
    };
    let age = now.since(message.updated_at);
    let mut outcome = None;
    match said {
        Said::Has(sent) => {
            let sent_at = sent.timestamp.map_or(message.updated_at, Timestamp::from_seconds);
            accept(&tx, message.session_id, message.id, &sent, sent_at).await?;
            stored::wait_to_settle(&tx, message.id, None).await?;
            outcome = Some(AuditOutcome::Success);
        }
        Said::HasNot => {
            let next_time = next(age).map(|wait| now.plus(wait));
            stored::wait_to_settle(&tx, message.id, next_time).await?;
            if next_time.is_none() {
                outcome = was_not_sent(&tx, message).await?;
            }
        }
        Said::Nothing if age < GIVE_UP_AFTER => {
            stored::wait_to_settle(&tx, message.id, Some(now.plus(WHILE_AWAY))).await?;
        }
        Said::Nothing | Said::Never => stored::wait_to_settle(&tx, message.id, None).await?,
    }
    if let (Some(outcome), Some(requester)) = (outcome, &head.requester) {
        let sender = Sender::later(tenant, requester.clone());
        let operation = operation(message.kind);
        audit::record_for(&tx, &sender.actor(), operation, message.session_id, outcome).await?;
    }
    Ok(tx.commit().await?)
}

/// What WAHA's events say of a message that has no key.
async fn recognised(tx: &TenantTx, message: &OutgoingMessage) -> Result<Said, ServiceError> {
    let recognised = stored::recognise(tx, message).await?;
    Ok(recognised.map_or(Said::Never, |recognised| {
        Said::Has(waha_client::SentMessage {
            id: recognised.waha_message_id,
            key: recognised.key,
            chat_id: message.chat_id.as_str().to_owned(),
            timestamp: Some(recognised.happened_at.as_micros() / 1_000_000),
        })
    }))
}

/// Writes down that a message was not sent; says how that ends, unless it is sent again.
async fn was_not_sent(
    tx: &TenantTx,
    message: &OutgoingMessage,
) -> Result<Option<AuditOutcome>, ServiceError> {
    let organization = organizations::get(tx).await?;
    let may_resend = organization.is_some_and(|organization| organization.resends_lost_messages);
    if may_resend && message.is_asynchronous && message.expires_at.is_none_or(|at| at > tx.now()) {
        stored::put_back(tx, message.id, SENT_AGAIN).await?;
        return Ok(None);
    }
    stored::set_outcome(tx, message.id, DeliveryStatus::Failed, NOT_THERE).await?;
    not_sent(tx, message.id, Month::of(message.created_at)).await?;
    Ok(Some(audit::failure(ErrorCode::WahaTimeout)))
}

/// How long it is waited until WAHA is asked again that does not have a message whose answer was lost so long ago;
/// `None` if that was the last time.
fn next(age: Duration) -> Option<Duration> {
    let mut due = FIRST;
    for wait in AGAIN {
        due += wait;
        if age < due {
            return Some(due.saturating_sub(age).max(Duration::from_secs(1)));
        }
    }
    None
}

async fn ask(ready: &Ready, head: &Head, key: &str) -> Said {
    let chat = head.message.chat_id.as_str();
    let id = format!("true_{chat}_{key}");
    match ready.waha().message(ready.waha_name(), chat, &id, false).await {
        Ok(message) => Said::Has(waha_client::SentMessage {
            id,
            key: key.to_owned(),
            chat_id: chat.to_owned(),
            timestamp: message.timestamp,
        }),
        Err(WahaError::NotFound) => Said::HasNot,
        Err(WahaError::Unsupported { .. }) => Said::Never,
        Err(_) => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waha_is_asked_a_few_times_before_its_no_is_believed() {
        let (mut age, mut asked) = (FIRST, 1);
        while let Some(wait) = next(age) {
            age += wait;
            asked += 1;
        }
        assert_eq!(asked, 4);
        assert_eq!(age, FIRST + AGAIN.iter().sum::<Duration>());
    }
}
