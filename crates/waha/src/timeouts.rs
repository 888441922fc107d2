//! How long each kind of call may take.

use std::time::Duration;

/// The kinds of calls, told apart by how long WAHA may rightly take to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Answered from WAHA's memory: list or get sessions, who a session is, version, ping.
    Quick,
    /// Read through the WhatsApp engine: chats, messages, contacts, groups, pictures. WAHA 2026.2.1 waits up
    /// to 10 s for a session in the wrong state before it refuses.
    Read,
    /// Changes a session: create, update, start, stop, restart, log out, delete. WAHA 2026.2.1 waits up to 5
    /// s for the session's lock, sleeps 3 s in a stop, and gives up on the work after 30 s.
    Change,
    /// Sends a message, or shows that one is being typed. WAHA may convert media first and waits up to 10 s for a session in the wrong state.
    Send,
    /// QR and pairing codes. WAHA 2026.2.1 never answers a request for a code while the session is starting.
    Pairing,
    /// Downloads of files, whose whole duration depends on their size.
    File,
}

/// The limits of one kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimit {
    /// The longest silence: until the answer begins, and then between two pieces of it.
    pub idle: Duration,
    /// The longest whole call, from the start of the request to the end of the answer; `None` is unlimited.
    pub total: Option<Duration>,
}

impl TimeLimit {
    /// A limit from two numbers of seconds.
    const fn seconds(idle: u64, total: u64) -> Self {
        Self {
            idle: Duration::from_secs(idle),
            total: Some(Duration::from_secs(total)),
        }
    }
}

/// The limits of every kind of call. Connecting has its own limit, which belongs to the shared
/// [`HttpClient`](crate::HttpClient) and ought to be shorter than every `idle` here: only a failure that is
/// known to have happened while connecting proves that a call was not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For [`CallKind::Quick`]; 10 s silence, 20 s in all.
    pub quick: TimeLimit,
    /// For [`CallKind::Read`]; 30 s silence, 55 s in all.
    pub read: TimeLimit,
    /// For [`CallKind::Change`]; 45 s, which is WAHA's own longest time with a margin.
    pub change: TimeLimit,
    /// For [`CallKind::Send`]; 55 s, silence too, because uploading and converting media counts as such. Proxies
    /// often give up after 60 s, and whoever waits behind one should hear first what is known.
    pub send: TimeLimit,
    /// For [`CallKind::Pairing`]; 30 s.
    pub pairing: TimeLimit,
    /// For [`CallKind::File`]; 30 s silence, no limit in all.
    pub file: TimeLimit,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            quick: TimeLimit::seconds(10, 20),
            read: TimeLimit::seconds(30, 55),
            change: TimeLimit::seconds(45, 45),
            send: TimeLimit::seconds(55, 55),
            pairing: TimeLimit::seconds(30, 30),
            file: TimeLimit {
                idle: Duration::from_secs(30),
                total: None,
            },
        }
    }
}

impl Timeouts {
    /// The limit of a kind of call.
    #[must_use]
    pub const fn of(&self, kind: CallKind) -> TimeLimit {
        match kind {
            CallKind::Quick => self.quick,
            CallKind::Read => self.read,
            CallKind::Change => self.change,
            CallKind::Send => self.send,
            CallKind::Pairing => self.pairing,
            CallKind::File => self.file,
        }
    }
}
