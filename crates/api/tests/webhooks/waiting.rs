//! Until when deliveries wait.

use std::time::Duration;

use serde_json::json;
use wahana_testkit::{
    database::TestDatabase,
    on_both_databases,
    receiver::{Answer, WebhookReceiver},
};

use crate::{START, Scene, WEBHOOKS, received, within_patience};

const MANY: usize = 20;

impl Scene {
    async fn count(&self, id: &str, query: &str) -> usize {
        self.deliveries(id, query).await.len()
    }

    async fn until_count(&self, id: &str, query: &str, count: usize) {
        within_patience(async {
            while self.count(id, query).await != count {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
}

async fn what_was_to_be_given_up_is_given_up_by_somebody_else(db: &TestDatabase) {
    let mut scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(Answer::status(500));
    let made = scene.endpoint_at(&receiver).await;
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_status"] == 500)
        .await;
    // Whoever disabled it has died before the rest was done.
    db.execute_unguarded("UPDATE webhook_endpoints SET state = 'disabled'")
        .await;
    scene.deliver();
    let delivery = scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "failed")
        .await;
    assert_eq!(delivery["last_error"], "The endpoint was disabled.");
}

async fn what_a_clock_that_was_ahead_wrote_down_is_tried_all_the_same(db: &TestDatabase) {
    let mut scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(Answer::with_head(503, "Retry-After: 60\r\n", ""));
    let made = scene.endpoint_at(&receiver).await;
    scene.clock.advance(Duration::from_hours(72));
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_status"] == 503)
        .await;
    receiver.answer_otherwise(Answer::status(200));
    scene.clock.set(START);
    scene.deliver();
    scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "delivered")
        .await;
}

async fn a_receiver_that_asks_for_time_is_left_alone_with_all_that_waits(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_next([Answer::with_head(429, "Retry-After: 7200\r\n", "")]);
    let made = scene.endpoint_at(&receiver).await;
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_status"] == 429)
        .await;
    for _ in 0..MANY {
        scene.happen_in_session().await;
    }
    scene.until_count(&made.id, "?state=waiting", MANY + 1).await;
    // Others are delivered meanwhile, those that came later too.
    let other = WebhookReceiver::start().unwrap();
    let of_other = scene.endpoint_at(&other).await;
    scene.happen_in_session().await;
    received(&other, 1).await;
    scene.clock.advance(Duration::from_hours(1));
    scene.happen_in_session().await;
    received(&other, 2).await;
    scene.until_count(&of_other.id, "?state=delivered", 2).await;
    assert_eq!(receiver.requests().len(), 1);
    let waiting = scene.deliveries(&made.id, "").await;
    let attempts: i64 = waiting.iter().map(|one| one["attempts"].as_i64().unwrap()).sum();
    assert_eq!((waiting.len(), attempts), (MANY + 3, 1));

    scene.clock.advance(Duration::from_mins(75));
    scene.until_count(&made.id, "?state=delivered", MANY + 3).await;
}

async fn who_asks_for_a_delivery_gets_it_at_once(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_next([Answer::with_head(503, "Retry-After: 36000\r\n", "")]);
    let made = scene.endpoint_at(&receiver).await;
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_status"] == 503)
        .await;
    let test = format!("{}/test", made.id);
    assert_eq!(scene.post(&test, None).await.named(), "202");
    received(&receiver, 2).await;
    // What is at another address has asked for nothing.
    receiver.answer_next([Answer::with_head(503, "Retry-After: 36000\r\n", "")]);
    assert_eq!(scene.post(&test, None).await.named(), "202");
    received(&receiver, 3).await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_status"] == 503)
        .await;
    let own = format!("{WEBHOOKS}/{}", made.id);
    let elsewhere = json!({"url": receiver.url("/elsewhere")});
    assert_eq!(scene.owner.patch_json(&own, &elsewhere).await.named(), "200");
    scene.happen_in_session().await;
    received(&receiver, 4).await;
}

on_both_databases!(
    what_was_to_be_given_up_is_given_up_by_somebody_else,
    what_a_clock_that_was_ahead_wrote_down_is_tried_all_the_same,
    a_receiver_that_asks_for_time_is_left_alone_with_all_that_waits,
    who_asks_for_a_delivery_gets_it_at_once,
);
