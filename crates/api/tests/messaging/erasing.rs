//! Erasing what is kept of a chat.

use std::time::Duration;

use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wahana_service::jobs;

use crate::wahana::{Answer, Wahana};

async fn erase(wahana: &Wahana, body: &Value) -> Answer {
    let mut request = wahana.posting("", "application/json", body.to_string());
    *request.uri_mut() = Uri::from_static("/api/waha/erasures");
    wahana.request(request).await
}

#[tokio::test]
async fn a_chat_is_erased_in_the_background() {
    let wahana = Wahana::start().await;
    for to in ["15550001111@c.us", "15550002222@c.us"] {
        let answer = wahana
            .post("send-text", &json!({"to": to, "text": "Hello"}))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    let asked = erase(&wahana, &json!({"chat_id": "+15550001111"})).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    assert!(!asked.text.contains("15550001111"), "{}", asked.text);
    let asked = asked.json()["data"].take();
    assert_eq!(
        (&asked["state"], &asked["messages"]),
        (&json!("running"), &json!(0))
    );

    let stop = CancellationToken::new();
    let working = tokio::spawn({
        let (services, stop) = (wahana.services.clone(), stop.clone());
        async move { jobs::work(&services, stop).await }
    });
    let path = format!("/api/waha/erasures/{}", asked["id"].as_str().unwrap());
    let erased = loop {
        let seen = wahana.ask(&path, &[]).await.data();
        if seen["state"] == "done" {
            break seen;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    stop.cancel();
    working.await.unwrap();
    assert_eq!(erased["messages"], 1);
    assert!(erased["finished_at"].is_string());
    let left = wahana.ask("/api/waha/messages", &[]).await.data();
    let chats: Vec<_> = left
        .as_array()
        .unwrap()
        .iter()
        .map(|left| &left["chat_id"])
        .collect();
    assert_eq!(chats, ["15550002222@c.us"]);
}

#[tokio::test]
async fn what_names_no_chat_is_refused() {
    let wahana = Wahana::start().await;
    for body in [json!({"chat_id": "nobody"}), json!({"chat_id": "1@example.com"})] {
        assert_eq!(erase(&wahana, &body).await.faults(), ["chat_id"], "{body}");
    }
}
