//! One WAHA server: its address, its key, its limits, and the making of calls.

use std::fmt::{self, Display};
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::{ConfigError, LostAnswer, WahaError};
use crate::file_content::JsonWithFile;
use crate::guard::Guard;
use crate::http::{self, HttpClient};
use crate::refusal;
use crate::timeouts::{CallKind, TimeLimit, Timeouts};

/// What stays readable in a path; everything else is percent-encoded.
const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'@');

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Where a WAHA server is and how it is called.
#[derive(Clone)]
pub struct WahaConfig {
    /// The server's address, with a path if it lives under one.
    pub base_url: Url,
    /// The key that goes into `X-Api-Key`.
    pub api_key: SecretString,
    /// How long calls may take.
    pub timeouts: Timeouts,
    /// What stands before the server; shared by all clients of one server, the later ones too.
    pub guard: Guard,
    /// The largest answer that is read, in bytes; 64 MiB. Downloads of files are not bound by it.
    pub answer_limit_bytes: u64,
    /// The largest request that is sent, in bytes; 50 MiB, above which WAHA 2026.2.1 fails with status 500.
    pub request_limit_bytes: u64,
}

impl WahaConfig {
    /// A configuration with the default limits.
    #[must_use]
    pub fn new(base_url: Url, api_key: SecretString) -> Self {
        Self {
            base_url,
            api_key,
            timeouts: Timeouts::default(),
            guard: Guard::default(),
            answer_limit_bytes: 64 * 1024 * 1024,
            request_limit_bytes: 50 * 1024 * 1024,
        }
    }
}

impl fmt::Debug for WahaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WahaConfig")
            .field("base_url", &self.base_url.origin().ascii_serialization())
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

/// The client of one WAHA server. Clones are cheap and share everything.
///
/// # Errors
///
/// Every call gives a [`WahaError`]. Of those, any call may give `Unreachable`, `OutcomeUnknown`,
/// `KeyRefused`, `ServerError`, `BrokenAnswer` and, for names that cannot stand in a path, `NotSendable`; a
/// call about one session `UnknownSession`, `NotRunning` or `WrongState`; what is particular to a call is
/// said there.
#[derive(Clone)]
pub struct WahaClient {
    server: Arc<Server>,
}

struct Server {
    http: HttpClient,
    base_url: Url,
    api_key: HeaderValue,
    timeouts: Timeouts,
    guard: Guard,
    answer_limit: u64,
    request_limit: u64,
}

impl fmt::Debug for WahaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WahaClient")
            .field("base_url", &self.server.base_url.origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}

impl WahaClient {
    /// A client for one server over the shared connections. Nothing is sent yet.
    pub fn new(http: &HttpClient, config: WahaConfig) -> Result<Self, ConfigError> {
        check_base_url(&config.base_url)?;
        let key = config.api_key.expose_secret();
        if key.is_empty() {
            return Err(ConfigError::ApiKey);
        }
        let mut api_key = HeaderValue::from_str(key).map_err(|_| ConfigError::ApiKey)?;
        api_key.set_sensitive(true);
        let server = Server {
            http: http.clone(),
            base_url: config.base_url,
            api_key,
            timeouts: config.timeouts,
            guard: config.guard,
            answer_limit: config.answer_limit_bytes,
            request_limit: config.request_limit_bytes,
        };
        Ok(Self {
            server: Arc::new(server),
        })
    }

    /// Makes a call and reads its JSON answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, WahaError> {
        let kind = call.kind;
        self.guarded(kind, async { self.exchange(call).await?.decode() })
            .await
    }

    /// Makes a call whose answer may be empty or `null`.
    pub(crate) async fn optional_json<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
    ) -> Result<Option<T>, WahaError> {
        let kind = call.kind;
        let decoded = async {
            let answer = self.exchange(call).await?;
            if answer.body.trim_ascii().is_empty() {
                Ok(None)
            } else {
                answer.decode()
            }
        };
        self.guarded(kind, decoded).await
    }

    /// Makes a call and reads its whole answer.
    pub(crate) async fn answer(&self, call: Call<'_>) -> Result<Answer, WahaError> {
        self.guarded(call.kind, self.exchange(call)).await
    }

    /// Makes a call up to the head of a successful answer; any other answer becomes its error.
    pub(crate) async fn open(&self, call: Call<'_>) -> Result<Response, WahaError> {
        self.guarded(call.kind, self.head(call)).await
    }

    /// Makes a call if the server's guard lets it through.
    async fn guarded<T>(
        &self,
        kind: CallKind,
        call: impl Future<Output = Result<T, WahaError>>,
    ) -> Result<T, WahaError> {
        let attempt = self.server.guard.admit(kind).await?;
        let outcome = call.await;
        attempt.judge(&outcome);
        outcome
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Answer, WahaError> {
        let limit = self.limit(call.kind);
        let exchange = async {
            let response = self.head(call).await?;
            let status = response.status().as_u16();
            let media_type = http::media_type(&response);
            let body = http::read_body(response, limit.idle, self.server.answer_limit).await?;
            Ok(Answer {
                status,
                media_type,
                body,
            })
        };
        match limit.total {
            None => exchange.await,
            Some(total) => {
                tokio::time::timeout(total, exchange)
                    .await
                    .unwrap_or(Err(WahaError::OutcomeUnknown {
                        cause: LostAnswer::TimedOut,
                    }))
            }
        }
    }

    async fn head(&self, call: Call<'_>) -> Result<Response, WahaError> {
        let idle = self.limit(call.kind).idle;
        let file = match &call.body {
            Some(CallBody::WithFile(body)) => Some(body.failure()),
            _ => None,
        };
        let sent = self.server.http.send(self.request(call)?, idle).await;
        let response = sent.map_err(|error| match file {
            // The request ended before the length that it announced, so nobody can have taken it for one.
            Some(file) if file.is_there() => WahaError::NotSendable {
                what: "the file cannot be read to its end",
            },
            _ => error,
        })?;
        let status = response.status().as_u16();
        match status {
            200..=299 => Ok(response),
            300..=399 => Err(WahaError::BrokenAnswer {
                status,
                what: "it is a redirect, which is not followed because it would carry the key elsewhere"
                    .to_owned(),
            }),
            _ => {
                let is_html = http::media_type(&response) == "text/html";
                let body = http::read_refusal(response, idle).await;
                Err(refusal::classify(status, is_html, &body))
            }
        }
    }

    /// The limits of a kind of call.
    pub(crate) fn limit(&self, kind: CallKind) -> TimeLimit {
        self.server.timeouts.of(kind)
    }

    fn request(&self, call: Call<'_>) -> Result<reqwest::Request, WahaError> {
        let mut url = self.server.base_url.clone();
        url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), call.path()?));
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = reqwest::Request::new(call.method, url);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, call.accept);
        if call.with_key {
            headers.insert(API_KEY, self.server.api_key.clone());
        }
        if let Some(body) = call.body {
            let length = body.length();
            if length > self.server.request_limit {
                return Err(WahaError::NotSendable {
                    what: "the request is larger than WAHA accepts",
                });
            }
            headers.insert(CONTENT_TYPE, JSON);
            *request.body_mut() = Some(match body {
                CallBody::Whole(bytes) => bytes.into(),
                CallBody::WithFile(body) => {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
                    reqwest::Body::wrap_stream(body.into_stream())
                }
            });
        }
        Ok(request)
    }
}

/// A successful answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) media_type: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Decodes JSON. What serde says about a mismatch is not kept, because it quotes the answer.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, WahaError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = if self.body.trim_ascii().is_empty() {
                "it is empty".to_owned()
            } else if self.media_type == "text/html" || self.body.trim_ascii_start().starts_with(b"<") {
                "it is a web page".to_owned()
            } else if error.is_data() {
                format!(
                    "its JSON has another shape (line {}, column {})",
                    error.line(),
                    error.column()
                )
            } else {
                format!(
                    "it is not JSON (line {}, column {})",
                    error.line(),
                    error.column()
                )
            };
            self.broken(what)
        })
    }

    /// An error that says what is wrong with this answer.
    pub(crate) fn broken(&self, what: impl Into<String>) -> WahaError {
        WahaError::BrokenAnswer {
            status: self.status,
            what: what.into(),
        }
    }
}

/// One call before it is made.
pub(crate) struct Call<'a> {
    method: Method,
    path: Vec<&'a str>,
    query: Vec<(&'static str, String)>,
    body: Option<CallBody>,
    accept: HeaderValue,
    with_key: bool,
    kind: CallKind,
}

/// What a call says.
enum CallBody {
    Whole(Vec<u8>),
    /// Which is read while it is sent.
    WithFile(JsonWithFile),
}

impl CallBody {
    fn length(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::WithFile(body) => body.length(),
        }
    }
}

impl<'a> Call<'a> {
    fn new(method: Method, kind: CallKind, path: &[&'a str]) -> Self {
        let path = path.to_vec();
        Self {
            method,
            path,
            query: Vec::new(),
            body: None,
            accept: JSON,
            with_key: true,
            kind,
        }
    }

    /// A `GET` of the path made of these segments, which are not encoded yet.
    pub(crate) fn get(kind: CallKind, path: &[&'a str]) -> Self {
        Self::new(Method::GET, kind, path)
    }

    /// A `POST`.
    pub(crate) fn post(kind: CallKind, path: &[&'a str]) -> Self {
        Self::new(Method::POST, kind, path)
    }

    /// A `PUT`.
    pub(crate) fn put(kind: CallKind, path: &[&'a str]) -> Self {
        Self::new(Method::PUT, kind, path)
    }

    /// A `DELETE`.
    pub(crate) fn delete(kind: CallKind, path: &[&'a str]) -> Self {
        Self::new(Method::DELETE, kind, path)
    }

    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &'static str, value: impl Display + Copy) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Adds a query parameter if it has a value.
    pub(crate) fn query_if(self, name: &'static str, value: Option<impl Display + Copy>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Asks for something other than JSON.
    pub(crate) fn accept(mut self, accept: &'static str) -> Self {
        self.accept = HeaderValue::from_static(accept);
        self
    }

    /// Leaves the key out.
    pub(crate) fn without_key(mut self) -> Self {
        self.with_key = false;
        self
    }

    /// Adds a JSON body.
    pub(crate) fn body(self, body: &impl Serialize) -> Result<Self, WahaError> {
        self.body_of_size(body, 256)
    }

    /// Adds a JSON body that will need about `size` bytes.
    pub(crate) fn body_of_size(mut self, body: &impl Serialize, size: usize) -> Result<Self, WahaError> {
        let mut bytes = Vec::with_capacity(size);
        serde_json::to_writer(&mut bytes, body).map_err(|_| WahaError::NotSendable {
            what: "the request cannot be expressed in JSON",
        })?;
        self.body = Some(CallBody::Whole(bytes));
        Ok(self)
    }

    /// Adds a JSON body with a file in it.
    pub(crate) fn file_body(mut self, body: JsonWithFile) -> Self {
        self.body = Some(CallBody::WithFile(body));
        self
    }

    /// The encoded path. Empty and dot segments would change which path is asked for, even percent-encoded.
    fn path(&self) -> Result<String, WahaError> {
        let mut path = String::new();
        for segment in &self.path {
            if matches!(*segment, "" | "." | "..") {
                return Err(WahaError::NotSendable {
                    what: "a name or an id is empty or consists of dots only",
                });
            }
            path.push('/');
            path.extend(encoded(segment));
        }
        Ok(path)
    }
}

/// A segment as it stands in a path.
pub(crate) fn encoded(segment: &str) -> PercentEncode<'_> {
    utf8_percent_encode(segment, PATH_SEGMENT)
}

fn check_base_url(url: &Url) -> Result<(), ConfigError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ConfigError::BaseUrl("it must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::BaseUrl(
            "it must not contain a user name or a password",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError::BaseUrl("it must not contain a query or a fragment"));
    }
    Ok(())
}
