//! Sessions: list, get, create, update, start, stop, restart, log out, delete, and whose they are.

use std::borrow::Cow;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::client::Call;
use crate::error::WahaError;
use crate::timeouts::CallKind;
use crate::{ConfigDigest, SessionConfig, WahaClient, normalize_chat_id, wire};

/// A session's state in WAHA's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SessionStatus {
    /// Not running.
    Stopped,
    /// Starting, or reconnecting.
    Starting,
    /// Waits for a phone to scan the QR code, or for a pairing code to be typed.
    ScanQrCode,
    /// WhatsApp wants a passkey to finish pairing (since 2026.7.1).
    PasskeyRequired,
    /// A passkey's code is to be compared and confirmed (since 2026.7.1).
    PasskeyConfirmationRequired,
    /// Paired and connected.
    Working,
    /// Gave up; a restart or a log-out is needed.
    Failed,
    /// A word that this crate does not know.
    Other(String),
}

impl SessionStatus {
    /// WAHA's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::ScanQrCode => "SCAN_QR_CODE",
            Self::PasskeyRequired => "PASSKEY_REQUIRED",
            Self::PasskeyConfirmationRequired => "PASSKEY_CONFIRMATION_REQUIRED",
            Self::Working => "WORKING",
            Self::Failed => "FAILED",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for SessionStatus {
    fn from(word: &str) -> Self {
        match word {
            "STOPPED" => Self::Stopped,
            "STARTING" => Self::Starting,
            "SCAN_QR_CODE" => Self::ScanQrCode,
            "PASSKEY_REQUIRED" => Self::PasskeyRequired,
            "PASSKEY_CONFIRMATION_REQUIRED" => Self::PasskeyConfirmationRequired,
            "WORKING" => Self::Working,
            "FAILED" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SessionStatus {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Word<'a>(#[serde(borrow)] Cow<'a, str>);
        Word::deserialize(json).map(|Word(word)| Self::from(word.as_ref()))
    }
}

impl Serialize for SessionStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The account that a session is paired with.
#[derive(Clone, PartialEq, Eq)]
pub struct Me {
    /// `<number>@c.us`.
    pub id: String,
    /// The name that the account shows to others.
    pub push_name: Option<String>,
    /// The account's hidden id, `…@lid`.
    pub lid: Option<String>,
}

impl fmt::Debug for Me {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Me").finish_non_exhaustive()
    }
}

/// What WAHA says of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct WahaSession {
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: SessionStatus,
    /// Whose it is, once paired.
    pub me: Option<Me>,
    /// The engine that runs it, such as `NOWEB`. Lists do not say it, nor answers about stopped sessions.
    pub engine: Option<String>,
    /// Its configuration; `None` if it has none, and in [`WahaClient::list_sessions`].
    pub config: Option<SessionConfig>,
    /// What its configuration is recognized by, in [`WahaClient::list_sessions`] only; `None` if it has none.
    pub config_digest: Option<ConfigDigest>,
    /// The worker that a server in a group of servers has assigned it to.
    pub assigned_worker: Option<String>,
    /// When it last did something, in Unix seconds.
    pub last_activity_at: Option<i64>,
}

/// What came of starting a session.
#[derive(Debug, Clone, PartialEq)]
pub enum StartOutcome {
    /// It was stopped and starts now. The session as WAHA describes it, if it does.
    Started(Option<Box<WahaSession>>),
    /// It was running already, which WAHA 2026.2.1 answers with status 422.
    AlreadyRunning,
}

#[derive(Deserialize)]
#[serde(bound = "C: DeserializeOwned")]
struct WireSession<C> {
    name: String,
    status: SessionStatus,
    #[serde(default)]
    config: Option<C>,
    #[serde(default, deserialize_with = "wire::object")]
    me: Option<WireMe>,
    #[serde(default, deserialize_with = "wire::object")]
    engine: Option<WireEngine>,
    #[serde(default, rename = "assignedWorker", deserialize_with = "wire::text")]
    assigned_worker: Option<String>,
    #[serde(default, deserialize_with = "wire::object")]
    timestamps: Option<WireTimestamps>,
}

#[derive(Deserialize)]
pub(crate) struct WireMe {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(default, rename = "pushName", deserialize_with = "wire::text")]
    push_name: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    lid: Option<String>,
}

#[derive(Deserialize)]
struct WireEngine {
    #[serde(default, deserialize_with = "wire::text")]
    engine: Option<String>,
}

#[derive(Deserialize)]
struct WireTimestamps {
    #[serde(default, deserialize_with = "wire::seconds")]
    activity: Option<i64>,
}

impl WireMe {
    pub(crate) fn into_me(self) -> Option<Me> {
        Some(Me {
            id: normalize_chat_id(&self.id?),
            push_name: self.push_name,
            lid: self.lid,
        })
    }
}

impl<C> WireSession<C> {
    fn into_session(self, config: impl FnOnce(C) -> Option<SessionConfig>) -> WahaSession {
        WahaSession {
            name: self.name,
            status: self.status,
            me: self.me.and_then(WireMe::into_me),
            engine: self.engine.and_then(|engine| engine.engine),
            config: self.config.and_then(config),
            config_digest: None,
            assigned_worker: self.assigned_worker,
            last_activity_at: self.timestamps.and_then(|timestamps| timestamps.activity),
        }
    }
}

#[derive(Serialize)]
struct CreateBody<'a> {
    name: &'a str,
    // Always sent: WAHA's documentation says that it defaults to true, and WAHA 2026.2.1 leaves the session
    // stopped.
    start: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a SessionConfig>,
}

#[derive(Serialize)]
struct UpdateBody<'a> {
    config: &'a SessionConfig,
}

impl WahaClient {
    /// All sessions, stopped ones too, without their configurations, which are digested and not decoded.
    pub async fn list_sessions(&self) -> Result<Vec<WahaSession>, WahaError> {
        let sessions: Vec<WireSession<ConfigDigest>> = self.json(list()).await?;
        Ok(sessions
            .into_iter()
            .map(|session| WahaSession {
                config_digest: session.config,
                ..session.into_session(|_digest| None)
            })
            .collect())
    }

    /// All sessions, stopped ones too, with their configurations.
    pub async fn list_sessions_with_config(&self) -> Result<Vec<WahaSession>, WahaError> {
        let sessions: Vec<WireSession<SessionConfig>> = self.json(list()).await?;
        Ok(sessions
            .into_iter()
            .map(|session| session.into_session(Some))
            .collect())
    }

    /// One session with its configuration; `UnknownSession` if there is none.
    pub async fn session(&self, name: &str) -> Result<WahaSession, WahaError> {
        let call = Call::get(CallKind::Quick, &["api", "sessions", name]);
        let session: WireSession<SessionConfig> = self.json(call).await?;
        Ok(session.into_session(Some))
    }

    /// Makes a session, and starts it if so wished. `AlreadyExists` if there is one of this name, `Rejected`
    /// for a name that WAHA does not allow, `Unsupported` where an older Core knows only `default`.
    pub async fn create_session(
        &self,
        name: &str,
        config: Option<&SessionConfig>,
        start: bool,
    ) -> Result<Option<WahaSession>, WahaError> {
        if name.is_empty() {
            // WAHA would make up a name.
            return Err(WahaError::NotSendable {
                what: "a session needs a name",
            });
        }
        let call = Call::post(CallKind::Change, &["api", "sessions"]);
        self.changed(call.body(&CreateBody { name, start, config })?)
            .await
    }

    /// Replaces a session's whole configuration; what is not in `config` is gone. A running session is
    /// stopped and started, which takes WAHA about three seconds.
    pub async fn update_session(
        &self,
        name: &str,
        config: &SessionConfig,
    ) -> Result<Option<WahaSession>, WahaError> {
        let call = Call::put(CallKind::Change, &["api", "sessions", name]);
        self.changed(call.body(&UpdateBody { config })?).await
    }

    /// Starts a session; that it runs already is not an error.
    pub async fn start_session(&self, name: &str) -> Result<StartOutcome, WahaError> {
        match self.act(name, "start").await {
            Ok(session) => Ok(StartOutcome::Started(session.map(Box::new))),
            Err(WahaError::Rejected { status: 422, message })
                if message.as_str().contains("is already started") =>
            {
                Ok(StartOutcome::AlreadyRunning)
            }
            Err(error) => Err(error),
        }
    }

    /// Stops a session; that it is stopped already is not an error. `None` if WAHA does not know it: it
    /// answers that with success and no body.
    pub async fn stop_session(&self, name: &str) -> Result<Option<WahaSession>, WahaError> {
        self.act(name, "stop").await
    }

    /// Stops and starts a session; starts it if it was stopped.
    pub async fn restart_session(&self, name: &str) -> Result<Option<WahaSession>, WahaError> {
        self.act(name, "restart").await
    }

    /// Unpairs a session's account. A running session starts anew and asks for a QR code.
    pub async fn logout_session(&self, name: &str) -> Result<Option<WahaSession>, WahaError> {
        self.act(name, "logout").await
    }

    /// Deletes a session with its pairing; that there is none is not an error.
    pub async fn delete_session(&self, name: &str) -> Result<(), WahaError> {
        self.answer(Call::delete(CallKind::Change, &["api", "sessions", name]))
            .await
            .map(drop)
    }

    /// Whose a running session is; `None` if it is not paired. `NotRunning` if it is stopped or unknown.
    pub async fn me(&self, name: &str) -> Result<Option<Me>, WahaError> {
        let call = Call::get(CallKind::Quick, &["api", "sessions", name, "me"]);
        let me: Option<WireMe> = self.optional_json(call).await?;
        Ok(me.and_then(WireMe::into_me))
    }

    async fn act(&self, name: &str, action: &str) -> Result<Option<WahaSession>, WahaError> {
        self.changed(Call::post(CallKind::Change, &["api", "sessions", name, action]))
            .await
    }

    async fn changed(&self, call: Call<'_>) -> Result<Option<WahaSession>, WahaError> {
        let session: Option<WireSession<SessionConfig>> = self.optional_json(call).await?;
        Ok(session.map(|session| session.into_session(Some)))
    }
}

fn list() -> Call<'static> {
    Call::get(CallKind::Quick, &["api", "sessions"]).query("all", true)
}
