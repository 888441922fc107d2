//! Every route, and the OpenAPI document that is made of them.

mod access_tokens;
mod audit;
mod auth;
mod chats;
mod contacts;
mod docs;
mod erasures;
mod exports;
mod groups;
mod hooks;
mod invitations;
mod links;
mod media;
mod members;
mod messages;
mod operations;
mod organization_events;
mod organizations;
mod password_resets;
mod platform;
mod sessions;
mod webhooks;

use organization_events::EventSchemas;

pub use operations::metrics_router;

use std::any::Any;

use axum::{
    Router,
    extract::MatchedPath,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    response::{IntoResponse, Response},
};
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    error::{ApiError, LIMIT, REMAINING, RESET},
    request::{self, REQUEST_ID},
    state::ApiState,
};
use wahana_domain::ErrorCode;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wahana",
        description = "The organization layer for WAHA: each organization has a WAHA of its own.",
    ),
    servers((url = "/", description = "This wahana.")),
    tags(
        (name = "sessions", description = "WhatsApp accounts: make, start, pair, watch and delete them."),
        (name = "messages", description = "Send messages, and read those of a chat."),
        (name = "chats", description = "The chats of a session."),
        (name = "contacts", description = "The contacts of a session."),
        (name = "groups", description = "The groups that a session is in."),
        (name = "events", description = "What happens in the organization, as it happens."),
        (name = "webhooks", description = "Addresses to which what happens in the organization is delivered."),
        (name = "organizations", description = "The caller's organization."),
        (name = "erasures", description = "Erasing everything that is kept of a chat."),
        (name = "exports", description = "Exporting everything that is kept of the organization."),
        (name = "members", description = "Who belongs to the organization, and what they may do."),
        (name = "invitations", description = "Links by which people join the organization."),
        (name = "tokens", description = "Credentials of programs."),
        (name = "audit log", description = "Who did what in the organization, and what came of it."),
        (name = "auth", description = "Signing in, passwords and links, for people."),
        (name = "platform", description = "For those who operate the installation, with a platform token."),
        (name = "operations", description = "For what watches the installation."),
    ),
    modifiers(&Security, &EventSchemas),
    security(("token" = []), ("sign_in" = [])),
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
        let components = document.components.get_or_insert_default();
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("`<id>|<secret>` of an access token"))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let cookie = ApiKeyValue::with_description(
            crate::extract::SIGN_IN_COOKIE,
            "The cookie of a person who signed in. Changes also need `Origin` and `X-Requested-With`.",
        );
        components.add_security_scheme("sign_in", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

fn described() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sessions::list, sessions::create))
        .routes(routes!(sessions::update, sessions::delete))
        .routes(routes!(sessions::start))
        .routes(routes!(sessions::stop))
        .routes(routes!(sessions::restart))
        .routes(routes!(sessions::logout))
        .routes(routes!(sessions::status))
        .routes(routes!(sessions::info))
        .routes(routes!(sessions::connected))
        .routes(routes!(sessions::health))
        .routes(routes!(sessions::sync))
        .routes(routes!(sessions::qr))
        .routes(routes!(sessions::pairing_code))
        .routes(routes!(messages::send_text))
        .routes(routes!(messages::send_media))
        .routes(routes!(messages::list))
        .routes(routes!(messages::history))
        .routes(routes!(messages::get))
        .routes(routes!(messages::cancel))
        .routes(routes!(messages::media))
        .routes(routes!(chats::list))
        .routes(routes!(erasures::create))
        .routes(routes!(erasures::get))
        .routes(routes!(exports::create))
        .routes(routes!(exports::get))
        .routes(routes!(exports::file))
        .routes(routes!(contacts::list))
        .routes(routes!(groups::list))
        .routes(routes!(access_tokens::list, access_tokens::create))
        .routes(routes!(access_tokens::get, access_tokens::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(auth::login))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::me))
        .routes(routes!(auth::organizations))
        .routes(routes!(auth::change_password))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::revoke))
        .routes(routes!(invitations::open))
        .routes(routes!(invitations::accept))
        .routes(routes!(members::list))
        .routes(routes!(members::get, members::update, members::remove))
        .routes(routes!(organization_events::stream))
        .routes(routes!(organizations::get, organizations::update))
        .routes(routes!(password_resets::complete))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::update, webhooks::delete))
        .routes(routes!(webhooks::rotate_secret))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::replay))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::delivery))
        .routes(routes!(webhooks::replay_delivery))
        // operations
        .routes(routes!(operations::health))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::readiness))
        // platform
        .merge(platform::described())
}

/// The OpenAPI 3.1 document of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

/// The whole API, to be served with connection information.
pub fn router(state: ApiState) -> Router {
    let (router, _) = described().split_for_parts();
    surrounded(
        router
            .merge(docs::router())
            .merge(links::router())
            .merge(media::router()),
        hooks::router(),
        state,
    )
}

/// Routes with what holds for all of them. Pages of other sites have no business with those of `machines`.
fn surrounded(pages: Router<ApiState>, machines: Router<ApiState>, state: ApiState) -> Router {
    let cors = cors(&state);
    pages
        .fallback(async || ApiError::nothing_here())
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors)
        .merge(
            machines
                .method_not_allowed_fallback(method_not_allowed)
                .layer(CatchPanicLayer::custom(panicked)),
        )
        .layer(middleware::from_fn_with_state(state.clone(), request::surround))
        .with_state(state)
}

async fn method_not_allowed(method: Method, route: Option<MatchedPath>) -> ApiError {
    let is_session = route.is_some_and(|route| route.as_str() == "/api/waha/sessions/{sessionId}");
    let message = if is_session && matches!(method, Method::GET | Method::HEAD) {
        "This address does not know this method. GET /api/waha/sessions/{sessionId}/status gives the session."
    } else {
        "This address does not know this method."
    };
    ApiError::new(ErrorCode::MethodNotAllowed, message)
}

/// Pages of the configured origins may call with a token; cookies are never theirs to send.
fn cors(state: &ApiState) -> CorsLayer {
    let origins = state
        .settings()
        .cors_origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            REQUEST_ID,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static(organization_events::LAST_EVENT_ID),
        ])
        .expose_headers([REQUEST_ID, header::RETRY_AFTER, LIMIT, REMAINING, RESET])
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let why = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    ApiError::internal(format!("panic: {}", why.unwrap_or("of an unknown kind"))).into_response()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path, sync::Arc};

    use axum::{
        body::Body,
        http::{Request, StatusCode},
        routing::get,
    };
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use waha_client::{HttpClient, HttpOptions};
    use wahana_domain::SystemClock;
    use wahana_service::{ServiceSettings, Services};
    use wahana_testkit::database::{TestDatabase, run};

    use super::*;
    use crate::ApiSettings;

    async fn state(database: &TestDatabase) -> ApiState {
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = database.store(Arc::new(SystemClock)).await;
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let public_url: url::Url = "http://wahana.test/".parse().unwrap();
        let services = Services::new(store, http, ServiceSettings::at(public_url.clone()));
        ApiState::new(services, ApiSettings::at(public_url))
    }

    #[test]
    fn what_the_document_refers_to_is_in_it() {
        let document = openapi().to_json().unwrap();
        let whole: serde_json::Value = serde_json::from_str(&document).unwrap();
        let references: Vec<&str> = document.split("\"$ref\":\"#").skip(1).collect();
        assert!(!references.is_empty());
        for reference in references {
            let pointer = reference.split('"').next().unwrap();
            assert!(whole.pointer(pointer).is_some(), "{pointer} is nowhere");
        }
    }

    fn sources(folder: &Path, found: &mut String) {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    /// Of two that share one, the document keeps one and describes the other's answers by it.
    #[test]
    fn every_described_type_has_a_name_of_its_own() {
        let mut source = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);
        let mut names = BTreeSet::new();
        for (_, described) in source
            .match_indices(concat!("ToSchema", ")]"))
            .map(|(at, _)| source.split_at(at))
        {
            let declaration = described.lines().find(|line| line.starts_with("pub(crate) "));
            let name = declaration.unwrap().split([' ', '<', ';']).nth(2).unwrap();
            assert!(names.insert(name), "two types are named {name}");
        }
        assert!(names.contains("Envelope"));
    }

    #[test]
    fn a_panic_is_an_answer_that_tells_nothing_of_it() {
        run(async {
            let database = TestDatabase::sqlite().await;
            let panics = get(async || -> &'static str { panic!("the secret is hunter2") });
            let routes = Router::new().route("/panics", panics);
            let answering = surrounded(routes, Router::new(), state(&database).await);
            let request = Request::get("/panics")
                .header("x-request-id", "p-1")
                .body(Body::empty());
            let response = answering.oneshot(request.unwrap()).await.unwrap();

            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers()["x-request-id"], "p-1");
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error_code"], "INTERNAL_SERVER_ERROR");
            assert_eq!(body["request_id"], "p-1");
            assert!(!body.to_string().contains("hunter2"), "{body}");
        });
    }
}
