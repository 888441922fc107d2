//! Which addresses are allowed to requests that tenants cause.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{address::AddressKind, resolver::Policy};
use crate::platform::base_url;

/// A network that the platform's operator opened for what tenants name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedNetwork {
    /// The network.
    pub network: IpNet,
    /// The only port of it that is open; `None` for every port.
    pub port: Option<u16>,
}

/// The ports that the internet's addresses are asked at.
const PORTS: [u16; 2] = [80, 443];

/// What a tenant gives is never private, unless the operator's list names it.
#[derive(Clone, Debug)]
pub(crate) struct TenantPolicy {
    allowed: Vec<AllowedNetwork>,
}

impl TenantPolicy {
    /// With the operator's list.
    pub(crate) const fn new(allowed: Vec<AllowedNetwork>) -> Self {
        Self { allowed }
    }

    /// Whether any address may be connected to at this port.
    pub(super) fn permits_port(&self, port: u16) -> bool {
        PORTS.contains(&port) || self.opening(port).next().is_some()
    }

    fn opening(&self, port: u16) -> impl Iterator<Item = &AllowedNetwork> {
        self.allowed
            .iter()
            .filter(move |allowed| allowed.port.is_none_or(|open| open == port))
    }
}

impl Policy for TenantPolicy {
    fn permits(&self, address: IpAddr, port: u16) -> bool {
        let canonical = address.to_canonical();
        let is_listed = self
            .opening(port)
            .any(|allowed| allowed.network.contains(&canonical));
        is_listed || (PORTS.contains(&port) && AddressKind::of(address) == AddressKind::Public)
    }
}

/// What an operator gives may be private, but never an address at which a cloud answers its machines with
/// their credentials.
#[derive(Clone, Copy, Debug)]
pub(super) struct OperatorPolicy;

impl Policy for OperatorPolicy {
    fn permits(&self, address: IpAddr, _: u16) -> bool {
        !base_url::is_forbidden(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(policy: &TenantPolicy, address: &str, port: u16) -> bool {
        policy.permits(address.parse().unwrap(), port)
    }

    #[test]
    fn without_a_list_only_the_internet_at_its_ports() {
        let policy = TenantPolicy::new(Vec::new());
        assert!(permits(&policy, "1.1.1.1", 80) && permits(&policy, "1.1.1.1", 443));
        assert!(!permits(&policy, "1.1.1.1", 8080) && !policy.permits_port(8080));
        assert!(!permits(&policy, "127.0.0.1", 80) && !permits(&policy, "::ffff:10.0.0.1", 443));
    }

    #[test]
    fn the_list_opens_what_it_names_and_no_more() {
        let policy = TenantPolicy::new(vec![AllowedNetwork {
            network: "127.0.0.1/32".parse().unwrap(),
            port: Some(8080),
        }]);
        assert!(permits(&policy, "127.0.0.1", 8080) && permits(&policy, "::ffff:127.0.0.1", 8080));
        for (address, port) in [
            ("127.0.0.1", 80),
            ("127.0.0.2", 8080),
            ("1.1.1.1", 8080),
            ("10.0.0.1", 80),
        ] {
            assert!(!permits(&policy, address, port), "{address}:{port}");
        }
        let every_port = TenantPolicy::new(vec![AllowedNetwork {
            network: "10.1.0.0/16".parse().unwrap(),
            port: None,
        }]);
        assert!(permits(&every_port, "10.1.2.3", 9000) && !permits(&every_port, "10.2.0.1", 9000));
    }
}
