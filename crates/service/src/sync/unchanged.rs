//! Recognizing a list that says nothing new, so that it need not be compared with every known session.

use std::{
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::LazyLock,
    time::Duration,
};

use waha_client::WahaSession;
use wahana_domain::Timestamp;
use wahana_store::SessionChanges;

/// How long a list is not compared again while neither it nor any session changes: what only time makes
/// true, such as that WAHA should know a session by now, shows after that at the latest.
const COMPARE_AT_LEAST_EVERY: Duration = Duration::from_secs(15);

/// Secret, so that nobody can make two lists that are taken for the same.
static HASH_KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// What of a server's list is compared, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed(u64);

impl Listed {
    pub(super) fn new(sessions: &[WahaSession]) -> Self {
        let mut hasher = HASH_KEYS.build_hasher();
        for session in sessions {
            session.name.hash(&mut hasher);
            session.status.as_str().hash(&mut hasher);
            session.me.as_ref().map(|me| &me.id).hash(&mut hasher);
        }
        Self(hasher.finish())
    }
}

/// What was last compared: a list with the sessions that stood like this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared {
    pub(super) listed: Listed,
    pub(super) sessions: SessionChanges,
    pub(super) asked_at: Timestamp,
}

impl Compared {
    /// Whether to compare again would find nothing.
    pub(super) fn covers(&self, now: &Self) -> bool {
        // A time in the future means that the clock was set back, and says nothing.
        let is_recent =
            self.asked_at <= now.asked_at && now.asked_at.since(self.asked_at) < COMPARE_AT_LEAST_EVERY;
        is_recent && self.listed == now.listed && self.sessions == now.sessions
    }
}
