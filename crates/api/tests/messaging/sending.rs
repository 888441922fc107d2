//! Texts: what is sent, how often, and what is said about it.

use std::time::Duration;

use axum::http::header;
use serde_json::{Value, json};
use waha_sim::{Engine, Fault, FaultKind, SessionSeed, Status, WahaSim};
use wahana_domain::DeliveryStatus;

use crate::wahana::{Setup, Wahana};

const TO: &str = "+62 812-3456-7890";

fn text() -> Value {
    json!({"to": TO, "text": "Hello"})
}

fn on_sends(kind: FaultKind) -> Fault {
    Fault::new(kind).method("POST").on_path("/api/send")
}

#[tokio::test]
async fn a_text_is_sent_once_counted_and_logged() {
    let wahana = Wahana::start().await;
    let body = json!({
        "to": TO, "text": " Hello @628999999999\n", "reply_to": "false_6281234567890@c.us_3A00",
        "mentions": ["+62 899 9999 999", "6281234567890@s.whatsapp.net", "123456@lid"], "link_preview": false,
    });
    let sent = wahana.post("send-text", &body).await.data();
    assert_eq!(sent["chat_id"], "6281234567890@c.us");
    assert_eq!(sent["status"], "accepted");
    let upstream = wahana.sim.sent_messages();
    let [one] = upstream.as_slice() else {
        panic!("{upstream:?}");
    };
    assert_eq!(
        sent["waha_message_id"],
        format!("true_6281234567890@c.us_{}", one.message_id)
    );
    assert_eq!(one.session, wahana.session.waha.name.as_str());
    assert_eq!(one.text.as_deref(), Some(" Hello @628999999999\n"));
    assert_eq!(one.request["reply_to"], "false_6281234567890@c.us_3A00");
    assert_eq!(
        one.request["mentions"],
        json!(["628999999999@c.us", "6281234567890@c.us", "123456@lid"])
    );
    assert_eq!(one.request["linkPreview"], false);
    assert_eq!(wahana.sends(), 1);
    assert_eq!(wahana.counted().await, (1, 0));
    let row = wahana.message(&sent["message_id"]).await;
    assert_eq!(row.status, DeliveryStatus::Accepted);
    assert_eq!(row.waha_message_id.as_deref(), sent["waha_message_id"].as_str());
    assert_eq!(
        wahana.outcomes().await,
        ["messages.send_text intent", "messages.send_text success"]
    );
    let entries = wahana.audit().await;
    assert!(
        entries
            .iter()
            .all(|entry| entry.session_id == Some(wahana.session.id)
                && entry.user_id.is_some()
                && entry.token_id.is_some())
    );
    assert_eq!(entries[0].request_id, entries[1].request_id);
}

#[tokio::test]
async fn an_answer_is_the_same_for_every_engine() {
    for engine in [Engine::Noweb, Engine::Gows, Engine::Webjs] {
        let wahana = Wahana::with(WahaSim::builder().engine(engine), Setup::default()).await;
        let sent = wahana.post("send-text", &text()).await.data();
        let names: Vec<&String> = sent.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            ["chat_id", "message_id", "status", "timestamp", "waha_message_id"],
            "{engine:?}"
        );
        let upstream = wahana.sim.sent_messages().remove(0);
        assert_eq!(
            sent["waha_message_id"],
            format!("true_6281234567890@c.us_{}", upstream.message_id),
            "{engine:?}"
        );
        assert!(sent["timestamp"].as_str().unwrap().ends_with('Z'), "{engine:?}");
    }
}

#[tokio::test]
async fn a_send_whose_outcome_is_unknown_is_not_tried_again_and_not_counted() {
    // Whether WhatsApp got it differs; what is known does not.
    for (fault, arrived) in [
        (FaultKind::Hang, 0),
        (FaultKind::Status(500), 0),
        (FaultKind::Html(502), 0),
        (FaultKind::Garbage, 0),
        (FaultKind::CloseBefore, 0),
        (FaultKind::CloseAfter, 1),
        (FaultKind::CloseInBody, 1),
    ] {
        let wahana = Wahana::start().await;
        wahana.sim.set_fault(on_sends(fault.clone()));
        let answer = wahana.post("send-text", &text()).await;
        assert_eq!(answer.refusal(), (504, "WAHA_TIMEOUT".to_owned()), "{fault:?}");
        let data = answer.json()["data"].take();
        assert_eq!(data["status"], "unknown", "{fault:?}");
        let row = wahana.message(&data["message_id"]).await;
        assert_eq!(row.status, DeliveryStatus::Unknown, "{fault:?}");
        assert_eq!(wahana.sends(), 1, "{fault:?}");
        assert_eq!(wahana.sim.sent_messages().len(), arrived, "{fault:?}");
        assert_eq!(wahana.counted().await, (0, 0), "{fault:?}");
        assert_eq!(
            wahana.outcomes().await,
            ["messages.send_text intent", "messages.send_text WAHA_TIMEOUT"],
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_of_wahas_is_no_success_and_not_counted() {
    let wahana = Wahana::start().await;
    wahana.sim.set_fault(on_sends(FaultKind::Status(400)));
    let answer = wahana.post("send-text", &text()).await;
    assert_eq!(answer.refusal(), (502, "WAHA_ERROR".to_owned()));
    assert!(answer.json().get("data").is_none());
    assert_eq!((wahana.sends(), wahana.counted().await), (1, (0, 0)));
    assert_eq!(
        wahana.outcomes().await,
        ["messages.send_text intent", "messages.send_text WAHA_ERROR"]
    );
}

#[tokio::test]
async fn while_waha_is_away_nothing_is_sent_and_that_is_said() {
    let wahana = Wahana::start().await;
    wahana.post("send-text", &text()).await.data();
    wahana.sim.go_away().await;
    let answer = wahana.post("send-text", &text()).await;
    assert_eq!(answer.refusal(), (503, "WAHA_UNAVAILABLE".to_owned()));
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    wahana.sim.come_back().await;
    assert_eq!(wahana.sim.sent_messages().len(), 1);
    assert_eq!(wahana.counted().await, (1, 0));
    assert_eq!(
        wahana.outcomes().await[2..],
        ["messages.send_text intent", "messages.send_text WAHA_UNAVAILABLE"]
    );
}

#[tokio::test]
async fn a_session_that_does_not_work_is_not_asked_to_send() {
    for (status, word) in [
        (Status::Stopped, "disconnected"),
        (Status::ScanQrCode, "scan_qr"),
        (Status::Failed, "error"),
    ] {
        let wahana = Wahana::start().await;
        let name = wahana.session.waha.name.as_str();
        wahana.sim.add_session(SessionSeed::new(name).status(status));
        let media = json!({"to": TO, "media_url": "http://127.0.0.1:1/"});
        for (path, body) in [("send-text", text()), ("send-media", media)] {
            let answer = wahana.post(path, &body).await;
            assert_eq!(answer.refusal(), (409, "SESSION_NOT_READY".to_owned()), "{word}");
            assert!(answer.text.contains(word), "{}", answer.text);
        }
        for path in [
            "messages?chat_id=6281234567890@c.us",
            "chats",
            "contacts",
            "groups",
        ] {
            let answer = wahana.get(path).await;
            assert_eq!(
                answer.refusal(),
                (409, "SESSION_NOT_READY".to_owned()),
                "{word} {path}"
            );
        }
        let counts = wahana.sim.counts();
        assert_eq!(counts.session(name), 0, "{counts:?}");
        assert_eq!(
            wahana.outcomes().await,
            [
                "messages.send_text SESSION_NOT_READY",
                "messages.send_media SESSION_NOT_READY"
            ]
        );
    }
}

#[tokio::test]
async fn what_waha_says_of_the_state_counts_more_than_what_was_known() {
    let wahana = Wahana::start().await;
    wahana.post("send-text", &text()).await.data();
    // Behind wahana's back, so that it believes for a while that the session works.
    wahana
        .sim
        .stop_session(wahana.session.waha.name.as_str())
        .unwrap();
    let answer = wahana.post("send-text", &text()).await;
    assert_eq!(answer.refusal(), (409, "SESSION_NOT_READY".to_owned()));
    let asked = wahana.sends();
    let answer = wahana.post("send-text", &text()).await;
    assert_eq!(answer.refusal(), (409, "SESSION_NOT_READY".to_owned()));
    assert_eq!(
        wahana.sends(),
        asked,
        "the second is answered from what the first learned"
    );
    assert_eq!(wahana.counted().await, (1, 0));
}

#[tokio::test]
async fn who_hangs_up_changes_nothing() {
    let wahana = Wahana::start().await;
    wahana
        .sim
        .set_fault(Fault::slow(Duration::from_millis(300)).on_path("/api/send"));
    let request = wahana.posting("send-text", "application/json", text().to_string());
    let waiting = tokio::spawn(wahana.request(request));
    while wahana.sends() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    waiting.abort();
    assert!(
        waiting.await.is_err(),
        "the answer came before the caller hung up"
    );
    wahana.services.drain().await;
    assert_eq!(wahana.sends(), 1);
    assert_eq!(wahana.sim.sent_messages().len(), 1);
    assert_eq!(wahana.counted().await, (1, 0));
    assert_eq!(
        wahana.outcomes().await,
        ["messages.send_text intent", "messages.send_text success"]
    );
}

#[tokio::test]
async fn texts_have_limits() {
    let wahana = Wahana::start().await;
    let longest = "ü".repeat(4096);
    wahana
        .post("send-text", &json!({"to": TO, "text": longest}))
        .await
        .data();
    let too_many: Vec<&str> = vec!["+6281234567890"; 101];
    for (body, fields) in [
        (json!({"to": TO, "text": "ü".repeat(4097)}), vec!["text"]),
        (json!({"to": TO, "text": ""}), vec!["text"]),
        (json!({"to": TO, "text": " \n\t"}), vec!["text"]),
        (json!({"to": TO}), vec!["text"]),
        (json!({"text": "Hello"}), vec!["to"]),
        (json!({"to": TO, "text": 7}), vec!["text"]),
        (
            json!({"to": TO, "text": "a", "session": "other"}),
            vec!["session"],
        ),
        (json!({"to": TO, "text": "a", "chatId": "1@c.us"}), vec!["chatId"]),
        (
            json!({"to": TO, "text": "a", "reply_to": "a\nb"}),
            vec!["reply_to"],
        ),
        (
            json!({"to": TO, "text": "a", "reply_to": "x".repeat(257)}),
            vec!["reply_to"],
        ),
        (
            json!({"to": TO, "text": "a", "mentions": too_many}),
            vec!["mentions"],
        ),
        (
            json!({"to": TO, "text": "a", "mentions": ["120363041234567890@g.us", "x"]}),
            vec!["mentions[0]", "mentions[1]"],
        ),
        (json!({"to": "x", "text": " "}), vec!["text", "to"]),
    ] {
        assert_eq!(wahana.post("send-text", &body).await.faults(), fields, "{body}");
    }
    assert_eq!(wahana.sends(), 1);
}

#[tokio::test]
async fn whom_it_is_for_is_never_guessed() {
    let without = Wahana::start().await;
    for to in [
        "081234567890",
        "6281234567890",
        "0",
        "",
        "someone",
        "1@x.us",
        "../x@c.us",
        "status@broadcast",
    ] {
        let answer = without.post("send-text", &json!({"to": to, "text": "a"})).await;
        assert_eq!(answer.faults(), ["to"], "{to}");
    }
    assert_eq!(without.sends(), 0);
    for (to, chat) in [
        ("6281234567890@s.whatsapp.net", "6281234567890@c.us"),
        ("120363041234567890@g.us", "120363041234567890@g.us"),
        ("123456789012345@lid", "123456789012345@lid"),
        ("120363041234567890@newsletter", "120363041234567890@newsletter"),
    ] {
        let sent = without
            .post("send-text", &json!({"to": to, "text": "a"}))
            .await
            .data();
        assert_eq!(sent["chat_id"], chat);
    }

    let country = Some("ID".parse().unwrap());
    let indonesian = Wahana::with(
        WahaSim::builder(),
        Setup {
            country,
            ..Setup::default()
        },
    )
    .await;
    for to in ["0812 3456 7890", "+6281234567890"] {
        let sent = indonesian
            .post("send-text", &json!({"to": to, "text": "a"}))
            .await
            .data();
        assert_eq!(sent["chat_id"], "6281234567890@c.us");
    }
    let answer = indonesian
        .post("send-text", &json!({"to": "0800", "text": "a"}))
        .await;
    assert_eq!(answer.faults(), ["to"]);
}

#[tokio::test]
async fn a_viewer_does_not_send_and_the_log_says_who_tried() {
    let wahana = Wahana::start().await;
    let viewer = wahana.viewer().await;
    let mut request = wahana.posting("send-text", "application/json", text().to_string());
    request
        .headers_mut()
        .insert(header::AUTHORIZATION, viewer.parse().unwrap());
    let answer = wahana.request(request).await;
    assert_eq!(answer.refusal(), (403, "FORBIDDEN".to_owned()));
    assert_eq!(wahana.sends(), 0);
    assert_eq!(wahana.outcomes().await, ["messages.send_text FORBIDDEN"]);
}
