//! Messages that leave: stored, recorded, announced, acknowledged.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    events,
    faults::SendRefusal,
    http::errors::WahaError,
    messages::{Ack, Message},
    record::SentMessage,
    sim::{Sim, State},
};

/// What an engine needs for a send.
const SENDING: Duration = Duration::from_millis(25);
/// When the acknowledgements come, counted from the send.
const ACKS: [(Ack, Duration); 3] = [
    (Ack::Server, Duration::from_millis(35)),
    (Ack::Device, Duration::from_millis(115)),
    (Ack::Read, Duration::from_secs(2)),
];

/// Whether WhatsApp takes this session's sends.
fn refuse(state: &mut State, session: &str) -> Result<(), WahaError> {
    let Some(refusal) = state.refusals.get_mut(session) else {
        return Ok(());
    };
    let reason = refusal.reason;
    if let Some(times) = &mut refusal.times {
        *times -= 1;
        if *times == 0 {
            state.refusals.remove(session);
        }
    }
    Err(refused(reason))
}

/// The first two were recorded from WAHA 2026.2.1; the last two are a guess at how it passes WhatsApp's error on.
fn refused(reason: SendRefusal) -> WahaError {
    let boom = |message: &str, code: Option<u16>| {
        let mut error = WahaError::exception("Error", message);
        if let WahaError::Exception(exception) = &mut error {
            exception["data"] = code.map_or(Value::Null, Value::from);
            exception["isBoom"] = true.into();
            exception["isServer"] = false.into();
            exception["output"] = code.map_or_else(|| json!({}), |code| json!({"statusCode": code}));
        }
        error
    };
    match reason {
        SendRefusal::ConnectionClosed => WahaError::exception("Error", "Connection Closed"),
        SendRefusal::NotAuthorized => boom("not-authorized", None),
        SendRefusal::TimeLocked => boom("463", Some(463)),
        SendRefusal::Capped => boom("475", Some(475)),
    }
}

/// Marks the session as active, which WAHA does with every send.
pub(crate) fn note_activity(sim: &Sim, state: &mut State, session: &str) {
    let now = sim.clock.now_ms();
    if let Some(session) = state.sessions.get_mut(session) {
        session.activity = Some(now);
        session.online = true;
    }
}

/// Sends a message of a session that works. What WhatsApp took is recorded, whatever becomes of the answer.
pub(crate) async fn send(sim: &Arc<Sim>, message: Message, sent: SentMessage) -> Result<Message, WahaError> {
    sim.wait(SENDING).await;
    let mut state = sim.lock();
    refuse(&mut state, &sent.session)?;
    note_activity(sim, &mut state, &sent.session);
    let session = sent.session.clone();
    let contacts = sim.options.contacts;
    if let Some(content) = state.content(&session, contacts) {
        content.add_message(message.clone());
    }
    state.record.sent(sent);
    let payload = message.to_waha(sim.options.engine, true, &Value::Null);
    events::emit(sim, &mut state, &session, "message.any", &payload);
    acknowledge(sim, &state, session, &message);
    Ok(message)
}

/// Sends a reaction, which is announced in its own way and is no message in the chat.
pub(crate) async fn react(sim: &Arc<Sim>, message: Message, sent: SentMessage) -> Result<Message, WahaError> {
    sim.wait(SENDING).await;
    let mut state = sim.lock();
    refuse(&mut state, &sent.session)?;
    note_activity(sim, &mut state, &sent.session);
    let session = sent.session.clone();
    let payload = reaction_payload(&message, sent.request["messageId"].as_str().unwrap_or_default());
    state.record.sent(sent);
    events::emit(sim, &mut state, &session, "message.reaction", &payload);
    acknowledge(sim, &state, session, &message);
    Ok(message)
}

/// The payload of `message.reaction`.
pub(crate) fn reaction_payload(message: &Message, reacted_to: &str) -> Value {
    json!({
        "id": message.full_id(),
        "timestamp": message.timestamp,
        "from": message.chat,
        "fromMe": message.from_me,
        "source": "app",
        "reaction": {"text": message.body, "messageId": reacted_to},
    })
}

fn acknowledge(sim: &Arc<Sim>, state: &State, session: String, message: &Message) {
    let (sim_then, chat, id, full_id) = (
        Arc::clone(sim),
        message.chat.clone(),
        message.id.clone(),
        message.full_id(),
    );
    state.spawn(async move {
        let mut passed = Duration::ZERO;
        for (ack, after) in ACKS {
            if ack > sim_then.options.last_ack {
                return;
            }
            sim_then.wait(after.saturating_sub(passed)).await;
            passed = after;
            let mut state = sim_then.lock();
            let contacts = sim_then.options.contacts;
            let stored = state
                .content(&session, contacts)
                .and_then(|content| content.chats.get_mut(&chat));
            if let Some(message) =
                stored.and_then(|chat| chat.messages.iter_mut().rev().find(|message| message.id == id))
            {
                message.ack = ack;
            }
            let payload = json!({
                "id": full_id,
                "from": chat,
                "fromMe": true,
                "ack": ack.number(),
                "ackName": ack.name(),
            });
            events::emit(&sim_then, &mut state, &session, "message.ack", &payload);
        }
    });
}
