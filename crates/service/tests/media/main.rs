//! Files of messages: fetched, kept and deleted, on both databases. One program, because each links both drivers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, and a step that fails ends its test"
)]

mod ending;
mod erasure;
mod export;
mod fetching;
mod keeping;
mod links;
mod organization_erasure;
mod organization_remains;
mod receiver;
mod world;
