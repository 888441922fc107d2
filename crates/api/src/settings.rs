//! How the HTTP side is set up.

use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::Metrics;

/// How the HTTP side is set up.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// wahana's address as people see it: for links, and for what counts as same origin.
    pub public_url: Url,
    /// The proxies in front of wahana whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The origins whose pages may call wahana with a token.
    pub cors_origins: Vec<String>,
    /// The largest body of a request without an upload, in bytes.
    pub body_limit: usize,
    /// The largest event that a WAHA server may send, in bytes.
    pub event_limit: usize,
    /// The largest medium that may be uploaded or fetched, in bytes.
    pub media_limit: usize,
    /// How uploads are taken in.
    pub uploads: UploadLimits,
    /// What is counted; `None` if nothing is.
    pub metrics: Option<Metrics>,
}

/// How bodies that bring a file are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    /// How many bytes of files in JSON are in memory at a time; 256 MiB. Forms need none.
    pub memory: usize,
    /// How long a request waits for memory; 5 s.
    pub memory_wait: Duration,
    /// How long a body may be silent; 30 s.
    pub silence: Duration,
    /// How long a whole body may take; 5 min.
    pub whole: Duration,
}

impl UploadLimits {
    const DEFAULT: Self = Self {
        memory: 256 * 1024 * 1024,
        memory_wait: Duration::from_secs(5),
        silence: Duration::from_secs(30),
        whole: Duration::from_mins(5),
    };
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl ApiSettings {
    /// The defaults, for wahana at this address.
    #[must_use]
    pub const fn at(public_url: Url) -> Self {
        Self {
            public_url,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            body_limit: 1024 * 1024,
            event_limit: 1024 * 1024,
            media_limit: 32 * 1024 * 1024,
            uploads: UploadLimits::DEFAULT,
            metrics: None,
        }
    }
}
