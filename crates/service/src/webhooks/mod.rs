//! The organization's own webhooks: what happens in it is delivered to addresses that it names, at least once each.
//!
//! Events become deliveries (`fan_out`), which are tried when they are due (`dispatch`, `turn`), by a schedule that
//! takes more than a day. What a delivery says is made when it is tried (`bodies`).

mod bodies;
mod deliveries;
mod dispatch;
mod endpoints;
mod fan_out;
mod import;
mod names;
mod sending;
mod sweep;
mod turn;
mod waha_event;

use std::sync::Arc;

use tokio::sync::Notify;
use wahana_domain::Clock;
pub use wahana_store::{
    organization_events::EventRange,
    webhooks::{DeliveryQuery, Replayed},
};

pub(crate) use self::import::{ImportPlan, Offered, plan as plan_import, read as read_offered, withdraw};
use self::sending::Sender;
pub use self::{
    deliveries::{DeliveryPage, attempts, page, replay, replay_failed, replay_range, test},
    dispatch::dispatch,
    endpoints::{CreatedEndpoint, EndpointUpdate, NewWebhook, create, delete, list, rotate_secret, update},
    fan_out::fan_out,
    import::{ImportOutcome, Rest, WebhookImport},
    names::event_names,
};
use crate::AllowedNetwork;

/// How many endpoints an organization may have.
pub const MAX_ENDPOINTS: u64 = 20;
/// How many headers of its own an endpoint may have.
pub const MAX_HEADERS: usize = 10;

/// What sends webhooks in this process, and what wakes it. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sender: Sender,
    due: Notify,
}

impl Webhooks {
    /// Sends to the internet, and to what the operator allowed.
    pub(crate) fn new(allowed: &[AllowedNetwork], clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            sender: Sender::new(allowed, clock),
            due: Notify::new(),
        }))
    }

    fn sender(&self) -> &Sender {
        &self.0.sender
    }

    /// Says that something is due.
    fn wake(&self) {
        self.0.due.notify_one();
    }

    /// Waits until something is said to be due. For one who waits.
    async fn woken(&self) {
        self.0.due.notified().await;
    }
}

/// Says what the counts of this module mean, to be called once a process that shows counts.
pub fn describe_metrics() {
    metrics::describe_counter!(
        turn::ATTEMPTS,
        "Attempts to deliver events to webhooks of organizations, by what became of the delivery"
    );
}
