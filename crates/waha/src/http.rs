//! The connections that all WAHA servers share, and the reading of answers within limits.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;

use crate::error::{ConfigError, LostAnswer, UnreachableReason, WahaError};

/// Of a refusal's body no more than this is read: WAHA repeats the request in it, up to 50 MB of media.
const REFUSAL_PREFIX: usize = 64 * 1024;

/// Of an answer that announces its length, no more than this is reserved before bytes arrive.
const MAX_RESERVED: u64 = 1024 * 1024;

/// How connections are made and kept.
#[derive(Debug, Clone, Copy)]
pub struct HttpOptions {
    /// The longest time for name resolution, connection and TLS handshake together; 5 s.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept; 4 s. Node closes one after 5 s, and a request that meets the
    /// closing connection would have an unknown outcome.
    pub idle_connection_lifetime: Duration,
    /// How many unused connections are kept per server; 64. With fewer than there are calls at a time, connections
    /// are opened and closed all the time.
    pub idle_connections_per_server: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_connection_lifetime: Duration::from_secs(4),
            idle_connections_per_server: 64,
        }
    }
}

/// The connection pool and the TLS configuration, shared by the clients of all WAHA servers of a process.
/// Clones share the same pool.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
}

impl HttpClient {
    /// A pool that goes straight to the servers, whatever proxies the environment names.
    ///
    /// The process must have installed a TLS provider (`rustls::crypto::CryptoProvider::install_default`),
    /// even when all servers are reached without TLS.
    pub fn new(options: &HttpOptions) -> Result<Self, ConfigError> {
        Self::from_builder(reqwest::ClientBuilder::no_proxy, options)
    }

    /// A pool with the caller's own resolver, proxies or certificates, which `customize` adds. What the
    /// safety of calls rests on is set after it: no redirects, no retries, the connect timeout.
    pub fn from_builder(
        customize: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
        options: &HttpOptions,
    ) -> Result<Self, ConfigError> {
        // Without a provider the builder panics.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(ConfigError::NoTlsProvider);
        }
        let client = customize(reqwest::Client::builder())
            .user_agent(concat!("waha-client/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(options.idle_connection_lifetime)
            .pool_max_idle_per_host(options.idle_connections_per_server)
            .build()
            .map_err(ConfigError::Http)?;
        Ok(Self { client })
    }

    /// Sends a request and waits at most `idle` for the answer's head.
    pub(crate) async fn send(
        &self,
        request: reqwest::Request,
        idle: Duration,
    ) -> Result<Response, WahaError> {
        match tokio::time::timeout(idle, self.client.execute(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failed_request(&error)),
            Err(_elapsed) => Err(WahaError::OutcomeUnknown {
                cause: LostAnswer::TimedOut,
            }),
        }
    }
}

/// The `Content-Type` of an answer, in lower case and without parameters.
pub(crate) fn media_type(response: &Response) -> String {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase())
        .unwrap_or_default()
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn read_body(
    mut response: Response,
    idle: Duration,
    limit: u64,
) -> Result<Vec<u8>, WahaError> {
    let status = response.status().as_u16();
    let too_large = || WahaError::BrokenAnswer {
        status,
        what: format!("it is larger than the limit of {limit} bytes"),
    };
    let announced = response.content_length().unwrap_or(0);
    if announced > limit {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(usize::try_from(announced.min(MAX_RESERVED)).unwrap_or(0));
    while let Some(chunk) = next_chunk(&mut response, idle).await? {
        if (body.len() as u64).saturating_add(chunk.len() as u64) > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads the beginning of a refusal's body, for at most `idle`. A body that breaks off or does not end is
/// still a refusal, so what was read by then is the result.
pub(crate) async fn read_refusal(mut response: Response, idle: Duration) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while body.len() < REFUSAL_PREFIX {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
    };
    match tokio::time::timeout(idle, read).await {
        Ok(()) | Err(_) => {}
    }
    body.truncate(REFUSAL_PREFIX);
    body
}

/// The next piece of a body; `None` at its end.
pub(crate) async fn next_chunk(response: &mut Response, idle: Duration) -> Result<Option<Bytes>, WahaError> {
    match tokio::time::timeout(idle, response.chunk()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(_error)) => Err(WahaError::OutcomeUnknown {
            cause: LostAnswer::BodyCut,
        }),
        Err(_elapsed) => Err(WahaError::OutcomeUnknown {
            cause: LostAnswer::TimedOut,
        }),
    }
}

/// What a failed request means. Only a failure while connecting proves that nothing was handed over.
fn failed_request(error: &reqwest::Error) -> WahaError {
    if error.is_builder() {
        return WahaError::NotSendable {
            what: "the request cannot be expressed in HTTP",
        };
    }
    if !error.is_connect() {
        let cause = if error.is_timeout() {
            LostAnswer::TimedOut
        } else {
            LostAnswer::ConnectionLost
        };
        return WahaError::OutcomeUnknown { cause };
    }
    let reason = if error.is_timeout() {
        UnreachableReason::ConnectTimeout
    } else if error.is_dns() {
        UnreachableReason::Dns
    } else {
        connect_failure(error)
    };
    WahaError::Unreachable { reason }
}

/// Looks for the cause in the chain of errors.
fn connect_failure(error: &reqwest::Error) -> UnreachableReason {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return UnreachableReason::Tls;
        }
        cause = error.source();
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::ConnectionRefused => return UnreachableReason::Refused,
                io::ErrorKind::TimedOut => return UnreachableReason::ConnectTimeout,
                _ => {}
            }
            // `source` of an I/O error leaves out the error that it wraps.
            if let Some(wrapped) = error.get_ref() {
                cause = Some(wrapped);
            }
        }
    }
    UnreachableReason::Connect
}
