//! The description of the API and a page to try it. Both come from the binary: the page asks nobody
//! else for anything, and its policy forbids it.

use std::sync::OnceLock;

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use scalar_api_reference::{get_asset, scalar_html};
use serde_json::json;

use crate::{error::ApiError, state::ApiState};

/// Scripts and styles of the page are its own, and it speaks with wahana alone.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JAVASCRIPT: HeaderValue = HeaderValue::from_static("text/javascript");
/// The page's script is the same as long as the binary is.
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

pub(super) fn router() -> Router<ApiState> {
    Router::new()
        .route("/", get(pointer))
        .route("/openapi.json", get(document))
        .route("/docs", get(page))
        .route("/docs/scalar.js", get(script))
}

/// Where to go from the root, for whoever opens it.
async fn pointer() -> &'static str {
    "This is wahana. Its API is described, and can be tried, at /docs.\n"
}

/// The OpenAPI document.
async fn document() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let written = DOCUMENT.get().cloned().map_or_else(
        || match serde_json::to_vec(&super::openapi()) {
            Ok(document) => Ok(DOCUMENT.get_or_init(|| document.into()).clone()),
            Err(error) => Err(ApiError::internal(format!(
                "the OpenAPI document cannot be written: {error}"
            ))),
        },
        Ok,
    );
    written
        .map(|document| ([(header::CONTENT_TYPE, JSON)], document))
        .into_response()
}

/// The page to try the API.
async fn page() -> Response {
    let configuration = json!({
        "url": "/openapi.json",
        "withDefaultFonts": false,
        "telemetry": false,
        "hideClientButton": true,
        "agent": { "disabled": true },
        "persistAuth": false,
        "showDeveloperTools": "never",
        "showToolbar": "never",
    });
    let page = scalar_html(&configuration, Some("/docs/scalar.js"));
    let page = page.replace("<title>Scalar API Reference</title>", "<title>wahana</title>");
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}

async fn script() -> Response {
    match get_asset("scalar.js") {
        Some(script) => (
            [
                (header::CONTENT_TYPE, JAVASCRIPT),
                (header::CACHE_CONTROL, AN_HOUR),
            ],
            script,
        )
            .into_response(),
        None => ApiError::internal("the page's script is not in the binary").into_response(),
    }
}
