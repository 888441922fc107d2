//! What arrives, and with what.

use std::time::Duration;

use serde_json::json;
use wahana_testkit::{
    app::Home,
    database::TestDatabase,
    on_both_databases,
    receiver::{Answer, WebhookReceiver},
};

use crate::{OWNER_OF_B, Scene, WEBHOOKS, body, made, received};

async fn what_happens_is_delivered_and_signed(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene
        .create(json!({
            "url": receiver.url("/hook?of=a"), "headers": {"X-Api-Key": "theirs"}, "description": "for a test",
        }))
        .await;
    scene.happen_in_session().await;
    let webhook = received(&receiver, 1).await.remove(0);
    assert_eq!(webhook.target, "/hook?of=a");
    assert_eq!(webhook.header("x-api-key"), Some("theirs"));
    assert!(webhook.is_signed_as_standard(&made.secret));
    assert!(!webhook.is_signed_as_standard("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    let told = body(&webhook);
    assert_eq!(told["type"], "session.qr");
    assert_eq!(told["session_name"], scene.session.name.as_str());
    assert_eq!(told["id"].as_str(), webhook.header("webhook-id"));

    let delivery = scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "delivered")
        .await;
    assert_eq!(delivery["event_id"], told["id"]);
    assert_eq!(delivery["event_number"], told["number"]);
    assert_eq!(
        (&delivery["attempts"], &delivery["last_status"]),
        (&json!(1), &json!(200))
    );
    let id = delivery["id"].as_str().unwrap();
    let whole = scene
        .owner
        .get(&format!("{WEBHOOKS}/deliveries/{id}"))
        .await
        .json();
    assert_eq!(whole["data"]["tried"][0]["status"], 200);
    assert_eq!(whole["data"]["tried"].as_array().unwrap().len(), 1);
    assert_eq!(scene.get(&made.id).await["last_event_number"], told["number"]);
}

async fn waha_receivers_get_what_waha_would_send(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    scene
        .create(json!({
            "url": receiver.url("/"), "style": "waha", "events": ["session.status"], "secret": "a-key-of-waha",
        }))
        .await;
    scene.happen_in_session().await;
    let webhook = received(&receiver, 1).await.remove(0);
    assert!(webhook.is_signed_as_waha("a-key-of-waha"));
    let told = body(&webhook);
    assert_eq!(
        (&told["event"], &told["session"]),
        (&json!("session.status"), &json!(scene.session.name.as_str()))
    );
    let text = String::from_utf8(webhook.body).unwrap();
    assert!(
        !text.contains(scene.session.waha.name.as_str()),
        "the name on WAHA is nobody's business"
    );
}

async fn each_endpoint_gets_its_own_events_and_none_of_another_organization(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let (of_type, of_session, of_b) = (
        WebhookReceiver::start().unwrap(),
        WebhookReceiver::start().unwrap(),
        WebhookReceiver::start().unwrap(),
    );
    let other = scene.app.session(Home::A).await;
    scene
        .create(json!({"url": of_type.url("/"), "events": ["session.created"]}))
        .await;
    scene
        .create(json!({"url": of_session.url("/"), "sessions": [other.name]}))
        .await;
    let owner_of_b = scene.app.actor(OWNER_OF_B).await;
    made(
        &owner_of_b
            .post_json(WEBHOOKS, &json!({"url": of_b.url("/")}))
            .await,
    );
    scene.happen_in_session().await;
    scene.happen(Home::A, None).await;
    scene.happen(Home::A, Some(other.id)).await;
    let of_other_organization = scene.app.session(Home::B).await;
    let new = scene.app.session(Home::A).await;
    let created = body(&received(&of_type, 1).await[0]);
    assert_eq!(
        (&created["type"], &created["session_id"]),
        (&json!("session.created"), &json!(new.id))
    );
    assert_eq!(
        body(&received(&of_session, 1).await[0])["session_id"],
        json!(other.id)
    );
    let told_to_b = body(&received(&of_b, 1).await[0]);
    assert_eq!(told_to_b["session_id"], json!(of_other_organization.id));
    assert_eq!(
        told_to_b["organization_id"],
        json!(scene.app.organization_id(Home::B))
    );
    for receiver in [&of_type, &of_session, &of_b] {
        assert_eq!(receiver.requests().len(), 1);
    }
}

async fn a_slow_receiver_delays_nobody_else(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let (slow, quick) = (
        WebhookReceiver::start().unwrap(),
        WebhookReceiver::start().unwrap(),
    );
    slow.answer_otherwise(Answer::hang());
    for place in 0..20 {
        scene.create(json!({"url": slow.url(&format!("/{place}"))})).await;
    }
    let owner_of_b = scene.app.actor(OWNER_OF_B).await;
    made(
        &owner_of_b
            .post_json(WEBHOOKS, &json!({"url": quick.url("/")}))
            .await,
    );
    for _ in 0..20 {
        scene.happen_in_session().await;
    }
    // As many as there may be at once of one organization.
    received(&slow, 8).await;
    scene.happen(Home::B, None).await;
    received(&quick, 1).await;
    // Attempts take fifteen seconds at most, so all of them still hang.
    assert_eq!(scene.deliveries_delivered().await, 0);
}

impl Scene {
    async fn deliveries_delivered(&self) -> usize {
        let answer = self.owner.get(WEBHOOKS).await.json();
        let mut delivered = 0;
        for endpoint in answer["data"].as_array().unwrap() {
            let id = endpoint["id"].as_str().unwrap();
            delivered += self.deliveries(id, "?state=delivered").await.len();
        }
        delivered
    }
}

async fn a_rotated_secret_signs_for_a_day_beside_the_new_one(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene.endpoint_at(&receiver).await;
    let rotated = scene.post(&format!("{}/rotate-secret", made.id), None).await;
    assert_eq!(rotated.named(), "200");
    let next = rotated.json()["data"]["secret"].as_str().unwrap().to_owned();
    assert_ne!(next, made.secret);
    scene.happen_in_session().await;
    let webhook = received(&receiver, 1).await.remove(0);
    assert!(webhook.is_signed_as_standard(&made.secret) && webhook.is_signed_as_standard(&next));
    scene.clock.advance(Duration::from_hours(24));
    scene.happen_in_session().await;
    let webhook = received(&receiver, 2).await.remove(1);
    assert!(!webhook.is_signed_as_standard(&made.secret) && webhook.is_signed_as_standard(&next));
}

async fn a_test_arrives_under_its_own_name(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    for style in ["standard", "waha"] {
        let receiver = WebhookReceiver::start().unwrap();
        let made = scene
            .create(json!({"url": receiver.url("/"), "style": style, "events": ["session.status"]}))
            .await;
        let answer = scene.post(&format!("{}/test", made.id), None).await;
        assert_eq!(answer.named(), "202");
        assert_eq!(answer.json()["data"]["event"], "webhook.test");
        let told = body(&received(&receiver, 1).await[0]);
        let (name, data) = if style == "waha" {
            ("event", "payload")
        } else {
            ("type", "data")
        };
        assert_eq!(told[name], "webhook.test");
        assert_eq!(told[data]["endpoint_id"], json!(made.id));
    }
}

async fn secrets_are_in_no_answer_but_the_first_and_in_no_log(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene
        .create(json!({"url": receiver.url("/"), "headers": {"x-key": "credential-of-theirs"}}))
        .await;
    scene.happen_in_session().await;
    let delivery = scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "delivered")
        .await;
    let id = delivery["id"].as_str().unwrap();
    for target in [
        WEBHOOKS.to_owned(),
        format!("{WEBHOOKS}/{}", made.id),
        format!("{WEBHOOKS}/{}/deliveries", made.id),
        format!("{WEBHOOKS}/deliveries/{id}"),
        "/api/waha/audit-log".to_owned(),
    ] {
        let answer = scene.owner.get(&target).await;
        assert_eq!(answer.named(), "200");
        for secret in [&made.secret, "credential-of-theirs"] {
            assert!(!answer.text().contains(secret), "{target}");
        }
    }
    assert_eq!(scene.get(&made.id).await["header_names"], json!(["x-key"]));
    for line in scene.app.log_lines().await {
        assert!(
            !line.contains(&made.secret) && !line.contains("credential-of-theirs"),
            "{line}"
        );
    }
}

on_both_databases!(
    what_happens_is_delivered_and_signed,
    waha_receivers_get_what_waha_would_send,
    each_endpoint_gets_its_own_events_and_none_of_another_organization,
    a_slow_receiver_delays_nobody_else,
    a_rotated_secret_signs_for_a_day_beside_the_new_one,
    a_test_arrives_under_its_own_name,
    secrets_are_in_no_answer_but_the_first_and_in_no_log,
);
