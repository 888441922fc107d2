//! Where an address leads: to the internet, or into networks that are nobody else's business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressKind {
    /// To the internet.
    Public,
    /// To this machine's own link, where clouds serve their machines' credentials.
    LinkLocal,
    /// To this machine, a private network, or nowhere.
    Internal,
}

/// IPv4 networks besides the link-local one that are not the internet (IANA's registry of
/// special-purpose addresses).
const INTERNAL_V4: [Ipv4Net; 15] = [
    // "This network".
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    // Carriers' address translation.
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    // Documentation.
    v4([192, 0, 2, 0], 24),
    // The way from 6to4 to IPv4.
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    // Benchmarks.
    v4([198, 18, 0, 0], 15),
    // Documentation.
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    // Multicast.
    v4([224, 0, 0, 0], 4),
    // Reserved, and broadcast.
    v4([240, 0, 0, 0], 4),
    // Not special by the registry, but what Azure serves its machines' credentials from.
    v4([168, 63, 129, 16], 32),
];
const LINK_LOCAL_V4: Ipv4Net = v4([169, 254, 0, 0], 16);

/// The only IPv6 network that is the internet.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// Networks in it that are not.
const INTERNAL_V6: [Ipv6Net; 4] = [
    // Protocols' own: Teredo, benchmarks, identifiers of hosts.
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    // Documentation.
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    // 6to4, which leads to any IPv4 address.
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
];
const LINK_LOCAL_V6: Ipv6Net = v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10);
/// What translates to IPv4: the address is in its last 32 bits (RFC 6052).
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix)
}

impl AddressKind {
    /// Where an address leads, through every way of writing an IPv4 address as an IPv6 one.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        if LINK_LOCAL_V4.contains(&address) {
            Self::LinkLocal
        } else if INTERNAL_V4.iter().any(|network| network.contains(&address)) {
            Self::Internal
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if let Some(mapped) = address.to_ipv4_mapped() {
            return Self::of_v4(mapped);
        }
        if NAT64.contains(&address) {
            let [.., a, b, c, d] = address.octets();
            return Self::of_v4(Ipv4Addr::new(a, b, c, d));
        }
        if LINK_LOCAL_V6.contains(&address) {
            Self::LinkLocal
        } else if GLOBAL_V6.contains(&address)
            && !INTERNAL_V6.iter().any(|network| network.contains(&address))
        {
            Self::Public
        } else {
            Self::Internal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_is_public() {
        for (address, kind) in [
            ("93.184.215.14", AddressKind::Public),
            ("1.1.1.1", AddressKind::Public),
            ("172.15.255.255", AddressKind::Public),
            ("172.32.0.0", AddressKind::Public),
            ("100.128.0.0", AddressKind::Public),
            ("223.255.255.255", AddressKind::Public),
            ("0.0.0.0", AddressKind::Internal),
            ("0.1.2.3", AddressKind::Internal),
            ("10.0.0.1", AddressKind::Internal),
            ("100.64.0.1", AddressKind::Internal),
            ("100.100.100.200", AddressKind::Internal),
            ("127.0.0.1", AddressKind::Internal),
            ("127.255.255.254", AddressKind::Internal),
            ("168.63.129.16", AddressKind::Internal),
            ("169.254.169.254", AddressKind::LinkLocal),
            ("172.16.0.1", AddressKind::Internal),
            ("172.31.255.255", AddressKind::Internal),
            ("192.0.0.192", AddressKind::Internal),
            ("192.0.2.1", AddressKind::Internal),
            ("192.168.1.1", AddressKind::Internal),
            ("198.19.255.255", AddressKind::Internal),
            ("198.51.100.1", AddressKind::Internal),
            ("203.0.113.1", AddressKind::Internal),
            ("224.0.0.1", AddressKind::Internal),
            ("240.0.0.1", AddressKind::Internal),
            ("255.255.255.255", AddressKind::Internal),
            ("2606:4700:4700::1111", AddressKind::Public),
            ("::", AddressKind::Internal),
            ("::1", AddressKind::Internal),
            ("::127.0.0.1", AddressKind::Internal),
            ("::93.184.215.14", AddressKind::Internal),
            ("::ffff:127.0.0.1", AddressKind::Internal),
            ("::ffff:169.254.169.254", AddressKind::LinkLocal),
            ("::ffff:1.1.1.1", AddressKind::Public),
            ("64:ff9b::10.0.0.1", AddressKind::Internal),
            ("64:ff9b::169.254.169.254", AddressKind::LinkLocal),
            ("64:ff9b::1.1.1.1", AddressKind::Public),
            ("64:ff9b:1::10.0.0.1", AddressKind::Internal),
            ("100::1", AddressKind::Internal),
            ("2001::1", AddressKind::Internal),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", AddressKind::Internal),
            ("2001:db8::1", AddressKind::Internal),
            ("2002:7f00:1::", AddressKind::Internal),
            ("2002:808:808::", AddressKind::Internal),
            ("3fff::1", AddressKind::Internal),
            ("5f00::1", AddressKind::Internal),
            ("fc00::1", AddressKind::Internal),
            ("fd00:ec2::254", AddressKind::Internal),
            ("fe80::1", AddressKind::LinkLocal),
            ("fec0::1", AddressKind::Internal),
            ("ff02::1", AddressKind::Internal),
        ] {
            assert_eq!(AddressKind::of(address.parse().unwrap()), kind, "{address}");
        }
    }
}
