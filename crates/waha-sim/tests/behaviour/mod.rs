//! What the recordings do not show: life over time, faults, counting, retries, sockets, many at once.

mod control;
mod counting;
mod faults;
mod life;
mod load;
mod restarts;
mod sends;
mod webhooks;
mod websockets;

use serde_json::{Value, json};
use waha_sim::WahaSim;

use crate::support::client::{self, Answer, KEY};

/// A simulator at fifty times WAHA's speed.
async fn quick() -> WahaSim {
    WahaSim::builder()
        .api_key(KEY)
        .time_scale(0.02)
        .start()
        .await
        .unwrap()
}

async fn get(waha: &WahaSim, path: &str) -> Answer {
    client::try_json(&waha.base_url(), "GET", path, None)
        .await
        .unwrap()
}

async fn post(waha: &WahaSim, path: &str, body: &Value) -> Answer {
    client::try_json(&waha.base_url(), "POST", path, Some(body))
        .await
        .unwrap()
}

async fn create(waha: &WahaSim, session: &str) -> Answer {
    post(waha, "/api/sessions", &json!({"name": session, "start": true})).await
}

async fn send(waha: &WahaSim, session: &str, text: &str) -> Answer {
    post(
        waha,
        "/api/sendText",
        &json!({"session": session, "chatId": "15550001111", "text": text}),
    )
    .await
}
