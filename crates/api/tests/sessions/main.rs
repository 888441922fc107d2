//! Sessions and their synchronization, over HTTP and against a simulated WAHA, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test whose surroundings are missing has failed"
)]

mod audit;
mod client;
mod create;
mod events;
mod existence;
mod freshness;
mod list;
mod loss;
mod moving;
mod numbers;
mod pairing;
mod placement;
mod reconcile;
mod scripted;
mod secrecy;
mod snapshots;
mod start;
mod statuses;
mod stop;
mod update;
mod wishes;
mod world;
mod zero_characters;
