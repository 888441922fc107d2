//! Every refusal and failure as an answer: the one mapping from what services say to HTTP.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Schema, schema::Type},
};
use wahana_domain::{ErrorCode, MessageId, SessionId, SessionName, Timestamp};
use wahana_service::{
    FieldErrors, ServiceError,
    limits::{Allowance, whole_seconds},
};

/// The status that goes with a code.
const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadRequest => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::NoOrganization | ErrorCode::OrganizationSuspended | ErrorCode::Forbidden => {
            StatusCode::FORBIDDEN
        }
        ErrorCode::SessionNotFound | ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::SessionAlreadyExists
        | ErrorCode::PhoneNumberTaken
        | ErrorCode::SessionNotReady
        | ErrorCode::IdempotencyConflict
        | ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::ValidationError => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::RateLimitExceeded | ErrorCode::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::WahaError => StatusCode::BAD_GATEWAY,
        ErrorCode::WahaUnavailable | ErrorCode::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::WahaTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// Whether the body has three keys and no more: what a caller learns before it is known who they
/// are, or about sessions that are not theirs, is the same to the byte.
const fn has_exact_body(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unauthenticated | ErrorCode::NoOrganization | ErrorCode::SessionNotFound
    )
}

/// A refusal or failure on its way to the caller.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) code: ErrorCode,
    message: String,
    fields: Option<FieldErrors>,
    retry_after: Option<Duration>,
    /// The limit that refused.
    allowance: Option<Box<Allowance>>,
    unknown: Option<Box<UnknownOutcome>>,
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
    #[schema(schema_with = error_code_schema)]
    error_code: ErrorCode,
    /// Which fields are wrong and how; with `VALIDATION_ERROR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a BTreeMap<String, Vec<String>>>,
    /// What can be asked about later; with `WAHA_TIMEOUT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a UnknownOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    timestamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// What can be asked about later, because its outcome is not known: a message or a session.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct UnknownOutcome {
    /// wahana's id for the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    message_id: Option<MessageId>,
    /// The session's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    session_name: Option<SessionName>,
    /// Always `unknown`.
    status: Unknown,
}

/// The status of what is not known.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unknown {
    /// Nobody knows whether it happened.
    #[default]
    Unknown,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: None,
            retry_after: None,
            allowance: None,
            unknown: None,
            internal: None,
        }
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "Authentication required")
    }

    pub(crate) fn nothing_here() -> Self {
        Self::new(ErrorCode::NotFound, "There is nothing at this address.")
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

    /// The process cannot answer requests yet, or any more.
    pub(crate) fn not_ready(why: String) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(5)),
            internal: Some(why),
            ..Self::new(ErrorCode::ServiceUnavailable, "wahana is not ready.")
        }
    }

    /// The same, with a reason that only the log says.
    pub(crate) fn because(self, why: impl Into<String>) -> Self {
        Self {
            internal: Some(why.into()),
            ..self
        }
    }

    /// What only the log may say.
    pub(crate) fn internal_reason(&self) -> Option<&str> {
        self.internal.as_deref()
    }

    /// The answer itself.
    pub(crate) fn render(&self, now: Timestamp, request_id: &str) -> Response {
        let is_exact = has_exact_body(self.code);
        let body = ErrorBody {
            success: false,
            message: &self.message,
            error_code: self.code,
            errors: self.fields.as_ref().map(FieldErrors::by_field),
            data: self.unknown.as_deref(),
            timestamp: (!is_exact).then_some(now),
            request_id: (!is_exact).then_some(request_id),
        };
        // Texts and maps of texts can always be written.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status(self.code);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(retry_after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after)));
        }
        if let Some(allowance) = &self.allowance {
            set_limit_headers(headers, **allowance);
        }
        response
    }
}

/// The answer is rendered where the request's id is known; until then the error travels beside an
/// empty one.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.code);
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
        let (code, message) = (error.code(), error.to_string());
        match error {
            ServiceError::Invalid(fields) => Self {
                fields: Some(fields),
                ..Self::new(code, message)
            },
            ServiceError::WahaUnavailable { retry_after, .. } | ServiceError::Busy { retry_after, .. } => {
                Self {
                    retry_after: Some(retry_after),
                    ..Self::new(code, message)
                }
            }
            ServiceError::RateLimited { allowance, .. } | ServiceError::QuotaExceeded { allowance, .. } => {
                Self {
                    retry_after: Some(allowance.reset_after),
                    allowance: Some(Box::new(allowance)),
                    ..Self::new(code, message)
                }
            }
            ServiceError::WrongPassword => Self::unauthenticated(),
            ServiceError::WahaTimeout { message_id } => Self {
                unknown: message_id.map(|message_id| {
                    Box::new(UnknownOutcome {
                        message_id: Some(message_id),
                        ..UnknownOutcome::default()
                    })
                }),
                ..Self::new(code, message)
            },
            ServiceError::SessionOutcomeUnknown { session, name } => Self {
                unknown: Some(Box::new(UnknownOutcome {
                    session_id: Some(session),
                    session_name: Some(name),
                    ..UnknownOutcome::default()
                })),
                ..Self::new(code, message)
            },
            ServiceError::MediaStore(_) => Self {
                retry_after: Some(STORAGE_RETRY),
                internal: Some(message),
                ..Self::new(code, "wahana cannot reach its store of files. Try again later.")
            },
            ServiceError::Store(store) if store.is_unavailable() => Self {
                retry_after: Some(STORAGE_RETRY),
                internal: Some(message),
                ..Self::new(
                    code,
                    "wahana cannot reach its own storage. Look at what is there before you repeat a change.",
                )
            },
            ServiceError::Store(_) | ServiceError::Internal(_) => Self::internal(message),
            ServiceError::SessionNotFound
            | ServiceError::NotFound(_)
            | ServiceError::LinkInvalid
            | ServiceError::Forbidden(_)
            | ServiceError::MediaTooLarge { .. }
            | ServiceError::MediaTypeNotAllowed { .. }
            | ServiceError::MediaNotKept
            | ServiceError::Conflict { .. }
            | ServiceError::IdempotencyConflict(_)
            | ServiceError::SessionNotReady { .. }
            | ServiceError::WahaFaulty(_) => Self::new(code, message),
        }
    }
}

pub(crate) const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
pub(crate) const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
pub(crate) const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Says how much of a limit is left, in the headers that the IETF's early drafts on rate limits have.
pub(crate) fn set_limit_headers(headers: &mut HeaderMap, allowance: Allowance) {
    headers.insert(LIMIT, HeaderValue::from(allowance.limit));
    headers.insert(REMAINING, HeaderValue::from(allowance.remaining));
    headers.insert(RESET, HeaderValue::from(whole_seconds(allowance.reset_after)));
}

/// When to come back after our own storage could not be reached.
const STORAGE_RETRY: Duration = Duration::from_secs(5);

/// The codes as the OpenAPI document lists them.
fn error_code_schema() -> Schema {
    let codes = ErrorCode::ALL.map(ErrorCode::as_str);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes))
        .into()
}
