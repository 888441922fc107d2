//! What can go wrong, and what a caller may conclude from it.

use std::fmt;
use std::time::Duration;

use crate::SessionStatus;

/// Why a call did not give its answer.
///
/// Neither `Debug` nor `Display` shows the key, an address's path or query, a message's text or a phone
/// number; what WAHA said in words is behind [`RefusalMessage::as_str`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WahaError {
    /// No connection came about, so WAHA has not seen the call.
    #[error("WAHA could not be reached: {reason}")]
    Unreachable {
        /// How connecting failed.
        reason: UnreachableReason,
    },
    /// The request was, or may have been, handed over, and no complete answer came back.
    #[error("WAHA may have received the call, but its answer is missing: {cause}")]
    OutcomeUnknown {
        /// What happened to the answer.
        cause: LostAnswer,
    },
    /// WAHA does not accept the key (401), or the key may not do this (403).
    #[error("WAHA refused the API key (status {status})")]
    KeyRefused {
        /// 401 or 403.
        status: u16,
    },
    /// WAHA knows no session of this name.
    #[error("WAHA knows no session of this name")]
    UnknownSession,
    /// WAHA runs no session of this name: it is stopped, or unknown. WAHA 2026.2.1 does not say which.
    #[error("WAHA runs no session of this name")]
    NotRunning,
    /// The session is in a state in which the call is impossible.
    #[error("the session is {status}, which does not allow this call")]
    WrongState {
        /// The session's state.
        status: SessionStatus,
        /// The states in which the call is possible.
        expected: Vec<SessionStatus>,
    },
    /// WAHA refused what was asked for.
    #[error("WAHA refused the request (status {status})")]
    Rejected {
        /// A 4xx status.
        status: u16,
        /// WAHA's explanation.
        message: RefusalMessage,
    },
    /// There is no such message, chat, contact, group or file.
    #[error("WAHA does not have what was asked for")]
    NotFound,
    /// A session of this name exists already.
    #[error("WAHA has a session of this name already")]
    AlreadyExists,
    /// This WAHA cannot do it: an older Core without Plus, an engine without the feature, a store that is
    /// off.
    #[error("this WAHA, its engine or the session's configuration does not support the call")]
    Unsupported {
        /// WAHA's explanation.
        message: RefusalMessage,
    },
    /// Another call held the session's lock for too long; nothing was done.
    #[error("WAHA is busy with another change of this session")]
    Busy,
    /// WAHA, or a proxy before it, failed. Only the status and the exception's name are kept, because WAHA's
    /// answer repeats the request, message text included.
    #[error("WAHA failed with status {status}{}", exception_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default())]
    ServerError {
        /// A 5xx status.
        status: u16,
        /// The name of the JavaScript exception, such as `TypeError`.
        exception_name: Option<String>,
        /// What WhatsApp restricts, if the exception names it.
        restriction: Option<NumberRestriction>,
    },
    /// What came back is not an answer of WAHA: a web page, cut-off or strange JSON, a redirect, too many
    /// bytes.
    #[error("the answer (status {status}) is not one that WAHA gives: {what}")]
    BrokenAnswer {
        /// The answer's status.
        status: u16,
        /// What is wrong with it.
        what: String,
    },
    /// The call was not made to spare the server, or because it is known to be away.
    #[error("the call was not made: {why}")]
    HeldBack {
        /// Which of the two.
        why: HeldBack,
        /// When it is worth another try.
        retry_after: Duration,
    },
    /// The call was not made because it could only fail or do harm.
    #[error("the call was not made: {what}")]
    NotSendable {
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What WhatsApp restricts of a number. How WAHA passes these errors on was never recorded: an exception is taken for
/// one whose message is WhatsApp's number for it, or names it as an error (`server returned error 463`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberRestriction {
    /// Error 463: the number may not write to new contacts for a while.
    TimeLock,
    /// Error 475: the number has reached what it may send.
    Capping,
}

impl NumberRestriction {
    /// The restriction that a text names by its number. Any other 463 may be a duration or a part of an id.
    pub(crate) fn named_in(text: &str) -> Option<Self> {
        let mut word_before = None;
        for word in text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
        {
            let restriction = match word {
                "463" => Some(Self::TimeLock),
                "475" => Some(Self::Capping),
                _ => None,
            };
            let is_error =
                |before: &str| ["error", "code", "status"].contains(&before.to_ascii_lowercase().as_str());
            if restriction.is_some() && (text.trim() == word || word_before.is_some_and(is_error)) {
                return restriction;
            }
            word_before = Some(word);
        }
        None
    }

    /// The restriction for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimeLock => "time lock (463)",
            Self::Capping => "capping (475)",
        }
    }
}

impl WahaError {
    /// What WhatsApp restricts, if that is why.
    #[must_use]
    pub const fn restriction(&self) -> Option<NumberRestriction> {
        match self {
            Self::ServerError { restriction, .. } => *restriction,
            _ => None,
        }
    }

    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::KeyRefused { .. } => "key_refused",
            Self::UnknownSession => "unknown_session",
            Self::NotRunning => "not_running",
            Self::WrongState { .. } => "wrong_state",
            Self::Rejected { .. } => "rejected",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Unsupported { .. } => "unsupported",
            Self::Busy => "busy",
            Self::ServerError { .. } => "server_error",
            Self::BrokenAnswer { .. } => "broken_answer",
            Self::HeldBack { .. } => "held_back",
            Self::NotSendable { .. } => "not_sendable",
        }
    }

    /// Whether the call may have happened, as far as can be known.
    ///
    /// A failed server (5xx) leaves it unknown: WAHA answers 500 as well for a message that went out before
    /// the exception. Whether an unknown outcome matters is for the caller to judge; for a read it does not.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unreachable { .. } | Self::HeldBack { .. } | Self::NotSendable { .. } => {
                Outcome::NotHandedOver
            }
            Self::KeyRefused { .. }
            | Self::UnknownSession
            | Self::NotRunning
            | Self::WrongState { .. }
            | Self::Rejected { .. }
            | Self::NotFound
            | Self::AlreadyExists
            | Self::Unsupported { .. }
            | Self::Busy
            // A redirect or a proxy's own refusal was not acted on.
            | Self::BrokenAnswer { status: 300..=499, .. }
            // WhatsApp's server said no.
            | Self::ServerError { restriction: Some(_), .. } => Outcome::Refused,
            // WAHA's body parser throws this before any handler runs.
            Self::ServerError { exception_name: Some(name), .. } if name == "PayloadTooLargeError" => {
                Outcome::Refused
            }
            Self::OutcomeUnknown { .. } | Self::ServerError { .. } | Self::BrokenAnswer { .. } => {
                Outcome::Unknown
            }
        }
    }
}

/// What is known about a call that gave an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// WAHA has not seen it.
    NotHandedOver,
    /// WAHA has seen it and did not do it.
    Refused,
    /// WAHA may have done it.
    Unknown,
}

/// Why a call was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeldBack {
    /// The server did not answer lately, and it is not time yet to try it again.
    #[error("the server is away")]
    Away,
    /// As many calls as the server may have at a time were under way, and none of them ended in time.
    #[error("the server has enough to do")]
    Crowded,
}

/// How connecting failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnreachableReason {
    /// The host's name has no address.
    #[error("its host name could not be resolved")]
    Dns,
    /// Nothing listens at the address.
    #[error("the connection was refused")]
    Refused,
    /// The connection did not come about in time.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The TLS handshake failed: a wrong certificate, or no TLS at that port.
    #[error("the TLS handshake failed")]
    Tls,
    /// Connecting failed in another way.
    #[error("the connection failed")]
    Connect,
}

/// What happened to an answer that did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LostAnswer {
    /// It did not arrive within the limits.
    #[error("it took too long")]
    TimedOut,
    /// The connection broke before the answer began.
    #[error("the connection broke before it began")]
    ConnectionLost,
    /// The connection broke in the middle of the answer.
    #[error("the connection broke in the middle of it")]
    BodyCut,
}

/// What WAHA says about a refusal. It may name a chat or a phone number, so it does not print itself: show it
/// to the person who made the request and keep it out of logs.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RefusalMessage(String);

impl RefusalMessage {
    /// WAHA's validation messages are short; a longer text is not one.
    const MAX_CHARS: usize = 500;

    pub(crate) fn new(text: &str) -> Self {
        Self(text.chars().take(Self::MAX_CHARS).collect())
    }

    /// WAHA's words, at most 500 characters of them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefusalMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefusalMessage({} bytes)", self.0.len())
    }
}

/// Why a client could not be built from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address cannot be a WAHA server's.
    #[error("the WAHA address is unusable: {0}")]
    BaseUrl(&'static str),
    /// The key has characters that an HTTP header cannot carry, or is empty.
    #[error("the WAHA API key is empty or has characters that an HTTP header cannot carry")]
    ApiKey,
    /// No TLS provider was installed in this process.
    #[error("no TLS provider is installed; install one with `CryptoProvider::install_default` first")]
    NoTlsProvider,
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built")]
    Http(#[source] reqwest::Error),
}
