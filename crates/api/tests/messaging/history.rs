//! The messages that wahana keeps, of all chats.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::wahana::Wahana;

async fn send(wahana: &Wahana, to: &str, text: &str) -> Value {
    let answer = wahana.post("send-text", &json!({"to": to, "text": text})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.data()["message_id"].clone()
}

async fn ids(wahana: &Wahana, query: &str) -> Vec<Value> {
    let answer = wahana.ask(&format!("/api/waha/messages{query}"), &[]).await;
    let messages = answer.data();
    let ids = messages.as_array().unwrap().iter();
    ids.map(|message| message["id"].clone()).collect()
}

#[tokio::test]
async fn what_was_sent_is_listed_with_what_it_says() {
    let wahana = Wahana::start().await;
    let first = send(&wahana, "15550001111@c.us", "the price is 100% fixed").await;
    let second = send(&wahana, "15550002222@c.us", "the PRICE is 100 dollars").await;
    let answer = wahana
        .ask("/api/waha/messages?chat_id=15550001111@c.us", &[])
        .await;
    let message = answer.data()[0].take();
    let shown = [
        "id",
        "direction",
        "type",
        "text",
        "media",
        "status",
        "chat_id",
        "sender",
        "reply_to",
    ]
    .map(|field| message[field].clone());
    let expected = [
        first.clone(),
        json!("outgoing"),
        json!("text"),
        json!("the price is 100% fixed"),
        Value::Null,
        json!("accepted"),
        json!("15550001111@c.us"),
        Value::Null,
        Value::Null,
    ];
    assert_eq!(shown, expected);
    assert_eq!(message["session_id"], wahana.session.id.to_string());
    assert!(message["waha_message_id"].is_string() && message["timestamp"].is_string());

    assert_eq!(ids(&wahana, "").await.len(), 2);
    assert_eq!(
        ids(&wahana, "?text=price&direction=outgoing&status=accepted")
            .await
            .len(),
        2
    );
    assert_eq!(ids(&wahana, "?text=100%25").await, [first]);
    assert_eq!(
        ids(&wahana, "?text=DOLLARS&chat_id=%2B15550002222").await,
        [second]
    );
    assert!(ids(&wahana, "?direction=incoming").await.is_empty());
    assert!(ids(&wahana, "?chat_id=status@broadcast").await.is_empty());
    assert!(ids(&wahana, "?until=2000-01-01T00:00:00Z").await.is_empty());
    let of_session = wahana.get("messages").await.data();
    assert_eq!(of_session.as_array().unwrap().len(), 2);
    let asked = wahana.sim.counts().by_route;
    assert!(
        asked.keys().all(|route| !route.contains("/messages")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn parts_follow_each_other_to_the_end() {
    let wahana = Wahana::start().await;
    let mut sent = Vec::new();
    for number in 0..5 {
        sent.push(send(&wahana, "15550001111@c.us", &number.to_string()).await);
    }
    for path in [
        "/api/waha/messages?limit=2",
        "/api/waha/sessions/reception/messages?limit=2",
    ] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut answer = wahana.ask(&format!("{path}{cursor}"), &[]).await.json();
            let messages = answer["data"].take();
            found.extend(
                messages
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|message| message["id"].clone()),
            );
            let Some(next) = answer["meta"]["next_cursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found.len(), 5, "{path}");
        for id in &sent {
            assert!(found.contains(id), "{path}");
        }
    }
}

#[tokio::test]
async fn faulty_filters_are_named() {
    let wahana = Wahana::start().await;
    for (query, fields) in [
        (
            "session_id=main&status=lost&direction=up",
            vec!["direction", "session_id", "status"],
        ),
        ("limit=101&cursor=1&since=now", vec!["cursor", "limit", "since"]),
        (
            "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            vec!["until"],
        ),
        ("text=&chat_id=nobody", vec!["chat_id", "text"]),
        ("text=a%01b&chat_id=status@%01", vec!["chat_id", "text"]),
        ("chat=1", vec!["chat"]),
    ] {
        let answer = wahana.ask(&format!("/api/waha/messages?{query}"), &[]).await;
        assert_eq!(answer.faults(), fields, "{query}");
    }
}
