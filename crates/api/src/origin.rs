//! Whose address a request came from, and which page sent it.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use ipnet::IpNet;
use url::Url;

/// The address that the request came from: the peer's, or, behind proxies that are trusted, the last
/// one in `X-Forwarded-For` that is none of theirs. Anybody can write that header, so it counts only
/// as far as trusted proxies wrote it.
pub(crate) fn source_address(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut source = peer?.to_canonical();
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in forwarded.into_iter().rev() {
        if !is_trusted(&source) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        source = address.to_canonical();
    }
    Some(source)
}

/// Whether a page of wahana's own sent the request: its only `Origin` is the public address.
pub(crate) fn is_same_origin(headers: &HeaderMap, public_url: &Url) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return false;
    };
    let Some(origin) = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()) else {
        return false;
    };
    origin.origin().is_tuple() && origin.origin() == public_url.origin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        source_address(Some(peer.parse().unwrap()), &headers, &trusted)
            .unwrap()
            .to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(source("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(source("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            source("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(source("10.0.0.1", &["6.6.6.6", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(source("10.0.0.1", &["not an address"]), "10.0.0.1");
        assert_eq!(source("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn another_page_is_not_ours() {
        let ours = Url::parse("https://wahana.example/").unwrap();
        let sent = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            is_same_origin(&headers, &ours)
        };
        assert!(sent(Some("https://wahana.example")));
        for origin in [
            None,
            Some("null"),
            Some("http://wahana.example"),
            Some("https://wahana.example.evil.test"),
            Some("https://wahana.example:8443"),
        ] {
            assert!(!sent(origin), "{origin:?}");
        }
    }
}
