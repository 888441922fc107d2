//! Limits and quotas as callers meet them, on both databases.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, and a step that fails ends its test"
)]

mod messages;
mod people;
mod quota;
mod redis;
mod requests;
