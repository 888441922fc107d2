//! Fetching a file from an address that a tenant gave.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use percent_encoding::percent_decode_str;
use reqwest::{
    Client, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION},
};
use url::{Host, Url};
use wahana_domain::{FileName, MediaType};

use super::{
    policy::TenantPolicy,
    resolver::{GuardedResolver, LookUp, Policy as _, SystemLookUp},
};
use crate::{FieldErrors, ServiceError, messages::MediaFile};

/// How long resolving, connecting and the TLS handshake may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest silence.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest fetch, redirects included.
const TOTAL_TIMEOUT: Duration = Duration::from_mins(1);
const MAX_REDIRECTS: usize = 3;
const MAX_URL_BYTES: usize = 2048;
/// For how many ports a client is kept: an operator's list may open them all.
const MAX_CLIENTS: u64 = 16;
/// How much is reserved before bytes arrive.
const MAX_RESERVED: usize = 1024 * 1024;

/// Why a file was not fetched. Nothing here tells an address that is not allowed from one that does
/// not exist: who asks must not learn what there is inside.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("must be an http or https address at the usual port, without user name and password")]
    Address,
    #[error("does not lead to a public address that can be reached")]
    Unreachable,
    #[error("leads through more than {MAX_REDIRECTS} redirects")]
    TooManyRedirects,
    #[error("was answered with status {0} instead of a file")]
    Status(u16),
    #[error("was answered with a compressed body, which is no file")]
    Compressed,
    #[error("was not answered completely in time")]
    BrokenOff,
    #[error("is larger than allowed")]
    TooLarge,
    #[error("the client for fetching media cannot be built: {0}")]
    Client(String),
}

impl FetchError {
    /// What it means for whoever gave the address.
    pub(crate) fn into_service_error(self, limit: usize) -> ServiceError {
        match self {
            Self::TooLarge => ServiceError::MediaTooLarge { limit },
            Self::Client(_) => ServiceError::Internal(self.to_string()),
            fault => FieldErrors::one("media_url", fault).into(),
        }
    }
}

/// Fetches files. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    policy: Arc<TenantPolicy>,
    look_up: Arc<dyn LookUp>,
    /// By port, because a resolver is told a name and no port.
    clients: Cache<u16, Client>,
}

impl Fetcher {
    /// Fetches what the policy permits.
    pub(crate) fn new(policy: TenantPolicy) -> Self {
        Self::with_look_up(policy, SystemLookUp)
    }

    fn with_look_up(policy: TenantPolicy, look_up: impl LookUp) -> Self {
        Self(Arc::new(Shared {
            policy: Arc::new(policy),
            look_up: Arc::new(look_up),
            clients: Cache::new(MAX_CLIENTS),
        }))
    }

    /// The file at an address, if it is not larger than `limit` bytes.
    pub(crate) async fn fetch(&self, address: &str, limit: usize) -> Result<MediaFile, FetchError> {
        tokio::time::timeout(TOTAL_TIMEOUT, self.follow(address, limit))
            .await
            .unwrap_or(Err(FetchError::BrokenOff))
    }

    /// Redirects are followed by hand, because each address on the way is checked like the first.
    async fn follow(&self, address: &str, limit: usize) -> Result<MediaFile, FetchError> {
        if address.len() > MAX_URL_BYTES {
            return Err(FetchError::Address);
        }
        let mut url = Url::parse(address).map_err(|_| FetchError::Address)?;
        for _ in 0..=MAX_REDIRECTS {
            let port = self.check(&url)?;
            let response = self.client(port)?.get(url.clone()).send().await;
            let response = response.map_err(|error| failed(&error))?;
            if !response.status().is_redirection() {
                return read(response, &url, limit).await;
            }
            let location = response
                .headers()
                .get(LOCATION)
                .ok_or(FetchError::Status(response.status().as_u16()))?;
            let location = location.to_str().map_err(|_| FetchError::Address)?;
            url = url.join(location).map_err(|_| FetchError::Address)?;
        }
        Err(FetchError::TooManyRedirects)
    }

    /// Checks an address and says its port. Literal addresses never come to the resolver, so they are
    /// checked here, in whatever spelling: the parser has made one of them.
    fn check(&self, url: &Url) -> Result<u16, FetchError> {
        let policy = &self.0.policy;
        let is_web = matches!(url.scheme(), "http" | "https");
        let is_plain = url.username().is_empty() && url.password().is_none();
        let port = url
            .port_or_known_default()
            .filter(|port| is_web && is_plain && policy.permits_port(*port))
            .ok_or(FetchError::Address)?;
        let is_permitted = match url.host() {
            Some(Host::Ipv4(address)) => policy.permits(address.into(), port),
            Some(Host::Ipv6(address)) => policy.permits(address.into(), port),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        is_permitted.then_some(port).ok_or(FetchError::Unreachable)
    }

    /// The client of a port. It brings nothing along: no cookies, no credentials, no proxy.
    fn client(&self, port: u16) -> Result<Client, FetchError> {
        let shared = &self.0;
        let build = || {
            let resolver = GuardedResolver {
                policy: shared.policy.clone(),
                look_up: shared.look_up.clone(),
                port,
            };
            // The TLS provider is there: without one there would be no client for WAHA either.
            Client::builder()
                .user_agent(concat!("wahana/", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .dns_resolver(Arc::new(resolver))
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(READ_TIMEOUT)
                // Organizations do not share connections.
                .pool_max_idle_per_host(0)
                .build()
        };
        shared
            .clients
            .try_get_with(port, build)
            .map_err(|error| FetchError::Client(error.to_string()))
    }
}

fn failed(error: &reqwest::Error) -> FetchError {
    if error.is_connect() {
        FetchError::Unreachable
    } else {
        FetchError::BrokenOff
    }
}

async fn read(mut response: Response, url: &Url, limit: usize) -> Result<MediaFile, FetchError> {
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let headers = response.headers();
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(FetchError::Compressed);
    }
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| MediaType::parse(value.to_str().ok()?).ok())
        .unwrap_or_else(MediaType::unknown);
    let announced = response
        .content_length()
        .map_or(Ok(0), usize::try_from)
        .map_err(|_| FetchError::TooLarge)?;
    if announced > limit {
        return Err(FetchError::TooLarge);
    }
    let mut data = Vec::with_capacity(announced.min(MAX_RESERVED));
    while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::BrokenOff)? {
        if data.len().saturating_add(chunk.len()) > limit {
            return Err(FetchError::TooLarge);
        }
        data.extend_from_slice(&chunk);
    }
    Ok(MediaFile {
        media_type,
        name: file_name(url),
        data,
    })
}

/// The last part of an address's path.
fn file_name(url: &Url) -> Option<FileName> {
    let last = url.path_segments()?.next_back()?;
    FileName::sanitize(&percent_decode_str(last).decode_utf8().ok()?)
}

#[cfg(test)]
mod tests;
