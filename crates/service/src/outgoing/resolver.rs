//! Names are resolved once, and what was checked is what is connected to.

use std::{
    fmt::Debug,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Says which addresses a name has.
pub(crate) trait LookUp: Debug + Send + Sync + 'static {
    fn addresses(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver.
#[derive(Debug)]
pub(crate) struct SystemLookUp;

impl LookUp for SystemLookUp {
    fn addresses(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Whether connections to an address may be made.
pub(super) trait Policy: Debug + Send + Sync + 'static {
    fn permits(&self, address: IpAddr, port: u16) -> bool;
}

/// A resolver that gives out no address that may not be connected to.
#[derive(Debug)]
pub(super) struct GuardedResolver {
    pub(super) policy: Arc<dyn Policy>,
    pub(super) look_up: Arc<dyn LookUp>,
    /// The port of its connections, 0 if the address that is called says it.
    pub(super) port: u16,
}

/// A name has no address, or one that is not allowed; which of the two is not told.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address that may be connected to")]
struct NoAllowedAddress;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, port) = (self.policy.clone(), self.port);
        let addresses = self.look_up.addresses(name.as_str());
        Box::pin(async move {
            let found = addresses.await.map_err(|_| NoAllowedAddress)?;
            // A name with one address inside and one outside is a trap.
            if found.is_empty() || found.iter().any(|address| !policy.permits(*address, port)) {
                return Err(NoAllowedAddress.into());
            }
            let found = found
                .into_iter()
                .map(move |address| SocketAddr::new(address, port));
            let addresses: Addrs = Box::new(found);
            Ok(addresses)
        })
    }
}
