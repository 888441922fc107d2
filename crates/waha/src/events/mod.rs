//! What WAHA tells by webhook: the envelope of every event, and the signature by which to know that it is
//! WAHA's.

mod calls_and_groups;
mod envelope;
mod name;
mod payload;
mod signature;

pub use calls_and_groups::{CallNews, GroupChange, GroupNews};
pub use envelope::{BrokenEnvelope, EventEnvelope};
pub use name::EventName;
pub use payload::{AcknowledgementNews, EventNews, MessageNews, StatusNews, UnreadablePayload};
pub use signature::{SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER, SignatureRefused, sign, verify};
