//! The handle: a running simulator, for tests and demonstrations.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    builder::{GlobalHook, WahaSimBuilder},
    control::{Control, ControlError},
    faults::{Fault, SendRefusal},
    incoming::{self, IncomingMessage},
    life,
    record::{Counts, ReceivedRequest, SentMessage, TypingChange},
    seeds::{ChatSeed, SessionSeed},
    server::{Door, RestartLoss},
    sessions::Status,
    sim::Sim,
};

/// A running simulator. Dropping it ends it.
#[derive(Debug)]
pub struct WahaSim {
    sim: Arc<Sim>,
    control: Option<SocketAddr>,
}

impl Drop for WahaSim {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl WahaSim {
    /// Sets up a simulator.
    pub fn builder() -> WahaSimBuilder {
        WahaSimBuilder::default()
    }

    pub(crate) fn new(sim: Arc<Sim>, control: Option<SocketAddr>) -> Self {
        Self { sim, control }
    }

    /// `http://127.0.0.1:<port>`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.sim.address)
    }

    /// The address WAHA's API listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.sim.address
    }

    /// The address of the control API, if it was asked for.
    #[must_use]
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Ends the simulator: connections, timers, retries, and the port.
    pub fn shutdown(&self) {
        self.sim.lifetime.cancel();
    }

    /// Waits until the simulator was shut down.
    pub async fn ended(&self) {
        self.sim.lifetime.cancelled().await;
    }

    // --- sessions -------------------------------------------------------------------------------------------------

    /// Puts a session in, without events. One of the same name is replaced.
    pub fn add_session(&self, seed: SessionSeed) {
        Control(&self.sim).add_session(seed);
    }

    /// A session's status; `None` if there is no such session.
    #[must_use]
    pub fn session_status(&self, session: &str) -> Option<Status> {
        self.sim
            .lock()
            .sessions
            .get(session)
            .map(|session| session.status)
    }

    /// Waits, without bound, until the session has this status.
    pub async fn wait_for_status(&self, session: &str, status: Status) {
        let mut changed = self.sim.status_changes();
        while self.session_status(session) != Some(status) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// The phone scans the QR code now.
    pub fn pair(&self, session: &str) -> Result<(), ControlError> {
        self.control().act(session, "scan its QR code", |sim, state| {
            life::pair(sim, state, session, None)
        })
    }

    /// The phone with this number scans the QR code now.
    pub fn pair_with(&self, session: &str, number: &str) -> Result<(), ControlError> {
        let number = Some(number.to_owned());
        self.control().act(session, "scan its QR code", |sim, state| {
            life::pair(sim, state, session, number)
        })
    }

    /// Instead of pairing, WhatsApp asks for a passkey.
    pub fn require_passkey(&self, session: &str) -> Result<(), ControlError> {
        self.control().act(session, "ask for a passkey", |sim, state| {
            life::require_passkey(sim, state, session)
        })
    }

    /// The connection to WhatsApp drops and comes back: WORKING, STARTING, WORKING.
    pub fn disconnect(&self, session: &str) -> Result<(), ControlError> {
        self.control().act(session, "drop its connection", |sim, state| {
            life::drop_connection(sim, state, session)
        })
    }

    /// The phone's owner unlinks the session: FAILED, and the next start shows a QR code.
    pub fn unlink(&self, session: &str) -> Result<(), ControlError> {
        self.control().act(session, "unlink it", |sim, state| {
            life::unlink(sim, state, session)
        })
    }

    /// The session fails, its pairing stays.
    pub fn fail_session(&self, session: &str) -> Result<(), ControlError> {
        self.control().act(session, "let it fail", |sim, state| {
            life::fail(sim, state, session)
        })
    }

    /// Somebody stops the session behind the caller's back, at once and with its event.
    pub fn stop_session(&self, session: &str) -> Result<(), ControlError> {
        self.control().act(session, "stop it", |sim, state| {
            life::stop_now(sim, state, session);
            true
        })
    }

    /// Somebody deletes the session behind the caller's back, without an event.
    pub fn delete_session(&self, session: &str) -> Result<(), ControlError> {
        self.control().delete_session(session)
    }

    /// All sessions and pairings are gone, without events, while the process keeps running.
    pub fn lose_all_sessions(&self) {
        self.control().lose_all_sessions();
    }

    /// Whether WhatsApp can be reached. While it cannot, sessions that start say STARTING every two seconds and fail
    /// after two minutes.
    pub fn set_whatsapp_reachable(&self, reachable: bool) {
        self.sim.lock().whatsapp_reachable = reachable;
    }

    // --- what comes from outside ----------------------------------------------------------------------------------

    /// Somebody writes to the session's phone. Gives WAHA's id of the message.
    pub fn receive_message(&self, session: &str, message: IncomingMessage) -> Result<String, ControlError> {
        self.control().receive_message(session, message)
    }

    /// Somebody in the chat reacts to a message, which is named by WAHA's full id.
    pub fn receive_reaction(
        &self,
        session: &str,
        chat: &str,
        message: &str,
        reaction: &str,
    ) -> Result<(), ControlError> {
        self.control().act(session, "react to a message", |sim, state| {
            incoming::react(sim, state, session, chat, message, reaction)
        })
    }

    /// The writer takes a message back, which is named by WhatsApp's id.
    pub fn receive_revocation(&self, session: &str, chat: &str, message: &str) -> Result<(), ControlError> {
        self.control().act(session, "take a message back", |sim, state| {
            incoming::revoke(sim, state, session, chat, message)
        })
    }

    /// Somebody calls.
    pub fn receive_call(&self, session: &str, from: &str) -> Result<(), ControlError> {
        self.control().act(session, "call it", |sim, state| {
            incoming::call(sim, state, session, from)
        })
    }

    /// Somebody types.
    pub fn receive_typing(&self, session: &str, chat: &str) -> Result<(), ControlError> {
        self.control().act(session, "type to it", |sim, state| {
            incoming::typing(sim, state, session, chat)
        })
    }

    /// A group gets a new subject (`group.v2.update`).
    pub fn rename_group(&self, session: &str, group: &str, subject: &str) -> Result<(), ControlError> {
        self.control().act(session, "rename its group", |sim, state| {
            incoming::rename_group(sim, state, session, group, subject)
        })
    }

    /// Somebody is added to a group (`group.v2.participants`).
    pub fn join_group(&self, session: &str, group: &str, who: &str) -> Result<(), ControlError> {
        self.control()
            .act(session, "add somebody to its group", |sim, state| {
                incoming::join_group(sim, state, session, group, who)
            })
    }

    /// Lets generated contacts write to random working sessions, so many times a minute of WAHA's time; 0 stops it.
    pub fn set_traffic(&self, messages_per_minute: f64) {
        self.control().set_traffic(messages_per_minute);
    }

    /// Sends the events of all sessions here from now on, as WAHA does once it was started with this webhook.
    pub fn set_global_hook(&self, hook: GlobalHook) {
        self.sim.lock().global_hook = Some(hook.0);
    }

    /// Replaces everything in the chats of a paired session's phone, without events. Contacts and groups stay.
    pub fn seed_chats(&self, session: &str, chats: Vec<ChatSeed>) -> Result<(), ControlError> {
        self.control().seed_chats(session, chats)
    }

    // --- faults ---------------------------------------------------------------------------------------------------

    /// Lets requests go wrong. Several faults can be set; the first that matches is used.
    pub fn set_fault(&self, fault: Fault) {
        self.sim.lock().faults.set(fault);
    }

    /// Takes all faults of requests away. Requests that hang already stay so until their connection ends.
    pub fn clear_faults(&self) {
        self.sim.lock().faults.clear();
    }

    /// WhatsApp refuses this session's next sends: so many, or all until [`WahaSim::accept_sends`].
    pub fn refuse_sends(&self, session: &str, reason: SendRefusal, times: Option<u32>) {
        self.control().refuse_sends(session, reason, times, None);
    }

    /// WhatsApp refuses all of this session's sends, and WAHA says until when, in Unix seconds, if it is asked.
    pub fn refuse_sends_until(&self, session: &str, reason: SendRefusal, until: i64) {
        self.control().refuse_sends(session, reason, None, Some(until));
    }

    /// WhatsApp takes this session's sends again.
    pub fn accept_sends(&self, session: &str) {
        self.sim.lock().refusals.remove(session);
    }

    /// Nobody listens any more: open connections end and new ones are refused. Timers go on; see also
    /// [`WahaSim::restart`].
    pub async fn go_away(&self) {
        self.sim.set_door(Door::Refusing).await;
    }

    /// Connections are taken and closed at once, as by a proxy without a server behind it.
    pub async fn slam_connections(&self) {
        self.sim.set_door(Door::Slamming).await;
    }

    /// Listens again after [`WahaSim::go_away`] or [`WahaSim::slam_connections`].
    pub async fn come_back(&self) {
        self.sim.set_door(Door::Open).await;
    }

    /// Cuts every open connection once.
    pub fn cut_connections(&self) {
        self.sim.cut_connections();
    }

    /// Ends the process and starts it again: what was on its way is lost (webhook retries too), and whatever `loss`
    /// says. Faults, counts and records stay, for they are not WAHA's.
    pub async fn restart(&self, loss: RestartLoss) {
        self.sim.restart_process(loss);
        self.sim.set_door(Door::Open).await;
    }

    // --- what was asked -------------------------------------------------------------------------------------------

    /// How often the simulator was asked what since it started or [`WahaSim::reset_records`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.sim.lock().record.counts.clone()
    }

    /// Every message that went out, in order, whatever its sender was told.
    #[must_use]
    pub fn sent_messages(&self) -> Vec<SentMessage> {
        self.sim.lock().record.sent_messages()
    }

    /// The last 512 times that a session began or ceased to be seen typing.
    #[must_use]
    pub fn typing_changes(&self) -> Vec<TypingChange> {
        self.sim.lock().record.typing_changes()
    }

    /// The last 512 requests with their headers.
    #[must_use]
    pub fn received_requests(&self) -> Vec<ReceivedRequest> {
        self.sim.lock().record.requests()
    }

    /// Forgets counts, sent messages and requests.
    pub fn reset_records(&self) {
        self.sim.lock().record.reset();
    }

    fn control(&self) -> Control<'_> {
        Control(&self.sim)
    }
}
