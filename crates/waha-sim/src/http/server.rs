//! Questions about the server itself, and its files.

use std::time::Duration;

use axum::{Extension, body::Body, extract::Path, response::Response};
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use super::{
    Answer, Called,
    answers::{bytes, created, json_response, ok},
    errors::WahaError,
};
use crate::clock;

pub(super) async fn ping() -> Response {
    ok(&json!({"message": "pong"}))
}

/// Since the merge of Plus a report in Terminus's shape, after WAHA's documentation; before it, not for free.
pub(super) async fn health(Extension(call): Called) -> Answer {
    call.admin()?;
    let sim = &call.sim;
    if !sim.options.version.has_merged_plus() {
        return Err(WahaError::unprocessable(&format!(
            "The feature is available only in Plus version for '{}' engine. \
             Check this out: https://waha.devlike.pro/",
            sim.options.engine.name()
        )));
    }
    let space = |path: &str| json!({"status": "up", "path": path, "diskPath": "/", "free": 100_000_000_000_u64, "threshold": 104_857_600});
    let checks = json!({"mediaFiles.space": space("/tmp/whatsapp-files"), "sessionsFiles.space": space("/app/.sessions")});
    let mut report = ok(&json!({"status": "ok", "info": checks, "error": {}, "details": checks}));
    report.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, must-revalidate"),
    );
    Ok(report)
}

pub(super) async fn version(Extension(call): Called) -> Answer {
    Ok(ok(&call.sim.environment()))
}

pub(super) async fn status(Extension(call): Called) -> Answer {
    let started = call.sim.lock().started_ms;
    let worker = call.sim.options.worker_id.clone().unwrap_or_default();
    let uptime = call.sim.clock.now_ms().saturating_sub(started);
    Ok(ok(
        &json!({"startTimestamp": started, "uptime": uptime, "worker": {"id": worker}}),
    ))
}

/// Shows the server's key in clear, because WAHA does: a gateway must not let this through.
pub(super) async fn environment(Extension(call): Called) -> Answer {
    call.admin()?;
    let sim = &call.sim;
    let mut variables = Map::new();
    variables.insert(
        "WHATSAPP_DEFAULT_ENGINE".to_owned(),
        sim.options.engine.name().into(),
    );
    variables.insert(
        "WHATSAPP_API_PORT".to_owned(),
        sim.address.port().to_string().into(),
    );
    variables.insert("WAHA_MEDIA_STORAGE".to_owned(), "LOCAL".into());
    if let Some(key) = sim.api_key_in_clear() {
        variables.insert("WAHA_API_KEY".to_owned(), key.into());
    }
    Ok(ok(&Value::Object(variables)))
}

/// The process ends ten seconds after the answer.
pub(super) async fn stop(Extension(call): Called) -> Answer {
    call.admin()?;
    let sim = std::sync::Arc::clone(&call.sim);
    let state = call.sim.lock();
    state.spawn(async move {
        sim.wait(Duration::from_secs(10)).await;
        sim.stop_process();
    });
    Ok(created(&json!({"stopping": true})))
}

pub(super) async fn apps(Extension(call): Called) -> Answer {
    call.admin()?;
    Err(WahaError::unprocessable(
        "Apps are disabled. Enable it by setting 'WAHA_APPS_ENABLED=True' environment variable.",
    ))
}

/// Any key opens any session's files, as in WAHA 2026.2.1: a gateway must check the session itself.
pub(super) async fn file(Extension(call): Called, Path((session, name)): Path<(String, String)>) -> Answer {
    let state = call.sim.lock();
    let file = state.files.get(&session, &name).ok_or_else(|| {
        WahaError::not_found("ENOENT: no such file or directory, stat '/app/data/media/index.html'")
    })?;
    let mut answer = bytes(&file.mimetype, Body::from(file.bytes.clone()));
    let headers = answer.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=0"),
    );
    if let Ok(value) = HeaderValue::try_from(clock::http_date(file.stored_ms)) {
        headers.insert(header::LAST_MODIFIED, value);
    }
    Ok(answer)
}

pub(super) async fn no_route(Extension(call): Called) -> Response {
    let message = format!("Cannot {} {}", call.method, call.path);
    json_response(
        http::StatusCode::NOT_FOUND,
        &json!({"message": message, "error": "Not Found", "statusCode": 404}),
    )
}
