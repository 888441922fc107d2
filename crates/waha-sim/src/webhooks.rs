//! Webhook deliveries: signed, retried, and kept nowhere but in memory.

use std::{future::Future, sync::Arc, time::Duration};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha512;

use crate::{events::Event, sessions::Session, sim::Sim};

/// No wait between two attempts is longer.
const LONGEST_DELAY: Duration = Duration::from_hours(365 * 24);

/// How the time between two attempts grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryPolicy {
    /// Always the same.
    #[default]
    Constant,
    /// Once, twice, three times the delay.
    Linear,
    /// Two, four, eight times the delay, and up to a fifth more.
    Exponential,
}

impl RetryPolicy {
    /// The policy that WAHA knows by this name; the default for any other.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "linear" => Self::Linear,
            "exponential" => Self::Exponential,
            _ => Self::Constant,
        }
    }
}

/// A webhook: where events go and how.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) hmac_key: Option<SecretString>,
    pub(crate) custom_headers: Vec<(String, String)>,
    pub(crate) policy: RetryPolicy,
    pub(crate) delay: Duration,
    /// Retries after the first attempt.
    pub(crate) attempts: u32,
}

impl Target {
    /// WAHA's defaults: fifteen retries, two seconds apart.
    pub(crate) fn new(url: &str, events: Vec<String>) -> Self {
        Self {
            url: url.to_owned(),
            events,
            hmac_key: None,
            custom_headers: Vec::new(),
            policy: RetryPolicy::Constant,
            delay: Duration::from_secs(2),
            attempts: 15,
        }
    }

    /// The webhooks of a session's configuration.
    pub(crate) fn of_session(session: &Session) -> Vec<Self> {
        session
            .config_at("/webhooks")
            .and_then(Value::as_array)
            .map(|webhooks| webhooks.iter().filter_map(Self::from_config).collect())
            .unwrap_or_default()
    }

    fn from_config(config: &Value) -> Option<Self> {
        let events = config.get("events")?.as_array()?;
        let events = events
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let mut target = Self::new(config.get("url")?.as_str()?, events);
        target.hmac_key = config
            .pointer("/hmac/key")
            .and_then(Value::as_str)
            .map(SecretString::from);
        if let Some(headers) = config.get("customHeaders").and_then(Value::as_array) {
            target.custom_headers = headers
                .iter()
                .filter_map(|header| {
                    Some((
                        header.get("name")?.as_str()?.to_owned(),
                        header.get("value")?.as_str()?.to_owned(),
                    ))
                })
                .collect();
        }
        if let Some(seconds) = config.pointer("/retries/delaySeconds").and_then(Value::as_f64) {
            target.delay = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        }
        if let Some(attempts) = config.pointer("/retries/attempts").and_then(Value::as_u64) {
            target.attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
        }
        if let Some(policy) = config.pointer("/retries/policy").and_then(Value::as_str) {
            target.policy = RetryPolicy::named(policy);
        }
        Some(target)
    }

    /// The time before the given retry; the first one is number 1.
    fn delay_before(&self, retry: u32, rng: &mut StdRng) -> Duration {
        // Far beyond any test, and far below what overflows.
        let delay = self.delay.min(LONGEST_DELAY);
        match self.policy {
            RetryPolicy::Constant => delay,
            RetryPolicy::Linear => delay.saturating_mul(retry).min(LONGEST_DELAY),
            RetryPolicy::Exponential => {
                let base = delay
                    .saturating_mul(2_u32.saturating_pow(retry))
                    .min(LONGEST_DELAY);
                base.mul_f64(1.0 + rng.random_range(0.0..0.2))
            }
        }
    }

    fn headers(&self, event: &Event, request_id: &str, version: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut put = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        };
        put("accept", "application/json, text/plain, */*");
        put("content-type", "application/json");
        put("user-agent", &format!("WAHA/{version}"));
        for (name, value) in &self.custom_headers {
            put(name, value);
        }
        put("x-webhook-request-id", request_id);
        put("x-webhook-timestamp", &event.timestamp.to_string());
        if let Some(key) = &self.hmac_key {
            put("x-webhook-hmac", &signature(key, event.body.as_bytes()));
            put("x-webhook-hmac-algorithm", "sha512");
        }
        headers
    }
}

/// One event on its way to one webhook.
pub(crate) struct Delivery {
    pub(crate) event: Arc<Event>,
    pub(crate) target: Target,
    /// The same for all attempts.
    pub(crate) request_id: String,
    pub(crate) retry_seed: u64,
}

/// The work of delivering, or `None` when there is no HTTP client to do it with.
pub(crate) fn deliver(sim: &Sim, delivery: Delivery) -> Option<impl Future<Output = ()> + Send + use<>> {
    let client = client(sim)?;
    let scale = sim.options.time_scale;
    let version = sim.options.version.text().to_owned();
    Some(async move {
        let Delivery {
            event,
            target,
            request_id,
            retry_seed,
        } = delivery;
        let headers = target.headers(&event, &request_id, &version);
        let mut rng = StdRng::seed_from_u64(retry_seed);
        for retry in 0..=target.attempts {
            if retry > 0 {
                tokio::time::sleep(target.delay_before(retry, &mut rng).mul_f64(scale)).await;
            }
            let request = client
                .post(&target.url)
                .headers(headers.clone())
                .body(event.body.clone());
            match request.send().await {
                Ok(response) if response.status().is_success() => return,
                Ok(response) => {
                    tracing::debug!(status = response.status().as_u16(), retry, "webhook was refused");
                }
                Err(error) => tracing::debug!(%error, retry, "webhook was not delivered"),
            }
        }
        tracing::debug!(event = event.name, "webhook given up");
    })
}

/// `X-Webhook-Hmac`: the lower-case hexadecimal HMAC-SHA512 of the body.
fn signature(key: &SecretString, body: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac =
        Hmac::<Sha512>::new_from_slice(key.expose_secret().as_bytes()).expect("any key length is fine");
    mac.update(body);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

fn client(sim: &Sim) -> Option<reqwest::Client> {
    if let Some(client) = sim.client.get() {
        return Some(client.clone());
    }
    match crate::tls::client() {
        Ok(client) => Some(sim.client.get_or_init(|| client).clone()),
        Err(error) => {
            tracing::error!(%error, "webhooks cannot be delivered: the HTTP client could not be built");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_as_the_policy_says() {
        let mut target = Target::new("http://127.0.0.1/", vec!["*".to_owned()]);
        let mut rng = StdRng::seed_from_u64(1);
        let mut delays = |target: &Target| [1, 2, 3].map(|retry| target.delay_before(retry, &mut rng));
        assert_eq!(delays(&target), [2, 2, 2].map(Duration::from_secs));
        target.policy = RetryPolicy::Linear;
        assert_eq!(delays(&target), [2, 4, 6].map(Duration::from_secs));
        target.policy = RetryPolicy::Exponential;
        for (delay, least) in delays(&target).into_iter().zip([4.0, 8.0, 16.0]) {
            assert!(
                (least..=least * 1.2).contains(&delay.as_secs_f64()),
                "{delay:?} for {least}"
            );
        }
    }

    #[test]
    fn the_signature_is_the_known_one() {
        // The HMAC-SHA512 example every reference lists for this key and text.
        let text = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(
            signature(&SecretString::from("key"), text),
            "b42af09057bac1e2d41708e48a902e09b5ff7f12ab428a4fe86653c73dd248fb\
             82f948a549f7b791a5b41915ee4d1ec3935357e4e2317250d0372afa2ebeeb3a"
        );
    }
}
