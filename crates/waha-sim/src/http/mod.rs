//! WAHA's HTTP API: how a request is read, checked, counted, hit by faults and answered.

pub(crate) mod access;
pub(crate) mod answers;
pub(crate) mod call;
mod chats;
pub(crate) mod config;
mod contacts;
pub(crate) mod errors;
mod groups;
mod keys;
mod legacy;
mod pairing;
mod reading;
mod routes;
mod sending;
mod server;
mod sessions;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use serde_json::json;
use tower::ServiceExt;

pub(crate) use routes::router;

use self::{
    call::{Call, parse_body},
    errors::{PendingException, WahaError},
};
use crate::{clock, faults::FaultKind, record::ReceivedRequest, sim::Sim, websocket};

/// What a handler asks for.
type Called = Extension<Arc<Call>>;
/// What a handler gives.
type Answer = Result<Response, WahaError>;

/// WAHA's limit on bodies; above it answers 500, not 413.
const BODY_LIMIT: usize = 50 * 1024 * 1024;

/// What becomes of a request.
pub(crate) enum Outcome {
    /// It is answered.
    Answer(Response),
    /// It is never answered.
    Silence,
    /// The connection is closed without an answer.
    Close,
}

/// How a fault changes the end of a request; rides on the answer until then.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Silence,
    Close,
    CloseInBody,
}

/// Reads a request, lets the router answer it, and gives the answer its last form.
pub(crate) async fn handle(sim: Arc<Sim>, router: Router, mut request: http::Request<Incoming>) -> Outcome {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (mut parts, body) = request.into_parts();
    // Express takes a trailing slash for nothing.
    let path = match parts.uri.path() {
        "/" => "/".to_owned(),
        path => path.strip_suffix('/').unwrap_or(path).to_owned(),
    };
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let query: Vec<(String, String)> = url::form_urlencoded::parse(raw_query.as_bytes())
        .into_owned()
        .collect();

    if parts.method == Method::OPTIONS {
        return Outcome::Answer(preflight());
    }
    if path == "/ws" && websocket::is_upgrade(&parts.headers) {
        let access = access::for_websocket(&sim, &parts.headers, &query);
        return Outcome::Answer(websocket::accept(
            &sim,
            &parts.headers,
            upgrade,
            &query,
            access.as_ref(),
        ));
    }

    let bytes = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        // The client went away in the middle of its request.
        Err(_) => return Outcome::Close,
    };
    let parsed = bytes.and_then(|bytes| parse_body(&parts.headers, &bytes));
    let (body, body_error) = match parsed {
        Ok(body) => (body, None),
        Err(error) => (json!({}), Some(error)),
    };
    let access = access::access(&sim, &parts.headers, &query);
    let call = Arc::new(Call {
        sim,
        method: parts.method.clone(),
        path: path.clone(),
        raw_query,
        query,
        headers: parts.headers.clone(),
        body,
        body_error,
        access,
    });

    if let Ok(uri) = path.parse() {
        parts.uri = uri;
    }
    parts.extensions.insert(Arc::clone(&call));
    let request = Request::from_parts(parts, Body::empty());
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    finish(&call, response).await
}

/// Counts the request, applies faults and checks the key, before and after the route's own handler.
async fn around(Extension(call): Called, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("(no route)", MatchedPath::as_str);
    let fault = {
        let mut state = call.sim.lock();
        state.record.request(received(&call, route));
        state.faults.take(call.method.as_str(), &call.path)
    };
    let mut ending = None;
    match fault {
        None => {}
        Some(FaultKind::Slow(delay)) => tokio::time::sleep(Duration::from_millis(delay)).await,
        Some(FaultKind::Hang) => return ends(StatusCode::OK.into_response(), Ending::Silence),
        Some(FaultKind::CloseBefore) => return ends(StatusCode::OK.into_response(), Ending::Close),
        Some(FaultKind::Status(status)) => return failed(status),
        Some(FaultKind::Html(status)) => {
            let mut page =
                answers::html("<html><body><h1>Something else answered</h1></body></html>".to_owned());
            *page.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            return page;
        }
        Some(FaultKind::Garbage) => {
            return answers::bytes("application/json; charset=utf-8", "{\"name\": \"x\", \"sta");
        }
        Some(FaultKind::CloseAfter) => ending = Some(Ending::Close),
        Some(FaultKind::HangAfter) => ending = Some(Ending::Silence),
        Some(FaultKind::CloseInBody) => ending = Some(Ending::CloseInBody),
    }
    let response = guarded(&call, request, next).await;
    match ending {
        Some(ending) => ends(response, ending),
        None => response,
    }
}

/// `/ping` is open, `/api` and `/health` want the key, everything else wants a password that nobody has.
async fn guarded(call: &Call, request: Request, next: Next) -> Response {
    let path = call.path.as_str();
    if path == "/ping" {
        return next.run(request).await;
    }
    if path != "/health" && path != "/api" && !path.starts_with("/api/") {
        let mut page = answers::html(String::new());
        *page.status_mut() = StatusCode::UNAUTHORIZED;
        page.headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        return page;
    }
    // Express reads the body before anybody looks at the key.
    if let Some(error) = &call.body_error {
        return error.clone().into_response();
    }
    if call.access.is_none() {
        return WahaError::unauthorized().into_response();
    }
    next.run(request).await
}

fn received(call: &Call, route: &str) -> ReceivedRequest {
    let headers = call.headers.iter().map(|(name, value)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    let route = if route == "(no route)" {
        route.to_owned()
    } else {
        format!("{} {route}", call.method)
    };
    ReceivedRequest {
        method: call.method.to_string(),
        path: call.path.clone(),
        query: call.raw_query.clone(),
        session: call.named_session(route.split_once(' ').map_or("", |(_, template)| template)),
        route,
        headers: headers.collect(),
    }
}

fn ends(mut response: Response, ending: Ending) -> Response {
    response.extensions_mut().insert(ending);
    response
}

fn failed(status: u16) -> Response {
    if status == 500 {
        return WahaError::exception("Error", "Simulated failure").into_response();
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    WahaError::nest(status, status.canonical_reason().unwrap_or("Error")).into_response()
}

fn too_large() -> WahaError {
    let mut error = WahaError::exception("PayloadTooLargeError", "request entity too large");
    if let WahaError::Exception(exception) = &mut error {
        exception["limit"] = BODY_LIMIT.into();
        exception["type"] = "entity.too.large".into();
    }
    error
}

fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    express_headers(&mut response);
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
    );
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Access-Control-Request-Headers"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

fn express_headers(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert("x-powered-by", HeaderValue::from_static("Express"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

/// Completes an exception with its request, adds what Express adds, and carries a fault's ending out.
async fn finish(call: &Call, mut response: Response) -> Outcome {
    let ending = response.extensions_mut().remove::<Ending>();
    match ending {
        Some(Ending::Silence) => return Outcome::Silence,
        Some(Ending::Close) => return Outcome::Close,
        Some(Ending::CloseInBody) | None => {}
    }
    if let Some(PendingException(exception)) = response.extensions_mut().remove() {
        let body = json!({
            "statusCode": 500,
            "timestamp": clock::iso(call.sim.clock.now_ms()),
            "exception": exception,
            "request": call.to_json(),
            "version": call.sim.environment(),
        });
        response = answers::json_response(StatusCode::INTERNAL_SERVER_ERROR, &body);
    }
    express_headers(&mut response);
    let (mut parts, body) = response.into_parts();
    let bytes = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(_) => return Outcome::Close,
    };
    if matches!(ending, Some(Ending::CloseInBody)) {
        return Outcome::Answer(cut_off(parts, &bytes));
    }
    let is_text = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(b"application/json") || kind.starts_with(b"text/html")
    });
    if is_text {
        let tag = answers::etag(&bytes);
        let reads = call.method == Method::GET || call.method == Method::HEAD;
        let known = call
            .headers
            .get(header::IF_NONE_MATCH)
            .is_some_and(|known| known.as_bytes() == tag.as_bytes());
        if let Ok(value) = HeaderValue::try_from(tag) {
            parts.headers.insert(header::ETAG, value);
        }
        if reads && known && parts.status.is_success() {
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers.remove(header::CONTENT_TYPE);
            return Outcome::Answer(Response::from_parts(parts, Body::empty()));
        }
    }
    Outcome::Answer(Response::from_parts(parts, Body::from(bytes)))
}

/// Promises the whole body, sends half of it, and then breaks.
fn cut_off(mut parts: http::response::Parts, bytes: &Bytes) -> Response {
    // An empty body cannot be cut; promise one.
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len().max(2)));
    let half = bytes.slice(..bytes.len() / 2);
    let pieces = futures_util::stream::iter([
        Ok(half),
        Err(std::io::Error::new(
            std::io::ErrorKind::ConnectionReset,
            "cut off on purpose",
        )),
    ]);
    Response::from_parts(parts, Body::from_stream(pieces))
}
