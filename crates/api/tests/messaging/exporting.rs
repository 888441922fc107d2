//! Exporting what is kept of the organization.

use std::time::Duration;

use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wahana_service::jobs;

use crate::wahana::Wahana;

#[tokio::test]
async fn an_organization_is_exported_in_the_background() {
    let wahana = Wahana::start().await;
    let sent = wahana
        .post("send-text", &json!({"to": "15550001111@c.us", "text": "Hello"}))
        .await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
    let asked = wahana.call("POST", "exports").await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    let asked = asked.json()["data"].take();
    assert_eq!((&asked["state"], &asked["lines"]), (&json!("running"), &json!(0)));
    let again = wahana.call("POST", "exports").await;
    assert_eq!(again.json()["data"]["id"], asked["id"], "one is being made");
    let path = format!("/api/waha/exports/{}", asked["id"].as_str().unwrap());
    let file = format!("{path}/file");
    assert_eq!(wahana.ask(&file, &[]).await.refusal().0, 409);

    let stop = CancellationToken::new();
    let working = tokio::spawn({
        let (services, stop) = (wahana.services.clone(), stop.clone());
        async move { jobs::work(&services, stop).await }
    });
    let done = loop {
        let seen = wahana.ask(&path, &[]).await.data();
        if seen["state"] == "done" {
            break seen;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    stop.cancel();
    working.await.unwrap();
    let answer = wahana.ask(&file, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/x-ndjson");
    let disposition = answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");
    let lines: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(done["lines"], lines.len());
    assert!(
        lines
            .iter()
            .any(|line| line["type"] == "message" && line["data"]["text"] == "Hello")
    );
    let log = wahana.ask("/api/waha/audit-log", &[]).await.data();
    let fetched = log
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["operation"] == "exports.file");
    assert!(
        fetched.clone().any(|entry| entry["outcome"] == "success"),
        "{log}"
    );
    assert!(
        fetched.clone().any(|entry| entry["outcome"] == "failure"),
        "{log}"
    );
    let next = wahana.call("POST", "exports").await;
    assert_ne!(next.json()["data"]["id"], asked["id"], "the first is done");
}
