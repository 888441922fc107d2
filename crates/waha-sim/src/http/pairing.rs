//! `/api/{session}/auth`, and the screenshot, which on engines without a browser is the QR code.

use axum::{Extension, extract::Path};
use http::{StatusCode, header};
use serde_json::json;

use super::{
    Answer, Called,
    answers::{bytes, created, empty, ok},
    call::Call,
    errors::WahaError,
    sessions::not_running,
};
use crate::{engine::Engine, ids, life, qr, sessions::Status};

fn picture(call: &Call, session: &str, mimetype: &str) -> Answer {
    let code = current_code(call, session)?;
    let png = qr::png(&code).map_err(|error| WahaError::exception("Error", &error.to_string()))?;
    let wants_json = call
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    if wants_json {
        let data = data_encoding::BASE64.encode(&png);
        return Ok(ok(&json!({"mimetype": mimetype, "data": data})));
    }
    Ok(bytes(mimetype, png))
}

fn current_code(call: &Call, session: &str) -> Result<String, WahaError> {
    let state = call.sim.lock();
    let found = state.sessions.get(session);
    found.and_then(|found| found.qr.clone()).ok_or_else(|| {
        let status = found.map_or(Status::Stopped, |found| found.status);
        WahaError::wrong_status(session, status, &[Status::ScanQrCode])
    })
}

pub(super) async fn qr_code(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.may_use(&session)?;
    call.sim.wait_for_status(&session, &[Status::ScanQrCode]).await?;
    if call.query("format") == Some("raw") {
        return Ok(ok(&json!({"value": current_code(&call, &session)?})));
    }
    picture(&call, &session, "image/png")
}

pub(super) async fn request_code(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.may_use(&session)?;
    let sim = &call.sim;
    // WAHA waits here without bound while the session starts.
    sim.wait_while_starting(&session).await;
    sim.wait_for_status(&session, &[Status::ScanQrCode]).await?;
    if sim.options.engine == Engine::Noweb && call.body.get("method").is_some_and(|method| !method.is_null())
    {
        return Err(WahaError::unprocessable(
            "NOWEB engine doesn't support any 'method', remove it and try again",
        ));
    }
    let number: String = call
        .text("phoneNumber")
        .ok_or_else(|| WahaError::undefined("replace"))?
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let mut state = sim.lock();
    let code = ids::pairing_code(&mut state.rng);
    if let Some(found) = state.sessions.get_mut(&session) {
        found.requested_number = Some(number);
    }
    Ok(created(&json!({"code": code})))
}

pub(super) async fn screenshot(Extension(call): Called) -> Answer {
    let session = call.query_session()?;
    let status = call.sim.lock().sessions.get(&session).map(|found| found.status);
    match status {
        None | Some(Status::Stopped) => Err(not_running(&session)),
        Some(Status::ScanQrCode) => picture(&call, &session, "image/jpeg"),
        Some(_) => Err(WahaError::unprocessable(
            "Can not get screenshot for non chrome based engine.",
        )),
    }
}

/// The passkey operations follow WAHA 2026.7.1's API description; they were not recorded.
pub(super) async fn passkey_challenge(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.may_use(&session)?;
    call.sim
        .wait_for_status(&session, &[Status::PasskeyRequired])
        .await?;
    let state = call.sim.lock();
    let passkey = state
        .sessions
        .get(&session)
        .and_then(|found| found.passkey.clone());
    let passkey = passkey.ok_or_else(|| WahaError::UnknownSession(session.clone()))?;
    Ok(ok(&passkey.challenge_json()))
}

pub(super) async fn passkey_answer(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.may_use(&session)?;
    call.sim
        .wait_for_status(&session, &[Status::PasskeyRequired])
        .await?;
    for field in ["id", "rawId", "type", "response"] {
        if call.body.get(field).is_none_or(serde_json::Value::is_null) {
            return Err(WahaError::invalid(&[format!("{field} should not be empty")]));
        }
    }
    life::require_passkey_confirmation(&call.sim, &mut call.sim.lock(), &session);
    Ok(empty(StatusCode::CREATED))
}

pub(super) async fn passkey_confirmation(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.may_use(&session)?;
    call.sim
        .wait_for_status(&session, &[Status::PasskeyConfirmationRequired])
        .await?;
    let state = call.sim.lock();
    let passkey = state
        .sessions
        .get(&session)
        .and_then(|found| found.passkey.clone());
    let passkey = passkey.ok_or_else(|| WahaError::UnknownSession(session.clone()))?;
    Ok(ok(&json!({"code": passkey.code})))
}

pub(super) async fn passkey_confirm(Extension(call): Called, Path(session): Path<String>) -> Answer {
    call.may_use(&session)?;
    call.sim
        .wait_for_status(&session, &[Status::PasskeyConfirmationRequired])
        .await?;
    life::pair(&call.sim, &mut call.sim.lock(), &session, None);
    Ok(empty(StatusCode::CREATED))
}
