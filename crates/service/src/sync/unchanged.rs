//! Recognizing a list that says nothing new, so that it need not be compared with every known session.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, LazyLock},
    time::Duration,
};

use waha_client::{ConfigDigest, WahaSession};
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

/// What the configurations of a server's sessions are recognized by, under the sessions' names on WAHA.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configurations {
    all: u64,
    by_name: Arc<HashMap<String, Option<ConfigDigest>>>,
}

impl Configurations {
    /// Those of a list; what was known before, if nothing has changed.
    pub(super) fn of(sessions: &[WahaSession], known: &Self) -> Self {
        let mut hasher = HASH_KEYS.build_hasher();
        for session in sessions {
            session.name.hash(&mut hasher);
            session.config_digest.hash(&mut hasher);
        }
        let all = hasher.finish();
        if all == known.all {
            return known.clone();
        }
        let by_name = sessions
            .iter()
            .map(|session| (session.name.clone(), session.config_digest))
            .collect();
        Self {
            all,
            by_name: Arc::new(by_name),
        }
    }

    /// Whether all are the same.
    pub(crate) const fn equal(&self, other: &Self) -> bool {
        self.all == other.all
    }

    /// Whether a session is there now and its configuration is another than it was then.
    pub(crate) fn differs_since(&self, earlier: &Self, name: &str) -> bool {
        let now = self.by_name.get(name);
        now.is_some() && now != earlier.by_name.get(name)
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
