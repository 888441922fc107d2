//! What goes out, and what is kept of it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use waha_sim::{ChatSeed, IncomingMessage, SendRefusal, SentKind, SessionSeed, WahaSim};

use super::{get, post, quick, send};
use crate::support::{
    client::{self, KEY},
    hook::Hook,
};

#[tokio::test]
async fn an_id_of_the_callers_own_is_taken_and_never_compared() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    let own = get(&waha, "/api/a/new-message-id").await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"session": "a", "chatId": "15550001111@c.us", "text": "twice", "id": own});
    for _ in 0..2 {
        let answer = post(&waha, "/api/sendText", &body).await;
        assert_eq!(
            (answer.status, answer.json()["key"]["id"].as_str()),
            (201, Some(own.as_str()))
        );
    }
    let sent = waha.sent_messages();
    assert_eq!(sent.len(), 2, "WhatsApp got it twice");
    assert!(
        sent.iter()
            .all(|message| message.message_id == own && message.kind == SentKind::Text)
    );
    let stored = get(
        &waha,
        "/api/a/chats/15550001111@c.us/messages?limit=2&downloadMedia=false",
    )
    .await
    .json();
    assert_eq!(stored[0]["id"], stored[1]["id"]);
}

#[tokio::test]
async fn acknowledgements_come_one_after_the_other() {
    let hook = Hook::start(&[]).await;
    let waha = quick().await;
    let config = json!({"webhooks": [{"url": hook.url, "events": ["message.ack"]}]});
    waha.add_session(SessionSeed::new("a").config(config));
    send(&waha, "a", "x").await;
    let mut acks: Vec<i64> = hook
        .wait_for(3)
        .await
        .iter()
        .map(|one| one.body["payload"]["ack"].as_i64().unwrap())
        .collect();
    acks.sort_unstable();
    assert_eq!(acks, [1, 2, 3]);
}

#[tokio::test]
async fn files_are_recorded_kept_and_expire() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    let file = json!({"mimetype": "text/plain", "filename": "a.txt", "data": "aGVsbG8="});
    let body = json!({"session": "a", "chatId": "15550001111@c.us", "file": file, "caption": "c"});
    assert_eq!(post(&waha, "/api/sendFile", &body).await.status, 201);
    let far = json!({"mimetype": "image/png", "url": "http://127.0.0.1:9/never-fetched"});
    let body = json!({"session": "a", "chatId": "15550001111@c.us", "file": far});
    assert_eq!(post(&waha, "/api/sendImage", &body).await.status, 201);
    let sent = waha.sent_messages();
    assert_eq!(sent[0].file.as_ref().unwrap().bytes, Some(5));
    assert_eq!(sent[0].text.as_deref(), Some("c"));
    assert_eq!(
        sent[1].file.as_ref().unwrap().url.as_deref(),
        Some("http://127.0.0.1:9/never-fetched")
    );

    let messages = get(&waha, "/api/a/chats/15550001111@c.us/messages?limit=10")
        .await
        .json();
    let with_file = |message: &&Value| message["media"]["mimetype"] == "text/plain";
    let media = messages.as_array().unwrap().iter().find(with_file).unwrap()["media"].clone();
    let path = media["url"]
        .as_str()
        .unwrap()
        .strip_prefix(&waha.base_url())
        .unwrap()
        .to_owned();
    let fetched = get(&waha, &path).await;
    assert_eq!((fetched.status, &fetched.body[..]), (200, &b"hello"[..]));
    let expired = async {
        while get(&waha, &path).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(30), expired).await.unwrap();
    assert_eq!(get(&waha, &path).await.status, 404);
}

#[tokio::test]
async fn incoming_files_come_with_their_address() {
    let hook = Hook::start(&[]).await;
    let waha = quick().await;
    let config = json!({"webhooks": [{"url": hook.url, "events": ["message"]}]});
    waha.add_session(SessionSeed::new("a").config(config));
    let message = IncomingMessage::text("15550002222", "look").with_media("image/png", None, vec![1, 2, 3]);
    waha.receive_message("a", message).unwrap();
    let event = hook.wait_for(1).await.remove(0).body;
    assert_eq!(
        (&event["payload"]["hasMedia"], &event["payload"]["body"]),
        (&json!(true), &json!("look"))
    );
    let url = event["payload"]["media"]["url"].as_str().unwrap();
    let fetched = get(&waha, url.strip_prefix(&waha.base_url()).unwrap()).await;
    assert_eq!(&fetched.body[..], [1, 2, 3]);
}

#[tokio::test]
async fn refused_sends_do_not_go_out() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    waha.refuse_sends("a", SendRefusal::TimeLocked, Some(1));
    let refused = send(&waha, "a", "x").await;
    assert_eq!(refused.status, 500);
    assert_eq!(refused.json()["exception"]["data"], 463);
    assert_eq!(send(&waha, "a", "y").await.status, 201);
    waha.refuse_sends("a", SendRefusal::Capped, None);
    assert_eq!(send(&waha, "a", "z").await.json()["exception"]["data"], 475);
    assert_eq!(send(&waha, "a", "z").await.status, 500);
    waha.accept_sends("a");
    assert_eq!(send(&waha, "a", "z").await.status, 201);
    let texts: Vec<_> = waha
        .sent_messages()
        .into_iter()
        .map(|message| message.text.unwrap())
        .collect();
    assert_eq!(texts, ["y", "z"]);
}

#[tokio::test]
async fn a_client_that_gives_up_has_sent_all_the_same() {
    let waha = WahaSim::builder()
        .api_key(KEY)
        .time_scale(10.0)
        .start()
        .await
        .unwrap();
    waha.add_session(SessionSeed::new("a"));
    assert!(
        timeout(Duration::from_millis(50), send(&waha, "a", "given up"))
            .await
            .is_err()
    );
    let arrived = async {
        while waha.sent_messages().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), arrived).await.unwrap();
    assert_eq!(waha.sent_messages()[0].text.as_deref(), Some("given up"));
}

#[tokio::test]
async fn seeded_chats_are_paged_and_filtered() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    let seed = (1..=7).fold(ChatSeed::new("15550004444").name("Chat 4"), |seed, number| {
        seed.message(number % 2 == 0, 1_000 + number, &format!("text {number}"))
    });
    waha.seed_chats(
        "a",
        vec![seed, ChatSeed::new("15550005555").message(false, 500, "older")],
    )
    .unwrap();
    let chats = get(&waha, "/api/a/chats").await.json();
    assert_eq!(chats.as_array().unwrap().len(), 2);
    assert_eq!(chats[0]["name"], "Chat 4");

    let bodies = async |query: &str| -> Vec<String> {
        let path = format!("/api/a/chats/15550004444@c.us/messages?downloadMedia=false&{query}");
        let messages = get(&waha, &path).await.json();
        messages
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["body"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(bodies("limit=2&offset=1").await, ["text 6", "text 5"]);
    assert_eq!(bodies("limit=2&sortOrder=asc").await, ["text 1", "text 2"]);
    assert_eq!(bodies("filter.fromMe=true").await, ["text 6", "text 4", "text 2"]);
    let between = "filter.timestamp.gte=1003&filter.timestamp.lte=1004";
    assert_eq!(bodies(between).await, ["text 4", "text 3"]);

    let all = get(&waha, "/api/a/chats/15550004444@c.us/messages?limit=1")
        .await
        .json();
    let id = all[0]["id"].as_str().unwrap();
    let one = get(&waha, &format!("/api/a/chats/15550004444@c.us/messages/{id}"))
        .await
        .json();
    assert_eq!(one["body"], "text 7");
    let read = post(&waha, "/api/a/chats/15550004444@c.us/messages/read", &json!({})).await;
    assert_eq!(
        (read.status, read.json()["ids"].as_array().unwrap().len()),
        (201, 4)
    );
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let waha = WahaSim::builder()
            .api_key(KEY)
            .seed(42)
            .time_scale(0.02)
            .start()
            .await
            .unwrap();
        waha.add_session(SessionSeed::new("a"));
        ids.push(send(&waha, "a", "x").await.json()["key"]["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn keys_in_the_query_came_with_a_later_version() {
    for (version, status) in [("2026.4.2", 401), ("2026.4.3", 200)] {
        let waha = WahaSim::builder()
            .api_key(KEY)
            .version(version)
            .start()
            .await
            .unwrap();
        let path = format!("/api/sessions?x-api-key={KEY}");
        let answer = client::call(&waha.base_url(), "GET", &path, &[], Vec::new())
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{version}");
    }
    let waha = quick().await;
    let health = get(&waha, "/health").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("ok")));
}
