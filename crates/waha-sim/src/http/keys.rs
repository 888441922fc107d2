//! `/api/keys`: keys that open one session.

use axum::{Extension, extract::Path};
use serde_json::{Value, json};

use super::{
    Answer, Called,
    access::ApiKey,
    answers::{created, ok},
    call::Call,
    errors::WahaError,
};
use crate::ids;

/// Whom a key is for.
struct Request {
    is_admin: bool,
    session: Option<String>,
    is_active: bool,
}

fn read(call: &Call) -> Result<Request, WahaError> {
    let flag = |name: &str| call.body.get(name).and_then(Value::as_bool);
    let request = Request {
        is_admin: flag("isAdmin").unwrap_or(false),
        session: call.text("session").map(str::to_owned),
        is_active: flag("isActive").unwrap_or(true),
    };
    match (&request.session, request.is_admin) {
        (Some(_), true) => Err(WahaError::unprocessable("Session is not allowed for admin keys")),
        (None, false) => Err(WahaError::unprocessable(
            "Either isAdmin must be true or session must be provided",
        )),
        _ => Ok(request),
    }
}

fn known_session(call: &Call, request: &Request) -> Result<(), WahaError> {
    let sim = &call.sim;
    if sim.options.only_default_session {
        return Err(WahaError::unprocessable(
            "API key management is not available in this edition. See https://waha.devlike.pro/",
        ));
    }
    match &request.session {
        Some(session) if !sim.lock().sessions.contains_key(session) => Err(WahaError::unprocessable(
            &format!("Session \"{session}\" does not exist"),
        )),
        _ => Ok(()),
    }
}

pub(super) async fn list(Extension(call): Called) -> Answer {
    call.admin()?;
    let keys: Value = call.sim.lock().keys.iter().map(ApiKey::to_json).collect();
    Ok(ok(&keys))
}

pub(super) async fn create(Extension(call): Called) -> Answer {
    call.admin()?;
    let request = read(&call)?;
    known_session(&call, &request)?;
    let now = call.sim.clock.now_ms();
    let mut state = call.sim.lock();
    let key = ApiKey {
        id: format!("key_id_{}", ids::ulid(&mut state.rng, now)),
        key: ids::key_secret(&mut state.rng),
        is_active: request.is_active,
        is_admin: request.is_admin,
        session: request.session,
    };
    let answer = created(&key.to_json());
    state.keys.push(key);
    Ok(answer)
}

pub(super) async fn update(Extension(call): Called, Path(id): Path<String>) -> Answer {
    call.admin()?;
    let request = read(&call)?;
    known_session(&call, &request)?;
    let mut state = call.sim.lock();
    let key = state
        .keys
        .iter_mut()
        .find(|key| key.id == id)
        .ok_or_else(key_not_found)?;
    key.is_active = request.is_active;
    key.is_admin = request.is_admin;
    key.session = request.session;
    Ok(ok(&key.to_json()))
}

pub(super) async fn delete(Extension(call): Called, Path(id): Path<String>) -> Answer {
    call.admin()?;
    let mut state = call.sim.lock();
    let before = state.keys.len();
    state.keys.retain(|key| key.id != id);
    if state.keys.len() == before {
        return Err(key_not_found());
    }
    Ok(ok(&json!({"result": true})))
}

fn key_not_found() -> WahaError {
    WahaError::not_found("API key not found")
}
