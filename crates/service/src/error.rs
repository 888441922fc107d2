//! What can be refused, and why, in words for whoever must act.

use std::time::Duration;

use wahana_domain::{
    ErrorCode, MediaType, MediaTypePattern, MessageId, SessionId, SessionName, SessionStatus,
};
use wahana_store::{StoreError, Uniqueness};

use crate::{FieldErrors, limits::Allowance, media::store::MediaStoreError};

/// Why a service function did not do what was asked. `api` maps it to HTTP in one place.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no such session for the caller: it does not exist, or it is another's. The two are
    /// never told apart.
    #[error("WAHA session not found")]
    SessionNotFound,
    /// There is no such thing for the caller; the text names the kind of thing.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The caller's role, abilities or session limit do not allow it.
    #[error("{0}")]
    Forbidden(String),
    /// Some fields are wrong.
    #[error("The given data was invalid.")]
    Invalid(FieldErrors),
    /// A medium is larger than allowed.
    #[error("The medium is larger than the {limit} bytes allowed here.")]
    MediaTooLarge {
        /// The largest that is allowed, in bytes.
        limit: usize,
    },
    /// Files of this type may not be sent here.
    #[error("Files of the type {} cannot be sent here. Allowed are {}.", .media_type.as_str(), list(.allowed))]
    MediaTypeNotAllowed {
        /// The type.
        media_type: MediaType,
        /// What may be sent.
        allowed: Vec<MediaTypePattern>,
    },
    /// The file of a message is not there: its time has ended, WAHA had forgotten it, or it is too large to be
    /// kept.
    #[error("The file of this message is not kept any more.")]
    MediaNotKept,
    /// Something in the organization stands in the way.
    #[error("{message}")]
    Conflict {
        /// What kind of conflict.
        kind: Conflict,
        /// What stands in the way and what to do.
        message: String,
    },
    /// The idempotency key belongs to another request, or to one that still runs.
    #[error("{0}")]
    IdempotencyConflict(String),
    /// The session is in the wrong state for this.
    #[error("{message}")]
    SessionNotReady {
        /// Its state.
        status: SessionStatus,
        /// The state and the next step, in words.
        message: String,
    },
    /// The organization has as many as it may.
    #[error("{message}")]
    QuotaExceeded {
        /// How many there may be and what to do.
        message: String,
        /// The quota, and when there may be more without anything being done.
        allowance: Allowance,
    },
    /// Too much at once.
    #[error("{message}")]
    RateLimited {
        /// What there was too much of.
        message: String,
        /// The limit, and when it may be tried again.
        allowance: Allowance,
    },
    /// This process has as much to do as it may; another, or the same later, may have room.
    #[error("{message}")]
    Busy {
        /// What it has so much of.
        message: String,
        /// When it may be tried again.
        retry_after: Duration,
    },
    /// A person's e-mail address or password is wrong; which of them is never told.
    #[error("E-mail address or password is wrong.")]
    WrongPassword,
    /// A link was used, taken back, has ended, or never was; which is never told.
    #[error("This link is not valid any more. Ask for a new one.")]
    LinkInvalid,
    /// WAHA answered something it should not have.
    #[error("{0}")]
    WahaFaulty(String),
    /// No WAHA answers, or none has room. Nothing was handed over.
    #[error("{message}")]
    WahaUnavailable {
        /// What is missing, in words.
        message: String,
        /// When it may be tried again.
        retry_after: Duration,
    },
    /// WAHA was asked and did not answer in time: nobody knows whether it happened.
    #[error("WAHA did not answer in time. It is not known whether this happened.")]
    WahaTimeout {
        /// What can be asked about later, if it was a message.
        message_id: Option<MessageId>,
    },
    /// WAHA was asked to make a session and did not answer in time. The session stays known here.
    #[error(
        "WAHA did not answer in time. It is not known whether the session was made there; it is kept here, and its status will tell."
    )]
    SessionOutcomeUnknown {
        /// The session that can be asked about.
        session: SessionId,
        /// Its name.
        name: SessionName,
    },
    /// Our own storage failed.
    #[error(transparent)]
    Store(StoreError),
    /// The media store failed.
    #[error(transparent)]
    MediaStore(#[from] MediaStoreError),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

/// What kind of conflict stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A session has that name.
    SessionAlreadyExists,
    /// A session has that number.
    PhoneNumberTaken,
    /// Anything else that exists already or must stay.
    Other,
}

impl ServiceError {
    /// Something else exists already or must stay; says what and what to do.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict {
            kind: Conflict::Other,
            message: message.into(),
        }
    }

    /// There were too many attempts at something that can be guessed, `limit` of which are let happen
    /// at once.
    pub(crate) fn too_many_attempts(limit: u32, retry_after: Duration) -> Self {
        Self::RateLimited {
            message: "Too many attempts. Try again later.".to_owned(),
            allowance: Allowance {
                limit,
                remaining: 0,
                reset_after: retry_after,
            },
        }
    }

    /// The code by which programs and the audit log tell it from others.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::SessionNotFound => ErrorCode::SessionNotFound,
            Self::NotFound(_) | Self::LinkInvalid | Self::MediaNotKept => ErrorCode::NotFound,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::Invalid(_) => ErrorCode::ValidationError,
            Self::MediaTooLarge { .. } => ErrorCode::PayloadTooLarge,
            Self::MediaTypeNotAllowed { .. } => ErrorCode::UnsupportedMediaType,
            Self::Conflict {
                kind: Conflict::SessionAlreadyExists,
                ..
            } => ErrorCode::SessionAlreadyExists,
            Self::Conflict {
                kind: Conflict::PhoneNumberTaken,
                ..
            } => ErrorCode::PhoneNumberTaken,
            Self::Conflict {
                kind: Conflict::Other,
                ..
            } => ErrorCode::Conflict,
            Self::IdempotencyConflict(_) => ErrorCode::IdempotencyConflict,
            Self::SessionNotReady { .. } => ErrorCode::SessionNotReady,
            Self::QuotaExceeded { .. } => ErrorCode::QuotaExceeded,
            Self::RateLimited { .. } => ErrorCode::RateLimitExceeded,
            Self::WrongPassword => ErrorCode::Unauthenticated,
            Self::WahaFaulty(_) => ErrorCode::WahaError,
            Self::WahaUnavailable { .. } => ErrorCode::WahaUnavailable,
            Self::WahaTimeout { .. } | Self::SessionOutcomeUnknown { .. } => ErrorCode::WahaTimeout,
            Self::Busy { .. } | Self::MediaStore(_) => ErrorCode::ServiceUnavailable,
            Self::Store(error) if error.is_unavailable() => ErrorCode::ServiceUnavailable,
            Self::Store(_) | Self::Internal(_) => ErrorCode::InternalServerError,
        }
    }
}

/// Patterns as they stand in a sentence.
fn list(patterns: &[MediaTypePattern]) -> String {
    let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    patterns.join(", ")
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(rule) => rule.into(),
            error => Self::Store(error),
        }
    }
}

impl From<Uniqueness> for ServiceError {
    fn from(rule: Uniqueness) -> Self {
        let (kind, message) = match rule {
            Uniqueness::SessionName => (
                Conflict::SessionAlreadyExists,
                "A session with this name exists already. Choose another name, or delete that session.",
            ),
            Uniqueness::SessionPhoneNumber => (
                Conflict::PhoneNumberTaken,
                "Another session of this organization is paired with this phone number.",
            ),
            Uniqueness::WahaName => (
                Conflict::Other,
                "This session of the WAHA server is or was assigned already.",
            ),
            Uniqueness::UserEmail => (Conflict::Other, "A user with this e-mail address exists already."),
            Uniqueness::Membership => (Conflict::Other, "This person is a member already."),
            Uniqueness::ServerName => (Conflict::Other, "A WAHA server with this name exists already."),
            Uniqueness::ServerAddress => (Conflict::Other, "A WAHA server at this address exists already."),
            Uniqueness::TokenId => (Conflict::Other, "A token with this id exists already."),
        };
        Self::Conflict {
            kind,
            message: message.to_owned(),
        }
    }
}
