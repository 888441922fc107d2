//! Whether wahana is reached as it believes to be.

use std::net::IpAddr;

use url::{Host, Url};

use super::Finding;
use crate::config::Settings;

const SUBJECT: &str = "network";

pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    let network = &settings.network;
    let mut findings = Vec::new();
    let is_public = !is_loopback(&network.public_url);
    let has_https = network.public_url.scheme() == "https";
    if is_public && !has_https {
        findings.push(Finding::warning(
            SUBJECT,
            format!(
                "public_url is {}: passwords and tokens travel in clear",
                network.public_url
            ),
            "put a proxy that speaks HTTPS in front of wahana, and begin public_url with https://",
        ));
    }
    if !network.listen.ip().is_loopback() && !is_public {
        findings.push(Finding::warning(
            SUBJECT,
            format!(
                "wahana listens on {}, and others reach it, but public_url is {}: links are wrong for them, \
                 and browsers cannot sign in",
                network.listen, network.public_url
            ),
            "set public_url to the address that people use",
        ));
    }
    // wahana speaks no HTTPS itself, so somebody in front of it does.
    if has_https && network.trusted_proxies.is_empty() {
        findings.push(Finding::warning(
            SUBJECT,
            "public_url begins with https://, so a proxy is in front of wahana, but none is trusted: every \
             request seems to come from the proxy",
            "set trusted_proxies to the proxy's address",
        ));
    }
    if let Some(listen) = settings
        .metrics
        .listen
        .filter(|listen| !listen.ip().is_loopback())
    {
        findings.push(Finding::warning(
            SUBJECT,
            format!("metrics are shown on {listen} to whoever reaches it"),
            "make sure that only you reach it, or let metrics.listen be a loopback address",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::good(
            SUBJECT,
            format!(
                "wahana listens on {} and is {} to people",
                network.listen, network.public_url
            ),
        ));
    }
    findings
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
