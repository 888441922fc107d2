//! How fresh answers about sessions are.

use std::time::Duration;

use super::reader::Reader;

/// How fresh answers about sessions are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    /// How old what is known of a WAHA server may be, before it is asked again.
    pub(crate) max_age: Duration,
    /// How long a read waits for that, before it answers from what is known.
    pub(crate) wait: Duration,
}

const MAX_AGE_NAME: &str = "sync.max_age_seconds";
const WAIT_NAME: &str = "sync.wait_seconds";

pub(super) fn read(reader: &mut Reader<'_>) -> Sync {
    Sync {
        max_age: Duration::from_secs(reader.number(MAX_AGE_NAME, 5, 1, 300)),
        wait: Duration::from_secs(reader.number(WAIT_NAME, 2, 0, 30)),
    }
}

impl Sync {
    pub(super) fn shown(self) -> Vec<(&'static str, String)> {
        vec![
            (MAX_AGE_NAME, self.max_age.as_secs().to_string()),
            (WAIT_NAME, self.wait.as_secs().to_string()),
        ]
    }
}
