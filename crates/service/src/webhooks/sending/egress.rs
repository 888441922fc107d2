//! Where webhooks may be sent.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, ClientBuilder};
use url::Url;

use crate::{
    AllowedNetwork,
    outgoing::{LookUp, NameServers, Refusal, TenantClients, TenantPolicy},
};

/// What is sent over the internet is encrypted, and at the usual port.
const PUBLIC_PORTS: &[u16] = &[443];
/// How many connections to a receiver are kept that nothing is sent on, and for how long. A burst of events goes
/// over few connections; a receiver that nothing happens for has none.
const IDLE_PER_RECEIVER: usize = 4;
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Clients for addresses that organizations gave: anywhere on the internet by https, and where the operator's list
/// says also by http.
#[derive(Debug)]
pub(super) struct Egress {
    https: TenantClients,
    http: TenantClients,
}

impl Egress {
    pub(super) fn new(allowed: &[AllowedNetwork]) -> Self {
        let look_up: Arc<dyn LookUp> = Arc::new(NameServers);
        Self::with_look_up(allowed, &look_up)
    }

    pub(super) fn with_look_up(allowed: &[AllowedNetwork], look_up: &Arc<dyn LookUp>) -> Self {
        let complete = |builder: ClientBuilder| {
            builder
                .pool_max_idle_per_host(IDLE_PER_RECEIVER)
                .pool_idle_timeout(IDLE_TIMEOUT)
        };
        let clients = |public_ports| {
            let policy = TenantPolicy::new(allowed.to_vec(), public_ports);
            TenantClients::new(policy, look_up.clone(), complete)
        };
        Self {
            https: clients(PUBLIC_PORTS),
            http: clients(&[]),
        }
    }

    /// Reads an address and checks whether it may be called, as far as that can be told without asking for its
    /// name.
    pub(super) fn check(&self, address: &str) -> Result<Url, Refusal> {
        let url = TenantClients::parse(address)?;
        self.of(&url).check(&url)?;
        Ok(url)
    }

    /// Whether an address may be called, its name being looked up.
    pub(super) async fn is_reachable(&self, url: &Url) -> bool {
        self.of(url).check_reach(url).await.is_ok()
    }

    /// The client for an address, if that may be called.
    pub(super) fn client_for(&self, address: &str) -> Result<(Client, Url), Refusal> {
        let url = TenantClients::parse(address)?;
        Ok((self.of(&url).client_for(&url)?, url))
    }

    fn of(&self, url: &Url) -> &TenantClients {
        if url.scheme() == "https" {
            &self.https
        } else {
            &self.http
        }
    }
}
