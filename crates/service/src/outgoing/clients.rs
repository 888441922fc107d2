//! HTTP clients that connect only where a tenant's request may go.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use reqwest::{
    Client, ClientBuilder,
    dns::{Name, Resolve as _},
};
use url::{Host, Url};

use super::{
    policy::TenantPolicy,
    resolver::{GuardedResolver, LookUp, Policy as _},
};

/// How long resolving, connecting and the TLS handshake may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_URL_BYTES: usize = 2048;
/// For how many ports a client is kept: an operator's list may open them all.
const MAX_CLIENTS: u64 = 16;

/// Why an address is not called. Nothing here tells an address that is not allowed from one that does not exist:
/// who asks must not learn what there is inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// No address of that form, or at that port, is called.
    #[error("the address has a form, a scheme or a port that is not called")]
    Address,
    /// It leads to a network that is nobody else's business.
    #[error("the address leads to no public address that can be reached")]
    Unreachable,
    /// No client can be made.
    #[error("no client for outgoing requests can be built: {0}")]
    Client(String),
}

/// Clients for what one policy permits.
#[derive(Debug)]
pub(crate) struct TenantClients {
    policy: Arc<TenantPolicy>,
    look_up: Arc<dyn LookUp>,
    /// What its requests need besides what all tenants' requests have.
    complete: fn(ClientBuilder) -> ClientBuilder,
    /// By port, because a resolver is told a name and no port.
    by_port: Cache<u16, Client>,
}

impl TenantClients {
    /// Clients that connect where the policy permits, and are completed with timeouts and the like.
    pub(crate) fn new(
        policy: TenantPolicy,
        look_up: Arc<dyn LookUp>,
        complete: fn(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        Self {
            policy: Arc::new(policy),
            look_up,
            complete,
            by_port: Cache::new(MAX_CLIENTS),
        }
    }

    /// Reads an address that a tenant gave.
    pub(crate) fn parse(address: &str) -> Result<Url, Refusal> {
        if address.len() > MAX_URL_BYTES {
            return Err(Refusal::Address);
        }
        Url::parse(address).map_err(|_| Refusal::Address)
    }

    /// Checks an address and says its port. Literal addresses never come to the resolver, so they are
    /// checked here, in whatever spelling: the parser has made one of them.
    pub(crate) fn check(&self, url: &Url) -> Result<u16, Refusal> {
        let policy = &self.policy;
        let is_web = matches!(url.scheme(), "http" | "https");
        let is_plain = url.username().is_empty() && url.password().is_none();
        let port = url
            .port_or_known_default()
            .filter(|port| is_web && is_plain && policy.permits_port(*port))
            .ok_or(Refusal::Address)?;
        let is_permitted = match url.host() {
            Some(Host::Ipv4(address)) => policy.permits(address.into(), port),
            Some(Host::Ipv6(address)) => policy.permits(address.into(), port),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        is_permitted.then_some(port).ok_or(Refusal::Unreachable)
    }

    /// Checks an address, and where its name leads at the moment, as connecting does.
    pub(crate) async fn check_reach(&self, url: &Url) -> Result<(), Refusal> {
        let port = self.check(url)?;
        let Some(Host::Domain(name)) = url.host() else {
            return Ok(());
        };
        let name: Name = name.parse().map_err(|_| Refusal::Address)?;
        let resolved = tokio::time::timeout(CONNECT_TIMEOUT, self.resolver(port).resolve(name)).await;
        match resolved {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Refusal::Unreachable),
        }
    }

    fn resolver(&self, port: u16) -> GuardedResolver {
        GuardedResolver {
            policy: self.policy.clone(),
            look_up: self.look_up.clone(),
            port,
        }
    }

    /// The client for an address, if that may be called. It brings nothing along: no cookies, no credentials, no
    /// proxy, and follows no redirect.
    pub(crate) fn client_for(&self, url: &Url) -> Result<Client, Refusal> {
        let port = self.check(url)?;
        let build = || {
            // The TLS provider is there: without one there would be no client for WAHA either.
            let builder = Client::builder()
                .user_agent(concat!("wahana/", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .dns_resolver(Arc::new(self.resolver(port)))
                .connect_timeout(CONNECT_TIMEOUT);
            (self.complete)(builder).build()
        };
        self.by_port
            .try_get_with(port, build)
            .map_err(|error| Refusal::Client(error.to_string()))
    }
}
