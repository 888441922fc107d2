//! What is done about numbers that WhatsApp restricts (463, 475): their queue rests. To go on sending is what turns a
//! restriction into a ban.

use std::time::Duration;

use tokio::time::timeout;
use waha_client::NumberRestriction;
use wahana_domain::Timestamp;
use wahana_store::upkeep::{Restriction, Upkeep};

use crate::ready::Ready;

/// How long a session's queue rests after WhatsApp named a restriction whose end is not known.
const REST: Duration = Duration::from_hours(6);
/// How long it is waited for WAHA to say when a restriction ends.
const ASKED_FOR: Duration = Duration::from_secs(5);
/// Ends farther away than this are no ends that WhatsApp set.
const LONGEST: Duration = Duration::from_hours(24 * 90);

/// Why a session's queue rests, and until when.
pub(super) struct Rest {
    pub(super) reason: String,
    pub(super) until: Timestamp,
}

/// Whether a session's queue rests at a moment.
pub(super) fn rest(upkeep: &Upkeep, now: Timestamp) -> Option<Rest> {
    let restriction = upkeep.restriction.as_ref()?;
    let until = restriction
        .until
        .or_else(|| Some(upkeep.restricted_at?.plus(REST)))?;
    let reason = in_words(restriction);
    (until > now).then_some(Rest { reason, until })
}

/// What a restriction is, for people.
pub(super) fn in_words(restriction: &Restriction) -> String {
    let what = &restriction.reason;
    match restriction.until {
        Some(until) => format!("WhatsApp restricts the number of this session until {until}: {what}."),
        None => {
            format!(
                "WhatsApp restricts the number of this session, and WAHA does not say until when: {what}."
            )
        }
    }
}

/// Since when a restriction whose end is not known must have been heard of at the latest, for its rest to be over.
pub(super) fn rested(now: Timestamp) -> Timestamp {
    now.minus(REST)
}

/// What is to be remembered of a restriction that WhatsApp named; asks WAHA when it ends.
pub(super) async fn heard(ready: &Ready, restriction: NumberRestriction, now: Timestamp) -> Restriction {
    let asked = ready.waha().restriction_end(ready.waha_name(), restriction);
    let end = match timeout(ASKED_FOR, asked).await {
        Ok(Ok(end)) => end.map(Timestamp::from_seconds),
        // Most versions and engines cannot tell.
        Ok(Err(_)) | Err(_) => None,
    };
    Restriction {
        reason: restriction.as_str().to_owned(),
        until: end.filter(|end| *end > now && *end < now.plus(LONGEST)),
    }
}
