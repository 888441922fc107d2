//! Alone in its process, because a TLS provider is installed once for all.

use waha_client::{ConfigError, HttpClient, HttpOptions};

#[test]
fn a_missing_tls_provider_is_an_error_and_not_a_panic() {
    assert!(matches!(
        HttpClient::new(&HttpOptions::default()),
        Err(ConfigError::NoTlsProvider)
    ));
}
