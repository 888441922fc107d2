//! The control API: what [`crate::WahaSim`] can do, over HTTP, on a port of its own. The README lists its calls.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State as Shared},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    control::{Control, ControlError},
    faults::{Fault, SendRefusal},
    incoming::{self, IncomingMessage},
    life,
    seeds::SessionSeed,
    server::{Door, RestartLoss},
    sessions::Status,
    sim::Sim,
};

type Here = Shared<Arc<Sim>>;
type Done = Result<Json<Value>, ControlError>;

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::UnknownSession(_) => StatusCode::NOT_FOUND,
            Self::WrongStatus { .. } => StatusCode::CONFLICT,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}

/// Serves the control API until the simulator ends.
pub(crate) async fn serve(sim: Arc<Sim>, listener: TcpListener) {
    let lifetime = sim.lifetime.clone();
    let served = axum::serve(listener, router(sim))
        .with_graceful_shutdown(lifetime.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the control API ended");
    }
}

fn router(sim: Arc<Sim>) -> Router {
    Router::new()
        .route("/", get(about))
        .route("/counts", get(counts))
        .route("/sent", get(sent))
        .route("/requests", get(requests))
        .route("/records", axum::routing::delete(reset_records))
        .route("/faults", get(faults).post(set_fault).delete(clear_faults))
        .route("/away", post(away))
        .route("/slam", post(slam))
        .route("/back", post(back))
        .route("/cut", post(cut))
        .route("/restart", post(restart))
        .route("/whatsapp", post(whatsapp))
        .route("/traffic", post(traffic))
        .route("/sessions", get(sessions).delete(lose_sessions))
        .route("/sessions/{session}", put(add_session).delete(delete_session))
        .route("/sessions/{session}/messages", post(message))
        .route("/sessions/{session}/reactions", post(reaction))
        .route("/sessions/{session}/calls", post(call))
        .route("/sessions/{session}/refuse", post(refuse))
        .route("/sessions/{session}/{action}", post(act))
        .with_state(sim)
}

fn done() -> Json<Value> {
    Json(json!({"done": true}))
}

async fn about(Shared(sim): Here) -> Json<Value> {
    Json(json!({
        "simulator": true,
        "notice": crate::NOTICE,
        "waha": format!("http://{}", sim.address),
        "version": sim.options.version.text(),
        "engine": sim.options.engine.name(),
        "timeScale": sim.options.time_scale,
    }))
}

async fn counts(Shared(sim): Here) -> Json<crate::Counts> {
    Json(sim.lock().record.counts.clone())
}

async fn sent(Shared(sim): Here) -> Json<Vec<crate::SentMessage>> {
    Json(sim.lock().record.sent_messages())
}

async fn requests(Shared(sim): Here) -> Json<Vec<crate::ReceivedRequest>> {
    Json(sim.lock().record.requests())
}

async fn reset_records(Shared(sim): Here) -> Json<Value> {
    sim.lock().record.reset();
    done()
}

async fn faults(Shared(sim): Here) -> Json<Vec<Fault>> {
    Json(sim.lock().faults.list().to_vec())
}

async fn set_fault(Shared(sim): Here, Json(fault): Json<Fault>) -> Json<Value> {
    sim.lock().faults.set(fault);
    done()
}

async fn clear_faults(Shared(sim): Here) -> Json<Value> {
    sim.lock().faults.clear();
    done()
}

async fn away(Shared(sim): Here) -> Json<Value> {
    sim.set_door(Door::Refusing).await;
    done()
}

async fn slam(Shared(sim): Here) -> Json<Value> {
    sim.set_door(Door::Slamming).await;
    done()
}

async fn back(Shared(sim): Here) -> Json<Value> {
    sim.set_door(Door::Open).await;
    done()
}

async fn cut(Shared(sim): Here) -> Json<Value> {
    sim.cut_connections();
    done()
}

#[derive(Deserialize)]
struct Restart {
    loss: RestartLoss,
}

async fn restart(Shared(sim): Here, Json(request): Json<Restart>) -> Json<Value> {
    sim.restart_process(request.loss);
    sim.set_door(Door::Open).await;
    done()
}

#[derive(Deserialize)]
struct Reachable {
    reachable: bool,
}

async fn whatsapp(Shared(sim): Here, Json(request): Json<Reachable>) -> Json<Value> {
    sim.lock().whatsapp_reachable = request.reachable;
    done()
}

#[derive(Deserialize)]
struct Traffic {
    messages_per_minute: f64,
}

async fn traffic(Shared(sim): Here, Json(request): Json<Traffic>) -> Json<Value> {
    Control(&sim).set_traffic(request.messages_per_minute);
    done()
}

async fn sessions(Shared(sim): Here) -> Json<Value> {
    let state = sim.lock();
    Json(
        state
            .sessions
            .keys()
            .map(|name| life::summary(&state, name))
            .collect(),
    )
}

async fn lose_sessions(Shared(sim): Here) -> Json<Value> {
    Control(&sim).lose_all_sessions();
    done()
}

#[derive(Deserialize)]
struct Added {
    status: Option<Status>,
    phone: Option<String>,
    config: Option<Value>,
}

async fn add_session(
    Shared(sim): Here,
    Path(session): Path<String>,
    Json(added): Json<Added>,
) -> Json<Value> {
    let mut seed = SessionSeed::new(&session);
    if let Some(status) = added.status {
        seed = seed.status(status);
    }
    if let Some(phone) = added.phone {
        seed = seed.phone(&phone);
    }
    if let Some(config) = added.config {
        seed = seed.config(config);
    }
    Control(&sim).add_session(seed);
    Json(life::summary(&sim.lock(), &session))
}

async fn delete_session(Shared(sim): Here, Path(session): Path<String>) -> Done {
    Control(&sim).delete_session(&session)?;
    Ok(done())
}

#[derive(Default, Deserialize)]
struct Action {
    phone: Option<String>,
}

async fn act(
    Shared(sim): Here,
    Path((session, action)): Path<(String, String)>,
    body: Option<Json<Action>>,
) -> Result<Response, ControlError> {
    let phone = body.map(|Json(action)| action.phone).unwrap_or_default();
    let control = Control(&sim);
    let name = session.as_str();
    match action.as_str() {
        "pair" => control.act(name, "scan its QR code", |sim, state| {
            life::pair(sim, state, name, phone)
        }),
        "passkey" => control.act(name, "ask for a passkey", |sim, state| {
            life::require_passkey(sim, state, name)
        }),
        "disconnect" => control.act(name, "drop its connection", |sim, state| {
            life::drop_connection(sim, state, name)
        }),
        "unlink" => control.act(name, "unlink it", |sim, state| life::unlink(sim, state, name)),
        "fail" => control.act(name, "let it fail", |sim, state| life::fail(sim, state, name)),
        "stop" => control.act(name, "stop it", |sim, state| {
            life::stop_now(sim, state, name);
            true
        }),
        _ => {
            let error = json!({"error": format!("there is no action `{action}`")});
            return Ok((StatusCode::NOT_FOUND, Json(error)).into_response());
        }
    }?;
    Ok(Json(life::summary(&sim.lock(), name)).into_response())
}

#[derive(Deserialize)]
struct Written {
    chat: String,
    text: String,
    participant: Option<String>,
    sender_name: Option<String>,
}

async fn message(Shared(sim): Here, Path(session): Path<String>, Json(written): Json<Written>) -> Done {
    let mut incoming = IncomingMessage::text(&written.chat, &written.text);
    if let Some(participant) = written.participant {
        incoming = incoming.written_by(&participant);
    }
    if let Some(name) = written.sender_name {
        incoming = incoming.sender_name(&name);
    }
    Ok(Json(
        json!({"id": Control(&sim).receive_message(&session, incoming)?}),
    ))
}

#[derive(Deserialize)]
struct Reacted {
    chat: String,
    message: String,
    reaction: String,
}

async fn reaction(Shared(sim): Here, Path(session): Path<String>, Json(reacted): Json<Reacted>) -> Done {
    Control(&sim).act(&session, "react to a message", |sim, state| {
        incoming::react(
            sim,
            state,
            &session,
            &reacted.chat,
            &reacted.message,
            &reacted.reaction,
        )
    })?;
    Ok(done())
}

#[derive(Deserialize)]
struct Called {
    from: String,
}

async fn call(Shared(sim): Here, Path(session): Path<String>, Json(called): Json<Called>) -> Done {
    Control(&sim).act(&session, "call it", |sim, state| {
        incoming::call(sim, state, &session, &called.from)
    })?;
    Ok(done())
}

#[derive(Deserialize)]
struct Refused {
    reason: SendRefusal,
    times: Option<u32>,
    until: Option<i64>,
}

async fn refuse(Shared(sim): Here, Path(session): Path<String>, Json(refused): Json<Refused>) -> Json<Value> {
    Control(&sim).refuse_sends(&session, refused.reason, refused.times, refused.until);
    done()
}
