//! Where wahana listens, and how others see it.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use url::Url;

use super::{UNSET, list, reader::Reader};

/// Where wahana listens, and how others see it.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Its address as people see it.
    pub(crate) public_url: Url,
    /// Whether somebody said so, or it is a guess.
    pub(crate) is_public_url_given: bool,
    /// Its address as WAHA servers see it, where they send their events.
    pub(crate) hook_url: Option<Url>,
    /// The proxies in front of it whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// The origins whose pages may call it with a token.
    pub(crate) cors_origins: Vec<String>,
}

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_PUBLIC_URL: &str = "http://127.0.0.1:8080";

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Network> {
    let listen = address(reader, "listen").unwrap_or(DEFAULT_LISTEN);
    let public_url = reader.text("public_url");
    let is_public_url_given = public_url.is_some();
    let public_url = public_url.unwrap_or_else(|| DEFAULT_PUBLIC_URL.to_owned());
    let public_url = reader.take("public_url", root(&public_url));
    let hook_url = match reader.text("hook_url") {
        Some(text) => reader.take("hook_url", root(&text)).map(Some),
        None => Some(None),
    };
    let trusted_proxies = reader.list("trusted_proxies");
    let trusted_proxies: Result<Vec<_>, _> = trusted_proxies.iter().map(|text| proxy(text)).collect();
    let trusted_proxies = reader.take("trusted_proxies", trusted_proxies);
    let cors_origins = reader.list("cors_origins");
    let cors_origins: Result<Vec<_>, _> = cors_origins.iter().map(|text| origin(text)).collect();
    let cors_origins = reader.take("cors_origins", cors_origins);
    Some(Network {
        listen,
        public_url: public_url?,
        is_public_url_given,
        hook_url: hook_url?,
        trusted_proxies: trusted_proxies?,
        cors_origins: cors_origins?,
    })
}

/// An address to listen on; `None` if it was not given or is faulty, which is noted.
pub(super) fn address(reader: &mut Reader<'_>, name: &str) -> Option<SocketAddr> {
    let text = reader.text(name)?;
    let parsed = text.parse();
    reader.take(name, parsed.map_err(|_| "must be an IP address and a port"))
}

/// The root of a site: wahana is served there and not below it.
fn root(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address")?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("must begin with http:// or https://");
    }
    let is_root = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !is_root || !url.username().is_empty() || url.password().is_some() {
        return Err("must be a scheme, a host and perhaps a port, and nothing else");
    }
    Ok(url)
}

fn proxy(text: &str) -> Result<IpNet, &'static str> {
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "must be IP addresses or networks")?;
    if network.prefix_len() == 0 {
        return Err("must not be everybody: whoever is trusted can claim any source address");
    }
    Ok(network)
}

fn origin(text: &str) -> Result<String, &'static str> {
    let fault = "must be origins as browsers send them: scheme, host and perhaps a port; * is none";
    let url = Url::parse(text).map_err(|_| fault)?;
    let origin = url.origin().ascii_serialization();
    if matches!(url.scheme(), "http" | "https") && origin == text {
        Ok(origin)
    } else {
        Err(fault)
    }
}

impl Network {
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("listen", format!("\"{}\"", self.listen)),
            ("public_url", format!("\"{}\"", self.public_url)),
            (
                "hook_url",
                self.hook_url
                    .as_ref()
                    .map_or_else(|| UNSET.to_owned(), |url| format!("\"{url}\"")),
            ),
            ("trusted_proxies", list(&self.trusted_proxies)),
            ("cors_origins", list(&self.cors_origins)),
        ]
    }
}
