//! A session's state, as WAHA keeps and shows it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{content::Content, engine::Engine};

/// WAHA's session statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Not running.
    Stopped,
    /// Connecting to WhatsApp.
    Starting,
    /// Waiting for the phone to scan the QR code.
    ScanQrCode,
    /// WhatsApp wants a passkey (WAHA 2026.7.1).
    PasskeyRequired,
    /// WhatsApp wants the passkey confirmed on the phone (WAHA 2026.7.1).
    PasskeyConfirmationRequired,
    /// Paired and connected.
    Working,
    /// Gave up, or was logged out by the phone.
    Failed,
}

impl Status {
    /// WAHA's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::ScanQrCode => "SCAN_QR_CODE",
            Self::PasskeyRequired => "PASSKEY_REQUIRED",
            Self::PasskeyConfirmationRequired => "PASSKEY_CONFIRMATION_REQUIRED",
            Self::Working => "WORKING",
            Self::Failed => "FAILED",
        }
    }
}

/// Whose phone a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Me {
    /// Digits only.
    pub(crate) number: String,
    pub(crate) push_name: String,
}

impl Me {
    pub(crate) fn id(&self) -> String {
        format!("{}@c.us", self.number)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"id": self.id(), "pushName": self.push_name, "lid": format!("9{}@lid", self.number)})
    }
}

/// A pairing: what WAHA keeps on disk for a session that was scanned once, with what is on that phone.
#[derive(Clone, Debug)]
pub(crate) struct Phone {
    pub(crate) me: Me,
    /// Seconds since 1970.
    pub(crate) paired_at: u64,
    content: Option<Content>,
}

impl Phone {
    pub(crate) fn new(me: Me, paired_at: u64) -> Self {
        Self {
            me,
            paired_at,
            content: None,
        }
    }

    /// The phone's content. It is made when somebody first asks for it, so that hundreds of idle sessions cost nothing.
    pub(crate) fn content(&mut self, contacts: u32) -> &mut Content {
        let paired_at = self.paired_at;
        self.content
            .get_or_insert_with(|| Content::generate(contacts, paired_at))
    }
}

/// What a passkey dialogue is about.
#[derive(Clone, Debug)]
pub(crate) struct Passkey {
    pub(crate) challenge: String,
    pub(crate) code: String,
}

impl Passkey {
    /// The passkey's challenge, shaped after WAHA 2026.7.1's API description.
    pub(crate) fn challenge_json(&self) -> Value {
        json!({
            "challenge": self.challenge,
            "timeout": 60_000,
            "rpId": "web.whatsapp.com",
            "allowCredentials": [],
            "userVerification": "required",
        })
    }
}

/// One session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) name: String,
    /// `None` is left out of answers; WAHA shows `null` only for a session it made itself.
    pub(crate) config: Option<Value>,
    pub(crate) status: Status,
    /// The latest three, oldest first.
    statuses: Vec<(Status, u64)>,
    pub(crate) me: Option<Me>,
    pub(crate) online: bool,
    /// Milliseconds since 1970.
    pub(crate) activity: Option<u64>,
    pub(crate) qr: Option<String>,
    /// The number given with a pairing code request: the phone that will pair.
    pub(crate) requested_number: Option<String>,
    pub(crate) passkey: Option<Passkey>,
    /// Whether its QR codes are shown for ever and never scanned.
    pub(crate) is_never_scanned: bool,
    /// Counts what was done to the session's life, so that a timer of an earlier life does nothing.
    pub(crate) life: u64,
}

impl Session {
    pub(crate) fn new(name: &str, config: Option<Value>) -> Self {
        Self {
            name: name.to_owned(),
            config,
            status: Status::Stopped,
            statuses: Vec::new(),
            me: None,
            online: false,
            activity: None,
            qr: None,
            requested_number: None,
            passkey: None,
            is_never_scanned: false,
            life: 0,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status != Status::Stopped
    }

    /// Forgets the run before: a start begins its list of statuses anew.
    pub(crate) fn clear_run(&mut self) {
        self.statuses.clear();
        self.me = None;
        self.online = false;
        self.activity = None;
        self.qr = None;
        self.passkey = None;
    }

    pub(crate) fn note_status(&mut self, status: Status, now_ms: u64) {
        self.status = status;
        self.statuses.push((status, now_ms));
        if self.statuses.len() > 3 {
            self.statuses.remove(0);
        }
    }

    /// The payload of `session.status`.
    pub(crate) fn status_payload(&self, version: &crate::engine::Version) -> Value {
        let statuses: Value = self
            .statuses
            .iter()
            .map(|(status, timestamp)| json!({"status": status.name(), "timestamp": timestamp}))
            .collect();
        let mut payload = json!({"name": self.name, "status": self.status.name(), "statuses": statuses});
        // `data` came with the passkey statuses of 2026.7.1.
        if version.at_least(2026, 7, 1) {
            payload["data"] = match (self.status, &self.passkey) {
                (Status::PasskeyRequired, Some(passkey)) => passkey.challenge_json(),
                (Status::PasskeyConfirmationRequired, Some(passkey)) => json!({"code": passkey.code}),
                _ => Value::Null,
            };
        }
        payload
    }

    pub(crate) fn me_json(&self) -> Value {
        self.me.as_ref().map_or(Value::Null, Me::to_json)
    }

    /// The session as lists show it.
    pub(crate) fn to_list_item(&self) -> Value {
        let timestamps = match (self.is_running(), self.activity) {
            (true, None) => json!({}),
            (_, activity) => json!({"activity": activity}),
        };
        let mut item = json!({
            "name": self.name,
            "status": self.status.name(),
            "me": self.me_json(),
            "presence": self.online.then_some("online"),
            "timestamps": timestamps,
        });
        if let Some(config) = &self.config {
            item["config"] = config.clone();
        }
        item
    }

    /// The session as answers about this one session show it.
    pub(crate) fn to_json(&self, engine: Engine) -> Value {
        let mut session = self.to_list_item();
        session["engine"] = if self.is_running() {
            json!({"engine": engine.name()})
        } else {
            json!({})
        };
        session
    }

    pub(crate) fn config_at(&self, path: &str) -> Option<&Value> {
        self.config.as_ref().and_then(|config| config.pointer(path))
    }
}
