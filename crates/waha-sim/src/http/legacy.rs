//! The old session operations that take the name in the body.

use axum::Extension;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Answer, Called,
    answers::{created, empty},
    config,
    errors::WahaError,
};
use crate::{life, sessions::Session};

/// Makes the session if need be, and starts it.
pub(super) async fn start(Extension(call): Called) -> Answer {
    let name = call.body_name()?;
    let config = config::normalise(call.body.get("config").unwrap_or(&Value::Null))
        .map_err(|faults| WahaError::invalid(&faults))?;
    let sim = &call.sim;
    let _lock = sim.session_lock(&name).await?;
    let mut state = sim.lock();
    let session = state
        .sessions
        .entry(name.clone())
        .or_insert_with(|| Session::new(&name, None));
    if session.is_running() {
        return Err(WahaError::unprocessable(&format!(
            "Session '{name}' is already started."
        )));
    }
    if config.is_some() {
        session.config = config;
    }
    life::start(sim, &mut state, &name);
    let status = state.sessions.get(&name).map(|session| session.status.name());
    Ok(created(&json!({"name": name, "status": status})))
}

pub(super) async fn stop(Extension(call): Called) -> Answer {
    let name = call.body_name()?;
    let sim = &call.sim;
    let _lock = sim.session_lock(&name).await?;
    let was_running = life::stop(sim, &name).await;
    if call.body.get("logout").and_then(Value::as_bool) == Some(true) {
        sim.lock().phones.remove(&name);
        if was_running {
            sim.wait(std::time::Duration::from_secs(1)).await;
        }
    }
    Ok(empty(StatusCode::CREATED))
}

pub(super) async fn logout(Extension(call): Called) -> Answer {
    let name = call.body_name()?;
    let sim = &call.sim;
    let _lock = sim.session_lock(&name).await?;
    life::stop(sim, &name).await;
    sim.lock().phones.remove(&name);
    Ok(empty(StatusCode::CREATED))
}
