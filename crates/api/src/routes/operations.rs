//! `/healthz`, `/readyz` and `/metrics`: for what watches the installation.

use axum::{
    Extension,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    envelope::{Envelope, Reply},
    error::{ApiError, ErrorBody},
    metrics::Metrics,
    request::RequestScope,
    state::ApiState,
};
use wahana_domain::ErrorCode;

/// That the process is alive.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `alive`.
    status: &'static str,
    /// wahana's version.
    version: &'static str,
}

/// That requests can be answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Always `ready`; else the answer is 503.
    status: &'static str,
    /// Where the limits of callers are counted: `in_process`; `shared` with other processes in Redis; or
    /// `share_of_each_process`, while Redis is away.
    limits: &'static str,
}

/// Whether the process is alive.
#[utoipa::path(
    get, path = "/healthz", operation_id = "operations.health", tag = "operations", security(()),
    responses((status = OK, body = Envelope<Health>)),
)]
pub(crate) async fn health(Extension(scope): Extension<RequestScope>) -> Response {
    let health = Health {
        status: "alive",
        version: env!("CARGO_PKG_VERSION"),
    };
    Reply::new(&scope, "wahana is alive.", health).into_response()
}

/// Whether requests can be answered: the database answers and has this release's schema.
///
/// WAHA or Redis being away is no reason to send callers elsewhere.
#[utoipa::path(
    get, path = "/readyz", operation_id = "operations.readiness", tag = "operations", security(()),
    responses(
        (status = OK, body = Envelope<Readiness>), (status = SERVICE_UNAVAILABLE, body = ErrorBody),
    ),
)]
pub(crate) async fn readiness(
    State(state): State<ApiState>,
    Extension(scope): Extension<RequestScope>,
) -> Result<Response, ApiError> {
    match state.services().check().await {
        Ok(()) => {
            let readiness = Readiness {
                status: "ready",
                limits: state.services().limits_are().await.as_str(),
            };
            Ok(Reply::new(&scope, "wahana is ready.", readiness).into_response())
        }
        Err(error) => Err(ApiError::not_ready(error.to_string())),
    }
}

/// What this process counts, in Prometheus' text format.
///
/// Shown here only where the operator made it public; else on an address of its own, if at all.
#[utoipa::path(
    get, path = "/metrics", operation_id = "operations.metrics", tag = "operations", security(()),
    responses(
        (status = OK, body = String, content_type = "text/plain; version=0.0.4"),
        (status = NOT_FOUND, body = ErrorBody),
    ),
)]
pub(crate) async fn metrics(State(state): State<ApiState>) -> Result<Response, ApiError> {
    match state
        .settings()
        .metrics
        .as_ref()
        .filter(|metrics| metrics.is_public())
    {
        Some(metrics) => Ok(render(metrics)),
        None => Err(ApiError::new(
            ErrorCode::NotFound,
            "There is nothing at this address.",
        )),
    }
}

/// The counts, and whether the process is alive, for an address that only the operator reaches.
pub fn metrics_router(metrics: Metrics) -> axum::Router {
    axum::Router::new()
        .route("/metrics", axum::routing::get(async move || render(&metrics)))
        .route("/healthz", axum::routing::get(async || "wahana is alive.\n"))
}

fn render(metrics: &Metrics) -> Response {
    let mut response = metrics.render().into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}
