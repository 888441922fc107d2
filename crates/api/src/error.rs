//! Every refusal and failure as an answer: the one mapping from what services say to HTTP.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::{MessageId, Timestamp};
use wahana_service::{Conflict, FieldErrors, ServiceError};

/// The codes by which programs tell refusals apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// 400: not parseable at all.
    BadRequest,
    /// 401: no credential, or one that is wrong, revoked, expired, or of a disabled user.
    Unauthenticated,
    /// 403: the user belongs to no organization, or not to this one.
    NoOrganization,
    /// 403: the platform suspended the organization.
    OrganizationSuspended,
    /// 403: role, ability or session limit does not allow it.
    Forbidden,
    /// 404: no such session in the organization.
    SessionNotFound,
    /// 404: anything else that does not exist.
    NotFound,
    /// 405: the path exists, with other methods.
    MethodNotAllowed,
    /// 409: the organization has a session of this name.
    SessionAlreadyExists,
    /// 409: the organization has a session with this number.
    PhoneNumberTaken,
    /// 409: the session is in the wrong state.
    SessionNotReady,
    /// 409: something else exists already or must stay.
    Conflict,
    /// 413: the body is larger than allowed.
    PayloadTooLarge,
    /// 415: another media type or content encoding is wanted.
    UnsupportedMediaType,
    /// 422: fields are wrong; `errors` says which.
    ValidationError,
    /// 429: too many attempts.
    RateLimitExceeded,
    /// 429: the organization has as many as it may.
    QuotaExceeded,
    /// 500: a defect of ours.
    InternalServerError,
    /// 502: WAHA answered something it should not have.
    WahaError,
    /// 503: no WAHA answers. Nothing was handed over.
    WahaUnavailable,
    /// 503: our own storage cannot be reached.
    ServiceUnavailable,
    /// 504: WAHA did not answer in time; the outcome is not known.
    WahaTimeout,
}

impl ErrorCode {
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

    /// The status that goes with it.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::NoOrganization | Self::OrganizationSuspended | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::SessionNotFound | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::SessionAlreadyExists | Self::PhoneNumberTaken | Self::SessionNotReady | Self::Conflict => {
                StatusCode::CONFLICT
            }
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationError => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimitExceeded | Self::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::WahaError => StatusCode::BAD_GATEWAY,
            Self::WahaUnavailable | Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::WahaTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Whether the body has three keys and no more: what a caller learns before it is known who they
    /// are, or about sessions that are not theirs, is the same to the byte.
    const fn has_exact_body(self) -> bool {
        matches!(
            self,
            Self::Unauthenticated | Self::NoOrganization | Self::SessionNotFound
        )
    }
}

/// A refusal or failure on its way to the caller.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) code: ErrorCode,
    message: String,
    fields: Option<FieldErrors>,
    retry_after: Option<Duration>,
    message_id: Option<MessageId>,
    /// What only the log may say.
    internal: Option<String>,
}

/// The body of every refusal but the three that have exactly `success`, `message` and `error_code`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody<'a> {
    /// Always `false`.
    success: bool,
    /// What is wrong, for people.
    message: &'a str,
    error_code: ErrorCode,
    /// Which fields are wrong and how; with `VALIDATION_ERROR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a BTreeMap<String, Vec<String>>>,
    /// What can be asked about later; with `WAHA_TIMEOUT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<UnknownOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    timestamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// What can be asked about a message whose outcome is not known.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnknownOutcome {
    /// wahana's id for the message.
    #[schema(value_type = String, format = Uuid)]
    message_id: MessageId,
    /// Always `unknown`.
    status: &'static str,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: None,
            retry_after: None,
            message_id: None,
            internal: None,
        }
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "Authentication required")
    }

    pub(crate) fn no_organization() -> Self {
        Self::new(
            ErrorCode::NoOrganization,
            "User must belong to an organization to access WAHA features",
        )
    }

    pub(crate) fn internal(why: impl Into<String>) -> Self {
        Self {
            internal: Some(why.into()),
            ..Self::new(
                ErrorCode::InternalServerError,
                "Something went wrong inside wahana. Please report the request id.",
            )
        }
    }

    /// What only the log may say.
    pub(crate) fn internal_reason(&self) -> Option<&str> {
        self.internal.as_deref()
    }

    /// The answer itself.
    pub(crate) fn render(&self, now: Timestamp, request_id: &str) -> Response {
        let is_exact = self.code.has_exact_body();
        let body = ErrorBody {
            success: false,
            message: &self.message,
            error_code: self.code,
            errors: self.fields.as_ref().map(FieldErrors::by_field),
            data: self.message_id.map(|message_id| UnknownOutcome {
                message_id,
                status: "unknown",
            }),
            timestamp: (!is_exact).then_some(now),
            request_id: (!is_exact).then_some(request_id),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(retry_after) = self.retry_after {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(retry_after.as_secs().max(1)),
            );
        }
        response
    }
}

/// The answer is rendered where the request's id is known; until then the error travels beside an
/// empty one.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code.status();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        ServiceError::Invalid(errors).into()
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let message = error.to_string();
        match error {
            ServiceError::SessionNotFound => Self::new(ErrorCode::SessionNotFound, message),
            ServiceError::NotFound(_) | ServiceError::LinkInvalid => Self::new(ErrorCode::NotFound, message),
            ServiceError::Forbidden(_) => Self::new(ErrorCode::Forbidden, message),
            ServiceError::Invalid(fields) => Self {
                fields: Some(fields),
                ..Self::new(ErrorCode::ValidationError, message)
            },
            ServiceError::MediaTooLarge { .. } => Self::new(ErrorCode::PayloadTooLarge, message),
            ServiceError::Conflict { kind, .. } => Self::new(
                match kind {
                    Conflict::SessionAlreadyExists => ErrorCode::SessionAlreadyExists,
                    Conflict::PhoneNumberTaken => ErrorCode::PhoneNumberTaken,
                    Conflict::Other => ErrorCode::Conflict,
                },
                message,
            ),
            ServiceError::SessionNotReady { .. } => Self::new(ErrorCode::SessionNotReady, message),
            ServiceError::QuotaExceeded(_) => Self::new(ErrorCode::QuotaExceeded, message),
            ServiceError::RateLimited { retry_after } => Self {
                retry_after: Some(retry_after),
                ..Self::new(ErrorCode::RateLimitExceeded, message)
            },
            ServiceError::WrongPassword => Self::unauthenticated(),
            ServiceError::WahaFaulty(_) => Self::new(ErrorCode::WahaError, message),
            ServiceError::WahaUnavailable { retry_after, .. } => Self {
                retry_after: Some(retry_after),
                ..Self::new(ErrorCode::WahaUnavailable, message)
            },
            ServiceError::WahaTimeout { message_id } => Self {
                message_id,
                ..Self::new(ErrorCode::WahaTimeout, message)
            },
            ServiceError::Store(store) if store.is_unavailable() => Self {
                retry_after: Some(Duration::from_secs(5)),
                internal: Some(message),
                ..Self::new(
                    ErrorCode::ServiceUnavailable,
                    "wahana cannot reach its own storage. Nothing was done; try again soon.",
                )
            },
            ServiceError::Store(_) | ServiceError::Internal(_) => Self::internal(message),
        }
    }
}
