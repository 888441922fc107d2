//! The control API, on a port of its own.

use serde_json::{Value, json};
use waha_sim::{Status, WahaSim};

use super::{get, send};
use crate::support::client::{self, Answer, KEY};

struct Both {
    waha: WahaSim,
    control: String,
}

impl Both {
    async fn start() -> Self {
        let local = "127.0.0.1:0".parse().unwrap();
        let waha = WahaSim::builder()
            .api_key(KEY)
            .time_scale(0.02)
            .control(local)
            .start()
            .await
            .unwrap();
        let control = format!("http://{}", waha.control_address().unwrap());
        Self { waha, control }
    }

    async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        client::try_json(&self.control, method, path, body.as_ref())
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn it_says_what_it_is_and_waha_does_not() {
    let both = Both::start().await;
    let about = both.control("GET", "/", None).await.json();
    assert_eq!(about["simulator"], true);
    assert!(about["notice"].as_str().unwrap().contains("simulator"));
    assert_eq!(get(&both.waha, "/counts").await.status, 401, "not on WAHA's port");
}

#[tokio::test]
async fn sessions_messages_and_faults_are_in_reach() {
    let both = Both::start().await;
    let put = both
        .control("PUT", "/sessions/a", Some(json!({"phone": "15559000005"})))
        .await;
    assert_eq!(put.json()["status"], "WORKING");
    let message = json!({"chat": "15550001111", "text": "hello"});
    let id = both
        .control("POST", "/sessions/a/messages", Some(message.clone()))
        .await
        .json()["id"]
        .clone();
    assert!(id.as_str().unwrap().starts_with("false_15550001111@c.us_"));
    assert_eq!(
        both.control("POST", "/sessions/nobody/messages", Some(message))
            .await
            .status,
        404
    );
    assert_eq!(
        both.control("POST", "/sessions/a/pair", None).await.status,
        409,
        "it is paired"
    );
    assert_eq!(both.control("POST", "/sessions/a/dance", None).await.status, 404);
    assert_eq!(
        both.control("POST", "/sessions/a/calls", Some(json!({"from": "1555"})))
            .await
            .status,
        200
    );
    let reaction = json!({"chat": "15550001111", "message": id, "reaction": "👍"});
    assert_eq!(
        both.control("POST", "/sessions/a/reactions", Some(reaction))
            .await
            .status,
        200
    );

    let refusal = json!({"reason": "capped", "times": 1});
    both.control("POST", "/sessions/a/refuse", Some(refusal)).await;
    assert_eq!(send(&both.waha, "a", "x").await.status, 500);
    let fault = json!({"kind": {"status": 503}, "method": "POST", "path_prefix": "/api/send", "times": 1});
    assert_eq!(both.control("POST", "/faults", Some(fault)).await.status, 200);
    assert_eq!(
        both.control("GET", "/faults", None)
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(send(&both.waha, "a", "x").await.status, 503);
    both.control("POST", "/faults", Some(json!({"kind": "hang"})))
        .await;
    both.control("DELETE", "/faults", None).await;
    assert_eq!(send(&both.waha, "a", "x").await.status, 201);

    assert_eq!(both.control("GET", "/sent", None).await.json()[0]["text"], "x");
    assert_eq!(
        both.control("GET", "/counts", None).await.json()["by_route"]["POST /api/sendText"],
        3
    );
    assert_eq!(
        both.control("GET", "/requests", None)
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    both.control("DELETE", "/records", None).await;
    assert_eq!(both.waha.counts().total, 0);

    both.control("POST", "/sessions/a/stop", None).await;
    assert_eq!(both.waha.session_status("a"), Some(Status::Stopped));
    both.control("POST", "/restart", Some(json!({"loss": "everything"})))
        .await;
    assert_eq!(both.control("GET", "/sessions", None).await.json(), json!([]));
}

#[tokio::test]
async fn the_port_can_be_closed_and_opened() {
    let both = Both::start().await;
    both.control("POST", "/away", None).await;
    assert!(
        client::try_json(&both.waha.base_url(), "GET", "/ping", None)
            .await
            .is_err()
    );
    both.control("POST", "/back", None).await;
    assert_eq!(get(&both.waha, "/ping").await.status, 200);
    both.control("POST", "/slam", None).await;
    assert!(
        client::try_json(&both.waha.base_url(), "GET", "/ping", None)
            .await
            .is_err()
    );
    both.control("POST", "/back", None).await;
    both.control("POST", "/cut", None).await;
    both.control("POST", "/whatsapp", Some(json!({"reachable": false})))
        .await;
    both.control("POST", "/traffic", Some(json!({"messages_per_minute": 0})))
        .await;
    assert_eq!(get(&both.waha, "/ping").await.status, 200);
}
