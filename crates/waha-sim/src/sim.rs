//! The simulator itself: its options, its state behind one lock, and its sense of time.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedMutexGuard, broadcast, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    content::Content,
    engine::{Engine, Version},
    events::Event,
    faults::{Faults, SendRefusal},
    files::Files,
    http::{access::ApiKey, errors::WahaError},
    messages::Ack,
    record::Record,
    server::Door,
    sessions::{Me, Phone, Session, Status},
    webhooks::Target,
};

/// What a simulator was built with.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) api_key: Option<SecretString>,
    pub(crate) engine: Engine,
    pub(crate) version: Version,
    pub(crate) tier: String,
    pub(crate) worker_id: Option<String>,
    pub(crate) time_scale: f64,
    pub(crate) auto_pair_after: Option<Duration>,
    pub(crate) only_default_session: bool,
    pub(crate) seed: u64,
    pub(crate) contacts: u32,
    pub(crate) last_ack: Ack,
    pub(crate) base_url: Option<String>,
}

/// A send that WhatsApp will refuse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: SendRefusal,
    /// How many sends are still to be refused; `None` for all.
    pub(crate) times: Option<u32>,
    /// Until when, in Unix seconds, as far as WAHA tells.
    pub(crate) until: Option<i64>,
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) sessions: BTreeMap<String, Session>,
    /// What WAHA keeps on disk, by session name.
    pub(crate) phones: HashMap<String, Phone>,
    pub(crate) keys: Vec<ApiKey>,
    pub(crate) files: Files,
    pub(crate) global_hook: Option<Target>,
    pub(crate) faults: Faults,
    pub(crate) refusals: HashMap<String, Refusal>,
    pub(crate) record: Record,
    pub(crate) rng: StdRng,
    pub(crate) whatsapp_reachable: bool,
    pub(crate) started_ms: u64,
    /// Ends with this run of the process: timers, retries, connections.
    pub(crate) run: CancellationToken,
    /// Ends with the connections that are open now.
    pub(crate) connections: CancellationToken,
    /// Ends with this setting of the traffic.
    pub(crate) traffic: CancellationToken,
    pub(crate) messages_per_minute: f64,
    /// WAHA's lock per session name.
    locks: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
    phones_made: u32,
}

impl State {
    /// The session's phone content, if it is paired.
    pub(crate) fn content(&mut self, session: &str, contacts: u32) -> Option<&mut Content> {
        self.phones.get_mut(session).map(|phone| phone.content(contacts))
    }

    /// Runs something in the background until this run of the process ends.
    pub(crate) fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let run = self.run.clone();
        tokio::spawn(async move {
            run.run_until_cancelled_owned(work).await;
        });
    }

    /// Pairs a session's name with a phone, a generated one unless a number is given.
    pub(crate) fn make_phone(&mut self, session: &str, number: Option<String>, now_s: u64) -> Me {
        self.phones_made += 1;
        let me = Me {
            number: number.unwrap_or_else(|| format!("15559{:06}", self.phones_made)),
            push_name: format!("Phone {}", self.phones_made),
        };
        self.phones
            .insert(session.to_owned(), Phone::new(me.clone(), now_s));
        me
    }
}

/// Core before 2026.6.1 comes with the one session it can have.
pub(crate) fn first_sessions(options: &Options) -> BTreeMap<String, Session> {
    let default = Session::new("default", Some(Value::Null));
    options
        .only_default_session
        .then(|| ("default".to_owned(), default))
        .into_iter()
        .collect()
}

/// One simulated WAHA.
#[derive(Debug)]
pub(crate) struct Sim {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) address: SocketAddr,
    /// To every WebSocket.
    pub(crate) events: broadcast::Sender<Arc<Event>>,
    pub(crate) client: OnceLock<reqwest::Client>,
    pub(crate) lifetime: CancellationToken,
    /// What the port shall do, and what it does.
    pub(crate) door_wanted: watch::Sender<Door>,
    pub(crate) door: watch::Sender<Door>,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Sim {
    pub(crate) fn new(options: Options, address: SocketAddr) -> Arc<Self> {
        let clock = Clock::start();
        let lifetime = CancellationToken::new();
        let state = State {
            sessions: first_sessions(&options),
            phones: HashMap::new(),
            keys: Vec::new(),
            files: Files::default(),
            global_hook: None,
            faults: Faults::default(),
            refusals: HashMap::new(),
            record: Record::default(),
            rng: StdRng::seed_from_u64(options.seed),
            whatsapp_reachable: true,
            started_ms: clock.now_ms(),
            run: lifetime.child_token(),
            connections: lifetime.child_token(),
            traffic: CancellationToken::new(),
            messages_per_minute: 0.0,
            locks: HashMap::new(),
            phones_made: 0,
        };
        Arc::new(Self {
            options,
            clock,
            address,
            events: broadcast::channel(1024).0,
            client: OnceLock::new(),
            lifetime,
            door_wanted: watch::Sender::new(Door::Open),
            door: watch::Sender::new(Door::Open),
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
        })
    }

    /// The state. Nobody holds it across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait for a session's status.
    pub(crate) fn notify_changed(&self) {
        self.changed.send_replace(());
    }

    pub(crate) fn status_changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A time of WAHA, shortened by the simulator's factor.
    pub(crate) fn scaled(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.options.time_scale)
    }

    pub(crate) async fn wait(&self, duration: Duration) {
        tokio::time::sleep(self.scaled(duration)).await;
    }

    /// Where files are said to lie.
    pub(crate) fn base_url(&self) -> String {
        self.options
            .base_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", self.address))
    }

    /// What `/api/server/version` answers and every event carries.
    pub(crate) fn environment(&self) -> Value {
        json!({
            "version": self.options.version.text(),
            "engine": self.options.engine.name(),
            "tier": self.options.tier,
            "browser": (self.options.engine == Engine::Webjs).then_some("/usr/bin/chromium"),
            "platform": "linux/x64",
            "worker": {"id": self.options.worker_id},
        })
    }

    /// The server's own key in clear, as WAHA's environment shows it.
    pub(crate) fn api_key_in_clear(&self) -> Option<&str> {
        self.options.api_key.as_ref().map(ExposeSecret::expose_secret)
    }

    /// WAHA's lock per session name: waits five seconds, then gives up with 500.
    pub(crate) async fn session_lock(&self, name: &str) -> Result<OwnedMutexGuard<()>, WahaError> {
        let lock = Arc::clone(self.lock().locks.entry(name.to_owned()).or_default());
        tokio::time::timeout(self.scaled(Duration::from_secs(5)), lock.lock_owned())
            .await
            .map_err(|_elapsed| {
                WahaError::exception("Error", &format!("async-lock timed out in queue {name}"))
            })
    }

    /// Blocks as WAHA does while a session is in the wrong state: ten seconds while it runs, five while it does not.
    pub(crate) async fn wait_for_status(&self, name: &str, expected: &[Status]) -> Result<(), WahaError> {
        let mut changed = self.status_changes();
        let begun = Instant::now();
        loop {
            let status = self.lock().sessions.get(name).map(|session| session.status);
            let patience = match status {
                Some(status) if expected.contains(&status) => return Ok(()),
                Some(status) if status != Status::Stopped => Duration::from_secs(10),
                _ => Duration::from_secs(5),
            };
            let end = begun + self.scaled(patience);
            if Instant::now() >= end {
                return Err(match status {
                    None => WahaError::UnknownSession(name.to_owned()),
                    Some(status) => WahaError::wrong_status(name, status, expected),
                });
            }
            // Either something changed or the time is over; both are looked at above.
            let _elapsed = tokio::time::timeout_at(end, changed.changed()).await;
        }
    }

    /// Waits without bound, as WAHA's pairing code request does.
    pub(crate) async fn wait_while_starting(&self, name: &str) {
        let mut changed = self.status_changes();
        while self
            .lock()
            .sessions
            .get(name)
            .is_some_and(|session| session.status == Status::Starting)
        {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Forgets the locks of sessions that are gone.
    pub(crate) fn forget_lock(&self, name: &str) {
        let mut state = self.lock();
        if state
            .locks
            .get(name)
            .is_some_and(|lock| Arc::strong_count(lock) <= 2)
        {
            state.locks.remove(name);
        }
    }
}
