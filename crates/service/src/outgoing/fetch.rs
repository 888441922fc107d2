//! Fetching a file from an address that a tenant gave.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use percent_encoding::percent_decode_str;
use reqwest::{
    ClientBuilder, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION},
};
use tokio::time::{Instant, timeout_at};
use url::Url;
use wahana_domain::{FileName, MediaType};

use super::{
    AllowedNetwork,
    clients::{Refusal, TenantClients},
    name_servers::NameServers,
    policy::TenantPolicy,
    resolver::LookUp,
};
use crate::{FieldErrors, ServiceError};

/// The ports that the internet's addresses are asked at.
const PORTS: &[u16] = &[80, 443];
/// The longest silence.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest fetch, redirects included.
const TOTAL_TIMEOUT: Duration = Duration::from_mins(1);
const MAX_REDIRECTS: usize = 3;

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

impl From<Refusal> for FetchError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Address => Self::Address,
            Refusal::Unreachable => Self::Unreachable,
            Refusal::Client(reason) => Self::Client(reason),
        }
    }
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

/// A file that is being fetched.
pub(crate) struct Download {
    /// What it is, as its server says.
    pub(crate) media_type: MediaType,
    /// What it is called.
    pub(crate) name: Option<FileName>,
    /// Its bytes. After an error there are no more, and what came before is not the whole file.
    pub(crate) bytes: BoxStream<'static, Result<Bytes, FetchError>>,
}

/// Fetches files. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher(Arc<TenantClients>);

impl Fetcher {
    /// Fetches from the internet, and from what the operator allowed.
    pub(crate) fn new(allowed: Vec<AllowedNetwork>) -> Self {
        Self::with_look_up(allowed, NameServers)
    }

    fn with_look_up(allowed: Vec<AllowedNetwork>, look_up: impl LookUp) -> Self {
        let complete = |builder: ClientBuilder| {
            // Organizations do not share connections.
            builder.read_timeout(READ_TIMEOUT).pool_max_idle_per_host(0)
        };
        let policy = TenantPolicy::new(allowed, PORTS);
        Self(Arc::new(TenantClients::new(policy, Arc::new(look_up), complete)))
    }

    /// Begins to fetch the file at an address, if it is not larger than `limit` bytes.
    pub(crate) async fn open(&self, address: &str, limit: usize) -> Result<Download, FetchError> {
        let deadline = Instant::now() + TOTAL_TIMEOUT;
        let followed = timeout_at(deadline, self.follow(address)).await;
        let (response, url) = followed.unwrap_or(Err(FetchError::BrokenOff))?;
        read(response, &url, limit, deadline)
    }

    /// Redirects are followed by hand, because each address on the way is checked like the first.
    async fn follow(&self, address: &str) -> Result<(Response, Url), FetchError> {
        let mut url = TenantClients::parse(address)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.0.client_for(&url)?.get(url.clone()).send().await;
            let response = response.map_err(|error| failed(&error))?;
            if !response.status().is_redirection() {
                return Ok((response, url));
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
}

fn failed(error: &reqwest::Error) -> FetchError {
    if error.is_connect() {
        FetchError::Unreachable
    } else {
        FetchError::BrokenOff
    }
}

fn read(response: Response, url: &Url, limit: usize, deadline: Instant) -> Result<Download, FetchError> {
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
    let bytes = stream::try_unfold((response, limit), move |(mut response, left)| async move {
        let chunk = timeout_at(deadline, response.chunk()).await;
        let Ok(Ok(chunk)) = chunk else {
            return Err(FetchError::BrokenOff);
        };
        let Some(chunk) = chunk else {
            return Ok(None);
        };
        let left = left.checked_sub(chunk.len()).ok_or(FetchError::TooLarge)?;
        Ok(Some((chunk, (response, left))))
    });
    Ok(Download {
        media_type,
        name: file_name(url),
        bytes: bytes.boxed(),
    })
}

/// The last part of an address's path.
fn file_name(url: &Url) -> Option<FileName> {
    let last = url.path_segments()?.next_back()?;
    FileName::sanitize(&percent_decode_str(last).decode_utf8().ok()?)
}

#[cfg(test)]
mod tests;
