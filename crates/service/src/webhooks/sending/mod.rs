//! One try to deliver one event to an address that an organization gave.

mod answer;
mod egress;
mod failure;
mod signature;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use url::Url;
use wahana_domain::{Clock, CustomHeader, Timestamp, WebhookSecret, WebhookStyle};

use self::{
    answer::{Beginning, cleaned},
    egress::Egress,
    failure::Failure,
};
use crate::AllowedNetwork;

/// The longest attempt, from resolving the name to the last byte of the answer that is read.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// What is sent, where and how it is signed.
pub(crate) struct Sending {
    /// Where.
    pub(crate) url: String,
    /// How it is signed, and in which headers that is said.
    pub(crate) style: WebhookStyle,
    /// The secrets that sign, the newest first; the one before it for as long as it is valid, too. WAHA's headers
    /// have room for one signature, for which they take turns.
    pub(crate) secrets: Vec<WebhookSecret>,
    /// Which attempt it is, from 1.
    pub(crate) attempt: i64,
    /// What else the organization wants to have in the head.
    pub(crate) headers: Vec<CustomHeader>,
    /// The same each time that this is sent, by which the receiver knows repetitions.
    pub(crate) id: String,
    /// What is sent, as JSON.
    pub(crate) body: Vec<u8>,
    /// When it happened. WAHA's headers say this; those of Standard Webhooks say when it is sent.
    pub(crate) happened_at: Timestamp,
}

/// Addresses may have a secret in them, and bodies are for their receiver.
impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending")
            .field("id", &self.id)
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Attempted {
    /// The status of the receiver's answer, if it answered.
    pub(crate) status: Option<u16>,
    /// Why it failed, in words for the organization, which name no address; `None` if the receiver took it.
    pub(crate) error: Option<String>,
    /// The beginning of the answer, in at most 4096 bytes and without characters that cannot be printed; `None` if
    /// there was no answer.
    pub(crate) answer: Option<String>,
    /// How long the receiver asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// How long it took.
    pub(crate) duration: Duration,
}

impl Attempted {
    /// Whether the receiver took it: it answered with a status from 200 to 299, whatever became of the rest of its
    /// answer.
    pub(crate) const fn is_delivered(&self) -> bool {
        self.error.is_none()
    }
}

/// What a receiver answers is not printed.
impl fmt::Debug for Attempted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempted")
            .field("status", &self.status)
            .field("error", &self.error)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

/// The address is none to which webhooks are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an https address of the internet at port 443, without user name and password")]
pub(crate) struct InvalidAddress;

/// Sends. One a process; clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Sender(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    egress: Egress,
    clock: Arc<dyn Clock>,
    total_timeout: Duration,
}

/// What was heard of a receiver until the end, whatever that was.
#[derive(Default)]
struct Heard {
    status: Option<u16>,
    retry_after: Option<Duration>,
    answer: Beginning,
}

impl Sender {
    /// Sends to the internet, and to what the operator allowed.
    pub(crate) fn new(allowed: &[AllowedNetwork], clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            egress: Egress::new(allowed),
            clock,
            total_timeout: TOTAL_TIMEOUT,
        }))
    }

    /// Checks an address before it is kept: a refusal is told while somebody is there to hear it. It is checked
    /// again each time that something is sent.
    pub(crate) fn check(&self, address: &str) -> Result<Url, InvalidAddress> {
        self.0.egress.check(address).map_err(|_| InvalidAddress)
    }

    /// Whether an address that was checked leads, by what its name means at the moment, to where webhooks are sent.
    pub(crate) async fn is_reachable(&self, url: &Url) -> bool {
        self.0.egress.is_reachable(url).await
    }

    /// Tries once to deliver, in at most fifteen seconds. Redirects are not followed.
    pub(crate) async fn send(&self, sending: &Sending) -> Attempted {
        let Shared {
            clock, total_timeout, ..
        } = &*self.0;
        let began = clock.elapsed();
        let mut heard = Heard::default();
        let exchange = tokio::time::timeout(*total_timeout, self.exchange(sending, &mut heard));
        let ended = exchange.await.unwrap_or(Err(Failure::Slow(*total_timeout)));
        // What was answered counts, even if the answer had no end.
        let failure = match heard.status {
            Some(200..=299) => None,
            Some(status) => Some(Failure::of_status(status)),
            None => ended.err(),
        };
        Attempted {
            status: heard.status,
            error: failure.map(|failure| failure.to_string()),
            answer: heard.status.map(|_| cleaned(&heard.answer)),
            retry_after: heard.retry_after,
            duration: clock.elapsed().saturating_sub(began),
        }
    }

    async fn exchange(&self, sending: &Sending, heard: &mut Heard) -> Result<(), Failure> {
        let (client, url) = self.0.egress.client_for(&sending.url)?;
        let request = client
            .post(url)
            .headers(self.head(sending).ok_or(Failure::Head)?)
            .body(sending.body.clone());
        let mut response: Response = request.send().await?;
        heard.status = Some(response.status().as_u16());
        heard.retry_after = retry_after(&response, self.0.clock.now());
        while !heard.answer.is_full()
            && let Some(chunk) = response.chunk().await?
        {
            heard.answer.push(&chunk);
        }
        Ok(())
    }

    /// The head, with what the organization chose first, so that it is never in the place of ours. `None` if there
    /// is something in it that no head can have.
    fn head(&self, sending: &Sending) -> Option<HeaderMap> {
        let mut head = HeaderMap::new();
        for CustomHeader { name, value } in &sending.headers {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            head.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
        }
        head.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in signature::headers(sending, self.0.clock.now()) {
            head.insert(name, HeaderValue::try_from(value).ok()?);
        }
        Some(head)
    }
}

/// How long a receiver asks to be left alone that has too much to do, in seconds or until a time of day.
fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    if !matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        return None;
    }
    let asked = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if let Ok(seconds) = asked.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = httpdate::parse_http_date(asked).ok()?;
        let until = until.duration_since(UNIX_EPOCH).ok()?.as_secs();
        Duration::from_secs(until.saturating_sub(u64::try_from(now.as_seconds()).ok()?))
    };
    Some(pause).filter(|pause| !pause.is_zero())
}
