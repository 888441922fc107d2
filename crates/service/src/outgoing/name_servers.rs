//! Resolving names that tenants gave, which may belong to servers that do not answer.
//!
//! The system's own resolver keeps a thread for as long as a name server lets it wait, whether anybody still waits or
//! not; threads are few, and files, passwords and databases need them too. Here a look-up is a future: whoever stops
//! waiting ends it. Each is made for itself, so that none waits for another's, or learns by its speed what another asked.

use std::{fs, io, net::IpAddr, path::Path, time::Duration};

use futures_util::future::BoxFuture;
use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::Name,
};

use super::resolver::LookUp;

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How long a name server is waited for before it is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Asks the name servers that the machine is configured to ask, after its file of hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameServers;

impl LookUp for NameServers {
    fn addresses(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move { look_up(&name, configured(Path::new(RESOLV_CONF))?).await })
    }
}

/// Reads the configuration anew, because it may change while this process runs. It is a small file of this machine.
fn configured(path: &Path) -> io::Result<(ResolverConfig, usize)> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        text => text?,
    };
    let (mut system, _) = resolv_conf::Config::parse_with_errors(&text);
    system.glibc_normalize();
    let servers = system.get_nameservers_or_local();
    let servers = servers
        .iter()
        .map(|ip| NameServerConfig::udp_and_tcp(ip.into()))
        .collect();
    let searched = system.get_last_search_or_domain();
    let searched = searched
        .filter_map(|domain| Name::from_ascii(domain).ok())
        .collect();
    let ndots = usize::try_from(system.ndots).unwrap_or(1);
    Ok((ResolverConfig::from_parts(None, searched, servers), ndots))
}

async fn look_up(name: &str, (config, ndots): (ResolverConfig, usize)) -> io::Result<Vec<IpAddr>> {
    let name = Name::from_ascii(name).map_err(io::Error::other)?;
    let mut resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = resolver.options_mut();
    options.ndots = ndots;
    options.timeout = ANSWER_WITHIN;
    // A name with one address inside and one outside is a trap, which only who sees both can tell.
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Always;
    options.cache_size = 0;
    let resolver = resolver.build().map_err(io::Error::other)?;
    let found = resolver.lookup_ip(name).await.map_err(io::Error::other)?;
    Ok(found.iter().collect())
}

#[cfg(test)]
mod tests;
