//! What comes from outside: messages, reactions, calls, changes of groups. Everything here happens on demand.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rand::RngExt;
use serde_json::{Value, json};

use crate::{
    clock, events, ids,
    messages::{Media, Message, chat_id, jid},
    outgoing::reaction_payload,
    sessions::Status,
    sim::{Sim, State},
};

/// A message somebody else writes to a session's phone.
#[derive(Clone, Debug)]
pub struct IncomingMessage {
    pub(crate) chat: String,
    pub(crate) text: Option<String>,
    pub(crate) participant: Option<String>,
    pub(crate) sender_name: Option<String>,
    pub(crate) media: Option<(String, Option<String>, Bytes)>,
    pub(crate) id: Option<String>,
}

impl IncomingMessage {
    /// A text from a chat: a contact's id or number, or a group.
    #[must_use]
    pub fn text(chat: &str, text: &str) -> Self {
        Self {
            chat: chat_id(chat),
            text: Some(text.to_owned()),
            participant: None,
            sender_name: None,
            media: None,
            id: None,
        }
    }

    /// Who wrote it, in a group.
    #[must_use]
    pub fn written_by(mut self, participant: &str) -> Self {
        self.participant = Some(chat_id(participant));
        self
    }

    /// The name the writer gave themselves.
    #[must_use]
    pub fn sender_name(mut self, name: &str) -> Self {
        self.sender_name = Some(name.to_owned());
        self
    }

    /// Carries a file; the text becomes its caption.
    #[must_use]
    pub fn with_media(mut self, mimetype: &str, filename: Option<&str>, bytes: impl Into<Bytes>) -> Self {
        self.media = Some((mimetype.to_owned(), filename.map(str::to_owned), bytes.into()));
        self
    }

    /// WhatsApp's id of the message, when a test needs to know it beforehand or deliver it twice.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }
}

fn is_working(state: &State, session: &str) -> bool {
    state
        .sessions
        .get(session)
        .is_some_and(|session| session.status == Status::Working)
}

/// Delivers a message; says its id in WAHA's form, or nothing if the session does not work.
pub(crate) fn receive(
    sim: &Sim,
    state: &mut State,
    session: &str,
    incoming: IncomingMessage,
) -> Option<String> {
    if !is_working(state, session) {
        return None;
    }
    let id = incoming
        .id
        .unwrap_or_else(|| ids::incoming_message(&mut state.rng));
    let text = incoming.text.unwrap_or_default();
    let mut message = Message::text(id, incoming.chat, false, sim.clock.now_s(), &text);
    message.participant = incoming.participant;
    message.push_name = Some(incoming.sender_name.unwrap_or_else(|| "Somebody".to_owned()));
    let mut media = Value::Null;
    if let Some((mimetype, filename, bytes)) = incoming.media {
        let kind = mimetype.split('/').next().unwrap_or_default();
        let field = match kind {
            "image" | "audio" | "video" => format!("{kind}Message"),
            _ => "documentMessage".to_owned(),
        };
        message.inner =
            json!({field: {"mimetype": mimetype, "caption": text, "fileLength": bytes.len().to_string()}});
        message.body = (!text.is_empty()).then_some(text);
        message.media = Some(Media {
            mimetype,
            filename,
            bytes,
        });
        media = crate::media::download(sim, state, session, &message);
    }
    let contacts = sim.options.contacts;
    state.content(session, contacts)?.add_message(message.clone());
    let payload = message.to_waha(sim.options.engine, true, &media);
    events::emit(sim, state, session, "message", &payload);
    events::emit(sim, state, session, "message.any", &payload);
    Some(message.full_id())
}

/// Somebody reacts to a message, named by its full id.
pub(crate) fn react(
    sim: &Sim,
    state: &mut State,
    session: &str,
    chat: &str,
    message: &str,
    text: &str,
) -> bool {
    if !is_working(state, session) {
        return false;
    }
    let id = ids::incoming_message(&mut state.rng);
    let reaction = Message::text(id, chat_id(chat), false, sim.clock.now_s(), text);
    let payload = reaction_payload(&reaction, message);
    events::emit(sim, state, session, "message.reaction", &payload);
    true
}

/// The writer takes a message back.
pub(crate) fn revoke(sim: &Sim, state: &mut State, session: &str, chat: &str, message_id: &str) -> bool {
    if !is_working(state, session) {
        return false;
    }
    let chat = chat_id(chat);
    let id = ids::incoming_message(&mut state.rng);
    let mut revocation = Message::text(id, chat.clone(), false, sim.clock.now_s(), "");
    let key = json!({"remoteJid": jid(&chat), "fromMe": false, "id": message_id});
    revocation.inner = json!({"protocolMessage": {"key": key, "type": "REVOKE"}});
    revocation.body = None;
    revocation.push_name = Some("Somebody".to_owned());
    let payload = json!({
        "after": revocation.to_waha(sim.options.engine, true, &Value::Null),
        "before": null,
        "revokedMessageId": message_id,
        "_data": revocation.raw_live(),
    });
    events::emit(sim, state, session, "message.revoked", &payload);
    true
}

/// Somebody calls.
pub(crate) fn call(sim: &Sim, state: &mut State, session: &str, from: &str) -> bool {
    if !is_working(state, session) {
        return false;
    }
    let from = chat_id(from);
    let id = ids::incoming_message(&mut state.rng);
    let payload = json!({
        "id": id,
        "from": from,
        "timestamp": sim.clock.now_s(),
        "isVideo": false,
        "isGroup": false,
        "_data": {
            "id": id,
            "from": jid(&from),
            "chatId": jid(&from),
            "status": "offer",
            "isVideo": false,
            "isGroup": false,
            "date": clock::iso(sim.clock.now_ms()),
        },
    });
    events::emit(sim, state, session, "call.received", &payload);
    true
}

/// Somebody types.
pub(crate) fn typing(sim: &Sim, state: &mut State, session: &str, chat: &str) -> bool {
    if !is_working(state, session) {
        return false;
    }
    let chat = chat_id(chat);
    let presence = json!({"participant": chat, "lastKnownPresence": "typing", "lastSeen": null});
    events::emit(
        sim,
        state,
        session,
        "presence.update",
        &json!({"id": chat, "presences": [presence]}),
    );
    true
}

/// A group gets a new subject.
pub(crate) fn rename_group(sim: &Sim, state: &mut State, session: &str, group: &str, subject: &str) -> bool {
    if !is_working(state, session) {
        return false;
    }
    let contacts = sim.options.contacts;
    let Some(content) = state.content(session, contacts) else {
        return false;
    };
    let Some(found) = content.groups.iter_mut().find(|found| found.id == group) else {
        return false;
    };
    subject.clone_into(&mut found.subject);
    let (participants, raw) = (found.participants_v2(), found.to_noweb(true));
    let payload = json!({
        "timestamp": sim.clock.now_ms(),
        "group": {"id": group, "subject": subject, "participants": participants},
        "_data": raw,
    });
    events::emit(sim, state, session, "group.v2.update", &payload);
    true
}

/// Somebody is added to a group.
pub(crate) fn join_group(sim: &Sim, state: &mut State, session: &str, group: &str, who: &str) -> bool {
    if !is_working(state, session) {
        return false;
    }
    let who = chat_id(who);
    let contacts = sim.options.contacts;
    let Some(content) = state.content(session, contacts) else {
        return false;
    };
    let Some(found) = content.groups.iter_mut().find(|found| found.id == group) else {
        return false;
    };
    found.participants.push(who.clone());
    let author = found.participants.first().map(|first| jid(first));
    let payload = json!({
        "group": {"id": group},
        "type": "join",
        "timestamp": sim.clock.now_ms(),
        "participants": [{"id": who, "role": "participant"}],
        "_data": {"id": group, "author": author, "participants": [jid(&who)], "action": "add"},
    });
    events::emit(sim, state, session, "group.v2.participants", &payload);
    true
}

/// Lets generated contacts write to random working sessions at a rate, or stops it with 0.
pub(crate) fn set_traffic(sim: &Arc<Sim>, state: &mut State, messages_per_minute: f64) {
    state.traffic.cancel();
    state.traffic = state.run.child_token();
    let seconds = 60.0 / messages_per_minute;
    let Ok(pause) = Duration::try_from_secs_f64(seconds * sim.options.time_scale) else {
        return;
    };
    if messages_per_minute <= 0.0 {
        return;
    }
    // Without a pause it would take the whole processor.
    let pause = pause.max(Duration::from_millis(1));
    let (sim, traffic) = (Arc::clone(sim), state.traffic.clone());
    tokio::spawn(async move {
        let mut number = 0_u64;
        while traffic
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_some()
        {
            number += 1;
            receive_generated(&sim, number);
        }
    });
}

fn receive_generated(sim: &Sim, number: u64) {
    let mut state = sim.lock();
    let working: Vec<String> = state
        .sessions
        .values()
        .filter(|session| session.status == Status::Working)
        .map(|session| session.name.clone())
        .collect();
    if working.is_empty() || sim.options.contacts == 0 {
        return;
    }
    let session = &working[state.rng.random_range(0..working.len())];
    let contact = state.rng.random_range(1..=sim.options.contacts);
    let incoming = IncomingMessage::text(
        &crate::content::contact_id(contact),
        &format!("Generated message {number}"),
    )
    .sender_name(&format!("c{contact}"));
    receive(sim, &mut state, session, incoming);
}
