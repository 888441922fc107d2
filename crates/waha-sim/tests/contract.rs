//! The contract: exchanges recorded from WAHA 2026.2.1, asked of the simulator in the same order and compared by status,
//! content type, the keys and types of the body, and the values of those fields that clients decide by.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what the tests share fails loudly"
)]

mod behaviour;
mod support;

use std::{collections::HashMap, time::Duration};

use serde_json::Value;
use support::{
    client::{self, Answer, KEY},
    hook::Hook,
};
use waha_sim::{Ack, IncomingMessage, SendRefusal, Status, WahaSim};

/// Fields whose values are WAHA's words and not its data.
const CONSTANT: [&str; 22] = [
    "ackName",
    "browser",
    "config",
    "count",
    "engine",
    "error",
    "event",
    "expected",
    "fromMe",
    "isActive",
    "isAdmin",
    "message",
    "mimetype",
    "name",
    "numberExists",
    "platform",
    "presence",
    "remoteJid",
    "result",
    "session",
    "status",
    "statusCode",
];

struct Replay {
    waha: WahaSim,
    saved: HashMap<String, String>,
    exchanges: usize,
    differences: Vec<String>,
}

impl Replay {
    fn new(waha: WahaSim) -> Self {
        let saved = HashMap::from([("key".to_owned(), KEY.to_owned())]);
        Self {
            waha,
            saved,
            exchanges: 0,
            differences: Vec::new(),
        }
    }

    async fn run(&mut self, fixture: &str) {
        let steps: Vec<Value> = serde_json::from_str(fixture).unwrap();
        for step in &steps {
            match step.get("control") {
                Some(control) => self.control(control).await,
                None => self.exchange(step).await,
            }
        }
    }

    /// What the recording's set-up did to the phone between two requests.
    async fn control(&self, control: &Value) {
        let waha = &self.waha;
        let text = |name: &str| control.get(name).and_then(Value::as_str);
        if let Some(session) = text("pair") {
            waha.pair_with(session, text("number").unwrap()).unwrap();
        } else if let Some(session) = text("waitFor") {
            let status: Status = serde_json::from_value(control["status"].clone()).unwrap();
            let reached = waha.wait_for_status(session, status);
            tokio::time::timeout(Duration::from_secs(30), reached)
                .await
                .unwrap();
        } else if let Some(session) = text("refuseOnce") {
            let reason: SendRefusal = serde_json::from_value(control["reason"].clone()).unwrap();
            waha.refuse_sends(session, reason, Some(1));
        } else if control.get("nextSecond").is_some() {
            // Messages of the same second have no order to rely on.
            tokio::time::sleep(Duration::from_secs(1)).await;
        } else if let Some(session) = text("waitForAck") {
            self.wait_for_acks(session).await;
        } else if let Some(session) = text("receiveFile") {
            let bytes = text("text").unwrap().as_bytes().to_vec();
            let message = IncomingMessage::text(text("chat").unwrap(), "")
                .with_media(text("mimetype").unwrap(), None, bytes)
                .id(text("id").unwrap());
            waha.receive_message(session, message).unwrap();
        } else if let Some(session) = text("disconnect") {
            waha.disconnect(session).unwrap();
        } else if let Some(session) = text("fail") {
            waha.fail_session(session).unwrap();
        } else if let Some(reachable) = control.get("whatsapp").and_then(Value::as_bool) {
            waha.set_whatsapp_reachable(reachable);
        } else {
            panic!("unknown control step {control}");
        }
    }

    /// Until the last message is acknowledged by the other phone, as it was when the recording went on.
    async fn wait_for_acks(&self, session: &str) {
        let path = format!("/api/{session}/chats/15550001111@c.us/messages?limit=1&downloadMedia=false");
        let all = async {
            loop {
                let answer = client::try_json(&self.waha.base_url(), "GET", &path, None)
                    .await
                    .unwrap();
                if answer.json()[0]["ack"].as_i64() >= Some(2) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    }

    fn fill(&self, text: &str) -> String {
        self.saved.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }

    async fn exchange(&mut self, step: &Value) {
        let name = step["name"].as_str().unwrap();
        let headers: Vec<(String, String)> = step["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(header, value)| (header.clone(), self.fill(value.as_str().unwrap())))
            .collect();
        let body = match (step.get("body"), step.get("rawBody")) {
            (Some(body), _) => self.fill(&body.to_string()),
            (None, Some(raw)) => raw.as_str().unwrap().to_owned(),
            (None, None) => String::new(),
        };
        let path = self.fill(step["path"].as_str().unwrap());
        let method = step["method"].as_str().unwrap();
        let answer = client::call(&self.waha.base_url(), method, &path, &headers, body.into_bytes()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        self.exchanges += 1;
        let expected: Value = serde_json::from_str(&self.fill(&step["answer"].to_string())).unwrap();
        let mut found = Vec::new();
        compare_answer(&expected, &answer, &mut found);
        self.differences.extend(
            found
                .into_iter()
                .map(|difference| format!("{name}: {difference}")),
        );
        if let Some(save) = step.get("save").and_then(Value::as_object) {
            for (variable, pointer) in save {
                let value = answer
                    .json()
                    .pointer(pointer.as_str().unwrap())
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .to_owned();
                self.saved.insert(variable.clone(), value);
            }
        }
    }

    fn assert_same(&self, least: usize) {
        assert!(
            self.differences.is_empty(),
            "differences from WAHA:\n{}",
            self.differences.join("\n")
        );
        assert!(
            self.exchanges >= least,
            "only {} exchanges were compared",
            self.exchanges
        );
    }
}

fn compare_answer(expected: &Value, answer: &Answer, found: &mut Vec<String>) {
    if expected["status"] != answer.status {
        found.push(format!(
            "status {} instead of {}",
            answer.status, expected["status"]
        ));
    }
    for (field, header) in [
        ("contentType", "content-type"),
        ("wwwAuthenticate", "www-authenticate"),
    ] {
        let wanted = expected.get(field).and_then(Value::as_str);
        if wanted != answer.header(header) {
            found.push(format!(
                "{header} {:?} instead of {wanted:?}",
                answer.header(header)
            ));
        }
    }
    for (header, value) in [("x-powered-by", "Express"), ("access-control-allow-origin", "*")] {
        if answer.header(header) != Some(value) {
            found.push(format!("{header} is missing"));
        }
    }
    if expected.get("empty").is_some() && !answer.body.is_empty() {
        found.push(format!(
            "{:?} instead of nothing",
            String::from_utf8_lossy(&answer.body)
        ));
    }
    if expected.get("binary").is_some() && !answer.body.starts_with(b"\x89PNG\r\n\x1a\n") {
        found.push("no PNG".to_owned());
    }
    if let Some(text) = expected.get("text").and_then(Value::as_str) {
        // The one text that is data and not words: an invitation's code.
        let same = if text == "INVITE" {
            answer.body.starts_with(b"INVITE")
        } else {
            text.as_bytes() == answer.body
        };
        if !same {
            found.push(format!(
                "{:?} instead of {text:?}",
                String::from_utf8_lossy(&answer.body)
            ));
        }
    }
    if let Some(json) = expected.get("json") {
        match serde_json::from_slice(&answer.body) {
            Ok(body) => compare("", "", json, &body, found),
            Err(error) => found.push(format!("no JSON: {error}")),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Text that differs from one server to another.
fn is_data(key: &str, expected: &Value) -> bool {
    let text = expected.as_str().unwrap_or_default();
    // Names of phones, contacts and groups, generated session names, places in the file system.
    key == "name"
        && (text.starts_with("Phone ") || text.starts_with("Contact ") || text.starts_with("session_"))
        || text.starts_with("ENOENT")
        || text.contains("session_01")
}

fn compare(at: &str, key: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, value) in expected {
                match actual.get(name) {
                    Some(other) => compare(&format!("{at}/{name}"), name, value, other, found),
                    None => found.push(format!("{at}/{name} is missing")),
                }
            }
            // The recorded chats have a name or not, depending on how they came into the store.
            let may_be_there = |name: &str| name == "name" && expected.contains_key("conversationTimestamp");
            for name in actual
                .keys()
                .filter(|name| !expected.contains_key(*name) && !may_be_there(name))
            {
                found.push(format!("{at}/{name} is too much"));
            }
        }
        (Value::Array(expected), Value::Array(actual)) => {
            if CONSTANT.contains(&key) && expected != actual {
                found.push(format!("{at} is {actual:?} instead of {expected:?}"));
            }
            if expected.is_empty() != actual.is_empty() {
                found.push(format!(
                    "{at} has {} elements instead of {}",
                    actual.len(),
                    expected.len()
                ));
            }
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&format!("{at}/{index}"), "", expected, actual, found);
            }
        }
        _ if kind(expected) != kind(actual) => {
            found.push(format!("{at} is {actual} and not a {}", kind(expected)));
        }
        _ if CONSTANT.contains(&key) && expected != actual && !is_data(key, expected) => {
            found.push(format!("{at} is {actual} instead of {expected}"));
        }
        _ => {}
    }
}

#[tokio::test]
async fn many_sessions_answer_as_recorded() {
    let waha = WahaSim::builder()
        .api_key(KEY)
        .version("2026.2.1")
        .last_ack(Ack::Device)
        .time_scale(0.03)
        .start()
        .await
        .unwrap();
    let mut replay = Replay::new(waha);
    replay.run(include_str!("fixtures/many-sessions.json")).await;
    replay.assert_same(135);
}

#[tokio::test]
async fn the_only_session_of_old_core_answers_as_recorded() {
    let waha = WahaSim::builder()
        .api_key(KEY)
        .version("2026.2.1")
        .only_default_session()
        .time_scale(0.05)
        .start()
        .await
        .unwrap();
    let mut replay = Replay::new(waha);
    replay.run(include_str!("fixtures/only-default.json")).await;
    replay.assert_same(65);
}

#[tokio::test]
async fn configurations_answer_as_recorded() {
    let waha = WahaSim::builder()
        .api_key(KEY)
        .version("2026.2.1")
        .worker_id("waha7")
        .time_scale(0.02)
        .start()
        .await
        .unwrap();
    let mut replay = Replay::new(waha);
    replay.run(include_str!("fixtures/configuration.json")).await;
    replay.assert_same(8);
}

/// Every kind of event that was recorded, with its headers.
#[tokio::test]
async fn events_look_as_recorded() {
    let hook = Hook::start(&[]).await;
    let waha = WahaSim::builder()
        .api_key(KEY)
        .version("2026.2.1")
        .time_scale(0.01)
        .start()
        .await
        .unwrap();
    let config = serde_json::json!({"name": "org1_main", "start": true, "config": {
        "metadata": {"org.id": "org_1"},
        "noweb": {"store": {"enabled": true}},
        "webhooks": [{
            "url": hook.url, "events": ["*"], "hmac": {"key": "hook-key"},
            "customHeaders": [{"name": "X-Org", "value": "org_1"}],
        }],
    }});
    client::try_json(&waha.base_url(), "POST", "/api/sessions", Some(&config))
        .await
        .unwrap();
    waha.wait_for_status("org1_main", Status::ScanQrCode).await;
    waha.pair_with("org1_main", "15551230001").unwrap();
    waha.wait_for_status("org1_main", Status::Working).await;

    let chat = "15550001111@c.us";
    let send = serde_json::json!({"session": "org1_main", "chatId": chat, "text": "Hi there!"});
    client::try_json(&waha.base_url(), "POST", "/api/sendText", Some(&send))
        .await
        .unwrap();
    let react = serde_json::json!({
        "session": "org1_main", "messageId": "false_15550001111@c.us_3AAAAAAAAAAAAAAAAAAA", "reaction": "👍"
    });
    client::try_json(&waha.base_url(), "PUT", "/api/reaction", Some(&react))
        .await
        .unwrap();
    waha.receive_message("org1_main", IncomingMessage::text(chat, "hello from phone"))
        .unwrap();
    waha.receive_typing("org1_main", chat).unwrap();
    waha.receive_call("org1_main", chat).unwrap();
    waha.receive_revocation("org1_main", chat, "X1").unwrap();
    let group = "120363000000000001@g.us";
    waha.rename_group("org1_main", group, "Another name").unwrap();
    waha.join_group("org1_main", group, "15550009999").unwrap();

    let recorded: Value = serde_json::from_str(include_str!("fixtures/events.json")).unwrap();
    let mut differences = Vec::new();
    for (name, expected) in recorded.as_object().unwrap() {
        let wanted = expected["body"]["payload"]["fromMe"].as_bool();
        let fits = |body: &Value| {
            body["event"] == *name && wanted.is_none_or(|from_me| body["payload"]["fromMe"] == from_me)
        };
        let event = tokio::time::timeout(Duration::from_secs(30), hook.wait_for_event(fits))
            .await
            .unwrap_or_else(|_elapsed| panic!("no {name} came"));
        let mut found = Vec::new();
        compare("", "", &expected["body"], &event.body, &mut found);
        // Two participants were in the recorded group, and three are in the generated one.
        found.retain(|difference| !difference.starts_with("/payload/_data/size"));
        for header in expected["headers"].as_array().unwrap() {
            let header = header.as_str().unwrap();
            if !event.headers.contains_key(header) && !matches!(header, "Connection" | "Accept-Encoding") {
                found.push(format!("header {header} is missing"));
            }
        }
        differences.extend(
            found
                .into_iter()
                .map(|difference| format!("{name}: {difference}")),
        );
    }
    assert!(
        differences.is_empty(),
        "differences from WAHA:\n{}",
        differences.join("\n")
    );
}
