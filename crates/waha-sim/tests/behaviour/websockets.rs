//! `/ws`, as recorded: 101 always, then 1008 for those who may not, and no word about unknown events.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use waha_sim::{IncomingMessage, SessionSeed, WahaSim};

use super::{post, quick, send};
use crate::support::client::KEY;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(waha: &WahaSim, query: &str) -> Socket {
    let (socket, response) = connect_async(format!("ws://{}/ws?{query}", waha.address()))
        .await
        .unwrap();
    assert_eq!(response.status(), 101);
    socket
}

async fn next(socket: &mut Socket) -> Option<Message> {
    timeout(Duration::from_secs(30), socket.next())
        .await
        .unwrap()
        .map(Result::unwrap)
}

async fn next_event(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = next(socket).await.unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn closed(socket: &mut Socket) -> (u16, String) {
    match next(socket).await.unwrap() {
        Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
        other => panic!("{other:?} instead of a close"),
    }
}

#[tokio::test]
async fn the_wrong_key_is_told_after_the_upgrade() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    waha.add_session(SessionSeed::new("b"));
    for query in ["", "x-api-key=bad", "session=a"] {
        let mut socket = connect(&waha, query).await;
        assert_eq!(closed(&mut socket).await, (1008, "Unauthorized".to_owned()));
    }
    let key = post(&waha, "/api/keys", &json!({"isAdmin": false, "session": "a"}))
        .await
        .json();
    let key = key["key"].as_str().unwrap();
    let mut socket = connect(&waha, &format!("x-api-key={key}&session=b")).await;
    assert_eq!(closed(&mut socket).await, (1008, "Forbidden".to_owned()));

    let mut own = connect(&waha, &format!("x-api-key={key}&session=*&events=message")).await;
    waha.receive_message("b", IncomingMessage::text("15550001111", "not yours"))
        .unwrap();
    waha.receive_message("a", IncomingMessage::text("15550001111", "yours"))
        .unwrap();
    assert_eq!(next_event(&mut own).await["payload"]["body"], "yours");
}

#[tokio::test]
async fn events_come_as_asked() {
    let waha = quick().await;
    waha.add_session(SessionSeed::new("a"));
    let mut list = connect(
        &waha,
        &format!("x-api-key={KEY}&session=a&events=message.any,message.ack"),
    )
    .await;
    let mut all = connect(&waha, &format!("x-api-key={KEY}")).await;
    let mut unknown = connect(&waha, &format!("x-api-key={KEY}&events=nope")).await;
    send(&waha, "a", "x").await;
    for expected in ["message.any", "message.ack", "message.ack", "message.ack"] {
        let (one, other) = (next_event(&mut list).await, next_event(&mut all).await);
        assert_eq!(one["event"], expected);
        assert_eq!(one, other, "the same envelope for all");
    }
    let nothing = async {
        loop {
            if let Some(Ok(Message::Text(text))) = unknown.next().await {
                return text;
            }
        }
    };
    assert!(
        timeout(Duration::from_millis(200), nothing).await.is_err(),
        "unknown names are ignored"
    );
}

#[tokio::test]
async fn sockets_end_with_the_server() {
    let waha = quick().await;
    let mut socket = connect(&waha, &format!("x-api-key={KEY}")).await;
    waha.restart(waha_sim::RestartLoss::Nothing).await;
    let ended = timeout(Duration::from_secs(30), async {
        while let Some(Ok(_)) = socket.next().await {}
    });
    ended.await.unwrap();
}
