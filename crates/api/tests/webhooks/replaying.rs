//! Delivering again.

use serde_json::{Value, json};
use std::time::Duration;
use wahana_store::webhooks;
use wahana_testkit::{
    app::Home,
    database::TestDatabase,
    on_both_databases,
    receiver::{ReceivedWebhook, WebhookReceiver},
};

use crate::{Scene, WEBHOOKS, body, received};

fn ids(webhooks: &[ReceivedWebhook]) -> Vec<String> {
    let mut ids: Vec<_> = webhooks
        .iter()
        .map(|webhook| webhook.header("webhook-id").unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

async fn one_and_a_range_arrive_again_with_the_same_ids(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    scene.happen_in_session().await;
    let made = scene.endpoint_at(&receiver).await;
    for _ in 0..3 {
        scene.happen_in_session().await;
    }
    let first = received(&receiver, 3).await;
    scene.all_delivered(&made.id, 3).await;
    let deliveries = scene.deliveries(&made.id, "").await;
    let newest = deliveries[0]["id"].as_str().unwrap();
    let answer = scene.post(&format!("deliveries/{newest}/replay"), None).await;
    assert_eq!(answer.named(), "202");
    let again = received(&receiver, 4).await;
    assert_eq!(again[3].header("webhook-id"), deliveries[0]["event_id"].as_str());

    // Also what happened before there was an endpoint.
    scene.all_delivered(&made.id, 3).await;
    let number = body(&first[0])["number"].as_i64().unwrap().min(
        body(&first[1])["number"]
            .as_i64()
            .unwrap()
            .min(body(&first[2])["number"].as_i64().unwrap()),
    );
    let range = json!({"from_number": number - 1, "to_number": number + 1});
    let answer = scene.post(&format!("{}/replay", made.id), Some(&range)).await;
    assert_eq!(answer.named(), "202", "{}", answer.text());
    assert_eq!(
        answer.json()["data"],
        json!({"deliveries": 3, "next_number": null})
    );
    let all = received(&receiver, 7).await;
    let known = ids(&first);
    let repeated: Vec<_> = all[4..]
        .iter()
        .filter(|webhook| known.contains(&webhook.header("webhook-id").unwrap().to_owned()))
        .collect();
    assert_eq!(repeated.len(), 2);
    scene.all_delivered(&made.id, 4).await;
}

async fn ranges_may_be_of_time(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene.endpoint_at(&receiver).await;
    scene.happen_in_session().await;
    received(&receiver, 1).await;
    scene.clock.advance(Duration::from_hours(1));
    scene.happen_in_session().await;
    received(&receiver, 2).await;
    scene.all_delivered(&made.id, 2).await;
    for (range, expected) in [
        (json!({"since": "2027-01-15T08:30:00Z"}), 1),
        (json!({"until": "2027-01-15T08:30:00Z", "from_number": 2}), 1),
        (json!({"since": "2027-01-15T10:00:00Z"}), 0),
    ] {
        let answer = scene.post(&format!("{}/replay", made.id), Some(&range)).await;
        assert_eq!(answer.json()["data"]["deliveries"], expected, "{range}");
    }
}

async fn faulty_wishes_to_replay_are_named(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene.endpoint_at(&receiver).await;
    for (range, field) in [
        (json!({}), "failed"),
        (json!({"failed": false}), "failed"),
        (json!({"failed": true, "from_number": 1}), "failed"),
        (json!({"from_number": 0}), "from_number"),
        (json!({"from_number": 5, "to_number": 4}), "to_number"),
        (
            json!({"since": "2027-01-15T10:00:00Z", "until": "2027-01-15T09:00:00Z"}),
            "until",
        ),
        (json!({"since": "yesterday"}), "since"),
    ] {
        let answer = scene.post(&format!("{}/replay", made.id), Some(&range)).await;
        assert_eq!(answer.named(), "422 VALIDATION_ERROR", "{range}");
        assert!(answer.json()["errors"].get(field).is_some(), "{}", answer.text());
    }
}

/// As a process that was killed between sending and writing down leaves it.
async fn what_a_killed_process_was_delivering_arrives_again_with_the_same_id(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene.endpoint_at(&receiver).await;
    scene.happen_in_session().await;
    let first = received(&receiver, 1).await;
    let delivery = scene.all_delivered(&made.id, 1).await.remove(0);
    let endpoint = made.id.parse().unwrap();
    // Another process takes it and is not heard of any more.
    let tx = scene.app.store().write(scene.app.tenant(Home::A)).await.unwrap();
    let id = delivery["id"].as_str().unwrap().parse().unwrap();
    assert!(webhooks::replay_delivery(&tx, id).await.unwrap());
    let until = tx.now().plus(Duration::from_mins(2));
    let claimed = webhooks::claim(&tx, endpoint, 1, until).await.unwrap().unwrap();
    assert_eq!(claimed.deliveries.len(), 1);
    tx.commit().await.unwrap();
    scene.clock.advance(Duration::from_mins(2));
    let again = received(&receiver, 2).await;
    assert_eq!(again[1].header("webhook-id"), first[0].header("webhook-id"));
    let delivery = scene.all_delivered(&made.id, 1).await.remove(0);
    assert_eq!(delivery["attempts"], 1, "the other is not known to have tried");
}

async fn pages_of_deliveries_follow_each_other(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene.endpoint_at(&receiver).await;
    for _ in 0..5 {
        scene.happen_in_session().await;
    }
    scene.all_delivered(&made.id, 5).await;
    let base = format!("{WEBHOOKS}/{}/deliveries?limit=2", made.id);
    let (mut found, mut target) = (Vec::new(), base.clone());
    loop {
        let page = scene.owner.get(&target).await.json();
        found.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["event_number"].clone()),
        );
        match page["meta"]["next_cursor"].as_str() {
            Some(cursor) => target = format!("{base}&cursor={cursor}"),
            None => break,
        }
    }
    let mut sorted: Vec<_> = found.iter().map(|number| number.as_i64().unwrap()).collect();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!((found.len(), sorted.len()), (5, 5));
    for query in ["?state=lost", "?cursor=x", "?limit=0", "?limit=101", "?page=1"] {
        let answer = scene
            .owner
            .get(&format!("{WEBHOOKS}/{}/deliveries{query}", made.id))
            .await;
        assert_eq!(answer.named(), "422 VALIDATION_ERROR", "{query}");
    }
}

impl Scene {
    /// The deliveries of an endpoint, once so many of them, which are all, are delivered.
    async fn all_delivered(&self, id: &str, count: usize) -> Vec<Value> {
        crate::within_patience(async {
            loop {
                let delivered = self.deliveries(id, "?state=delivered").await;
                let waiting = self.deliveries(id, "?state=waiting").await;
                if delivered.len() == count && waiting.is_empty() {
                    return delivered;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }
}

on_both_databases!(
    one_and_a_range_arrive_again_with_the_same_ids,
    ranges_may_be_of_time,
    faulty_wishes_to_replay_are_named,
    what_a_killed_process_was_delivering_arrives_again_with_the_same_id,
    pages_of_deliveries_follow_each_other,
);
