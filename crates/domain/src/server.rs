//! WAHA servers.

use secrecy::SecretString;

use crate::{OrganizationId, ServerId, Timestamp};

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
    /// How many calls to it may be under way at a time; `None` for the default.
    pub concurrency: Option<i32>,
    /// How many calls to it may begin in a second; `None` for as many as come.
    pub requests_per_second: Option<i32>,
    /// The only organization that gets new sessions on it; `None` if all share it.
    pub organization: Option<OrganizationId>,
    /// Since when nothing is started, repaired or placed on it.
    pub paused_at: Option<Timestamp>,
    /// Since when no new session is placed on it, so that it empties.
    pub draining_at: Option<Timestamp>,
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

impl WahaServer {
    /// Whether a new session of this organization may be placed on it, if it has room.
    #[must_use]
    pub fn takes_sessions_of(&self, organization: OrganizationId) -> bool {
        self.paused_at.is_none()
            && self.draining_at.is_none()
            && self.organization.is_none_or(|only| only == organization)
    }

    /// Whether there is room for another session beside this many.
    #[must_use]
    pub fn has_room_beside(&self, sessions: i64) -> bool {
        self.capacity.is_none_or(|room| sessions < i64::from(room))
    }
}
