//! Webhooks: signed, retried in memory, and for whom.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha512;
use tokio::time::sleep;
use waha_sim::{GlobalHook, IncomingMessage, RestartLoss, RetryPolicy, SessionSeed, WahaSim};

use super::{get, quick};
use crate::support::hook::Hook;

fn hello() -> IncomingMessage {
    IncomingMessage::text("15550001111", "hello")
}

#[tokio::test]
async fn bodies_are_signed_and_headers_are_wahas() {
    let hook = Hook::start(&[]).await;
    let waha = quick().await;
    let config = json!({"metadata": {"org.id": "o1"}, "webhooks": [{
        "url": hook.url, "events": ["message"], "hmac": {"key": "the key"},
        "customHeaders": [{"name": "X-Org", "value": "o1"}],
    }]});
    waha.add_session(SessionSeed::new("a").config(config));
    waha.receive_message("a", hello()).unwrap();
    let one = hook.wait_for(1).await.remove(0);
    let mut mac = Hmac::<Sha512>::new_from_slice(b"the key").unwrap();
    mac.update(&one.raw);
    let signature = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    assert_eq!(one.header("x-webhook-hmac"), signature);
    assert_eq!(one.header("x-webhook-hmac-algorithm"), "sha512");
    assert_eq!(
        one.header("x-webhook-timestamp"),
        one.body["timestamp"].to_string()
    );
    assert_eq!(one.header("user-agent"), "WAHA/2026.7.1");
    assert_eq!(one.header("x-org"), "o1");
    assert_eq!(one.body["metadata"], json!({"org.id": "o1"}));
    let id = one.body["id"].as_str().unwrap();
    assert!(id.starts_with("evt_01") && id.len() == 30, "{id}");
}

#[tokio::test]
async fn refused_webhooks_are_retried_with_the_same_id() {
    // 4xx is retried like everything else.
    let hook = Hook::start(&[500, 400, 302]).await;
    let waha = quick().await;
    let config = json!({"webhooks": [{
        "url": hook.url, "events": ["message"], "retries": {"policy": "linear", "delaySeconds": 1, "attempts": 5},
    }]});
    waha.add_session(SessionSeed::new("a").config(config));
    waha.receive_message("a", hello()).unwrap();
    let attempts = hook.wait_for(4).await;
    for attempt in &attempts[1..] {
        for header in ["x-webhook-request-id", "x-webhook-timestamp"] {
            assert_eq!(attempt.header(header), attempts[0].header(header));
        }
        assert_eq!(attempt.raw, attempts[0].raw);
    }
    assert!(
        attempts[0].header("x-webhook-hmac").is_empty(),
        "no key, no signature"
    );
    sleep(Duration::from_millis(200)).await;
    assert_eq!(
        hook.wait_for(4).await.len(),
        4,
        "it was taken, so it does not come again"
    );
}

#[tokio::test]
async fn retries_end_after_their_number() {
    let hook = Hook::start(&[500; 10]).await;
    let waha = quick().await;
    let config = json!({"webhooks": [{
        "url": hook.url, "events": ["message"], "retries": {"policy": "constant", "delaySeconds": 0, "attempts": 2},
    }]});
    waha.add_session(SessionSeed::new("a").config(config));
    waha.receive_message("a", hello()).unwrap();
    hook.wait_for(3).await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(hook.wait_for(3).await.len(), 3);
}

#[tokio::test]
async fn a_restart_forgets_what_was_to_be_retried() {
    let hook = Hook::start(&[500; 10]).await;
    let waha = quick().await;
    let config = json!({"webhooks": [{
        "url": hook.url, "events": ["message"], "retries": {"policy": "constant", "delaySeconds": 40, "attempts": 9},
    }]});
    waha.add_session(SessionSeed::new("a").config(config));
    waha.receive_message("a", hello()).unwrap();
    hook.wait_for(1).await;
    waha.restart(RestartLoss::Nothing).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(hook.wait_for(1).await.len(), 1);
}

#[tokio::test]
async fn the_servers_own_webhook_hears_every_session() {
    let hook = Hook::start(&[]).await;
    let global = GlobalHook::new(&hook.url, &["message.any"])
        .hmac_key("global")
        .header("X-Server", "1")
        .retries(RetryPolicy::Constant, Duration::ZERO, 1);
    assert!(global.unknown_events().is_empty());
    let waha = WahaSim::builder()
        .global_hook(global)
        .time_scale(0.02)
        .start()
        .await
        .unwrap();
    waha.add_session(SessionSeed::new("a"));
    waha.add_session(SessionSeed::new("b"));
    let first = waha.receive_message("a", hello()).unwrap();
    let second = waha.receive_message("b", hello()).unwrap();
    assert_ne!(first, second);
    let mut sessions: Vec<String> = hook
        .wait_for(2)
        .await
        .iter()
        .map(|one| one.body["session"].as_str().unwrap().to_owned())
        .collect();
    sessions.sort();
    assert_eq!(sessions, ["a", "b"]);
    assert!(!hook.wait_for(2).await[0].header("x-webhook-hmac").is_empty());
}

#[tokio::test]
async fn the_servers_own_webhook_may_come_later_and_from_the_environment() {
    let hook = Hook::start(&[500, 200]).await;
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    waha.receive_message("a", hello()).unwrap();
    assert!(GlobalHook::from_environment([("WHATSAPP_HOOK_EVENTS", "message")]).is_none());
    let global = GlobalHook::from_environment([
        ("WHATSAPP_HOOK_URL", hook.url.as_str()),
        ("WHATSAPP_HOOK_EVENTS", "session.status,message.any"),
        ("WHATSAPP_HOOK_HMAC_KEY", "global"),
        ("WHATSAPP_HOOK_RETRIES_POLICY", "linear"),
        ("WHATSAPP_HOOK_RETRIES_DELAY_SECONDS", "2"),
        ("WHATSAPP_HOOK_RETRIES_ATTEMPTS", "1"),
    ]);
    waha.set_global_hook(global.unwrap());
    let second = waha.receive_message("a", hello()).unwrap();
    for heard in hook.wait_for(2).await {
        assert_eq!(heard.body["payload"]["id"], second);
        assert!(!heard.header("x-webhook-hmac").is_empty());
    }
}

#[tokio::test]
async fn ignored_chats_make_no_events_and_one_message_makes_two() {
    let hook = Hook::start(&[]).await;
    let waha = quick().await;
    let config = json!({"ignore": {"groups": true}, "webhooks": [{"url": hook.url, "events": ["*"]}]});
    waha.add_session(SessionSeed::new("a").config(config));
    let group = IncomingMessage::text("120363000000000001@g.us", "to all").written_by("15550002222");
    waha.receive_message("a", group).unwrap();
    waha.receive_message("a", hello()).unwrap();
    let both = hook.wait_for(2).await;
    assert_eq!(both[0].body["payload"], both[1].body["payload"]);
    assert_ne!(both[0].body["id"], both[1].body["id"]);
    assert_eq!(both[0].body["payload"]["body"], "hello");
}

#[tokio::test]
async fn traffic_flows_until_it_is_stopped() {
    let hook = Hook::start(&[]).await;
    let waha = quick().await;
    let config = json!({
        "noweb": {"store": {"enabled": true}},
        "webhooks": [{"url": hook.url, "events": ["message"]}],
    });
    waha.add_session(SessionSeed::new("a").config(config));
    waha.set_traffic(60.0);
    let some = hook.wait_for(3).await;
    assert!(
        some[0].body["payload"]["body"]
            .as_str()
            .unwrap()
            .starts_with("Generated message")
    );
    waha.set_traffic(0.0);
    let overview = get(&waha, "/api/a/chats/overview").await.json();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(
        get(&waha, "/api/a/chats/overview").await.json(),
        overview,
        "no chat has a newer message"
    );
}
