//! Which addresses are allowed to requests that tenants cause.

use std::net::IpAddr;

use super::{address::AddressKind, allowed_network::AllowedNetwork, resolver::Policy};
use crate::platform::base_url;

/// What a tenant gives is never private, unless the operator's list names it, and never an address at which a
/// cloud answers its machines with their credentials.
#[derive(Clone, Debug)]
pub(crate) struct TenantPolicy {
    allowed: Vec<AllowedNetwork>,
    public_ports: &'static [u16],
}

impl TenantPolicy {
    /// With the operator's list, and the ports at which the internet's addresses are called.
    pub(crate) const fn new(allowed: Vec<AllowedNetwork>, public_ports: &'static [u16]) -> Self {
        Self {
            allowed,
            public_ports,
        }
    }

    /// Whether any address may be connected to at this port.
    pub(super) fn permits_port(&self, port: u16) -> bool {
        self.public_ports.contains(&port) || self.opening(port).next().is_some()
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
        let is_listed = self.opening(port).any(|allowed| allowed.contains(canonical));
        let is_public =
            || self.public_ports.contains(&port) && AddressKind::of(address) == AddressKind::Public;
        (is_listed && !base_url::is_forbidden(address)) || is_public()
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

    const WEB: &[u16] = &[80, 443];

    fn policy(allowed: &[&str]) -> TenantPolicy {
        let allowed = allowed.iter().map(|text| text.parse().unwrap());
        TenantPolicy::new(allowed.collect(), WEB)
    }

    fn permits(policy: &TenantPolicy, address: &str, port: u16) -> bool {
        policy.permits(address.parse().unwrap(), port)
    }

    #[test]
    fn without_a_list_only_the_internet_at_its_ports() {
        let policy = policy(&[]);
        assert!(permits(&policy, "1.1.1.1", 80) && permits(&policy, "1.1.1.1", 443));
        assert!(!permits(&policy, "1.1.1.1", 8080) && !policy.permits_port(8080));
        assert!(!permits(&policy, "127.0.0.1", 80) && !permits(&policy, "::ffff:10.0.0.1", 443));
        let nothing_public = TenantPolicy::new(Vec::new(), &[]);
        assert!(!permits(&nothing_public, "1.1.1.1", 443) && !nothing_public.permits_port(443));
    }

    #[test]
    fn the_list_opens_what_it_names_and_no_more() {
        let listed = policy(&["127.0.0.1:8080"]);
        assert!(permits(&listed, "127.0.0.1", 8080) && permits(&listed, "::ffff:127.0.0.1", 8080));
        for (address, port) in [
            ("127.0.0.1", 80),
            ("127.0.0.2", 8080),
            ("1.1.1.1", 8080),
            ("10.0.0.1", 80),
        ] {
            assert!(!permits(&listed, address, port), "{address}:{port}");
        }
        let every_port = policy(&["10.1.0.0/16"]);
        assert!(permits(&every_port, "10.1.2.3", 9000) && !permits(&every_port, "10.2.0.1", 9000));
    }

    #[test]
    fn no_list_opens_where_clouds_keep_their_machines_credentials() {
        let policy = policy(&[
            "168.0.0.0/7",
            "100.64.0.0/10",
            "192.0.0.192:80",
            "fe80::/10",
            "fd00::/8",
        ]);
        assert!(permits(&policy, "169.1.2.3", 9000) && permits(&policy, "fd00::1", 9000));
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
        ] {
            assert!(!permits(&policy, address, 80), "{address}");
        }
    }
}
