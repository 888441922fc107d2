//! What WAHA servers tell by themselves: taking their events in, and having them sent.
//!
//! An event is believed when its signature belongs to the hook at which it came in, stored once, and then
//! answered; what it changes is applied afterwards.

mod apply;
mod dispatch;
mod effects;
mod gap;
mod intake;
mod wake;
mod webhook;

use std::time::Duration;

use apply::Haste;
pub use apply::apply_session;
pub use dispatch::dispatch;
pub use waha_client::events::{SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER};
use wahana_domain::Timestamp;
pub use wahana_store::{Hook, HookKeyId};

pub(crate) use gap::Gap;
pub(crate) use intake::Intake;
pub use intake::{Delivery, Refusal, Taken, take};
pub(crate) use wake::Wake;
pub use webhook::{GlobalHook, MissingHookUrl};
pub(crate) use webhook::{
    Webhook, foreign_webhooks, global, has_webhook_of, set_foreign_webhooks, without_webhook,
};

/// How old an event may be. WAHA keeps trying for a day, and each attempt may take a minute.
const OLDEST: Duration = Duration::from_hours(48);
/// How far WAHA's clock may be ahead of ours.
const EARLIEST: Duration = Duration::from_mins(5);

/// Whether an event of this time may come in now.
fn is_timely(happened_at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if happened_at < now.minus(OLDEST) {
        Err(Refusal::TooOld)
    } else if happened_at > now.plus(EARLIEST) {
        Err(Refusal::FromTheFuture)
    } else {
        Ok(())
    }
}

/// Says what the counts of this module mean, to be called once a process that shows counts.
pub fn describe_metrics() {
    metrics::describe_counter!(
        intake::EVENTS,
        "Events that WAHA servers sent, by what became of them"
    );
    metrics::describe_gauge!(
        gap::GAP,
        "1 while changes on a WAHA server are found without an event that says so"
    );
}
