//! What WAHA's events change, on both databases. One program, because each links both drivers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, and a step that fails ends its test"
)]

mod disorder;
mod messages;
mod sessions;
mod waiting;
mod world;
