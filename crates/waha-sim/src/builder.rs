//! How a simulator is set up.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::{
    control_api,
    engine::{Engine, Version},
    events,
    handle::WahaSim,
    messages::Ack,
    server,
    sim::{Options, Sim},
    webhooks::{RetryPolicy, Target},
};

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("the simulator cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A time scale must be a number that is not negative.
    #[error("a time scale of {0} makes no sense: it must be a number from 0 to 1000, such as 1 or 0.02")]
    TimeScale(f64),
}

/// WAHA's server-wide webhook (`WHATSAPP_HOOK_URL` and its companions): all sessions, and shown in no configuration.
#[derive(Clone, Debug)]
pub struct GlobalHook(pub(crate) Target);

impl GlobalHook {
    /// A webhook for the given events; `*` stands for (almost) all.
    #[must_use]
    pub fn new(url: &str, events: &[&str]) -> Self {
        Self(Target::new(
            url,
            events.iter().map(|event| (*event).to_owned()).collect(),
        ))
    }

    /// As WAHA reads it from these variables of its environment; `None` if they name no address.
    #[must_use]
    pub fn from_environment<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let variables: HashMap<&str, &str> = variables.into_iter().collect();
        let value = |name| variables.get(name).copied();
        let events = value("WHATSAPP_HOOK_EVENTS").into_iter();
        let events: Vec<&str> = events.flat_map(|events| events.split(',')).collect();
        let mut hook = Self::new(value("WHATSAPP_HOOK_URL")?, &events);
        let target = &mut hook.0;
        target.hmac_key = value("WHATSAPP_HOOK_HMAC_KEY").map(SecretString::from);
        if let Some(policy) = value("WHATSAPP_HOOK_RETRIES_POLICY") {
            target.policy = RetryPolicy::named(policy);
        }
        if let Some(seconds) = value("WHATSAPP_HOOK_RETRIES_DELAY_SECONDS").and_then(|text| text.parse().ok())
        {
            target.delay = Duration::from_secs(seconds);
        }
        if let Some(attempts) = value("WHATSAPP_HOOK_RETRIES_ATTEMPTS").and_then(|text| text.parse().ok()) {
            target.attempts = attempts;
        }
        Some(hook)
    }

    /// Signs every body with this key.
    #[must_use]
    pub fn hmac_key(mut self, key: impl Into<SecretString>) -> Self {
        self.0.hmac_key = Some(key.into());
        self
    }

    /// Sends this header along.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0.custom_headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How often to try again after the first attempt, and how long to wait. WAHA's default is 15 times, 2 seconds.
    #[must_use]
    pub fn retries(mut self, policy: RetryPolicy, delay: Duration, attempts: u32) -> Self {
        (self.0.policy, self.0.delay, self.0.attempts) = (policy, delay, attempts);
        self
    }

    /// The names WAHA would not know.
    #[must_use]
    pub fn unknown_events(&self) -> Vec<&str> {
        let known = |name: &str| name == "*" || events::NAMES.contains(&name);
        self.0
            .events
            .iter()
            .map(String::as_str)
            .filter(|name| !known(name))
            .collect()
    }
}

/// Collects what a simulator shall be; see [`WahaSim::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct WahaSimBuilder {
    options: Options,
    global_hook: Option<GlobalHook>,
    listen: SocketAddr,
    control: Option<SocketAddr>,
}

impl Default for WahaSimBuilder {
    fn default() -> Self {
        Self {
            options: Options {
                api_key: None,
                engine: Engine::Noweb,
                version: Version::parse("2026.7.1"),
                tier: "CORE".to_owned(),
                worker_id: None,
                time_scale: 1.0,
                auto_pair_after: None,
                only_default_session: false,
                seed: 1,
                contacts: 3,
                last_ack: Ack::Read,
                base_url: None,
            },
            global_hook: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            control: None,
        }
    }
}

impl WahaSimBuilder {
    /// The key that callers must send as `X-Api-Key`. Without one everybody may call.
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.options.api_key = Some(key.into());
        self
    }

    /// The engine whose answers are given; NOWEB unless set.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.options.engine = engine;
        self
    }

    /// The WAHA release to be, such as `2026.2.1`; `2026.7.1` unless set. It decides on health checks (2026.6.1), on
    /// message ids chosen by the caller and keys in the query (2026.4.3), and on the `data` of statuses (2026.7.1).
    pub fn version(mut self, version: &str) -> Self {
        self.options.version = Version::parse(version);
        self
    }

    /// The tier to be shown: `CORE` unless set.
    pub fn tier(mut self, tier: &str) -> Self {
        tier.clone_into(&mut self.options.tier);
        self
    }

    /// The worker's id (`WAHA_WORKER_ID`).
    pub fn worker_id(mut self, id: &str) -> Self {
        self.options.worker_id = Some(id.to_owned());
        self
    }

    /// The factor on all of WAHA's own times: waits, timers, retries, life of files. 1 is WAHA's speed; tests take
    /// 0.02 or less.
    pub fn time_scale(mut self, factor: f64) -> Self {
        self.options.time_scale = factor;
        self
    }

    /// Every session pairs by itself this long after its first QR code, in WAHA's time (the time scale applies).
    /// Without it a session waits for [`WahaSim::pair`] or the control API.
    pub fn auto_pair_after(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.options.auto_pair_after = after.into();
        self
    }

    /// Behaves as WAHA Core before 2026.6.1: the session `default` and no other, no session keys.
    pub fn only_default_session(mut self) -> Self {
        self.options.only_default_session = true;
        self
    }

    /// The seed of everything generated: the same seed and the same requests give the same ids.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// How many contacts each phone has, each with a short chat; 3 unless set.
    pub fn contacts_per_session(mut self, contacts: u32) -> Self {
        self.options.contacts = contacts;
        self
    }

    /// How far acknowledgements go after a send: to [`Ack::Read`] unless set.
    pub fn last_ack(mut self, ack: Ack) -> Self {
        self.options.last_ack = ack;
        self
    }

    /// A webhook for the events of all sessions.
    pub fn global_hook(mut self, hook: GlobalHook) -> Self {
        self.global_hook = Some(hook);
        self
    }

    /// What the addresses of files begin with (`WAHA_BASE_URL`); the simulator's own address unless set.
    pub fn public_base_url(mut self, url: &str) -> Self {
        self.options.base_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// The address to listen on; a free port of 127.0.0.1 unless set.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Opens the control API on this address, which must not be WAHA's. It has no password: keep it on 127.0.0.1.
    pub fn control(mut self, address: SocketAddr) -> Self {
        self.control = Some(address);
        self
    }

    /// Starts to listen. The simulator ends when what is given back is dropped.
    pub async fn start(self) -> Result<WahaSim, StartError> {
        let scale = self.options.time_scale;
        if !(0.0..=1000.0).contains(&scale) {
            return Err(StartError::TimeScale(scale));
        }
        let (listener, address) = bind(self.listen).await?;
        let control = match self.control {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let sim = Sim::new(self.options, address);
        sim.lock().global_hook = self.global_hook.map(|hook| hook.0);
        tokio::spawn(server::serve(std::sync::Arc::clone(&sim), listener));
        let control = control.map(|(listener, address)| {
            tokio::spawn(control_api::serve(std::sync::Arc::clone(&sim), listener));
            address
        });
        Ok(WahaSim::new(sim, control))
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let fail = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((listener, bound))
}
