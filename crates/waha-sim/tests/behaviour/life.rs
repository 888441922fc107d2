//! Sessions over time, at many times WAHA's speed.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use waha_sim::{ControlError, Engine, SessionSeed, Status, WahaSim};

use super::{create, get, post, quick, send};
use crate::support::{client::KEY, hook::Hook};

fn statuses(received: &[crate::support::hook::Received]) -> Vec<Value> {
    received
        .iter()
        .map(|one| one.body["payload"]["status"].clone())
        .collect()
}

#[tokio::test]
async fn a_new_session_shows_codes_pairs_by_itself_and_stays_paired() {
    let waha = WahaSim::builder()
        .time_scale(0.02)
        .auto_pair_after(Duration::from_secs(70))
        .start()
        .await
        .unwrap();
    let hook = Hook::start(&[]).await;
    let config = json!({"webhooks": [{"url": hook.url, "events": ["session.status"]}]});
    let body = json!({"name": "a", "start": true, "config": config});
    assert_eq!(
        post(&waha, "/api/sessions", &body).await.json()["status"],
        "STARTING"
    );
    waha.wait_for_status("a", Status::ScanQrCode).await;
    let first = get(&waha, "/api/a/auth/qr?format=raw").await.json()["value"].clone();
    waha.wait_for_status("a", Status::Working).await;
    let seen = hook.wait_for(5).await;
    let mut seen = statuses(&seen);
    // Webhooks overtake each other, as WAHA's do.
    seen.sort_by_key(|status| status.as_str().map(str::to_owned));
    // Seventy seconds are more than one code's life: there were two codes.
    assert_eq!(
        seen,
        ["SCAN_QR_CODE", "SCAN_QR_CODE", "STARTING", "STARTING", "WORKING"]
    );
    assert!(first.as_str().unwrap().starts_with("2@"));

    let me = get(&waha, "/api/sessions/a/me").await.json();
    assert!(me["id"].as_str().unwrap().ends_with("@c.us"));
    post(&waha, "/api/sessions/a/stop", &json!({})).await;
    post(&waha, "/api/sessions/a/start", &json!({})).await;
    waha.wait_for_status("a", Status::Working).await;
    assert_eq!(
        get(&waha, "/api/sessions/a/me").await.json(),
        me,
        "the same phone, without a scan"
    );

    post(&waha, "/api/sessions/a/logout", &json!({})).await;
    waha.wait_for_status("a", Status::ScanQrCode).await;
    assert!(get(&waha, "/api/sessions/a/me").await.body.is_empty());
}

#[tokio::test]
async fn codes_change_until_the_session_fails() {
    let waha = WahaSim::builder().time_scale(0.005).start().await.unwrap();
    create(&waha, "a").await;
    waha.wait_for_status("a", Status::ScanQrCode).await;
    let first = get(&waha, "/api/a/auth/qr?format=raw").await.json();
    sleep(Duration::from_millis(350)).await;
    assert_ne!(get(&waha, "/api/a/auth/qr?format=raw").await.json(), first);
    timeout(Duration::from_secs(30), waha.wait_for_status("a", Status::Failed))
        .await
        .unwrap();
    assert_eq!(get(&waha, "/api/sessions/a").await.json()["status"], "FAILED");
    // A failed session runs, and restarts.
    assert_eq!(post(&waha, "/api/sessions/a/start", &json!({})).await.status, 422);
    assert_eq!(
        post(&waha, "/api/sessions/a/restart", &json!({})).await.json()["status"],
        "STARTING"
    );
}

#[tokio::test]
async fn without_whatsapp_a_session_starts_again_and_again_and_then_fails() {
    let waha = WahaSim::builder().time_scale(0.002).start().await.unwrap();
    let hook = Hook::start(&[]).await;
    waha.set_whatsapp_reachable(false);
    let config = json!({"webhooks": [{"url": hook.url, "events": ["session.status"]}]});
    post(
        &waha,
        "/api/sessions",
        &json!({"name": "a", "start": true, "config": config}),
    )
    .await;
    timeout(Duration::from_secs(30), waha.wait_for_status("a", Status::Failed))
        .await
        .unwrap();
    let seen = statuses(&hook.wait_for(61).await);
    assert_eq!(seen.iter().filter(|status| *status == "STARTING").count(), 60);
    assert_eq!(seen.iter().filter(|status| *status == "FAILED").count(), 1);
}

#[tokio::test]
async fn a_pairing_code_waits_for_the_start_and_names_the_phone() {
    let waha = quick().await;
    waha.set_whatsapp_reachable(false);
    create(&waha, "a").await;
    let ask = json!({"phoneNumber": "+1 555 900 0077"});
    let asking = post(&waha, "/api/a/auth/request-code", &ask);
    tokio::pin!(asking);
    assert!(
        timeout(Duration::from_millis(300), &mut asking).await.is_err(),
        "it waits without bound"
    );
    waha.set_whatsapp_reachable(true);
    let answer = asking.await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["code"].as_str().unwrap().len(), 9);
    waha.pair("a").unwrap();
    waha.wait_for_status("a", Status::Working).await;
    assert_eq!(
        get(&waha, "/api/sessions/a/me").await.json()["id"],
        "15559000077@c.us"
    );
}

#[tokio::test]
async fn a_passkey_is_asked_for_given_and_confirmed() {
    let waha = quick().await;
    create(&waha, "a").await;
    waha.wait_for_status("a", Status::ScanQrCode).await;
    waha.require_passkey("a").unwrap();
    assert_eq!(
        get(&waha, "/api/sessions/a").await.json()["status"],
        "PASSKEY_REQUIRED"
    );
    let challenge = get(&waha, "/api/a/auth/passkey/challenge").await.json();
    assert_eq!(challenge["rpId"], "web.whatsapp.com");
    assert_eq!(
        post(&waha, "/api/a/auth/passkey", &json!({"id": "x"}))
            .await
            .status,
        400
    );
    let given = json!({"id": "x", "rawId": "x", "type": "public-key", "response": {}});
    assert_eq!(post(&waha, "/api/a/auth/passkey", &given).await.status, 201);
    let code = get(&waha, "/api/a/auth/passkey/confirmation").await.json()["code"].clone();
    assert_eq!(code.as_str().unwrap().len(), 4);
    assert_eq!(
        post(&waha, "/api/a/auth/passkey/confirm", &json!({}))
            .await
            .status,
        201
    );
    waha.wait_for_status("a", Status::Working).await;
}

#[tokio::test]
async fn waiting_requests_go_on_as_soon_as_the_session_works() {
    let waha = WahaSim::builder().time_scale(1.0).start().await.unwrap();
    create(&waha, "a").await;
    waha.wait_for_status("a", Status::ScanQrCode).await;
    let sending = send(&waha, "a", "held back");
    let pairing = async {
        sleep(Duration::from_millis(50)).await;
        waha.pair("a").unwrap();
    };
    let (answer, ()) = tokio::join!(sending, pairing);
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn a_sessions_lock_times_out_as_wahas_does() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    let (client, base) = (crate::support::client::try_json, waha.base_url());
    let update = json!({"config": {"metadata": {"n": "1"}}});
    let puts = (0..4).map(|_| client(&base, "PUT", "/api/sessions/a", Some(&update)));
    let answers = futures_util::future::join_all(puts).await;
    let statuses: Vec<u16> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap().status)
        .collect();
    assert!(statuses.contains(&200) && statuses.contains(&500), "{statuses:?}");
    let failed = answers
        .into_iter()
        .map(Result::unwrap)
        .find(|answer| answer.status == 500)
        .unwrap()
        .json();
    assert_eq!(failed["exception"]["message"], "async-lock timed out in queue a");
    assert_eq!(failed["request"]["body"], update);
}

#[tokio::test]
async fn what_happens_behind_the_callers_back_needs_the_right_state() {
    let waha = quick().await;
    assert_eq!(
        waha.pair("nobody"),
        Err(ControlError::UnknownSession("nobody".to_owned()))
    );
    waha.add_session(SessionSeed::new("a").status(Status::Stopped));
    let refused = waha.pair("a").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "session `a` is STOPPED, so this cannot be done to it: scan its QR code"
    );

    waha.add_session(SessionSeed::new("b").phone("15559000123"));
    assert_eq!(
        get(&waha, "/api/sessions/b").await.json()["me"]["id"],
        "15559000123@c.us"
    );
    waha.disconnect("b").unwrap();
    assert_eq!(waha.session_status("b"), Some(Status::Starting));
    waha.wait_for_status("b", Status::Working).await;
    waha.stop_session("b").unwrap();
    assert_eq!(waha.session_status("b"), Some(Status::Stopped));
    waha.unlink("b").unwrap();
    assert_eq!(waha.session_status("b"), Some(Status::Failed));
    waha.delete_session("b").unwrap();
    assert_eq!(get(&waha, "/api/sessions/b").await.status, 404);

    waha.add_session(SessionSeed::new("c").status(Status::ScanQrCode));
    assert_eq!(get(&waha, "/api/c/auth/qr?format=raw").await.status, 200);
    waha.lose_all_sessions();
    assert_eq!(get(&waha, "/api/sessions?all=true").await.json(), json!([]));
}

#[tokio::test]
async fn engines_differ_where_waha_says_so() {
    for (engine, groups_are_a_list) in [
        (Engine::Noweb, false),
        (Engine::Gows, true),
        (Engine::Webjs, true),
    ] {
        let waha = WahaSim::builder()
            .api_key(KEY)
            .engine(engine)
            .time_scale(0.02)
            .start()
            .await
            .unwrap();
        waha.add_session(SessionSeed::new("a"));
        assert_eq!(
            get(&waha, "/api/sessions/a").await.json()["engine"]["engine"],
            engine.name()
        );
        assert_eq!(
            get(&waha, "/api/a/groups").await.json().is_array(),
            groups_are_a_list
        );
        let sent = send(&waha, "a", "x").await.json();
        let id = if engine == Engine::Noweb {
            sent["key"]["id"].clone()
        } else {
            sent["id"].clone()
        };
        assert!(id.is_string(), "{sent}");
        assert_eq!(
            get(&waha, "/api/server/version").await.json()["engine"],
            engine.name()
        );
    }
}

#[tokio::test]
async fn time_scales_that_make_no_sense_are_refused() {
    for scale in [-1.0, f64::NAN, f64::INFINITY] {
        let refused = WahaSim::builder().time_scale(scale).start().await.unwrap_err();
        assert!(refused.to_string().contains("makes no sense"), "{refused}");
    }
}
