//! Webhooks: addresses to which the organization's events are delivered, and the deliveries.
//!
//! Nothing is written for webhooks in the transactions in which events happen. An endpoint has a position among the
//! organization's events, whose numbers are in the order of commits and without gaps; [`fan_out()`] makes deliveries of
//! what follows it, and moves it, in one transaction. A delivery refers to its event, and what it says is made when it
//! is tried.
//!
//! Whoever changes an endpoint or its deliveries holds the lock of the endpoint's row.

mod attempts;
mod deliveries;
mod endpoints;
mod fan_out;
mod replay;

pub use attempts::{
    AttemptEnd, AttemptOutcome, ClaimedDelivery, ClaimedEndpoint, attempts_of, claim, conclude, give_back,
};
pub use deliveries::{DeliveryQuery, delivery, page};
pub(crate) use deliveries::{forget_events, forget_messages, is_waiting, point_to};
pub use endpoints::{
    EndpointChange, NewEndpoint, Signing, count, delete, delete_deliveries, disable, end_pause, endpoint,
    endpoints, give_up_waiting, hasten_waiting, insert, lock, lock_all, rotate, signing_of, update,
};
pub(crate) use endpoints::{HEADERS, SECRET, belonging, has_no_pause};
pub use fan_out::{FannedOut, ToldAs, fan_out};
pub use replay::{Replayed, replay_delivery, replay_failed, replay_range, send_test};
