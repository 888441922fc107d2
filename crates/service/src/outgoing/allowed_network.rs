//! Networks that the platform's operator opened for what tenants name.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// A network that the platform's operator opened for what tenants name.
///
/// As text it is a network or an address, and perhaps a port: `10.1.0.0/16`, `127.0.0.1:9000`, `[fd12::/16]:8080`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedNetwork {
    /// The network.
    pub network: IpNet,
    /// The only port of it that is open; `None` for every port.
    pub port: Option<u16>,
}

/// The text names no network that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAllowedNetwork {
    /// It is none.
    #[error(
        "must be networks or IP addresses, each perhaps with a port, such as 10.1.0.0/16 or 127.0.0.1:9000"
    )]
    Form,
    /// It is every address there is.
    #[error(
        "must not be every address: whoever may name addresses would reach all that this machine reaches"
    )]
    Everything,
}

impl AllowedNetwork {
    /// Whether it holds an address.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.network.contains(&address)
    }
}

impl FromStr for AllowedNetwork {
    type Err = InvalidAllowedNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (network, port) = split(text).ok_or(InvalidAllowedNetwork::Form)?;
        let port = port.map(str::parse).transpose();
        let port = port.ok().filter(|port| *port != Some(0));
        let network = network
            .parse::<IpNet>()
            .or_else(|_| network.parse::<IpAddr>().map(IpNet::from));
        let (Ok(network), Some(port)) = (network, port) else {
            return Err(InvalidAllowedNetwork::Form);
        };
        if network.prefix_len() == 0 {
            return Err(InvalidAllowedNetwork::Everything);
        }
        Ok(Self { network, port })
    }
}

/// The network and the port, if there is one. Only IPv6 networks without a port have colons of their own.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (network, rest) = bracketed.split_once(']')?;
        return match rest {
            "" => Some((network, None)),
            _ => Some((network, Some(rest.strip_prefix(':')?))),
        };
    }
    match text.split_once(':') {
        Some((network, port)) if !port.contains(':') => Some((network, Some(port))),
        _ => Some((text, None)),
    }
}

impl fmt::Display for AllowedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.network, self.port) {
            (network, None) => write!(f, "{network}"),
            (IpNet::V4(network), Some(port)) => write!(f, "{network}:{port}"),
            (IpNet::V6(network), Some(port)) => write!(f, "[{network}]:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for (text, network, port) in [
            ("10.1.0.0/16", "10.1.0.0/16", None),
            ("127.0.0.1", "127.0.0.1/32", None),
            ("127.0.0.1:9000", "127.0.0.1/32", Some(9000)),
            ("10.1.0.0/16:443", "10.1.0.0/16", Some(443)),
            ("::1", "::1/128", None),
            ("[::1]", "::1/128", None),
            ("[::1]:9000", "::1/128", Some(9000)),
            ("[fd12::/16]:9000", "fd12::/16", Some(9000)),
        ] {
            let read: AllowedNetwork = text.parse().unwrap();
            assert_eq!(
                (read.network.to_string().as_str(), read.port),
                (network, port),
                "{text}"
            );
            assert_eq!(read.to_string().parse(), Ok(read), "{text}");
        }
    }

    #[test]
    fn what_is_no_network_or_all_of_them_is_refused() {
        for text in [
            "",
            "example.com",
            "localhost:9000",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:70000",
            "10.0.0.0/33",
            "[::1",
            "[::1]9000",
            "[::1]:",
        ] {
            assert_eq!(
                text.parse::<AllowedNetwork>(),
                Err(InvalidAllowedNetwork::Form),
                "{text}"
            );
        }
        for text in ["0.0.0.0/0", "::/0", "0.0.0.0/0:443", "[::/0]:443"] {
            let refused = text.parse::<AllowedNetwork>();
            assert_eq!(refused, Err(InvalidAllowedNetwork::Everything), "{text}");
        }
    }
}
