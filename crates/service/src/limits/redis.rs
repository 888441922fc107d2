//! Limits that several processes share, kept in Redis.
//!
//! While Redis is away or slow nobody waits for it: the first call that fails closes the connection, and a
//! task of its own tries to get it back. Until then there is no connection, and each process keeps to its
//! share.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Client, RedisError, Script, ScriptInvocation, aio::MultiplexedConnection,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;
use wahana_domain::OrganizationId;

use super::{
    in_process::Outcome,
    rule::Rule,
    window::{Allowance, SLOTS},
};

/// What every key in Redis begins with.
const PREFIX: &str = "wahana:limits";
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait before the connection is made again; twice as long each time, up to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// A connection that held so long begins with short waits again.
const HELD: Duration = Duration::from_mins(1);
const AWAY_METRIC: &str = "wahana_redis_away";

/// How Redis is reached.
#[derive(Clone)]
pub struct RedisSettings {
    client: Client,
    /// How long an answer may take before Redis counts as away.
    timeout: Duration,
}

/// The address is none of Redis. Says nothing of the address, which may hold a password.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must be an address such as redis://127.0.0.1:6379, or rediss:// for TLS")]
pub struct InvalidRedisUrl;

impl RedisSettings {
    /// Redis at this address. Nothing is connected yet.
    pub fn new(url: &SecretString, timeout: Duration) -> Result<Self, InvalidRedisUrl> {
        let client = Client::open(url.expose_secret()).map_err(|_| InvalidRedisUrl)?;
        Ok(Self { client, timeout })
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Redis did not do what it was asked, or not in time.
#[derive(Debug)]
pub(super) struct Away;

/// The slots in which units were taken, a key each.
pub(super) type TakenInRedis = Vec<(String, i64)>;

pub(super) struct Redis {
    settings: RedisSettings,
    take: Script,
    give_back: Script,
    first_attempt: OnceCell<()>,
    connection: Mutex<Link>,
}

/// The connection, if there is one.
struct Link {
    connection: Option<MultiplexedConnection>,
    /// Goes up with each connection, so that a late failure of an old one does not close the new one.
    number: u64,
    since: Instant,
    next_wait: Duration,
}

/// A connection that was there a moment ago.
pub(super) struct Connected {
    connection: MultiplexedConnection,
    number: u64,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("settings", &self.settings)
            .field("is_connected", &self.link().connection.is_some())
            .finish_non_exhaustive()
    }
}

impl Redis {
    pub(super) fn new(settings: RedisSettings) -> Arc<Self> {
        metrics::describe_gauge!(
            AWAY_METRIC,
            "1 while Redis is away and each process keeps to its share of the limits"
        );
        Arc::new(Self {
            settings,
            take: Script::new(include_str!("take.lua")),
            give_back: Script::new(include_str!("give_back.lua")),
            first_attempt: OnceCell::new(),
            connection: Mutex::new(Link {
                connection: None,
                number: 0,
                since: Instant::now(),
                next_wait: RETRY.0,
            }),
        })
    }

    /// The connection; `None` while Redis is away. Only the first callers wait for it.
    pub(super) async fn connected(self: &Arc<Self>) -> Option<Connected> {
        self.first_attempt
            .get_or_init(async || match self.connect().await {
                Ok(connection) => self.set_connected(connection),
                Err(error) => {
                    self.say_away(&error);
                    self.bring_back();
                }
            })
            .await;
        let link = self.link();
        Some(Connected {
            connection: link.connection.clone()?,
            number: link.number,
        })
    }

    /// Takes one unit of each rule, or none, of what all processes share.
    pub(super) async fn take(
        self: &Arc<Self>,
        connected: Connected,
        organization: OrganizationId,
        rules: &[Rule],
    ) -> Result<Outcome<TakenInRedis>, Away> {
        let mut script = self.take.prepare_invoke();
        script.arg(SLOTS);
        let mut keys = Vec::with_capacity(rules.len());
        for rule in rules {
            // What is in braces decides where a key lives in a cluster: all of an organization together.
            let key = format!("{PREFIX}:{{{organization}}}:{}", rule.key);
            let slot_length = u64::try_from(rule.key.period.slot_length().as_millis());
            script
                .key(&key)
                .arg(rule.limit)
                .arg(slot_length.unwrap_or(u64::MAX));
            keys.push(key);
        }
        let answer = self.run(connected, &script).await?;
        let Some((passed, states)) = answer.split_first() else {
            return Err(Away);
        };
        let states = states.as_chunks::<3>().0;
        let allowances: Vec<Allowance> = states
            .iter()
            .zip(rules)
            .map(|([left, reset, _], rule)| Allowance {
                limit: rule.limit,
                remaining: u32::try_from(*left).unwrap_or(0),
                reset_after: Duration::from_millis(u64::try_from(*reset).unwrap_or(0)),
            })
            .collect();
        if *passed == 1 {
            let slots = states.iter().map(|[_, _, slot]| *slot);
            return Ok(Ok((keys.into_iter().zip(slots).collect(), allowances)));
        }
        let refusal = allowances
            .into_iter()
            .enumerate()
            .filter(|(_, allowance)| allowance.remaining == 0)
            .max_by_key(|(_, allowance)| allowance.reset_after);
        refusal.map(Err).ok_or(Away)
    }

    /// Gives back what was taken. If that fails, the units count until their window has passed.
    pub(super) async fn give_back(self: &Arc<Self>, taken: TakenInRedis) {
        let Some(connected) = self.connected().await else {
            return;
        };
        let mut script = self.give_back.prepare_invoke();
        for (key, slot) in &taken {
            script.key(key).arg(*slot);
        }
        // Whoever calls next notices that Redis is away, and so does this.
        let _ = self.run(connected, &script).await;
    }

    async fn run(
        self: &Arc<Self>,
        connected: Connected,
        script: &ScriptInvocation<'_>,
    ) -> Result<Vec<i64>, Away> {
        let Connected {
            mut connection,
            number,
        } = connected;
        // Also bounds loading a script that Redis has forgotten, which is a second call.
        let answer = async {
            match tokio::time::timeout(self.settings.timeout, script.invoke_async(&mut connection)).await {
                Ok(answer) => answer,
                Err(_) => Err(RedisError::from(std::io::Error::from(
                    std::io::ErrorKind::TimedOut,
                ))),
            }
        };
        match answer.await {
            Ok(redis::Value::Int(_)) => Ok(Vec::new()),
            Ok(answer) => redis::from_redis_value(answer).map_err(|error| {
                self.lose(number, &error.into());
                Away
            }),
            Err(error) => {
                self.lose(number, &error);
                Err(Away)
            }
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.settings.timeout));
        let mut connection = self
            .settings
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        // Shows that it can do what it is for, and that it answers in time.
        self.take.prepare_invoke().load_async(&mut connection).await?;
        self.give_back
            .prepare_invoke()
            .load_async(&mut connection)
            .await?;
        Ok(connection)
    }

    fn set_connected(&self, connection: MultiplexedConnection) {
        let mut link = self.link();
        link.connection = Some(connection);
        link.number += 1;
        link.since = Instant::now();
        metrics::gauge!(AWAY_METRIC).set(0.0);
    }

    /// Closes a connection that failed, once, and sees to another.
    fn lose(self: &Arc<Self>, number: u64, error: &RedisError) {
        {
            let mut link = self.link();
            if link.number != number || link.connection.take().is_none() {
                return;
            }
            if link.since.elapsed() > HELD {
                link.next_wait = RETRY.0;
            }
        }
        self.say_away(error);
        self.bring_back();
    }

    #[expect(
        clippy::unused_self,
        reason = "reads as what happens to this connection, beside its counterparts"
    )]
    fn say_away(&self, error: &RedisError) {
        metrics::gauge!(AWAY_METRIC).set(1.0);
        tracing::warn!(
            error.kind = error.category(),
            error = %error,
            "Redis is away or slow: until it is back, each wahana process keeps to its share of the limits"
        );
    }

    /// Connects again in a task of its own, which ends when nobody uses these limits any more.
    fn bring_back(self: &Arc<Self>) {
        tokio::spawn(reconnect(Arc::downgrade(self)));
    }

    /// Waits longer each time, so that a Redis that comes and goes is not said to all the time.
    fn take_wait(&self) -> Duration {
        let mut link = self.link();
        let wait = link.next_wait;
        link.next_wait = (wait * 2).min(RETRY.1);
        wait
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn reconnect(redis: Weak<Redis>) {
    loop {
        let Some(wait) = redis.upgrade().map(|redis| redis.take_wait()) else {
            return;
        };
        tokio::time::sleep(wait).await;
        let Some(redis) = redis.upgrade() else { return };
        if let Ok(connection) = redis.connect().await {
            redis.set_connected(connection);
            tracing::info!("Redis is back: the limits are shared again");
            return;
        }
    }
}
