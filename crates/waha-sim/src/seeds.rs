//! What is put into a simulator by hand.

use serde_json::Value;

use crate::{http::config, messages::chat_id, sessions::Status};

/// A session to be put in by hand.
#[derive(Clone, Debug)]
pub struct SessionSeed {
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) phone: Option<String>,
    pub(crate) config: Option<Value>,
    pub(crate) is_never_scanned: bool,
}

impl SessionSeed {
    /// A session that works, with a generated phone and NOWEB's store on.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            status: Status::Working,
            phone: None,
            config: Some(config::with_store(None)),
            is_never_scanned: false,
        }
    }

    /// Nobody scans its QR codes, however many are shown: it waits for as long as the simulator runs.
    #[must_use]
    pub fn never_scanned(mut self) -> Self {
        self.is_never_scanned = true;
        self
    }

    /// Its status. Every status but WORKING is unpaired unless a phone is given.
    #[must_use]
    pub fn status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// The number of its phone, digits only; it is then paired.
    #[must_use]
    pub fn phone(mut self, number: &str) -> Self {
        self.phone = Some(number.to_owned());
        self
    }

    /// Its whole configuration, as `POST /api/sessions` takes it, unchecked; `null` for none.
    #[must_use]
    pub fn config(mut self, config: Value) -> Self {
        self.config = (!config.is_null()).then_some(config);
        self
    }
}

/// A chat to be put on a session's phone.
#[derive(Clone, Debug)]
pub struct ChatSeed {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) messages: Vec<(bool, u64, String)>,
}

impl ChatSeed {
    /// An empty chat.
    #[must_use]
    pub fn new(chat: &str) -> Self {
        Self {
            id: chat_id(chat),
            name: None,
            messages: Vec::new(),
        }
    }

    /// The chat's name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Adds a text; the timestamp is in seconds since 1970.
    #[must_use]
    pub fn message(mut self, from_me: bool, timestamp: u64, text: &str) -> Self {
        self.messages.push((from_me, timestamp, text.to_owned()));
        self
    }
}
