//! The erasure of a chat: of everything that an organization keeps of it.

use crate::{ChatId, ErasureId, Timestamp};

/// The erasure of a chat, and how far it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// The chat; `None` once nothing is left of it.
    pub chat_id: Option<ChatId>,
    /// How many messages were erased so far.
    pub messages: u64,
    /// In how many events the chat was erased so far.
    pub events: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When nothing was left.
    pub finished_at: Option<Timestamp>,
}
