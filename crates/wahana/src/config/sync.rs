//! How new what wahana says of sessions must be.

use std::time::Duration;

use super::reader::Reader;

/// How new what wahana says of sessions must be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    /// How old an answer about a session may be.
    pub(crate) max_age: Duration,
    /// How long a read waits for news from WAHA.
    pub(crate) wait: Duration,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Sync {
    let mut seconds = |name, default, most| Duration::from_secs(reader.number(name, default, 1, most));
    Sync {
        max_age: seconds("sync.max_age_seconds", 5, 300),
        wait: seconds("sync.wait_seconds", 2, 30),
    }
}

impl Sync {
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("sync.max_age_seconds", self.max_age.as_secs().to_string()),
            ("sync.wait_seconds", self.wait.as_secs().to_string()),
        ]
    }
}
