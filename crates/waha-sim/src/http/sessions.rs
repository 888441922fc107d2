//! `/api/sessions`.

use std::sync::Arc;

use axum::{Extension, extract::Path};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Answer, Called,
    answers::{created, empty, ok},
    call::Call,
    config,
    errors::WahaError,
};
use crate::{
    faults::SendRefusal,
    ids, life,
    sessions::Session,
    sim::{Sim, State},
};

fn not_found() -> WahaError {
    WahaError::not_found("Session not found")
}

fn show(sim: &Sim, state: &State, name: &str) -> Result<Value, WahaError> {
    state
        .sessions
        .get(name)
        .map(|session| session.to_json(sim.options.engine))
        .ok_or_else(not_found)
}

fn expand_apps(call: &Call) -> Result<(), WahaError> {
    match call.query("expand") {
        Some("apps") => Err(WahaError::unprocessable(
            "Apps are disabled. Enable it by setting 'WAHA_APPS_ENABLED=True' environment variable.",
        )),
        _ => Ok(()),
    }
}

pub(super) async fn list(Extension(call): Called) -> Answer {
    let all = call.boolean("all")?.unwrap_or(false);
    expand_apps(&call)?;
    let access = call.access()?;
    let state = call.sim.lock();
    let sessions: Value = state
        .sessions
        .values()
        .filter(|session| access.needs_session(&session.name).is_ok() && (all || session.is_running()))
        .map(Session::to_list_item)
        .collect();
    Ok(ok(&sessions))
}

pub(super) async fn create(Extension(call): Called) -> Answer {
    let name = config::check_name(call.body.get("name").unwrap_or(&Value::Null));
    let config = config::normalise(call.body.get("config").unwrap_or(&Value::Null));
    let (name, config) = match (name, config) {
        (Ok(name), Ok(config)) => (name, config),
        (name, config) => {
            let faults = [name.err(), config.err()]
                .into_iter()
                .flatten()
                .flatten()
                .collect::<Vec<_>>();
            return Err(WahaError::invalid(&faults));
        }
    };
    call.admin()?;
    let sim = &call.sim;
    let name = name.unwrap_or_else(|| {
        let now = sim.clock.now_ms();
        format!("session_{}", ids::ulid(&mut sim.lock().rng, now))
    });
    call.may_use(&name)?;
    let _lock = sim.session_lock(&name).await?;
    let mut state = sim.lock();
    if state.sessions.contains_key(&name) {
        return Err(WahaError::unprocessable(&format!(
            "Session '{name}' already exists. Use PUT to update it."
        )));
    }
    state.sessions.insert(name.clone(), Session::new(&name, config));
    // WAHA's documentation says that a session starts by default; WAHA 2026.2.1 leaves it stopped.
    if call.body.get("start").and_then(Value::as_bool) == Some(true) {
        life::start(sim, &mut state, &name);
    }
    Ok(created(&show(sim, &state, &name)?))
}

pub(super) async fn get(Extension(call): Called, Path(name): Path<String>) -> Answer {
    call.may_use(&name)?;
    expand_apps(&call)?;
    Ok(ok(&show(&call.sim, &call.sim.lock(), &name)?))
}

pub(super) async fn update(Extension(call): Called, Path(name): Path<String>) -> Answer {
    let config = config::normalise(call.body.get("config").unwrap_or(&Value::Null))
        .map_err(|faults| WahaError::invalid(&faults))?;
    call.may_use(&name)?;
    let sim = &call.sim;
    let _lock = sim.session_lock(&name).await?;
    match sim.lock().sessions.get_mut(&name) {
        Some(session) => session.config = config,
        None => return Err(not_found()),
    }
    let was_running = life::stop(sim, &name).await;
    let mut state = sim.lock();
    if was_running {
        life::start(sim, &mut state, &name);
    }
    Ok(ok(&show(sim, &state, &name)?))
}

pub(super) async fn delete(Extension(call): Called, Path(name): Path<String>) -> Answer {
    call.admin()?;
    call.may_use(&name)?;
    let sim = &call.sim;
    {
        let _lock = sim.session_lock(&name).await?;
        life::stop(sim, &name).await;
        let mut state = sim.lock();
        state.sessions.remove(&name);
        state.phones.remove(&name);
        state.refusals.remove(&name);
        sim.notify_changed();
    }
    sim.forget_lock(&name);
    Ok(empty(StatusCode::OK))
}

pub(super) async fn me(Extension(call): Called, Path(name): Path<String>) -> Answer {
    call.may_use(&name)?;
    let state = call.sim.lock();
    let session = state
        .sessions
        .get(&name)
        .filter(|session| session.is_running())
        .ok_or_else(|| not_running(&name))?;
    Ok(match &session.me {
        Some(me) => ok(&me.to_json()),
        None => empty(StatusCode::OK),
    })
}

/// WAHA 2026.9.2 with GOWS. **Unverified**: its answer was never recorded.
pub(super) async fn time_lock(Extension(call): Called, Path(name): Path<String>) -> Answer {
    let until = restricted_until(&call, &name, SendRefusal::TimeLocked)?;
    Ok(ok(
        &json!({"isActive": until.is_some(), "timeEnforcementEnds": until}),
    ))
}

/// WAHA 2026.9.2 with GOWS. **Unverified**: its answer was never recorded.
pub(super) async fn capping(Extension(call): Called, Path(name): Path<String>) -> Answer {
    let until = restricted_until(&call, &name, SendRefusal::Capped)?;
    let status = if until.is_some() { "CAPPED" } else { "NONE" };
    Ok(ok(&json!({"cappingStatus": status, "cycleEnd": until})))
}

fn restricted_until(call: &Call, name: &str, reason: SendRefusal) -> Result<Option<i64>, WahaError> {
    call.may_use(name)?;
    let state = call.sim.lock();
    let refusal = state
        .refusals
        .get(name)
        .filter(|refusal| refusal.reason == reason);
    Ok(refusal.and_then(|refusal| refusal.until))
}

pub(super) fn not_running(name: &str) -> WahaError {
    WahaError::not_found(&format!(
        "We didn't find a session with name '{name}'.\n\
         Please start it first by using POST /api/sessions/{name}/start request"
    ))
}

pub(super) async fn start(Extension(call): Called, Path(name): Path<String>) -> Answer {
    call.may_use(&name)?;
    let sim = &call.sim;
    let _lock = sim.session_lock(&name).await?;
    let mut state = sim.lock();
    let running = state.sessions.get(&name).ok_or_else(not_found)?.is_running();
    if running {
        return Err(WahaError::unprocessable(&format!(
            "Session '{name}' is already started."
        )));
    }
    life::start(sim, &mut state, &name);
    Ok(created(&show(sim, &state, &name)?))
}

pub(super) async fn stop(Extension(call): Called, Path(name): Path<String>) -> Answer {
    call.may_use(&name)?;
    let sim = &call.sim;
    let _lock = sim.session_lock(&name).await?;
    life::stop(sim, &name).await;
    Ok(match show(sim, &sim.lock(), &name) {
        Ok(session) => created(&session),
        // Not 404: WAHA answers 201 with nothing.
        Err(_) => empty(StatusCode::CREATED),
    })
}

pub(super) async fn restart(Extension(call): Called, Path(name): Path<String>) -> Answer {
    call.may_use(&name)?;
    let sim = &call.sim;
    let _lock = sim.session_lock(&name).await?;
    show(sim, &sim.lock(), &name)?;
    life::stop(sim, &name).await;
    let mut state = sim.lock();
    life::start(sim, &mut state, &name);
    Ok(created(&show(sim, &state, &name)?))
}

pub(super) async fn logout(Extension(call): Called, Path(name): Path<String>) -> Answer {
    call.may_use(&name)?;
    let sim: &Arc<Sim> = &call.sim;
    let _lock = sim.session_lock(&name).await?;
    show(sim, &sim.lock(), &name)?;
    life::logout(sim, &name).await;
    Ok(created(&show(sim, &sim.lock(), &name)?))
}
