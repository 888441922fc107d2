//! Sending and reading through a (simulated) WAHA, over wahana's real routes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test whose surroundings are missing has failed"
)]

mod erasing;
mod exporting;
mod fairness;
mod history;
mod idempotency;
mod kept_files;
mod media;
mod pacing;
mod privacy;
mod queued;
mod reading;
mod recognised;
mod restricted;
mod sending;
mod uploads;
mod wahana;
mod waiting_files;
