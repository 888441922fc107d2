//! The platform API, over a real database.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows test functions, but not what they call"
)]

mod harness;
mod organizations;
mod refusals;
mod servers;
mod sessions;
mod tokens;
mod users;
