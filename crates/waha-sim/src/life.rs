//! The life of a session: started, scanned, working, stopped.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use crate::{
    events, ids,
    sessions::{Me, Passkey, Session, Status},
    sim::{Sim, State},
};

/// From the start to the first QR code or, when paired, to work.
const CONNECTING: Duration = Duration::from_millis(250);
/// From the scan to work.
const PAIRING: Duration = Duration::from_millis(150);
/// Between two attempts to reach WhatsApp; each emits STARTING again.
const RETRY: Duration = Duration::from_secs(2);
/// After so many attempts the session has failed.
const ATTEMPTS: u32 = 60;
/// How long the first QR code holds, and each one after it.
const FIRST_QR: Duration = Duration::from_mins(1);
const NEXT_QR: Duration = Duration::from_secs(20);
/// After so many QR codes the session has failed. The number is NOWEB's; other engines were not looked at.
const QR_CODES: u32 = 6;
/// How long WAHA waits after it stopped a running session.
const STOPPING: Duration = Duration::from_secs(3);
/// What a logout takes on top of it.
const LOGGING_OUT: Duration = Duration::from_secs(1);

/// Sets a status and tells everybody, also when it is the same as before.
pub(crate) fn set_status(sim: &Sim, state: &mut State, name: &str, status: Status) {
    let now = sim.clock.now_ms();
    let Some(session) = state.sessions.get_mut(name) else {
        return;
    };
    session.note_status(status, now);
    let payload = session.status_payload(&sim.options.version);
    events::emit(sim, state, name, "session.status", &payload);
    sim.notify_changed();
}

/// Starts a session that does not run.
pub(crate) fn start(sim: &Arc<Sim>, state: &mut State, name: &str) {
    let Some(session) = state.sessions.get_mut(name) else {
        return;
    };
    session.clear_run();
    session.life += 1;
    let life = session.life;
    set_status(sim, state, name, Status::Starting);
    let (sim_then, name) = (Arc::clone(sim), name.to_owned());
    state.spawn(async move { run_started(&sim_then, &name, life).await });
}

/// Stops a session at once; the caller waits as long as WAHA does.
pub(crate) fn stop_now(sim: &Sim, state: &mut State, name: &str) {
    let Some(session) = state.sessions.get_mut(name) else {
        return;
    };
    if !session.is_running() {
        return;
    }
    session.life += 1;
    set_status(sim, state, name, Status::Stopped);
    if let Some(session) = state.sessions.get_mut(name) {
        session.clear_run();
    }
}

/// Stops a session and waits; says whether it had been running.
pub(crate) async fn stop(sim: &Sim, name: &str) -> bool {
    let was_running = {
        let mut state = sim.lock();
        let was_running = state.sessions.get(name).is_some_and(Session::is_running);
        stop_now(sim, &mut state, name);
        was_running
    };
    if was_running {
        sim.wait(STOPPING).await;
    }
    was_running
}

/// Unpairs a session, and starts it again if it was running.
pub(crate) async fn logout(sim: &Arc<Sim>, name: &str) {
    {
        let mut state = sim.lock();
        state.phones.remove(name);
        if let Some(session) = state.sessions.get_mut(name) {
            session.me = None;
        }
    }
    if stop(sim, name).await {
        sim.wait(LOGGING_OUT).await;
        start(sim, &mut sim.lock(), name);
    }
}

/// The phone scans the code: STARTING with the phone's name, then WORKING. Says whether there was a code to scan.
pub(crate) fn pair(sim: &Arc<Sim>, state: &mut State, name: &str, number: Option<String>) -> bool {
    let now = sim.clock.now_s();
    let Some(session) = state.sessions.get_mut(name) else {
        return false;
    };
    let awaits = matches!(
        session.status,
        Status::ScanQrCode | Status::PasskeyRequired | Status::PasskeyConfirmationRequired
    );
    if !awaits {
        return false;
    }
    let number = number.or_else(|| session.requested_number.take());
    let me = state.make_phone(name, number, now);
    connect_again(sim, state, name, Some(me), PAIRING);
    true
}

/// The connection to WhatsApp drops: STARTING, and WORKING again a moment later.
pub(crate) fn drop_connection(sim: &Arc<Sim>, state: &mut State, name: &str) -> bool {
    let me = state.sessions.get(name).and_then(|session| session.me.clone());
    if me.is_none() {
        return false;
    }
    connect_again(sim, state, name, me, RETRY);
    true
}

/// The phone unlinks the session, or WhatsApp throws it out: FAILED, and the pairing is gone.
pub(crate) fn unlink(sim: &Sim, state: &mut State, name: &str) -> bool {
    state.phones.remove(name);
    fail(sim, state, name)
}

/// The session gives up.
pub(crate) fn fail(sim: &Sim, state: &mut State, name: &str) -> bool {
    let Some(session) = state.sessions.get_mut(name) else {
        return false;
    };
    session.life += 1;
    session.qr = None;
    set_status(sim, state, name, Status::Failed);
    true
}

/// WhatsApp asks for a passkey instead of finishing the pairing.
pub(crate) fn require_passkey(sim: &Sim, state: &mut State, name: &str) -> bool {
    let passkey = Passkey {
        challenge: ids::passkey_challenge(&mut state.rng),
        code: ids::passkey_code(&mut state.rng),
    };
    let Some(session) = state.sessions.get_mut(name) else {
        return false;
    };
    if session.status != Status::ScanQrCode {
        return false;
    }
    session.life += 1;
    session.passkey = Some(passkey);
    set_status(sim, state, name, Status::PasskeyRequired);
    true
}

/// The passkey was given; now the phone must confirm the code.
pub(crate) fn require_passkey_confirmation(sim: &Sim, state: &mut State, name: &str) {
    set_status(sim, state, name, Status::PasskeyConfirmationRequired);
}

/// Waits for a scan from now on: the way into the QR loop for a session that is put there by hand.
pub(crate) fn await_scan(sim: &Arc<Sim>, state: &mut State, name: &str) {
    let Some(session) = state.sessions.get_mut(name) else {
        return;
    };
    session.life += 1;
    let life = session.life;
    let (sim_then, name) = (Arc::clone(sim), name.to_owned());
    state.spawn(async move { show_codes(&sim_then, &name, life).await });
}

fn connect_again(sim: &Arc<Sim>, state: &mut State, name: &str, me: Option<Me>, after: Duration) {
    let Some(session) = state.sessions.get_mut(name) else {
        return;
    };
    session.life += 1;
    let life = session.life;
    session.me = me;
    session.qr = None;
    session.passkey = None;
    set_status(sim, state, name, Status::Starting);
    let (sim_then, name) = (Arc::clone(sim), name.to_owned());
    state.spawn(async move {
        sim_then.wait(after).await;
        let mut state = sim_then.lock();
        if is_in_life(&state, &name, life) {
            set_status(&sim_then, &mut state, &name, Status::Working);
        }
    });
}

fn is_in_life(state: &State, name: &str, life: u64) -> bool {
    state
        .sessions
        .get(name)
        .is_some_and(|session| session.life == life)
}

async fn run_started(sim: &Arc<Sim>, name: &str, life: u64) {
    if !reach_whatsapp(sim, name, life).await {
        return;
    }
    sim.wait(CONNECTING).await;
    {
        let mut state = sim.lock();
        if !is_in_life(&state, name, life) {
            return;
        }
        let me = state.phones.get(name).map(|phone| phone.me.clone());
        if let (Some(me), Some(session)) = (me, state.sessions.get_mut(name)) {
            session.me = Some(me);
            set_status(sim, &mut state, name, Status::Working);
            return;
        }
    }
    show_codes(sim, name, life).await;
}

/// Tries until WhatsApp is there; says whether it was reached before the session failed or its life ended.
async fn reach_whatsapp(sim: &Sim, name: &str, life: u64) -> bool {
    let mut attempts = 0;
    loop {
        {
            let mut state = sim.lock();
            if !is_in_life(&state, name, life) {
                return false;
            }
            if state.whatsapp_reachable {
                return true;
            }
            if attempts == ATTEMPTS {
                fail(sim, &mut state, name);
                return false;
            }
            if attempts > 0 {
                set_status(sim, &mut state, name, Status::Starting);
            }
        }
        attempts += 1;
        sim.wait(RETRY).await;
    }
}

/// Shows one QR code after the other until one is scanned.
async fn show_codes(sim: &Arc<Sim>, name: &str, life: u64) {
    let is_never_scanned = sim
        .lock()
        .sessions
        .get(name)
        .is_some_and(|session| session.is_never_scanned);
    let pair_at = sim
        .options
        .auto_pair_after
        .filter(|_| !is_never_scanned)
        .map(|after| Instant::now() + sim.scaled(after));
    let codes = if is_never_scanned { u32::MAX } else { QR_CODES };
    for number in 0..codes {
        {
            let mut state = sim.lock();
            if !is_in_life(&state, name, life) {
                return;
            }
            let code = ids::qr(&mut state.rng);
            if let Some(session) = state.sessions.get_mut(name) {
                session.qr = Some(code);
            }
            set_status(sim, &mut state, name, Status::ScanQrCode);
        }
        let next = Instant::now() + sim.scaled(if number == 0 { FIRST_QR } else { NEXT_QR });
        if let Some(pair_at) = pair_at.filter(|pair_at| *pair_at <= next) {
            tokio::time::sleep_until(pair_at).await;
            let mut state = sim.lock();
            if is_in_life(&state, name, life) {
                pair(sim, &mut state, name, None);
            }
            return;
        }
        tokio::time::sleep_until(next).await;
    }
    let mut state = sim.lock();
    if is_in_life(&state, name, life) {
        fail(sim, &mut state, name);
    }
}

/// What a control call tells about a session.
pub(crate) fn summary(state: &State, name: &str) -> serde_json::Value {
    match state.sessions.get(name) {
        Some(session) => json!({"name": name, "status": session.status.name(), "me": session.me_json()}),
        None => serde_json::Value::Null,
    }
}
