//! The codes by which programs tell refusals apart.

use serde::{Serialize, Serializer};

/// The codes by which programs tell refusals apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// Not parseable at all.
    BadRequest,
    /// No credential, or one that is wrong, revoked, expired, or of a disabled user.
    Unauthenticated,
    /// The user belongs to no organization, or not to this one.
    NoOrganization,
    /// The platform suspended the organization.
    OrganizationSuspended,
    /// Role, ability or session limit does not allow it.
    Forbidden,
    /// No such session in the organization.
    SessionNotFound,
    /// Anything else that does not exist.
    NotFound,
    /// The path exists, with other methods.
    MethodNotAllowed,
    /// The organization has a session of this name.
    SessionAlreadyExists,
    /// The organization has a session with this number.
    PhoneNumberTaken,
    /// The session is in the wrong state.
    SessionNotReady,
    /// Something else exists already or must stay.
    Conflict,
    /// The body is larger than allowed.
    PayloadTooLarge,
    /// Another media type or content encoding is wanted.
    UnsupportedMediaType,
    /// Fields are wrong; `errors` says which.
    ValidationError,
    /// Too many attempts.
    RateLimitExceeded,
    /// The organization has as many as it may.
    QuotaExceeded,
    /// A defect of ours.
    InternalServerError,
    /// WAHA answered something it should not have.
    WahaError,
    /// No WAHA answers. Nothing was handed over.
    WahaUnavailable,
    /// Our own storage cannot be reached.
    ServiceUnavailable,
    /// WAHA did not answer in time; the outcome is not known.
    WahaTimeout,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 22] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::NoOrganization,
        Self::OrganizationSuspended,
        Self::Forbidden,
        Self::SessionNotFound,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::SessionAlreadyExists,
        Self::PhoneNumberTaken,
        Self::SessionNotReady,
        Self::Conflict,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ValidationError,
        Self::RateLimitExceeded,
        Self::QuotaExceeded,
        Self::InternalServerError,
        Self::WahaError,
        Self::WahaUnavailable,
        Self::ServiceUnavailable,
        Self::WahaTimeout,
    ];

    /// The code as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::NoOrganization => "NO_ORGANIZATION",
            Self::OrganizationSuspended => "ORGANIZATION_SUSPENDED",
            Self::Forbidden => "FORBIDDEN",
            Self::SessionNotFound => "SESSION_NOT_FOUND",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::SessionAlreadyExists => "SESSION_ALREADY_EXISTS",
            Self::PhoneNumberTaken => "PHONE_NUMBER_TAKEN",
            Self::SessionNotReady => "SESSION_NOT_READY",
            Self::Conflict => "CONFLICT",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::ValidationError => "VALIDATION_ERROR",
            Self::RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::InternalServerError => "INTERNAL_SERVER_ERROR",
            Self::WahaError => "WAHA_ERROR",
            Self::WahaUnavailable => "WAHA_UNAVAILABLE",
            Self::ServiceUnavailable => "SERVICE_UNAVAILABLE",
            Self::WahaTimeout => "WAHA_TIMEOUT",
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
