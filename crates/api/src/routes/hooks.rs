//! `POST /hooks/waha/…`: where WAHA servers send their events.
//!
//! It is no part of the API that callers have: nobody is recognized here, and what opens it is a key that no
//! caller gets. So it is not in the API's description, and no page of another site may ask whether it is here.

use axum::{
    Extension, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::post,
};
use wahana_domain::ErrorCode;
use wahana_service::events::{
    self, Delivery, Hook, Refusal, SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER, Taken,
};

use crate::{
    envelope::{Nothing, Reply},
    error::ApiError,
    extract::read_body,
    request::RequestScope,
    state::ApiState,
};

pub(super) fn router() -> Router<ApiState> {
    Router::new()
        .route("/hooks/waha/{server}/{key}", post(of_server))
        .route("/hooks/waha/{server}/{session}/{key}", post(of_session))
}

/// A server's own hook, at which the events of all its sessions come in.
async fn of_server(
    State(state): State<ApiState>,
    Extension(scope): Extension<RequestScope>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let Path((server, key)) = path.map_err(|_| ApiError::nothing_here())?;
    take(&state, &scope, (&server, None, &key), request).await
}

/// A session's hook.
async fn of_session(
    State(state): State<ApiState>,
    Extension(scope): Extension<RequestScope>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let Path((server, session, key)) = path.map_err(|_| ApiError::nothing_here())?;
    take(&state, &scope, (&server, Some(&session), &key), request).await
}

async fn take(
    state: &ApiState,
    scope: &RequestScope,
    (server, session, key): (&str, Option<&str>, &str),
    request: Request,
) -> Result<Response, ApiError> {
    let hook = Hook {
        server: server.parse().map_err(|_| ApiError::nothing_here())?,
        session: session
            .map(str::parse)
            .transpose()
            .map_err(|_| ApiError::nothing_here())?,
    };
    let key = key.parse().map_err(|_| ApiError::nothing_here())?;
    let (headers, body) = read_body(request, state.settings().event_limit).await?;
    let delivery = Delivery {
        hook,
        key,
        signature: signature(&headers).unwrap_or_default(),
        body: &body,
    };
    match events::take(state.services(), delivery).await? {
        Ok(Taken::Stored) => Ok(Reply::new(scope, "Event stored.", Nothing).into_response()),
        Ok(Taken::OfNobody) => {
            Ok(Reply::new(scope, "This session is nobody's here.", Nothing).into_response())
        }
        Err(refusal) => Err(refused(hook, refusal)),
    }
}

/// The signature, if there is one and it was made as wahana knows.
fn signature(headers: &HeaderMap) -> Option<&str> {
    let is_known = |name: &str| headers.get(name).is_none_or(|name| name == "sha512");
    let mut signatures = headers.get_all(SIGNATURE_HEADER).iter();
    let signature = signatures.next().filter(|_| signatures.next().is_none())?;
    signature
        .to_str()
        .ok()
        .filter(|_| is_known(SIGNATURE_ALGORITHM_HEADER))
}

fn refused(hook: Hook, refusal: Refusal) -> ApiError {
    let error = match refusal {
        Refusal::Signature | Refusal::UnknownServer | Refusal::RetiredKey => ApiError::unauthenticated(),
        Refusal::OtherSession => ApiError::new(
            ErrorCode::Forbidden,
            "This hook is for the events of another session.",
        ),
        Refusal::Broken(_) | Refusal::TooOld | Refusal::FromTheFuture => {
            ApiError::new(ErrorCode::BadRequest, sentence(refusal))
        }
    };
    error.because(format!("event of WAHA server {} refused: {refusal}", hook.server))
}

fn sentence(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::TooOld => "The event is too old.",
        Refusal::FromTheFuture => "The event is of a later time than now.",
        _ => "The body is no event of WAHA's.",
    }
}
