//! The rows as the databases keep them. Times are microseconds since 1970 on both, so that they
//! compare and sort alike; words are text. Nothing outside this crate sees these types.

#![expect(
    unreachable_pub,
    reason = "the derive makes public types; this module is what keeps them in"
)]

pub(crate) mod access_token;
pub(crate) mod access_token_session;
pub(crate) mod audit_entry;
pub(crate) mod erased_message;
pub(crate) mod erased_waha_name;
pub(crate) mod erasure;
pub(crate) mod export;
pub(crate) mod idempotency_key;
pub(crate) mod invitation;
pub(crate) mod job;
pub(crate) mod lease;
pub(crate) mod media_file;
pub(crate) mod membership;
pub(crate) mod message;
pub(crate) mod message_content;
pub(crate) mod message_usage;
pub(crate) mod organization;
pub(crate) mod organization_erasure;
pub(crate) mod organization_event;
pub(crate) mod organization_event_counter;
pub(crate) mod password_reset;
pub(crate) mod platform_token;
pub(crate) mod process;
pub(crate) mod session;
pub(crate) mod session_activity;
pub(crate) mod session_leftover;
pub(crate) mod session_transition;
pub(crate) mod session_upkeep;
pub(crate) mod sign_in;
pub(crate) mod user;
pub(crate) mod user_password;
pub(crate) mod waha_event;
pub(crate) mod waha_server;
pub(crate) mod webhook_attempt;
pub(crate) mod webhook_delivery;
pub(crate) mod webhook_endpoint;

#[cfg(test)]
mod schema;
