//! What is done when a receiver takes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use wahana_domain::DELIVERY_RETRIES;
use wahana_testkit::{
    database::TestDatabase,
    on_both_databases,
    receiver::{Answer, WebhookReceiver},
};

use crate::{Scene, WEBHOOKS, body, received, within_patience};

/// Waits are longer by up to a tenth.
fn with_jitter(wait: Duration) -> Duration {
    wait.mul_f64(1.1) + Duration::from_millis(1)
}

async fn what_fails_is_tried_again_by_the_schedule_and_then_given_up(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(Answer::with_body(500, "out of order"));
    let made = scene.endpoint_at(&receiver).await;
    scene.happen_in_session().await;
    for (attempt, wait) in (1..).zip(DELIVERY_RETRIES) {
        let delivery = scene.tried(&made.id, attempt).await;
        assert_eq!(delivery["state"], "waiting");
        scene.clock.advance(with_jitter(wait));
    }
    let delivery = scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "failed")
        .await;
    assert_eq!(
        (&delivery["attempts"], &delivery["next_attempt_at"]),
        (&json!(8), &json!(null))
    );
    let id = delivery["id"].as_str().unwrap();
    let whole = scene
        .owner
        .get(&format!("{WEBHOOKS}/deliveries/{id}"))
        .await
        .json();
    let tried = whole["data"]["tried"].as_array().unwrap();
    assert_eq!(tried.len(), 8);
    for attempt in tried {
        assert_eq!(
            (&attempt["status"], &attempt["answer"]),
            (&json!(500), &json!("out of order"))
        );
    }
    let ids: Vec<_> = receiver
        .requests()
        .iter()
        .map(|webhook| webhook.header("webhook-id").unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 8);
    assert!(ids.iter().all(|id| *id == ids[0]));
}

impl Scene {
    /// The only delivery of an endpoint, once so many attempts were written down.
    async fn tried(&self, id: &str, attempts: usize) -> Value {
        let delivery = self.delivery_when(id, |_| true).await;
        let target = format!("{WEBHOOKS}/deliveries/{}", delivery["id"].as_str().unwrap());
        within_patience(async {
            loop {
                let whole = self.owner.get(&target).await.json()["data"].take();
                if whole["tried"].as_array().unwrap().len() == attempts {
                    return whole;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }
}

async fn an_endpoint_that_takes_nothing_for_five_days_is_disabled(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let (dead, watching) = (
        WebhookReceiver::start().unwrap(),
        WebhookReceiver::start().unwrap(),
    );
    dead.answer_otherwise(Answer::status(503));
    let made = scene.endpoint_at(&dead).await;
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_status"] == 503)
        .await;
    assert_eq!(
        scene.get(&made.id).await["failing_since"],
        "2027-01-15T08:00:00.000000Z"
    );
    scene
        .create(json!({"url": watching.url("/"), "events": ["webhook.endpoint_disabled"]}))
        .await;
    // By what was tried all the time, and not by two failures with five days between them.
    for others in 1..12 {
        scene.clock.advance(Duration::from_hours(10));
        scene.happen_in_session().await;
        within_patience(async {
            loop {
                let deliveries = scene.deliveries(&made.id, "").await;
                if deliveries.len() > others && deliveries[0]["last_status"] == 503 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
    scene.clock.advance(Duration::from_hours(10));
    scene.happen_in_session().await;
    let told = body(&received(&watching, 1).await[0]);
    assert_eq!(told["data"]["endpoint_id"], json!(made.id));
    assert_eq!(
        told["data"]["reason"],
        "Nothing could be delivered for five days."
    );
    let endpoint = scene.get(&made.id).await;
    assert_eq!(
        (&endpoint["state"], &endpoint["disabled_reason"]),
        (&json!("disabled"), &told["data"]["reason"])
    );
    within_patience(async {
        while !scene.deliveries(&made.id, "?state=waiting").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let failed = scene.deliveries(&made.id, "?state=failed").await;
    assert_eq!(failed[0]["next_attempt_at"], json!(null));

    // Nothing can be delivered until somebody enables it again.
    let (own, replay) = (format!("{WEBHOOKS}/{}", made.id), format!("{}/replay", made.id));
    let refused = scene.post(&replay, Some(&json!({"failed": true}))).await;
    assert_eq!(refused.named(), "409 CONFLICT");
    dead.answer_otherwise(Answer::status(204));
    let enabled = scene.owner.patch_json(&own, &json!({"state": "enabled"})).await;
    assert_eq!(enabled.json()["data"]["failing_since"], json!(null));
    let again = scene.post(&replay, Some(&json!({"failed": true}))).await;
    assert_eq!(again.json()["data"]["deliveries"], failed.len());
    scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "delivered")
        .await;
}

async fn a_receiver_that_is_gone_for_good_says_so(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(Answer::status(410));
    let made = scene.endpoint_at(&receiver).await;
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "failed")
        .await;
    assert_eq!(scene.get(&made.id).await["state"], "disabled");
}

async fn what_a_stopped_receiver_missed_arrives_when_it_is_there_again(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene.endpoint_at(&receiver).await;
    receiver.stop().await;
    scene.happen_in_session().await;
    let delivery = scene
        .delivery_when(&made.id, |delivery| delivery["last_error"] != json!(null))
        .await;
    assert_eq!(delivery["last_status"], json!(null));
    receiver.resume().unwrap();
    scene.clock.advance(with_jitter(DELIVERY_RETRIES[0]));
    received(&receiver, 1).await;
    scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "delivered")
        .await;
}

async fn an_event_that_is_not_kept_any_more_cannot_be_delivered(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(Answer::status(500));
    let made = scene.endpoint_at(&receiver).await;
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_status"] == 500)
        .await;
    let tx = scene.app.store().platform_write().await.unwrap();
    let later = tx.now().plus(Duration::from_secs(1));
    tx.delete_organization_events(later, 100).await.unwrap();
    tx.commit().await.unwrap();
    scene.clock.advance(with_jitter(DELIVERY_RETRIES[0]));
    let delivery = scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "failed")
        .await;
    assert_eq!(delivery["last_error"], "The event is not kept any more.");
    assert_eq!(receiver.requests().len(), 1);
}

async fn an_event_that_cannot_be_read_does_not_keep_others_from_being_delivered(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    for style in ["standard", "waha"] {
        let receiver = WebhookReceiver::start().unwrap();
        receiver.answer_otherwise(Answer::status(500));
        let made = scene
            .create(
                json!({"url": receiver.url("/"), "style": style, "events": [match style {
                    "waha" => "session.status",
                    _ => "session.qr",
                }]}),
            )
            .await;
        for _ in 0..3 {
            scene.happen_in_session().await;
        }
        received(&receiver, 3).await;
        let deliveries = within_patience(async {
            loop {
                let deliveries = scene.deliveries(&made.id, "").await;
                if deliveries.iter().filter(|one| one["last_status"] == 500).count() == 3 {
                    return deliveries;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let faulty = &deliveries[1];
        let number = faulty["event_number"].as_i64().unwrap();
        db.execute_unguarded(&format!(
            "UPDATE organization_events SET type = 'session.status', data = '{{' WHERE number = {number}"
        ))
        .await;
        receiver.answer_otherwise(Answer::status(200));
        scene.clock.advance(with_jitter(DELIVERY_RETRIES[0]));
        within_patience(async {
            while scene.deliveries(&made.id, "?state=delivered").await.len() < 2 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let target = format!("{WEBHOOKS}/deliveries/{}", faulty["id"].as_str().unwrap());
        within_patience(async {
            loop {
                let delivery = scene.owner.get(&target).await.json()["data"].take();
                if delivery["last_error"] == "What is kept of the event cannot be read." {
                    assert_eq!(delivery["state"], "waiting");
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
}

on_both_databases!(
    an_event_that_cannot_be_read_does_not_keep_others_from_being_delivered,
    what_fails_is_tried_again_by_the_schedule_and_then_given_up,
    an_endpoint_that_takes_nothing_for_five_days_is_disabled,
    a_receiver_that_is_gone_for_good_says_so,
    what_a_stopped_receiver_missed_arrives_when_it_is_there_again,
    an_event_that_is_not_kept_any_more_cannot_be_delivered,
);
