//! What connections do: nothing listens, silence, resets, cuts, redirects, answers that are too large.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::io::AsyncWriteExt as _;
use waha_client::{
    ConfigError, HttpClient, HttpOptions, LostAnswer, Outcome, UnreachableReason, WahaClient, WahaConfig,
    WahaError,
};

use crate::fake::{
    FakeWaha, KEY, TEXT, client, config, http, impatient_client, install_tls_provider, listen, misbehaving,
    shows_nothing_private,
};

#[tokio::test]
async fn nothing_listening_is_refused_and_not_handed_over() {
    let (listener, url) = listen().await;
    drop(listener);
    let error = client(&url).send_text("main", &TEXT).await.unwrap_err();
    assert_eq!(
        error,
        WahaError::Unreachable {
            reason: UnreachableReason::Refused
        }
    );
    assert_eq!(
        (error.kind(), error.outcome()),
        ("unreachable", Outcome::NotHandedOver)
    );
}

#[tokio::test]
async fn a_host_without_an_address_is_not_handed_over() {
    struct NoAddress;
    impl Resolve for NoAddress {
        fn resolve(&self, _name: Name) -> Resolving {
            Box::pin(async {
                let addresses: Result<Box<dyn Iterator<Item = SocketAddr> + Send>, _> =
                    Err("no such host".into());
                addresses
            })
        }
    }
    install_tls_provider();
    let http = HttpClient::from_builder(
        |builder| builder.dns_resolver(Arc::new(NoAddress)),
        &HttpOptions::default(),
    )
    .unwrap();
    let url = "http://waha.example:3000".parse().unwrap();
    let error = WahaClient::new(&http, config(&url))
        .unwrap()
        .ping()
        .await
        .unwrap_err();
    assert_eq!(
        error,
        WahaError::Unreachable {
            reason: UnreachableReason::Dns
        }
    );
}

#[tokio::test]
async fn connecting_that_takes_too_long_is_not_handed_over() {
    struct NoAnswer;
    impl Resolve for NoAnswer {
        fn resolve(&self, _name: Name) -> Resolving {
            Box::pin(std::future::pending())
        }
    }
    install_tls_provider();
    let options = HttpOptions {
        connect_timeout: Duration::from_millis(50),
        ..HttpOptions::default()
    };
    let http =
        HttpClient::from_builder(|builder| builder.dns_resolver(Arc::new(NoAnswer)), &options).unwrap();
    let url = "http://waha.example:3000".parse().unwrap();
    let error = WahaClient::new(&http, config(&url))
        .unwrap()
        .ping()
        .await
        .unwrap_err();
    assert_eq!(
        error,
        WahaError::Unreachable {
            reason: UnreachableReason::ConnectTimeout
        }
    );
}

#[tokio::test]
async fn a_server_without_tls_at_a_tls_address_is_not_handed_over() {
    let mut url = misbehaving(|mut connection| async move {
        connection
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    })
    .await;
    url.set_scheme("https").unwrap();
    let error = client(&url).send_text("main", &TEXT).await.unwrap_err();
    assert_eq!(
        error,
        WahaError::Unreachable {
            reason: UnreachableReason::Tls
        }
    );
}

#[tokio::test]
async fn silence_after_the_request_leaves_the_outcome_unknown() {
    let url = misbehaving(|connection| async move {
        std::future::pending::<()>().await;
        drop(connection);
    })
    .await;
    let error = impatient_client(&url).send_text("main", &TEXT).await.unwrap_err();
    assert_eq!(
        error,
        WahaError::OutcomeUnknown {
            cause: LostAnswer::TimedOut
        }
    );
    assert_eq!(
        (error.kind(), error.outcome()),
        ("outcome_unknown", Outcome::Unknown)
    );
    shows_nothing_private(&error);
}

#[tokio::test]
async fn silence_in_the_middle_of_the_answer_leaves_the_outcome_unknown() {
    let url = misbehaving(|mut connection| async move {
        connection
            .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"key\"")
            .await
            .unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let error = impatient_client(&url).send_text("main", &TEXT).await.unwrap_err();
    assert_eq!(
        error,
        WahaError::OutcomeUnknown {
            cause: LostAnswer::TimedOut
        }
    );
}

#[tokio::test]
async fn the_total_limit_ends_an_answer_that_keeps_dripping() {
    let url = misbehaving(|mut connection| async move {
        connection
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            .await
            .unwrap();
        while connection.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let mut config = config(&url);
    config.timeouts.quick.total = Some(Duration::from_millis(200));
    let error = WahaClient::new(&http(), config)
        .unwrap()
        .list_sessions()
        .await
        .unwrap_err();
    assert_eq!(
        error,
        WahaError::OutcomeUnknown {
            cause: LostAnswer::TimedOut
        }
    );
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_leaves_the_outcome_unknown() {
    let url = misbehaving(|connection| async move { drop(connection) }).await;
    let error = client(&url).send_text("main", &TEXT).await.unwrap_err();
    assert_eq!(
        error,
        WahaError::OutcomeUnknown {
            cause: LostAnswer::ConnectionLost
        }
    );
}

#[tokio::test]
async fn a_connection_reset_before_the_answer_leaves_the_outcome_unknown() {
    let url = misbehaving(|connection| async move {
        // With no time to linger, closing resets the connection.
        connection.set_zero_linger().unwrap();
    })
    .await;
    let error = client(&url).send_text("main", &TEXT).await.unwrap_err();
    assert_eq!(
        error,
        WahaError::OutcomeUnknown {
            cause: LostAnswer::ConnectionLost
        }
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_off_leaves_the_outcome_unknown() {
    let url = misbehaving(|mut connection| async move {
        connection
            .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"key\"")
            .await
            .unwrap();
    })
    .await;
    let error = client(&url).send_text("main", &TEXT).await.unwrap_err();
    assert_eq!(
        error,
        WahaError::OutcomeUnknown {
            cause: LostAnswer::BodyCut
        }
    );
}

#[tokio::test]
async fn a_refusal_that_is_cut_off_is_still_a_refusal() {
    let url = misbehaving(|mut connection| async move {
        let head = "HTTP/1.1 422 Unprocessable Entity\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n";
        let body = r#"{"message":"no such thing","error":"Unproc"#;
        connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    })
    .await;
    let error = client(&url).send_text("main", &TEXT).await.unwrap_err();
    let WahaError::Rejected { status: 422, message } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(message.as_str(), "no such thing");
    assert_eq!(error.outcome(), Outcome::Refused);
}

#[tokio::test]
async fn answers_over_the_limit_are_broken_whether_announced_or_not() {
    let page = format!("[{}]", " ".repeat(64 * 1024));
    let announced = FakeWaha::answering(200, page.clone()).await;
    let unannounced = misbehaving(move |mut connection| async move {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
        connection
            .write_all(format!("{head}{page}").as_bytes())
            .await
            .unwrap();
    })
    .await;
    let urls = [announced.url(), unannounced];
    for url in urls {
        let config = WahaConfig {
            answer_limit_bytes: 1024,
            ..config(&url)
        };
        let error = WahaClient::new(&http(), config)
            .unwrap()
            .list_sessions()
            .await
            .unwrap_err();
        let WahaError::BrokenAnswer { status: 200, what } = &error else {
            panic!("{error:?}")
        };
        assert!(what.contains("1024 bytes"), "{what}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_stays() {
    let elsewhere = FakeWaha::answering(200, "[]").await;
    let target = elsewhere.url().join("/api/sessions").unwrap();
    let waha = FakeWaha::responding(move || {
        Response::builder()
            .status(302)
            .header("Location", target.as_str())
            .body(Body::empty())
            .unwrap()
    })
    .await;
    let error = waha.client.list_sessions().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        ("broken_answer", Outcome::Refused)
    );
    assert_eq!((waha.count(), elsewhere.count()), (1, 0));
}

#[tokio::test]
async fn requests_that_would_change_the_path_or_are_too_large_are_not_sent() {
    let waha = FakeWaha::answering(200, "{}").await;
    for name in ["", ".", ".."] {
        let error = waha.client.session(name).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            ("not_sendable", Outcome::NotHandedOver)
        );
    }
    let config = WahaConfig {
        request_limit_bytes: 64,
        ..config(&waha.url())
    };
    let small = WahaClient::new(&http(), config).unwrap();
    assert_eq!(
        small.send_text("main", &TEXT).await.unwrap_err().kind(),
        "not_sendable"
    );
    assert_eq!(waha.count(), 0);
}

#[test]
fn unusable_configurations_are_named() {
    let http = http();
    let with_url = |url: &str| WahaClient::new(&http, config(&url.parse().unwrap()));
    for url in [
        "ftp://waha.example",
        "http://user:pass@waha.example",
        "http://waha.example/?a=b",
        "http://waha.example/#a",
    ] {
        assert!(matches!(with_url(url), Err(ConfigError::BaseUrl(_))), "{url}");
    }
    for key in ["", "two\nlines"] {
        let config = WahaConfig::new("http://waha.example".parse().unwrap(), key.to_owned().into());
        assert!(matches!(WahaClient::new(&http, config), Err(ConfigError::ApiKey)));
    }
    let url = "http://waha.example/under/a/path".parse().unwrap();
    let shown = format!("{:?} {:?}", config(&url), client(&url));
    assert!(
        !shown.contains(KEY) && shown.contains("http://waha.example"),
        "{shown}"
    );
}
