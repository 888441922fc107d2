//! Faults, as a client meets them.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use waha_sim::{Fault, FaultKind, SessionSeed};

use super::{get, quick, send};
use crate::support::client::{self, KEY};

#[tokio::test]
async fn answers_can_be_failures_pages_and_garbage() {
    let waha = quick().await;
    waha.set_fault(Fault::new(FaultKind::Status(500)).times(1));
    let failed = get(&waha, "/api/sessions").await;
    assert_eq!(
        (failed.status, failed.json()["statusCode"].as_u64()),
        (500, Some(500))
    );
    waha.set_fault(Fault::new(FaultKind::Status(503)).times(1));
    assert_eq!(
        get(&waha, "/api/sessions").await.json()["error"],
        "Service Unavailable"
    );
    waha.set_fault(Fault::new(FaultKind::Html(502)).times(1));
    let page = get(&waha, "/api/sessions").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (502, Some("text/html; charset=utf-8"))
    );
    waha.set_fault(Fault::new(FaultKind::Garbage).times(1));
    let garbage = get(&waha, "/api/sessions").await;
    assert_eq!(garbage.status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&garbage.body).is_err());
    assert_eq!(get(&waha, "/api/sessions").await.status, 200);
}

#[tokio::test]
async fn hanging_requests_are_never_answered_and_slow_ones_are() {
    let waha = quick().await;
    waha.set_fault(Fault::new(FaultKind::Hang).on_path("/api/server"));
    let hanging = get(&waha, "/api/server/version");
    assert!(timeout(Duration::from_millis(300), hanging).await.is_err());
    assert_eq!(
        get(&waha, "/api/sessions").await.status,
        200,
        "others are not hit"
    );
    waha.clear_faults();
    assert_eq!(get(&waha, "/api/server/version").await.status, 200);
    waha.set_fault(Fault::slow(Duration::from_millis(200)));
    let slow = get(&waha, "/api/server/version");
    tokio::pin!(slow);
    assert!(timeout(Duration::from_millis(50), &mut slow).await.is_err());
    assert_eq!(slow.await.status, 200);
}

#[tokio::test]
async fn cut_connections_leave_open_whether_it_was_done() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    let body = serde_json::json!({"session": "a", "chatId": "15550001111", "text": "x"});
    for (kind, sent) in [
        (FaultKind::CloseBefore, 0),
        (FaultKind::CloseAfter, 1),
        (FaultKind::CloseInBody, 2),
    ] {
        waha.set_fault(
            Fault::new(kind.clone())
                .method("POST")
                .on_path("/api/send")
                .times(1),
        );
        let answer = client::try_json(&waha.base_url(), "POST", "/api/sendText", Some(&body)).await;
        assert!(answer.is_err(), "{kind:?} gave {answer:?}");
        assert_eq!(waha.sent_messages().len(), sent, "{kind:?}");
    }
    assert_eq!(send(&waha, "a", "x").await.status, 201);
}

#[tokio::test]
async fn away_means_that_connections_are_refused() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    waha.go_away().await;
    for _ in 0..3 {
        let error = tokio::net::TcpStream::connect(waha.address()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    }
    waha.come_back().await;
    assert_eq!(send(&waha, "a", "x").await.status, 201, "nothing was lost");

    waha.slam_connections().await;
    let slammed = client::try_json(&waha.base_url(), "GET", "/ping", None).await;
    assert!(slammed.is_err());
    waha.come_back().await;
    assert_eq!(get(&waha, "/ping").await.status, 200);
}

#[tokio::test]
async fn open_connections_end_when_the_server_goes() {
    let waha = quick().await;
    waha.set_fault(Fault::new(FaultKind::Hang));
    let base = waha.base_url();
    let hanging = tokio::spawn(async move { client::try_json(&base, "GET", "/ping", None).await });
    sleep(Duration::from_millis(100)).await;
    waha.cut_connections();
    assert!(
        timeout(Duration::from_secs(30), hanging)
            .await
            .unwrap()
            .unwrap()
            .is_err()
    );
}

#[tokio::test]
async fn large_bodies_are_wahas_500() {
    let waha = quick().await;
    let headers = [
        ("x-api-key".to_owned(), KEY.to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let body = vec![b' '; 50 * 1024 * 1024 + 1];
    let answer = client::call(&waha.base_url(), "POST", "/api/sendText", &headers, body)
        .await
        .unwrap();
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["exception"]["type"], "entity.too.large");
}
