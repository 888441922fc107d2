//! The codes by which programs tell refusals apart.

use serde::{Serialize, Serializer};

use crate::words::words;

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
    /// The idempotency key belongs to another request, or to one that still runs.
    IdempotencyConflict,
    /// Something else exists already or must stay.
    Conflict,
    /// The body is larger than allowed.
    PayloadTooLarge,
    /// The part of a file that is wanted is behind its end.
    RangeNotSatisfiable,
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

words!(ErrorCode {
    BadRequest => "BAD_REQUEST",
    Unauthenticated => "UNAUTHENTICATED",
    NoOrganization => "NO_ORGANIZATION",
    OrganizationSuspended => "ORGANIZATION_SUSPENDED",
    Forbidden => "FORBIDDEN",
    SessionNotFound => "SESSION_NOT_FOUND",
    NotFound => "NOT_FOUND",
    MethodNotAllowed => "METHOD_NOT_ALLOWED",
    SessionAlreadyExists => "SESSION_ALREADY_EXISTS",
    PhoneNumberTaken => "PHONE_NUMBER_TAKEN",
    SessionNotReady => "SESSION_NOT_READY",
    IdempotencyConflict => "IDEMPOTENCY_CONFLICT",
    Conflict => "CONFLICT",
    PayloadTooLarge => "PAYLOAD_TOO_LARGE",
    RangeNotSatisfiable => "RANGE_NOT_SATISFIABLE",
    UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
    ValidationError => "VALIDATION_ERROR",
    RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
    QuotaExceeded => "QUOTA_EXCEEDED",
    InternalServerError => "INTERNAL_SERVER_ERROR",
    WahaError => "WAHA_ERROR",
    WahaUnavailable => "WAHA_UNAVAILABLE",
    ServiceUnavailable => "SERVICE_UNAVAILABLE",
    WahaTimeout => "WAHA_TIMEOUT",
});

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
