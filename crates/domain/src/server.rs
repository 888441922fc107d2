//! WAHA servers.

use secrecy::SecretString;

use crate::{ServerId, Timestamp};

/// One upstream WAHA. Its key is in here in clear, and does not print itself.
#[derive(Clone, Debug)]
pub struct WahaServer {
    /// Its id.
    pub id: ServerId,
    /// What operators call it.
    pub name: String,
    /// Where it is, such as `http://127.0.0.1:3000/`.
    pub base_url: String,
    /// The key that opens it.
    pub api_key: SecretString,
    /// How many sessions it may hold; `None` for as many as come.
    pub capacity: Option<i32>,
    /// When its session list was last read, to about half a minute.
    pub last_snapshot_at: Option<Timestamp>,
    /// The version of its own hook's key, from 1.
    pub hook_version: i64,
    /// When an event of it last came in, to about ten seconds.
    pub last_event_at: Option<Timestamp>,
    /// Since when its sessions change without an event that says so.
    pub event_gap_since: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When its row last changed.
    pub updated_at: Timestamp,
}
