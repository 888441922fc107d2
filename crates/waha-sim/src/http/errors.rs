//! WAHA's error answers, which come in four shapes.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::answers::json_response;
use crate::sessions::Status;

/// A refusal or failure, in one of WAHA's shapes.
#[derive(Clone, Debug)]
pub(crate) enum WahaError {
    /// `{"message", "error", "statusCode"}`: NestJS's usual shape.
    Nest { status: StatusCode, message: Value },
    /// `{"message", "statusCode"}`: 401 and 403 come without `error`.
    Bare(StatusCode),
    /// 422 without a status code: the session is not in the state the operation needs.
    WrongStatus {
        session: String,
        status: Status,
        expected: Vec<Status>,
    },
    /// 422 without a status code: there is no such session. Not 404.
    UnknownSession(String),
    /// 500 with the exception, its stack and the request's body.
    Exception(Value),
}

impl WahaError {
    pub(crate) fn nest(status: StatusCode, message: &str) -> Self {
        Self::Nest {
            status,
            message: message.into(),
        }
    }

    /// 400 with a list, as validation answers.
    pub(crate) fn invalid(messages: &[String]) -> Self {
        Self::Nest {
            status: StatusCode::BAD_REQUEST,
            message: messages.into(),
        }
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::nest(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn unprocessable(message: &str) -> Self {
        Self::nest(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    pub(crate) fn not_found(message: &str) -> Self {
        Self::nest(StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn forbidden() -> Self {
        Self::Bare(StatusCode::FORBIDDEN)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::Bare(StatusCode::UNAUTHORIZED)
    }

    pub(crate) fn wrong_status(session: &str, status: Status, expected: &[Status]) -> Self {
        Self::WrongStatus {
            session: session.to_owned(),
            status,
            expected: expected.to_vec(),
        }
    }

    pub(crate) fn exception(name: &str, message: &str) -> Self {
        Self::Exception(json!({
            "message": message,
            "name": name,
            "stack": format!("{name}: {message}\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"),
        }))
    }

    /// What JavaScript says when a text is missing where one is needed.
    pub(crate) fn undefined(method: &str) -> Self {
        Self::exception(
            "TypeError",
            &format!("Cannot read properties of undefined (reading '{method}')"),
        )
    }
}

/// Rides on a 500 answer until the request it belongs to is added.
#[derive(Clone, Debug)]
pub(crate) struct PendingException(pub(crate) Value);

impl IntoResponse for WahaError {
    fn into_response(self) -> Response {
        match self {
            Self::Nest { status, message } => {
                let reason = status.canonical_reason().unwrap_or("Error");
                json_response(
                    status,
                    &json!({"message": message, "error": reason, "statusCode": status.as_u16()}),
                )
            }
            Self::Bare(status) => {
                let reason = status.canonical_reason().unwrap_or("Error");
                json_response(status, &json!({"message": reason, "statusCode": status.as_u16()}))
            }
            Self::WrongStatus {
                session,
                status,
                expected,
            } => {
                let expected: Vec<&str> = expected.iter().map(|status| status.name()).collect();
                let body = json!({
                    "error": "Session status is not as expected. Try again later or restart the session",
                    "session": session,
                    "status": status.name(),
                    "expected": expected,
                });
                json_response(StatusCode::UNPROCESSABLE_ENTITY, &body)
            }
            Self::UnknownSession(session) => json_response(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({"error": format!("Session \"{session}\" does not exist"), "session": session}),
            ),
            Self::Exception(exception) => {
                let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
                response.extensions_mut().insert(PendingException(exception));
                response
            }
        }
    }
}
