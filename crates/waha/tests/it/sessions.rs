//! Sessions and pairing.

use axum::body::Body;
use axum::http::Response;
use secrecy::ExposeSecret as _;
use serde_json::json;
use waha_client::{SessionConfig, SessionStatus, StartOutcome, WahaError};

use crate::fake::{FakeWaha, KEY, client};

#[tokio::test]
async fn the_list_asks_for_all_and_leaves_configurations_out() {
    let waha = FakeWaha::with_fixture(200, "sessions/list-all.json").await;
    let sessions = waha.client.list_sessions().await.unwrap();
    let request = waha.request();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("GET", "/api/sessions?all=true")
    );
    assert_eq!(request.headers["x-api-key"], KEY);
    assert!(
        request.headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("waha-client/")
    );

    let [stopped, working] = sessions.as_slice() else {
        panic!("{sessions:?}")
    };
    assert_eq!(
        (stopped.name.as_str(), &stopped.status),
        ("main", &SessionStatus::Stopped)
    );
    assert!(stopped.me.is_none() && stopped.config.is_none() && stopped.last_activity_at.is_none());
    assert_eq!(
        (working.name.as_str(), &working.status),
        ("second", &SessionStatus::Working)
    );
    let me = working.me.as_ref().unwrap();
    assert_eq!(me.id, "1555219355249@c.us");
    assert_eq!(
        (me.push_name.as_deref(), me.lid.as_deref()),
        (Some("Second"), Some("91555219355249@lid"))
    );
}

#[tokio::test]
async fn the_list_with_configurations_has_them_and_hides_them() {
    let waha = FakeWaha::with_fixture(200, "sessions/list-all.json").await;
    let sessions = waha.client.list_sessions_with_config().await.unwrap();
    let config = sessions[0].config.as_ref().unwrap();
    assert_eq!(config.as_map()["webhooks"][0]["hmac"]["key"], "secret-org_1");
    assert_eq!(config.visible().noweb.unwrap().store.unwrap().enabled, Some(true));
    assert!(!format!("{sessions:?}").contains("secret-org_1"));
}

#[tokio::test]
async fn missing_configurations_and_unknown_states_do_not_break_a_list() {
    let core = FakeWaha::with_fixture(200, "sessions/list-core.json").await;
    assert!(
        core.client.list_sessions_with_config().await.unwrap()[0]
            .config
            .is_none()
    );

    let odd = json!([
        {"name": "a", "status": "PASSKEY_REQUIRED", "timestamps": {"activity": 1_795_412_436_000_i64}},
        {"name": "b", "status": "HIBERNATING", "me": "nobody", "timestamps": null, "engine": "NOWEB", "future": [1]},
        {"name": "c", "status": "PASSKEY_CONFIRMATION_REQUIRED", "assignedWorker": "w1"},
    ]);
    let waha = FakeWaha::answering(200, odd.to_string()).await;
    let sessions = waha.client.list_sessions().await.unwrap();
    assert_eq!(sessions[0].status, SessionStatus::PasskeyRequired);
    assert_eq!(sessions[0].last_activity_at, Some(1_795_412_436));
    assert_eq!(sessions[1].status, SessionStatus::Other("HIBERNATING".to_owned()));
    assert_eq!(sessions[1].status.to_string(), "HIBERNATING");
    assert_eq!(sessions[2].status, SessionStatus::PasskeyConfirmationRequired);
    assert_eq!(sessions[2].assigned_worker.as_deref(), Some("w1"));
}

#[tokio::test]
async fn names_are_percent_encoded_below_the_servers_own_path() {
    let waha = FakeWaha::with_fixture(200, "sessions/working.json").await;
    let client = client(&waha.url().join("/under/a/path/").unwrap());
    let session = client.session("a/b c?d%41ü").await.unwrap();
    assert_eq!(
        waha.request().target,
        "/under/a/path/api/sessions/a%2Fb%20c%3Fd%2541%C3%BC"
    );
    assert_eq!(
        (session.status, session.engine.as_deref()),
        (SessionStatus::Working, Some("NOWEB"))
    );
}

#[tokio::test]
async fn creating_always_says_whether_to_start() {
    let mut config = SessionConfig::new();
    config.set("metadata", json!({"org.id": "org_1"}));
    for (start, config, body) in [
        (false, None, json!({"name": "main", "start": false})),
        (
            true,
            Some(&config),
            json!({"name": "main", "start": true, "config": {"metadata": {"org.id": "org_1"}}}),
        ),
    ] {
        let waha = FakeWaha::with_fixture(201, "sessions/created-stopped.json").await;
        let session = waha
            .client
            .create_session("main", config, start)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((session.status, session.engine), (SessionStatus::Stopped, None));
        let request = waha.request();
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("POST", "/api/sessions")
        );
        assert_eq!(request.json(), body);
        assert_eq!(request.headers["content-type"], "application/json");
    }
    let waha = FakeWaha::with_fixture(422, "errors/already-exists.json").await;
    assert_eq!(
        waha.client.create_session("main", None, true).await,
        Err(WahaError::AlreadyExists)
    );
}

#[tokio::test]
async fn updating_sends_the_whole_configuration_back() {
    let waha = FakeWaha::with_fixture(200, "sessions/started.json").await;
    let config: SessionConfig = serde_json::from_value(json!({"debug": true, "future": {"x": 1}})).unwrap();
    waha.client.update_session("main", &config).await.unwrap();
    let request = waha.request();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("PUT", "/api/sessions/main")
    );
    assert_eq!(
        request.json(),
        json!({"config": {"debug": true, "future": {"x": 1}}})
    );
}

#[tokio::test]
async fn starting_a_running_session_is_not_an_error() {
    let waha = FakeWaha::with_fixture(201, "sessions/started.json").await;
    let StartOutcome::Started(Some(session)) = waha.client.start_session("main").await.unwrap() else {
        panic!()
    };
    assert_eq!(session.status, SessionStatus::Starting);
    assert_eq!(waha.request().target, "/api/sessions/main/start");

    let running = FakeWaha::with_fixture(422, "errors/already-started.json").await;
    assert_eq!(
        running.client.start_session("main").await,
        Ok(StartOutcome::AlreadyRunning)
    );
    let unknown = FakeWaha::with_fixture(404, "errors/session-not-found.json").await;
    assert_eq!(
        unknown.client.start_session("nope").await,
        Err(WahaError::UnknownSession)
    );
}

#[tokio::test]
async fn stopping_and_deleting_what_is_unknown_succeeds_without_a_body() {
    let waha = FakeWaha::answering(201, "").await;
    assert_eq!(waha.client.stop_session("nope").await, Ok(None));
    let waha = FakeWaha::answering(200, "").await;
    assert_eq!(waha.client.delete_session("nope").await, Ok(()));
    let request = waha.request();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("DELETE", "/api/sessions/nope")
    );
}

#[tokio::test]
async fn restart_and_logout_answer_with_the_session_or_that_it_is_unknown() {
    let waha = FakeWaha::with_fixture(201, "sessions/started.json").await;
    assert_eq!(
        waha.client.restart_session("main").await.unwrap().unwrap().status,
        SessionStatus::Starting
    );
    assert_eq!(waha.request().target, "/api/sessions/main/restart");
    let waha = FakeWaha::with_fixture(404, "errors/session-not-found.json").await;
    assert_eq!(
        waha.client.logout_session("nope").await,
        Err(WahaError::UnknownSession)
    );
    assert_eq!(waha.request().target, "/api/sessions/nope/logout");
}

#[tokio::test]
async fn me_tells_paired_unpaired_and_not_running_apart() {
    let paired = FakeWaha::with_fixture(200, "sessions/me.json").await;
    assert_eq!(
        paired.client.me("main").await.unwrap().unwrap().id,
        "15551230001@c.us"
    );
    assert_eq!(paired.request().target, "/api/sessions/main/me");
    let unpaired = FakeWaha::answering(200, "").await;
    assert_eq!(unpaired.client.me("main").await, Ok(None));
    let stopped = FakeWaha::with_fixture(404, "errors/not-running.json").await;
    assert_eq!(stopped.client.me("main").await, Err(WahaError::NotRunning));
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and more";

#[tokio::test]
async fn the_qr_image_comes_as_bytes_or_as_base64() {
    let waha = FakeWaha::responding(|| {
        Response::builder()
            .header("Content-Type", "image/png")
            .body(Body::from(PNG))
            .unwrap()
    })
    .await;
    assert_eq!(waha.client.qr_image("main").await.unwrap(), PNG);
    let request = waha.request();
    assert_eq!(request.target, "/api/main/auth/qr");
    assert_eq!(request.headers["accept"], "image/png");

    let data = data_encoding::BASE64.encode(PNG);
    let waha = FakeWaha::answering(200, json!({"mimetype": "image/png", "data": data}).to_string()).await;
    assert_eq!(waha.client.qr_image("main").await.unwrap(), PNG);

    let waha = FakeWaha::answering(200, json!({"mimetype": "image/png", "data": "bm8="}).to_string()).await;
    assert_eq!(
        waha.client.qr_image("main").await.unwrap_err().kind(),
        "broken_answer"
    );
}

#[tokio::test]
async fn qr_values_and_pairing_codes_are_secrets() {
    let waha = FakeWaha::with_fixture(200, "pairing/qr-raw.json").await;
    let value = waha.client.qr_value("main").await.unwrap();
    assert!(value.expose_secret().starts_with("2@") && !format!("{value:?}").contains("2@"));
    assert_eq!(waha.request().target, "/api/main/auth/qr?format=raw");

    let waha = FakeWaha::with_fixture(201, "pairing/code.json").await;
    let code = waha
        .client
        .request_pairing_code("main", "12132132130")
        .await
        .unwrap();
    assert_eq!(code.expose_secret(), "ABCD-EFGH");
    let request = waha.request();
    assert_eq!(request.target, "/api/main/auth/request-code");
    assert_eq!(request.json(), json!({"phoneNumber": "12132132130"}));
}
