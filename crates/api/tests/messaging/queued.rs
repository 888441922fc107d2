//! Messages that wait for their turn.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio_util::sync::DropGuard;
use waha_sim::{Fault, FaultKind, SessionSeed, Status, WahaSim};
use wahana_domain::{Clock as _, DeliveryStatus, ManualClock, OrganizationLimits, Timestamp};

use crate::wahana::{Answer, Setup, Wahana};

pub(crate) const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];

pub(crate) fn text(text: &str) -> Value {
    json!({"to": "+62 812-3456-7890", "text": text})
}

fn on_sends(kind: FaultKind) -> Fault {
    Fault::new(kind).method("POST").on_path("/api/send")
}

/// What a request is answered that was taken in and is carried out later.
pub(crate) fn queued(answer: &Answer) -> Value {
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    assert_eq!(answer.headers["preference-applied"], "respond-async");
    let data = answer.json()["data"].take();
    assert_eq!(data["status"], "queued");
    assert_eq!(data["waha_message_id"], Value::Null);
    data["message_id"].clone()
}

/// A clock that stands still until it is told otherwise.
fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_seconds(1_800_000_000)))
}

pub(crate) async fn with_clock(setup: Setup) -> (Wahana, Arc<ManualClock>) {
    let clock = clock();
    let setup = Setup {
        clock: Some(clock.clone()),
        ..setup
    };
    (Wahana::with(WahaSim::builder(), setup).await, clock)
}

#[tokio::test]
async fn what_nobody_waits_for_is_sent_in_order_and_can_be_asked_for() {
    let wahana = Wahana::start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let answer = wahana
            .post_with("send-text", &text(&number.to_string()), &ASYNC)
            .await;
        ids.push(queued(&answer));
    }
    assert_eq!(wahana.sends(), 0, "nobody sends yet");
    let waiting = wahana
        .call("GET", &format!("messages/{}", ids[0].as_str().unwrap()))
        .await
        .data();
    assert_eq!(
        (&waiting["status"], &waiting["type"]),
        (&json!("queued"), &json!("text"))
    );
    assert!(waiting["expires_at"].is_string() && waiting["sent_at"].is_null());

    let _dispatching = wahana.dispatch();
    let last = wahana.until(&ids[4], DeliveryStatus::Accepted).await;
    assert_eq!(wahana.texts(), ["0", "1", "2", "3", "4"]);
    let sent = wahana.call("GET", &format!("messages/{}", last.id)).await.data();
    assert_eq!(sent["status"], "accepted");
    assert!(
        sent["waha_message_id"]
            .as_str()
            .unwrap()
            .starts_with("true_6281234567890@c.us_3EB0")
    );
    assert!(sent["sent_at"].is_string() && sent["expires_at"].is_null() && sent["reason"].is_null());
    assert_eq!(wahana.counted().await, (5, 0));
    let outcomes = wahana.outcomes().await;
    let of = |word: &str| outcomes.iter().filter(|outcome| outcome.ends_with(word)).count();
    assert_eq!(
        (of("intent"), of("success"), outcomes.len()),
        (5, 5, 10),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_message_can_be_cancelled_until_its_time_comes() {
    let (wahana, clock) = with_clock(Setup::default()).await;
    let _dispatching = wahana.dispatch();
    let at = |minutes: u64| clock.now().plus(Duration::from_mins(minutes)).to_string();
    let mut ids = Vec::new();
    for (words, minutes) in [("early", 5), ("cancelled", 6), ("late", 7)] {
        let mut body = text(words);
        body["send_at"] = at(minutes).into();
        ids.push(queued(&wahana.post("send-text", &body).await));
    }
    let path = format!("messages/{}/cancel", ids[1].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(wahana.call("POST", &path).await.data()["status"], "cancelled");
    }
    clock.advance(Duration::from_mins(6));
    wahana.until(&ids[0], DeliveryStatus::Accepted).await;
    let too_late = format!("messages/{}/cancel", ids[0].as_str().unwrap());
    assert_eq!(
        wahana.call("POST", &too_late).await.refusal(),
        (409, "CONFLICT".to_owned())
    );
    assert_eq!(wahana.message(&ids[2]).await.status, DeliveryStatus::Queued);
    clock.advance(Duration::from_mins(1));
    wahana.until(&ids[2], DeliveryStatus::Accepted).await;
    assert_eq!(wahana.texts(), ["early", "late"]);
    let outcomes = wahana.outcomes().await;
    assert!(
        outcomes.contains(&"messages.cancel success".to_owned()),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn times_are_checked() {
    let (wahana, clock) = with_clock(Setup::default()).await;
    let at = |minutes: u64| json!(clock.now().plus(Duration::from_mins(minutes)).to_string());
    for (send_at, expires_at, faults) in [
        (json!("tomorrow"), Value::Null, vec!["send_at"]),
        (at(90 * 24 * 60 + 1), Value::Null, vec!["send_at"]),
        (Value::Null, at(0), vec!["expires_at"]),
        (at(10), at(10), vec!["expires_at"]),
    ] {
        let mut body = text("x");
        body["send_at"] = send_at;
        body["expires_at"] = expires_at;
        assert_eq!(wahana.post("send-text", &body).await.faults(), faults, "{body}");
    }
}

#[tokio::test]
async fn while_waha_is_away_messages_wait_and_go_out_in_order_or_expire() {
    let (wahana, clock) = with_clock(Setup::default()).await;
    let _dispatching = wahana.dispatch();
    wahana.sim.go_away().await;
    let mut ids = Vec::new();
    for (words, minutes) in [("one", 60), ("expires", 5), ("two", 60), ("three", 60)] {
        let mut body = text(words);
        body["expires_at"] = clock.now().plus(Duration::from_mins(minutes)).to_string().into();
        ids.push(queued(&wahana.post("send-text", &body).await));
    }
    // Ten minutes pass.
    for _ in 0..20 {
        clock.advance(Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let waiting = wahana.message(&ids[0]).await;
    assert_eq!(waiting.status, DeliveryStatus::Queued);
    let expired = wahana.until(&ids[1], DeliveryStatus::Expired).await;
    assert!(waiting.reason.is_some(), "{waiting:?}");
    let reason = expired.reason.unwrap();
    assert!(reason.contains("does not answer"), "{reason}");
    assert_eq!(expired.waha_message_id, None);
    wahana.sim.come_back().await;
    let coming_back = async {
        loop {
            clock.advance(Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = coming_back => {}
        _ = wahana.until(&ids[3], DeliveryStatus::Accepted) => {}
    }
    assert_eq!(wahana.texts(), ["one", "two", "three"]);
}

#[tokio::test]
async fn before_a_proxy_without_a_waha_messages_wait() {
    for gone in [FaultKind::Html(404), FaultKind::Html(502)] {
        let (wahana, clock) = with_clock(Setup::default()).await;
        wahana.sim.set_fault(Fault::new(gone.clone()));
        let mut ids = Vec::new();
        for number in 0..20 {
            let answer = wahana
                .post_with("send-text", &text(&number.to_string()), &ASYNC)
                .await;
            ids.push(queued(&answer));
        }
        let _dispatching = wahana.dispatch();
        let passing = async {
            loop {
                clock.advance(Duration::from_secs(10));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = passing => {}
            () = tokio::time::sleep(Duration::from_secs(4)) => {}
        }
        // What became of those whose answers looked like a failed WAHA is not known. Nobody goes on like that.
        let asked = usize::try_from(wahana.sends()).unwrap();
        assert_eq!(wahana.message(&ids[19]).await.status, DeliveryStatus::Queued);
        let mut unknown = 0;
        for id in &ids {
            let status = wahana.message(id).await.status;
            unknown += usize::from(status == DeliveryStatus::Unknown);
            assert!(
                matches!(status, DeliveryStatus::Queued | DeliveryStatus::Unknown),
                "{status:?}"
            );
        }
        assert!(
            unknown <= 3,
            "{unknown} of {asked} that were asked for with {gone:?}"
        );
    }
}

#[tokio::test]
async fn a_session_that_does_not_work_keeps_its_messages() {
    let (wahana, clock) = with_clock(Setup::default()).await;
    let name = wahana.session.waha.name.as_str();
    wahana
        .sim
        .add_session(SessionSeed::new(name).status(Status::Stopped));
    wahana.post("sync", &json!({})).await.data();
    let _dispatching = wahana.dispatch();
    let id = queued(&wahana.post_with("send-text", &text("x"), &ASYNC).await);
    wahana.until_it_waits(&id, "disconnected").await;
    assert_eq!(wahana.sends(), 0);
    wahana.sim.add_session(SessionSeed::new(name));
    // Too short for the queue to look again by itself.
    clock.advance(Duration::from_millis(1));
    wahana.post("sync", &json!({})).await.data();
    wahana.until(&id, DeliveryStatus::Accepted).await;
    assert_eq!(wahana.message(&id).await.reason, None);
}

#[tokio::test]
async fn limits_delay_what_waits() {
    let limits = OrganizationLimits {
        messages_per_minute: Some(2),
        ..OrganizationLimits::default()
    };
    let (wahana, clock) = with_clock(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let _dispatching = wahana.dispatch();
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(queued(
            &wahana
                .post_with("send-text", &text(&number.to_string()), &ASYNC)
                .await,
        ));
    }
    wahana.until(&ids[1], DeliveryStatus::Accepted).await;
    loop {
        let third = wahana.message(&ids[2]).await;
        assert_eq!(third.status, DeliveryStatus::Queued);
        if third
            .reason
            .is_some_and(|reason| reason.contains("At most 2 messages"))
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        wahana.post("send-text", &text("now")).await.refusal(),
        (429, "RATE_LIMIT_EXCEEDED".to_owned())
    );
    clock.advance(Duration::from_mins(2));
    wahana.until(&ids[2], DeliveryStatus::Accepted).await;
    assert_eq!(wahana.texts(), ["0", "1", "2"]);
}

#[tokio::test]
async fn what_was_asked_with_a_token_that_is_revoked_is_not_sent() {
    let wahana = Wahana::start().await;
    let id = queued(&wahana.post_with("send-text", &text("x"), &ASYNC).await);
    wahana.revoke().await;
    let _dispatching = wahana.dispatch();
    let message = wahana.until(&id, DeliveryStatus::Cancelled).await;
    assert!(message.reason.unwrap().contains("revoked"));
    assert_eq!(wahana.sends(), 0);
    let outcomes = wahana.outcomes().await;
    assert_eq!(outcomes.last().unwrap(), "messages.send_text FORBIDDEN");
}

#[tokio::test]
async fn who_waits_comes_behind_those_who_waited_before() {
    let wahana = Wahana::patient().await;
    wahana
        .sim
        .set_fault(Fault::slow(Duration::from_secs(3)).on_path("/api/send").times(1));
    let body = text("slow").to_string();
    let slow = tokio::spawn(wahana.request(wahana.posting("send-text", "application/json", body)));
    while wahana.sends() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let impatient = wahana
        .post_with("send-text", &text("never"), &[("prefer", "wait=1")])
        .await;
    assert_eq!(impatient.refusal(), (503, "WAHA_UNAVAILABLE".to_owned()));
    assert!(impatient.text.contains("It was not sent"), "{}", impatient.text);
    let patient = wahana.post("send-text", &text("patient")).await.data();
    assert_eq!(patient["status"], "accepted");
    assert_eq!(slow.await.unwrap().data()["status"], "accepted");
    wahana.services.drain().await;
    assert_eq!(wahana.texts(), ["slow", "patient"]);
    assert_eq!(wahana.counted().await, (2, 0));
}

#[tokio::test]
async fn a_caller_waits_no_longer_than_it_wants_and_the_message_goes_its_way() {
    let wahana = Wahana::patient().await;
    wahana
        .sim
        .set_fault(Fault::slow(Duration::from_secs(3)).on_path("/api/send"));
    let answer = wahana
        .post_with("send-text", &text("x"), &[("prefer", "wait=1")])
        .await;
    assert_eq!(answer.refusal(), (504, "WAHA_TIMEOUT".to_owned()));
    let data = answer.json()["data"].take();
    assert_eq!(data["status"], "unknown");
    wahana.until(&data["message_id"], DeliveryStatus::Accepted).await;
    assert_eq!(wahana.sim.sent_messages().len(), 1);
}

/// What became of a message whose answer was lost, after WAHA was asked for it.
async fn after_a_lost_answer(fault: FaultKind, version: &str, resends: bool) -> (Wahana, Value, DropGuard) {
    let clock = clock();
    let setup = Setup {
        clock: Some(clock.clone()),
        resends_lost_messages: resends,
        ..Setup::default()
    };
    let wahana = Wahana::with(WahaSim::builder().version(version), setup).await;
    wahana.sim.set_fault(on_sends(fault).times(1));
    let dispatching = wahana.dispatch();
    let id = queued(&wahana.post_with("send-text", &text("x"), &ASYNC).await);
    wahana.until(&id, DeliveryStatus::Unknown).await;
    for _ in 0..12 {
        clock.advance(Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(300)).await;
        if wahana.message(&id).await.status != DeliveryStatus::Unknown {
            break;
        }
    }
    (wahana, id, dispatching)
}

#[tokio::test]
async fn an_outcome_that_is_not_known_is_settled_by_asking_for_the_message() {
    let (wahana, id, _dispatching) = after_a_lost_answer(FaultKind::CloseAfter, "2026.7.1", true).await;
    let message = wahana.message(&id).await;
    assert_eq!(message.status, DeliveryStatus::Accepted);
    assert!(message.waha_message_id.is_some());
    assert_eq!((wahana.sends(), wahana.sim.sent_messages().len()), (1, 1));
    assert_eq!(wahana.counted().await, (1, 0));
    assert_eq!(
        wahana.outcomes().await.last().unwrap(),
        "messages.send_text success"
    );
}

#[tokio::test]
async fn what_waha_does_not_have_was_not_sent_and_is_sent_again_only_if_that_is_wanted() {
    let (wahana, id, _dispatching) = after_a_lost_answer(FaultKind::CloseBefore, "2026.7.1", false).await;
    let message = wahana.message(&id).await;
    assert_eq!(message.status, DeliveryStatus::Failed, "{message:?}");
    assert!(message.reason.unwrap().contains("does not have it"));
    assert_eq!((wahana.sends(), wahana.sim.sent_messages().len()), (1, 0));

    let (wahana, id, _dispatching) = after_a_lost_answer(FaultKind::CloseBefore, "2026.7.1", true).await;
    wahana.until(&id, DeliveryStatus::Accepted).await;
    assert_eq!((wahana.sends(), wahana.sim.sent_messages().len()), (2, 1));
}

#[tokio::test]
async fn a_waha_that_cannot_be_asked_leaves_it_unknown() {
    let (wahana, id, _dispatching) = after_a_lost_answer(FaultKind::CloseAfter, "2026.2.1", true).await;
    assert_eq!(wahana.message(&id).await.status, DeliveryStatus::Unknown);
    assert_eq!((wahana.sends(), wahana.sim.sent_messages().len()), (1, 1));
}

#[tokio::test]
async fn no_more_messages_wait_than_may() {
    let limits = OrganizationLimits {
        queued_messages: Some(3),
        ..OrganizationLimits::default()
    };
    let setup = Setup {
        limits,
        ..Setup::default()
    };
    let wahana = Wahana::with(WahaSim::builder(), setup).await;
    let body = text("x");
    // Also when they come at once.
    let all = (0..8).map(|_| wahana.post_with("send-text", &body, &ASYNC));
    let answers = futures_util::future::join_all(all).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
    assert_eq!((taken.len(), refused.len()), (3, 5));
    for answer in refused {
        assert_eq!(answer.refusal(), (429, "QUOTA_EXCEEDED".to_owned()));
        assert!(answer.text.contains("At most 3 messages"), "{}", answer.text);
        assert_eq!(answer.headers["retry-after"], "60");
    }
    // What is refused is not kept, and its key may be used again.
    let keyed = [ASYNC[0], ("idempotency-key", "once")];
    let refused = wahana.post_with("send-text", &body, &keyed).await;
    assert_eq!(refused.refusal().0, 429);
    let first = queued(taken[0]);
    let cancel = format!("messages/{}/cancel", first.as_str().unwrap());
    assert_eq!(wahana.call("POST", &cancel).await.data()["status"], "cancelled");
    queued(&wahana.post_with("send-text", &body, &keyed).await);
    let outcomes = wahana.outcomes().await;
    let of = |word: &str| outcomes.iter().filter(|outcome| outcome.ends_with(word)).count();
    assert_eq!((of("intent"), of("QUOTA_EXCEEDED")), (4, 6), "{outcomes:?}");
}
