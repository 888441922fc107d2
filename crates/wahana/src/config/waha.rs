//! How long calls to WAHA may take.

use std::time::Duration;

use waha_client::{TimeLimit, Timeouts};

use super::reader::Reader;

/// How long calls to WAHA may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waha {
    /// A send, from the first byte to the last.
    pub(crate) send: Duration,
    /// A read of chats, contacts, groups and messages.
    pub(crate) read: Duration,
}

const SEND_NAME: &str = "waha.send_seconds";
const READ_NAME: &str = "waha.read_seconds";
/// Longer than any conversion of media takes.
const MOST: u64 = 600;

pub(super) fn read(reader: &mut Reader<'_>) -> Waha {
    Waha {
        send: Duration::from_secs(reader.number(SEND_NAME, 55, 1, MOST)),
        read: Duration::from_secs(reader.number(READ_NAME, 55, 1, MOST)),
    }
}

impl Waha {
    /// The limits of every kind of call.
    pub(crate) fn timeouts(self) -> Timeouts {
        let defaults = Timeouts::default();
        Timeouts {
            send: TimeLimit {
                idle: self.send,
                total: Some(self.send),
            },
            read: TimeLimit {
                idle: defaults.read.idle.min(self.read),
                total: Some(self.read),
            },
            ..defaults
        }
    }

    pub(super) fn shown(self) -> Vec<(&'static str, String)> {
        vec![
            (SEND_NAME, self.send.as_secs().to_string()),
            (READ_NAME, self.read.as_secs().to_string()),
        ]
    }
}
