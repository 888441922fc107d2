//! Sessions that pause between their messages.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use waha_sim::{Fault, FaultKind, TypingChange, WahaSim};
use wahana_domain::{DeliveryStatus, ManualClock, Timestamp};

use crate::wahana::{Setup, Wahana};

const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];

fn text(text: &str) -> Value {
    json!({"to": "+62 812-3456-7890", "text": text})
}

/// wahana with a session that has this pace, by a clock that stands still until it is told otherwise.
async fn paced(pacing: Value) -> (Wahana, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_800_000_000)));
    let setup = Setup {
        clock: Some(clock.clone()),
        send_timeout: Some(Duration::from_secs(20)),
        ..Setup::default()
    };
    let wahana = Wahana::with(WahaSim::builder(), setup).await;
    wahana.set_pacing(pacing).await;
    (wahana, clock)
}

async fn hand_in(wahana: &Wahana, words: &str) -> Value {
    let answer = wahana.post_with("send-text", &text(words), &ASYNC).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    answer.json()["data"]["message_id"].take()
}

/// Lets the queue look more than once.
async fn let_it_look() {
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

/// Waits until typing was begun or ended so often.
async fn typing(wahana: &Wahana, changes: usize) -> Vec<TypingChange> {
    loop {
        let found = wahana.sim.typing_changes();
        if found.len() >= changes {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn all_processes_keep_the_pause_together() {
    let pacing = json!({"min_seconds": 10, "max_seconds": 10});
    let (wahana, clock) = paced(pacing).await;
    let _dispatching = (wahana.dispatch(), wahana.dispatch_elsewhere());
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(hand_in(&wahana, &number.to_string()).await);
    }
    wahana.until(&ids[0], DeliveryStatus::Accepted).await;
    for (sent, next) in ids[1..].iter().enumerate() {
        clock.advance(Duration::from_secs(9));
        let_it_look().await;
        assert_eq!(wahana.sends(), sent as u64 + 1, "the pause is not over");
        let waiting = wahana.message(next).await;
        assert_eq!((waiting.status, waiting.reason), (DeliveryStatus::Queued, None));
        clock.advance(Duration::from_secs(1));
        wahana.until(next, DeliveryStatus::Accepted).await;
    }
    assert_eq!(wahana.texts(), ["0", "1", "2", "3"]);
    assert!(wahana.sim.typing_changes().is_empty());
}

#[tokio::test]
async fn the_session_is_seen_typing_before_a_text() {
    let pacing = json!({"min_seconds": 10, "max_seconds": 10, "shows_typing": true});
    let (wahana, clock) = paced(pacing).await;
    let _dispatching = (wahana.dispatch(), wahana.dispatch_elsewhere());
    // It takes three seconds to type.
    let words = "x".repeat(50);
    let first = hand_in(&wahana, &words).await;
    typing(&wahana, 1).await;
    clock.advance(Duration::from_secs(2));
    let_it_look().await;
    assert_eq!(wahana.sends(), 0, "it is still being typed");
    clock.advance(Duration::from_secs(1));
    wahana.until(&first, DeliveryStatus::Accepted).await;

    // The next is typed in the last seconds of the pause.
    let second = hand_in(&wahana, &words).await;
    clock.advance(Duration::from_secs(6));
    let_it_look().await;
    assert_eq!(wahana.sim.typing_changes().len(), 2);
    clock.advance(Duration::from_secs(1));
    typing(&wahana, 3).await;
    assert_eq!(wahana.sends(), 1);
    clock.advance(Duration::from_secs(3));
    wahana.until(&second, DeliveryStatus::Accepted).await;
    let change = |is_typing, messages_before| TypingChange {
        session: wahana.session.waha.name.as_str().to_owned(),
        chat_id: "6281234567890@c.us".to_owned(),
        is_typing,
        messages_before,
    };
    let expected = [
        change(true, 0),
        change(false, 0),
        change(true, 1),
        change(false, 1),
    ];
    assert_eq!(wahana.sim.typing_changes(), expected);
    assert_eq!(wahana.sends(), 2);
}

#[tokio::test]
async fn a_text_whose_typing_cannot_be_shown_is_sent_once_all_the_same() {
    let pacing = json!({"min_seconds": 1, "max_seconds": 1, "shows_typing": true});
    let (wahana, clock) = paced(pacing).await;
    for (path, kind) in [
        ("/api/startTyping", FaultKind::Status(500)),
        ("/api/stopTyping", FaultKind::Hang),
    ] {
        wahana.sim.set_fault(Fault::new(kind).on_path(path));
    }
    let _dispatching = wahana.dispatch();
    let id = hand_in(&wahana, "x").await;
    while wahana.sim.counts().route("POST /api/startTyping") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    clock.advance(Duration::from_secs(1));
    wahana.until(&id, DeliveryStatus::Accepted).await;
    let attempts = wahana
        .database
        .texts_unguarded("SELECT CAST(attempts AS TEXT) FROM messages");
    assert_eq!(attempts.await, ["1"]);
    assert_eq!((wahana.sends(), wahana.sim.sent_messages().len()), (1, 1));
    assert_eq!(
        wahana.outcomes().await[1..],
        ["messages.send_text intent", "messages.send_text success"]
    );
}

#[tokio::test]
async fn who_waits_for_the_answer_keeps_the_pause_or_is_told() {
    let pacing = json!({"min_seconds": 5, "max_seconds": 5, "shows_typing": true});
    let (wahana, clock) = paced(pacing).await;
    let sending = |words: &str, wait: &'static str| {
        let mut request = wahana.posting("send-text", "application/json", text(words).to_string());
        request.headers_mut().insert("prefer", wait.parse().unwrap());
        tokio::spawn(wahana.request(request))
    };
    let first = sending("first", "wait=10");
    typing(&wahana, 1).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(first.await.unwrap().data()["status"], "accepted");

    let impatient = sending("impatient", "wait=2").await.unwrap();
    assert_eq!(impatient.refusal(), (503, "WAHA_UNAVAILABLE".to_owned()));
    assert!(impatient.text.contains("It was not sent"), "{}", impatient.text);
    assert_eq!(impatient.headers["retry-after"], "4", "then it would be typed");

    let patient = sending("patient", "wait=30");
    clock.advance(Duration::from_secs(4));
    typing(&wahana, 3).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(patient.await.unwrap().data()["status"], "accepted");
    assert_eq!(wahana.texts(), ["first", "patient"]);
}

#[tokio::test]
async fn a_session_without_a_pace_waits_for_no_pause() {
    let (wahana, _clock) = paced(json!({"min_seconds": 3600, "max_seconds": 3600})).await;
    let _dispatching = wahana.dispatch();
    let first = hand_in(&wahana, "first").await;
    let second = hand_in(&wahana, "second").await;
    wahana.until(&first, DeliveryStatus::Accepted).await;
    assert_eq!(wahana.message(&second).await.status, DeliveryStatus::Queued);
    wahana.set_pacing(Value::Null).await;
    wahana.until(&second, DeliveryStatus::Accepted).await;
}
