//! Requests over real connections, a new one for each.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};
use wahana_domain::TokenId;

use super::EventStream;

/// When a test gives up on an answer. Long, because tests share the machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody who calls: what they send with every request.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    headers: HeaderMap,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call this, and a test without an answer has failed"
)]
impl Client {
    pub(super) const fn new(address: SocketAddr, headers: HeaderMap) -> Self {
        Self { address, headers }
    }

    /// The same with one more header, or another one of that name.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.headers
            .insert(name, value.parse().expect("a header's value"));
        self
    }

    /// The same without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// What it sends with every request.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The id of the token that it sends.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        let value = self.headers[header::AUTHORIZATION].to_str().ok();
        let token = value.and_then(|value| value.strip_prefix("Bearer ")?.split_once('|'));
        let (id, _) = token.expect("a token");
        TokenId::parse(id).expect("a token's id")
    }

    /// Reads.
    pub async fn get(&self, target: &str) -> Answer {
        self.send(Method::GET, target, None).await
    }

    /// Deletes.
    pub async fn delete(&self, target: &str) -> Answer {
        self.send(Method::DELETE, target, None).await
    }

    /// Posts JSON.
    pub async fn post_json(&self, target: &str, body: &Value) -> Answer {
        self.send(Method::POST, target, Some(body)).await
    }

    /// Patches with JSON.
    pub async fn patch_json(&self, target: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, target, Some(body)).await
    }

    /// Sends a request, with JSON if there is a body.
    pub async fn send(&self, method: Method, target: &str, body: Option<&Value>) -> Answer {
        match body {
            Some(body) => {
                let bytes = serde_json::to_vec(body).expect("a value is JSON");
                self.send_bytes(method, target, "application/json", bytes).await
            }
            None => self.exchange(method, target, &self.headers, Bytes::new()).await,
        }
    }

    /// Sends these very bytes.
    pub async fn send_bytes(
        &self,
        method: Method,
        target: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut headers = self.headers.clone();
        let content_type = HeaderValue::from_str(content_type).expect("a media type");
        headers.insert(header::CONTENT_TYPE, content_type);
        self.exchange(method, target, &headers, body.into()).await
    }

    /// Opens a stream of events.
    pub async fn open_stream(&self, target: &str) -> EventStream {
        let begun = self.begin(Method::GET, target, &self.headers, Bytes::new());
        let (response, connection) = tokio::time::timeout(PATIENCE, begun)
            .await
            .expect("an answer within half a minute");
        EventStream::new(response, connection)
    }

    /// Sends a request and waits for the head of its answer.
    async fn begin(
        &self,
        method: Method,
        target: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> (Response<Incoming>, JoinHandle<()>) {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().expect("a request target");
        *request.headers_mut() = headers.clone();
        let host = HeaderValue::from_str(&self.address.to_string()).expect("an address");
        request.headers_mut().entry(header::HOST).or_insert(host);
        let stream = TcpStream::connect(self.address).await.expect("the app listens");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .expect("the app speaks HTTP");
        let connection = tokio::spawn(async move {
            // However it ends, the answer shows it.
            let _ = connection.await;
        });
        let response = sender.send_request(request).await.expect("the app answers");
        (response, connection)
    }

    async fn exchange(&self, method: Method, target: &str, headers: &HeaderMap, body: Bytes) -> Answer {
        let exchange = async {
            let (response, connection) = self.begin(method, target, headers, body).await;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("the answer is whole").to_bytes();
            connection.abort();
            Answer {
                status: parts.status,
                headers: parts.headers,
                body,
            }
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .expect("an answer within half a minute")
    }
}

impl Answer {
    /// The body.
    ///
    /// # Panics
    ///
    /// When it is not JSON.
    #[must_use]
    #[expect(clippy::panic, reason = "only tests call this")]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Its `error_code`; `None` if it has none.
    #[must_use]
    pub fn error_code(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("error_code")?.as_str()?.to_owned())
    }

    /// A header's only value; `None` if it is lacking, given twice, or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none());
        value?.to_str().ok()
    }

    /// Status and error code, as a refusal is named.
    #[must_use]
    pub fn named(&self) -> String {
        match self.error_code() {
            Some(code) => format!("{} {code}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }
}

/// Sends bytes over a connection of their own, and gives back everything that comes until the app closes it,
/// so the bytes should ask for that. What no HTTP client would send can be sent this way.
#[expect(clippy::expect_used, reason = "only tests call this")]
pub(super) async fn exchange_bytes(address: SocketAddr, request: &[u8]) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("the app listens");
        // It may refuse and close before it has read everything.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .expect("an answer within half a minute")
}
