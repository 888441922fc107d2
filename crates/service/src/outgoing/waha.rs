//! The connections to WAHA servers.

use std::sync::Arc;

use waha_client::{ConfigError, HttpClient, HttpOptions};

use super::{
    policy::OperatorPolicy,
    resolver::{GuardedResolver, LookUp, SystemLookUp},
};

/// The pool of connections to all WAHA servers. A server's name that leads to an address where no server may
/// be is not followed; the addresses themselves are refused when an operator gives them.
///
/// # Errors
///
/// When the process has installed no TLS provider.
pub fn connections_to_waha(options: &HttpOptions) -> Result<HttpClient, ConfigError> {
    resolving_with(Arc::new(SystemLookUp), options)
}

fn resolving_with(look_up: Arc<dyn LookUp>, options: &HttpOptions) -> Result<HttpClient, ConfigError> {
    let resolver = GuardedResolver {
        policy: Arc::new(OperatorPolicy),
        look_up,
        port: 0,
    };
    HttpClient::from_builder(
        |builder| builder.no_proxy().dns_resolver(Arc::new(resolver)),
        options,
    )
}

#[cfg(test)]
mod tests {
    use std::{io, net::IpAddr};

    use futures_util::future::BoxFuture;
    use waha_client::{WahaClient, WahaConfig, WahaError};
    use waha_sim::WahaSim;

    use super::*;

    #[derive(Debug)]
    struct AlwaysAt(&'static [&'static str]);

    impl LookUp for AlwaysAt {
        fn addresses(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let addresses = self.0.iter().map(|address| address.parse().unwrap()).collect();
            Box::pin(async move { Ok(addresses) })
        }
    }

    async fn ask(server: &WahaSim, addresses: &'static [&'static str]) -> Result<(), WahaError> {
        // Another test of the same process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = resolving_with(Arc::new(AlwaysAt(addresses)), &HttpOptions::default()).unwrap();
        let base_url = server.base_url().replace("127.0.0.1", "waha.example");
        let config = WahaConfig::new(base_url.parse().unwrap(), "key".to_owned().into());
        let client = WahaClient::new(&http, config).unwrap();
        client.list_sessions().await.map(drop)
    }

    #[tokio::test]
    async fn a_name_that_leads_to_the_clouds_own_addresses_is_not_followed() {
        let server = WahaSim::builder().api_key("key").start().await.unwrap();
        ask(&server, &["127.0.0.1"]).await.unwrap();
        for trap in [
            &["169.254.169.254"][..],
            &["127.0.0.1", "169.254.169.254"],
            &["::ffff:169.254.169.254"],
            &["fd00:ec2::254"],
            &["fe80::1"],
        ] {
            let error = ask(&server, trap).await.unwrap_err();
            assert!(
                matches!(error, WahaError::Unreachable { .. }),
                "{trap:?}: {error:?}"
            );
        }
        assert_eq!(server.counts().total, 1);
    }
}
