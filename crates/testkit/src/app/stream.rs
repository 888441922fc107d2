//! Server-sent events, as a browser reads them.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::Answer;

/// When a test gives up on an event. Long, because tests share the machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open stream. Dropping it hangs up.
#[derive(Debug)]
pub struct EventStream {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    text: String,
    last_id: Option<String>,
    connection: JoinHandle<()>,
}

/// What came by a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSentEvent {
    /// Its `id`, or the last one before it.
    pub id: String,
    /// Its `event`.
    pub event: String,
    /// Its `data`.
    pub data: Value,
}

#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call this, and a test without its events has failed"
)]
impl EventStream {
    pub(super) fn new(response: http::Response<Incoming>, connection: JoinHandle<()>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            text: String::new(),
            last_id: None,
            connection,
        }
    }

    /// The next event; `None` at the stream's end.
    pub async fn next(&mut self) -> Option<ServerSentEvent> {
        tokio::time::timeout(PATIENCE, self.read_event())
            .await
            .expect("an event within half a minute")
    }

    /// The last `id` that came, with an event or without.
    #[must_use]
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Waits until an `id` has come.
    pub async fn begun(&mut self) {
        while self.last_id.is_none() {
            let block = tokio::time::timeout(PATIENCE, self.read_block())
                .await
                .expect("a beginning within half a minute");
            assert!(
                block.is_some_and(|block| self.read(&block).is_none()),
                "no event yet"
            );
        }
    }

    /// What came first, for a stream that is looked at like any other answer; all of it if it is a refusal.
    pub async fn into_beginning(mut self) -> Answer {
        let first = async {
            let mut body = Vec::new();
            while let Some(Ok(frame)) = self.body.frame().await {
                body.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                if self.status.is_success() {
                    break;
                }
            }
            body
        };
        let body = tokio::time::timeout(PATIENCE, first).await;
        Answer {
            status: self.status,
            headers: std::mem::take(&mut self.headers),
            body: body.expect("a beginning within half a minute").into(),
        }
    }

    async fn read_event(&mut self) -> Option<ServerSentEvent> {
        loop {
            let block = self.read_block().await?;
            if let Some(event) = self.read(&block) {
                return Some(event);
            }
        }
    }

    /// Everything up to the next empty line.
    async fn read_block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                return Some(std::mem::replace(&mut self.text, rest));
            }
            let frame = self.body.frame().await?.ok()?;
            if let Some(data) = frame.data_ref() {
                self.text += std::str::from_utf8(data).expect("text");
            }
        }
    }

    fn read(&mut self, block: &str) -> Option<ServerSentEvent> {
        let field = |name: &str| {
            block
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        if let Some(id) = field("id") {
            self.last_id = Some(id.to_owned());
        }
        Some(ServerSentEvent {
            data: serde_json::from_str(field("data")?).expect("data is JSON"),
            event: field("event").unwrap_or("message").to_owned(),
            id: self.last_id.clone().unwrap_or_default(),
        })
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
