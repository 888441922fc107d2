//! What is done to the simulator behind its clients' backs; the handle and the control API share it.

use std::sync::Arc;

use crate::{
    content::Chat,
    faults::SendRefusal,
    ids,
    incoming::{self, IncomingMessage},
    life,
    messages::{Ack, Message},
    seeds::{ChatSeed, SessionSeed},
    sessions::{Session, Status},
    sim::{Refusal, Sim, State},
};

/// Why something could not be done to a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no such session.
    #[error("the simulator has no session `{0}`")]
    UnknownSession(String),
    /// It is in the wrong state for that.
    #[error("session `{session}` is {}, so this cannot be done to it: {what}", status.name())]
    WrongStatus {
        /// The session.
        session: String,
        /// Its status.
        status: Status,
        /// What was asked for.
        what: &'static str,
    },
}

/// What handle and control API share.
pub(crate) struct Control<'a>(pub(crate) &'a Arc<Sim>);

impl Control<'_> {
    /// Does something to a session that must exist; `false` means that its status does not allow it.
    pub(crate) fn act(
        &self,
        session: &str,
        what: &'static str,
        action: impl FnOnce(&Arc<Sim>, &mut State) -> bool,
    ) -> Result<(), ControlError> {
        let mut state = self.0.lock();
        let status = state.sessions.get(session).map(|found| found.status);
        let status = status.ok_or_else(|| ControlError::UnknownSession(session.to_owned()))?;
        if action(self.0, &mut state) {
            Ok(())
        } else {
            Err(ControlError::WrongStatus {
                session: session.to_owned(),
                status,
                what,
            })
        }
    }

    pub(crate) fn add_session(&self, seed: SessionSeed) {
        let sim = self.0;
        let now = (sim.clock.now_ms(), sim.clock.now_s());
        let mut state = sim.lock();
        let name = seed.name;
        let mut session = Session::new(&name, seed.config);
        // Timers of a session that is replaced must not touch the new one.
        session.life = state.sessions.get(&name).map_or(0, |old| old.life) + 1;
        session.is_never_scanned = seed.is_never_scanned;
        session.note_status(seed.status, now.0);
        if seed.status == Status::Working || seed.phone.is_some() {
            let me = state.make_phone(&name, seed.phone, now.1);
            session.me = (seed.status == Status::Working).then_some(me);
        }
        state.sessions.insert(name.clone(), session);
        match seed.status {
            Status::Starting => life::start(sim, &mut state, &name),
            Status::ScanQrCode => life::await_scan(sim, &mut state, &name),
            _ => {}
        }
        drop(state);
        sim.notify_changed();
    }

    pub(crate) fn delete_session(&self, session: &str) -> Result<(), ControlError> {
        self.act(session, "delete it", |_, state| {
            state.phones.remove(session);
            state.sessions.remove(session).is_some()
        })?;
        self.0.notify_changed();
        Ok(())
    }

    pub(crate) fn lose_all_sessions(&self) {
        let mut state = self.0.lock();
        state.sessions.clear();
        state.phones.clear();
        drop(state);
        self.0.notify_changed();
    }

    pub(crate) fn receive_message(
        &self,
        session: &str,
        message: IncomingMessage,
    ) -> Result<String, ControlError> {
        let mut id = None;
        self.act(session, "write to it", |sim, state| {
            id = incoming::receive(sim, state, session, message);
            id.is_some()
        })?;
        id.ok_or_else(|| ControlError::UnknownSession(session.to_owned()))
    }

    pub(crate) fn refuse_sends(
        &self,
        session: &str,
        reason: SendRefusal,
        times: Option<u32>,
        until: Option<i64>,
    ) {
        let mut state = self.0.lock();
        if times == Some(0) {
            state.refusals.remove(session);
        } else {
            let refusal = Refusal { reason, times, until };
            state.refusals.insert(session.to_owned(), refusal);
        }
    }

    pub(crate) fn set_traffic(&self, messages_per_minute: f64) {
        let mut state = self.0.lock();
        state.messages_per_minute = messages_per_minute;
        incoming::set_traffic(self.0, &mut state, messages_per_minute);
    }

    pub(crate) fn seed_chats(&self, session: &str, chats: Vec<ChatSeed>) -> Result<(), ControlError> {
        let contacts = self.0.options.contacts;
        self.act(session, "put chats on its phone", |_, state| {
            let State { phones, rng, .. } = state;
            let Some(phone) = phones.get_mut(session) else {
                return false;
            };
            let content = phone.content(contacts);
            content.chats.clear();
            for seed in chats {
                content.chats.insert(
                    seed.id.clone(),
                    Chat {
                        name: seed.name,
                        messages: Vec::new(),
                    },
                );
                for (from_me, timestamp, text) in seed.messages {
                    let id = ids::incoming_message(rng);
                    let mut message = Message::text(id, seed.id.clone(), from_me, timestamp, &text);
                    message.ack = Ack::Device;
                    content.add_message(message);
                }
            }
            true
        })
    }
}
