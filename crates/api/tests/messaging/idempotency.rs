//! Requests that are made again with the same key.

use std::time::Duration;

use serde_json::{Value, json};
use waha_sim::{Fault, FaultKind};
use wahana_domain::DeliveryStatus;

use crate::wahana::{Answer, Wahana};

const KEY: (&str, &str) = ("idempotency-key", "order 17");

fn text(text: &str) -> Value {
    json!({"to": "+62 812-3456-7890", "text": text})
}

fn is_replayed(answer: &Answer) -> bool {
    answer
        .headers
        .get("idempotency-replayed")
        .is_some_and(|value| value == "true")
}

#[tokio::test]
async fn the_same_again_is_answered_to_the_byte_and_sent_once() {
    let wahana = Wahana::start().await;
    let first = wahana.post_with("send-text", &text("Hello"), &[KEY]).await;
    assert!(
        first.status.is_success() && !is_replayed(&first),
        "{}",
        first.text
    );
    for headers in [&[KEY][..], &[KEY, ("prefer", "wait=3")]] {
        let again = wahana.post_with("send-text", &text("Hello"), headers).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert!(is_replayed(&again));
    }
    // WAHA being away makes no difference to what was done.
    wahana.sim.go_away().await;
    let again = wahana.post_with("send-text", &text("Hello"), &[KEY]).await;
    assert_eq!(again.text, first.text);
    wahana.sim.come_back().await;
    for (body, headers) in [
        (text("Hallo"), &[KEY][..]),
        (text("Hello"), &[KEY, ("prefer", "respond-async")]),
    ] {
        let other = wahana.post_with("send-text", &body, headers).await;
        assert_eq!(other.refusal(), (409, "IDEMPOTENCY_CONFLICT".to_owned()));
    }
    let media = json!({"data": "aGVsbG8=", "mimetype": "text/plain"});
    let media = json!({"to": "+62 812-3456-7890", "media": media});
    let other = wahana.post_with("send-media", &media, &[KEY]).await;
    assert_eq!(other.refusal(), (409, "IDEMPOTENCY_CONFLICT".to_owned()));
    let key = ("idempotency-key", "file");
    let file = wahana.post_with("send-media", &media, &[key]).await;
    let again = wahana.post_with("send-media", &media, &[key]).await;
    assert_eq!(
        (again.text == file.text, is_replayed(&again)),
        (true, true),
        "{}",
        again.text
    );
    assert_eq!(wahana.sim.sent_messages().len(), 2);
}

#[tokio::test]
async fn what_is_queued_is_queued_once() {
    let wahana = Wahana::start().await;
    let headers = [KEY, ("prefer", "respond-async")];
    let first = wahana.post_with("send-text", &text("Hello"), &headers).await;
    assert_eq!(first.status.as_u16(), 202);
    let again = wahana.post_with("send-text", &text("Hello"), &headers).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    let _dispatching = wahana.dispatch();
    let id = first.json()["data"]["message_id"].take();
    wahana.until(&id, DeliveryStatus::Accepted).await;
    let again = wahana.post_with("send-text", &text("Hello"), &headers).await;
    assert_eq!((again.text == first.text, is_replayed(&again)), (true, true));
    assert_eq!(wahana.sends(), 1);
}

#[tokio::test]
async fn a_refusal_that_handed_nothing_over_lets_the_key_be_used_again() {
    let wahana = Wahana::start().await;
    wahana.post("send-text", &text("before")).await.data();
    wahana.sim.go_away().await;
    let away = wahana.post_with("send-text", &text("Hello"), &[KEY]).await;
    assert_eq!(away.refusal().0, 503);
    wahana.sim.come_back().await;
    wahana
        .sim
        .set_fault(Fault::new(FaultKind::Status(400)).on_path("/api/send").times(1));
    loop {
        // Until the server is believed to be there.
        let refused = wahana.post_with("send-text", &text("Other"), &[KEY]).await;
        if refused.refusal().0 == 502 {
            break;
        }
        assert_eq!(refused.refusal().0, 503);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let sent = wahana.post_with("send-text", &text("Third"), &[KEY]).await;
    assert_eq!(sent.data()["status"], "accepted");
    assert!(!is_replayed(&sent));
}

#[tokio::test]
async fn an_unknown_outcome_stays_one_until_more_is_known() {
    let wahana = Wahana::start().await;
    wahana
        .sim
        .set_fault(Fault::new(FaultKind::CloseAfter).on_path("/api/send").times(1));
    let lost = wahana.post_with("send-text", &text("Hello"), &[KEY]).await;
    assert_eq!(lost.refusal(), (504, "WAHA_TIMEOUT".to_owned()));
    let id = lost.json()["data"]["message_id"].take();
    let again = wahana.post_with("send-text", &text("Hello"), &[KEY]).await;
    assert_eq!(again.refusal().0, 504);
    assert_eq!(again.json()["data"]["message_id"], id);
    let _dispatching = wahana.dispatch();
    wahana.until(&id, DeliveryStatus::Accepted).await;
    let known = wahana.post_with("send-text", &text("Hello"), &[KEY]).await;
    assert_eq!(known.data()["message_id"], id);
    assert!(is_replayed(&known));
    let once_more = wahana.post_with("send-text", &text("Hello"), &[KEY]).await;
    assert_eq!(once_more.text, known.text);
    assert_eq!(wahana.sim.sent_messages().len(), 1);
}

#[tokio::test]
async fn many_at_once_send_once() {
    let wahana = Wahana::patient().await;
    wahana
        .sim
        .set_fault(Fault::slow(Duration::from_millis(300)).on_path("/api/send"));
    let requests = (0..8).map(|_| {
        let mut request = wahana.posting("send-text", "application/json", text("Hello").to_string());
        request.headers_mut().insert(KEY.0, KEY.1.parse().unwrap());
        tokio::spawn(wahana.request(request))
    });
    let requests: Vec<_> = requests.collect();
    let mut answers = Vec::new();
    for request in requests {
        answers.push(request.await.unwrap());
    }
    let first = answers.iter().filter(|answer| !is_replayed(answer)).count();
    assert_eq!(first, 1);
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    assert_eq!(wahana.sends(), 1);

    // Who does not wait for the first is told that it runs.
    wahana.sim.clear_faults();
    wahana
        .sim
        .set_fault(Fault::slow(Duration::from_secs(3)).on_path("/api/send"));
    let key = ("idempotency-key", "2");
    let headers = [key, ("prefer", "wait=9")];
    let body = text("Slow");
    let first = wahana.post_with("send-text", &body, &headers);
    let second = async {
        while wahana.sends() == 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        wahana
            .post_with("send-text", &body, &[key, ("prefer", "wait=1")])
            .await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.status.is_success(), "{}", first.text);
    assert_eq!(second.refusal(), (409, "IDEMPOTENCY_CONFLICT".to_owned()));
}

#[tokio::test]
async fn keys_are_checked() {
    let wahana = Wahana::start().await;
    let long = "x".repeat(256);
    for key in ["", &long, "schlüssel"] {
        let answer = wahana
            .post_with("send-text", &text("a"), &[("idempotency-key", key)])
            .await;
        assert_eq!(answer.faults(), ["Idempotency-Key"], "{key}");
    }
    let twice = [KEY, ("idempotency-key", "other")];
    assert_eq!(
        wahana.post_with("send-text", &text("a"), &twice).await.faults(),
        ["Idempotency-Key"]
    );
    assert_eq!(wahana.sends(), 0);
}
