//! Events: their envelope, and who gets them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    ids,
    sessions::Session,
    sim::{Sim, State},
    webhooks::{self, Target},
};

/// The names WAHA 2026.2.1 accepts in a webhook's `events`, besides `*`.
pub(crate) const NAMES: [&str; 30] = [
    "session.status",
    "message",
    "message.reaction",
    "message.any",
    "message.ack",
    "message.ack.group",
    "message.waiting",
    "message.revoked",
    "message.edited",
    "state.change",
    "group.join",
    "group.leave",
    "group.v2.join",
    "group.v2.leave",
    "group.v2.update",
    "group.v2.participants",
    "presence.update",
    "poll.vote",
    "poll.vote.failed",
    "chat.archive",
    "call.received",
    "call.accepted",
    "call.rejected",
    "label.upsert",
    "label.deleted",
    "label.chat.added",
    "label.chat.deleted",
    "event.response",
    "event.response.failed",
    "engine.event",
];

/// An event as it goes out.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) session: String,
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
    /// The whole envelope; the bytes that are signed.
    pub(crate) body: String,
}

/// Whether a subscription to these names gets this event. The star leaves out two noisy ones.
pub(crate) fn wants<'a>(mut subscribed: impl Iterator<Item = &'a str>, event: &str) -> bool {
    subscribed.any(|name| name == event || (name == "*" && !matches!(event, "state.change" | "engine.event")))
}

/// Sends an event of a session to its webhooks, the server's own webhook and the open sockets.
pub(crate) fn emit(sim: &Sim, state: &mut State, session: &str, name: &str, payload: &Value) {
    let Some(found) = state.sessions.get(session) else {
        return;
    };
    if is_ignored(found, payload) {
        return;
    }
    let mut targets = Target::of_session(found);
    targets.extend(state.global_hook.clone());
    targets.retain(|target| wants(target.events.iter().map(String::as_str), name));
    if targets.is_empty() && sim.events.receiver_count() == 0 {
        return;
    }

    let timestamp = sim.clock.now_ms();
    let (metadata, me) = (found.config_at("/metadata").cloned(), found.me_json());
    let mut envelope = json!({
        "id": format!("evt_{}", ids::ulid(&mut state.rng, timestamp)),
        "timestamp": timestamp,
        "event": name,
        "session": session,
        "me": me,
        "payload": payload,
        "engine": sim.options.engine.name(),
        "environment": sim.environment(),
    });
    envelope["metadata"] = metadata.unwrap_or_else(|| json!({}));
    let event = Arc::new(Event {
        name: name.to_owned(),
        session: session.to_owned(),
        timestamp,
        body: envelope.to_string(),
    });

    for target in targets {
        let request_id = ids::webhook_request(&mut state.rng);
        let retry_seed = rand::RngExt::random(&mut state.rng);
        let delivery = webhooks::Delivery {
            event: Arc::clone(&event),
            target,
            request_id,
            retry_seed,
        };
        if let Some(work) = webhooks::deliver(sim, delivery) {
            state.spawn(work);
        }
    }
    // Nobody listening is no error.
    let _listeners = sim.events.send(event);
}

/// A session can ask to be spared events of groups, channels, statuses and broadcasts.
fn is_ignored(session: &Session, payload: &Value) -> bool {
    let Some(chat) = payload.get("from").and_then(Value::as_str) else {
        return false;
    };
    let ignores = |what: &str| {
        session
            .config_at("/ignore")
            .and_then(|ignore| ignore.get(what))
            .and_then(Value::as_bool)
            == Some(true)
    };
    match chat.split_once('@') {
        Some(("status", "broadcast")) => ignores("status"),
        Some((_, "broadcast")) => ignores("broadcast"),
        Some((_, "g.us")) => ignores("groups"),
        Some((_, "newsletter")) => ignores("channels"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_star_means_all_but_two() {
        assert!(wants(["*"].into_iter(), "message"));
        assert!(!wants(["*"].into_iter(), "engine.event"));
        assert!(wants(["*", "engine.event"].into_iter(), "engine.event"));
        assert!(!wants(["message"].into_iter(), "message.any"));
        assert!(!wants([].into_iter(), "message"));
    }
}
