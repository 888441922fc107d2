//! Where WAHA servers send their events: what is believed, and how it comes that they do.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that lacks what it needs has failed"
)]

mod believed;
mod configured;
mod crowds;
mod gaps;
mod imported;
mod living;
mod moved;
mod refused;
mod restarts;
mod storage_away;
mod storms;
mod taken_over;
mod world;
