//! What was asked is known exactly.

use serde_json::json;
use waha_sim::{Fault, FaultKind, SessionSeed};

use super::{get, quick, send};
use crate::support::client::{self, KEY};

#[tokio::test]
async fn requests_are_counted_by_route_and_session() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    waha.add_session(SessionSeed::new("b"));
    get(&waha, "/api/sessions").await;
    get(&waha, "/api/sessions/a").await;
    get(&waha, "/api/b/chats").await;
    get(&waha, "/api/%61/chats").await;
    get(&waha, "/api/contacts/all?session=b").await;
    send(&waha, "a", "x").await;
    get(&waha, "/api/nothing/here/at/all").await;
    waha.set_fault(Fault::new(FaultKind::Status(500)).times(1));
    get(&waha, "/api/b/chats").await;
    let unauthorized = client::call(&waha.base_url(), "GET", "/api/sessions", &[], Vec::new())
        .await
        .unwrap();
    assert_eq!(unauthorized.status, 401);

    let counts = waha.counts();
    assert_eq!(counts.total, 9);
    assert_eq!(counts.route("GET /api/sessions"), 2);
    assert_eq!(counts.route("GET /api/sessions/{session}"), 1);
    assert_eq!(counts.route("GET /api/{session}/chats"), 3);
    assert_eq!(counts.route("POST /api/sendText"), 1);
    assert_eq!(counts.route("(no route)"), 1);
    assert_eq!((counts.session("a"), counts.session("b")), (3, 3));
    waha.reset_records();
    assert_eq!(waha.counts().total, 0);
    assert!(waha.sent_messages().is_empty());
}

#[tokio::test]
async fn headers_are_remembered_for_tests() {
    let waha = quick().await;
    let headers = [
        ("X-Api-Key".to_owned(), KEY.to_owned()),
        ("Authorization".to_owned(), "Bearer own".to_owned()),
    ];
    client::call(
        &waha.base_url(),
        "GET",
        "/api/sessions?all=true",
        &headers,
        Vec::new(),
    )
    .await
    .unwrap();
    let seen = waha.received_requests();
    assert_eq!(seen[0].header("authorization"), Some("Bearer own"));
    assert_eq!(seen[0].header("X-API-KEY"), Some(KEY));
    assert_eq!(
        (seen[0].path.as_str(), seen[0].query.as_str()),
        ("/api/sessions", "all=true")
    );
    get(&waha, "/ping").await;
    assert_eq!(waha.received_requests()[1].header("authorization"), None);
}

#[tokio::test]
async fn equal_answers_have_equal_tags() {
    let waha = quick().await;
    let first = get(&waha, "/api/sessions").await;
    let tag = first.header("etag").unwrap().to_owned();
    let headers = [
        ("x-api-key".to_owned(), KEY.to_owned()),
        ("if-none-match".to_owned(), tag),
    ];
    let second = client::call(&waha.base_url(), "GET", "/api/sessions", &headers, Vec::new())
        .await
        .unwrap();
    assert_eq!((second.status, second.body.len()), (304, 0));
    assert_eq!(first.json(), json!([]));
}

#[tokio::test]
async fn a_session_named_twice_is_not_named() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    let twice = get(&waha, "/api/contacts/all?session=a&session=a").await;
    assert_eq!(
        (twice.status, &twice.json()["message"]),
        (400, &json!("Session name is required"))
    );
    let trailing = get(&waha, "/api/contacts/all/?sessio%6e=a").await;
    assert_eq!(
        trailing.status, 200,
        "a slash at the end and an encoded name make no difference"
    );
}
