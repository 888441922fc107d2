//! The client against local servers that answer what WAHA answers, or misbehave.

#![expect(clippy::unwrap_used, reason = "what sets a test up may fail loudly")]

mod connections;
mod fake;
mod files;
mod reads;
mod refusals;
mod sends;
mod sessions;
mod streamed;
