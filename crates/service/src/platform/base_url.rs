//! Where a WAHA server may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The address of a WAHA server: `http` or `https`, with a path if WAHA is behind one, and nothing
/// else. The operator gives it, so it may be private; it is never link-local, where clouds keep the
/// credentials of their machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// The text is no address of a WAHA server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// Not an address at all.
    #[error("must be an address such as http://127.0.0.1:3000")]
    Form,
    /// Another scheme.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// A name or password in the address would be shown wherever the address is.
    #[error("must not hold a user name or password; WAHA's key is given apart")]
    UserInfo,
    /// A query or fragment.
    #[error("must not have a query or fragment")]
    Rest,
    /// An address that nobody may be sent to.
    #[error("must not be a link-local, multicast or unspecified address, nor one of a cloud's own")]
    Network,
}

/// The longest address that is kept.
const MAX_LENGTH: usize = 255;

impl BaseUrl {
    /// Reads and normalizes an address: the same server is the same text.
    pub fn parse(text: &str) -> Result<Self, InvalidBaseUrl> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidBaseUrl::Form)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidBaseUrl::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidBaseUrl::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBaseUrl::Rest);
        }
        let is_allowed = match url.host() {
            Some(Host::Ipv4(address)) => !is_forbidden_v4(address),
            Some(Host::Ipv6(address)) => !is_forbidden_v6(address),
            Some(Host::Domain(_)) => true,
            None => return Err(InvalidBaseUrl::Form),
        };
        if !is_allowed {
            return Err(InvalidBaseUrl::Network);
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        if url.as_str().len() > MAX_LENGTH {
            return Err(InvalidBaseUrl::Form);
        }
        Ok(Self(url))
    }

    /// The address, which ends with a slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Whether no WAHA server may be at this address. A name may lead here as well, so whoever connects
/// asks again.
pub(crate) fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_forbidden_v4(address),
        IpAddr::V6(address) => is_forbidden_v6(address),
    }
}

fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    address.is_link_local()
        || address.is_multicast()
        || address.is_unspecified()
        || address.is_broadcast()
        || CLOUD_METADATA_V4.contains(&address)
}

/// Where clouds answer their machines with their credentials, besides link-local addresses: Azure, Alibaba, Oracle.
const CLOUD_METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];
/// The same over IPv6: Amazon, Google.
const CLOUD_METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
];

fn is_forbidden_v6(address: Ipv6Addr) -> bool {
    let is_loopback = address.is_loopback();
    embedded_v4(address).is_some_and(|embedded| !is_loopback && is_forbidden_v4(embedded))
        || address.is_unicast_link_local()
        || address.is_multicast()
        || address.is_unspecified()
        || CLOUD_METADATA_V6.contains(&address)
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, or by NAT64 (RFC 6052).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let (prefix, [high, low]) = segments.split_last_chunk()?;
    let leads_to_v4 = matches!(prefix, [0, 0, 0, 0, 0, 0 | 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0]);
    let [first, second] = high.to_be_bytes();
    let [third, fourth] = low.to_be_bytes();
    leads_to_v4.then(|| Ipv4Addr::new(first, second, third, fourth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_server_is_the_same_text() {
        for text in [
            "http://waha.internal:80",
            "HTTP://WAHA.internal/",
            " http://waha.internal// ",
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().as_str(), "http://waha.internal/");
        }
        assert_eq!(
            BaseUrl::parse("https://example.com/waha").unwrap().as_str(),
            "https://example.com/waha/"
        );
    }

    #[test]
    fn private_servers_are_allowed() {
        for text in [
            "http://127.0.0.1:3000",
            "http://10.0.0.8",
            "http://[fd00::8]:3000",
            "http://[::1]",
        ] {
            assert!(BaseUrl::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn machine_credentials_are_out_of_reach_however_they_are_written() {
        for text in [
            "http://169.254.169.254/",
            "http://0xa9fea9fe/",
            "http://2852039166",
            "http://0251.0376.0251.0376",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[fd00:ec2::254]/",
            "http://[fd20:ce::254]/",
            "http://168.63.129.16/",
            "http://100.100.100.200/",
            "http://192.0.0.192/",
            "http://[::ffff:168.63.129.16]/",
            "http://[64:ff9b::100.100.100.200]/",
            "http://0.0.0.0:3000",
            "http://[::]",
            "http://224.0.0.1",
        ] {
            assert_eq!(BaseUrl::parse(text), Err(InvalidBaseUrl::Network), "{text}");
        }
    }

    #[test]
    fn an_address_is_nothing_but_an_address() {
        for (text, fault) in [
            ("waha", InvalidBaseUrl::Form),
            ("http://", InvalidBaseUrl::Form),
            ("ftp://waha", InvalidBaseUrl::Scheme),
            ("file:///etc/passwd", InvalidBaseUrl::Scheme),
            ("http://user@waha", InvalidBaseUrl::UserInfo),
            ("http://:key@waha", InvalidBaseUrl::UserInfo),
            ("http://waha/?a=b", InvalidBaseUrl::Rest),
            ("http://waha/#a", InvalidBaseUrl::Rest),
        ] {
            assert_eq!(BaseUrl::parse(text), Err(fault), "{text}");
        }
    }
}
