//! What arrives, and with what.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wahana_domain::{DeliveryStatus, Direction, FileName, MediaType, MessageId, MessageKind, Timestamp};
use wahana_service::jobs;
use wahana_store::{
    TenantTx,
    activity::Tally,
    media_files::{self, NewFile},
    messages::{Ledger, MessageNews},
    sessions,
};
use wahana_testkit::{
    app::{Actor, Home},
    database::TestDatabase,
    on_both_databases,
    receiver::{Answer, WebhookReceiver},
};

use crate::{OWNER_OF_B, Scene, WEBHOOKS, body, made, received, within_patience};

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

async fn what_a_message_says_and_a_link_to_its_file_are_delivered(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receivers = ["standard", "waha"].map(|style| (style, WebhookReceiver::start().unwrap()));
    for (style, receiver) in &receivers {
        let events = if *style == "waha" {
            "message"
        } else {
            "message.received"
        };
        scene
            .create(json!({"url": receiver.url("/"), "style": style, "events": [events]}))
            .await;
    }
    scene.receive_with_file("an offer", "the bytes of a file").await;
    for (style, receiver) in &receivers {
        let told = body(&received(receiver, 1).await[0]);
        let (text, media) = if *style == "waha" {
            (&told["payload"]["body"], &told["payload"]["media"])
        } else {
            (&told["data"]["text"], &told["data"]["media"])
        };
        assert_eq!(text, "an offer", "{told}");
        assert_eq!(
            (&media["mimetype"], &media["filename"]),
            (&json!("application/pdf"), &json!("offer.pdf"))
        );
        let url = url::Url::parse(media["url"].as_str().unwrap()).unwrap();
        let nobody = scene.app.actor(Actor::Nobody).await;
        let file = nobody.get(&url[url::Position::BeforePath..]).await;
        assert_eq!(file.text(), "the bytes of a file");
    }
}

async fn a_text_that_is_not_kept_is_there_until_every_receiver_has_it(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let texts = async || db.texts_unguarded("SELECT text FROM message_contents").await;
    let forget = async || {
        let tx = scene.app.store().platform_write().await.unwrap();
        let forgotten = tx.delete_told_texts(tx.now(), 10).await.unwrap();
        tx.commit().await.unwrap();
        forgotten
    };
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(Answer::status(500));
    let made = scene
        .create(json!({"url": receiver.url("/"), "events": ["message.received"]}))
        .await;
    let tx = scene.app.store().write(scene.app.tenant(Home::A)).await.unwrap();
    let over = tx.now().minus(Duration::from_secs(1));
    scene.receive(&tx, "an offer", Some(over)).await;
    tx.commit().await.unwrap();
    let tried = |attempts| {
        move |delivery: &Value| delivery["attempts"] == attempts && delivery["state"] != "delivered"
    };
    for attempt in 1..3 {
        scene.delivery_when(&made.id, tried(attempt)).await;
        assert_eq!(forget().await, 0);
        assert_eq!(texts().await, ["an offer"]);
        if attempt == 2 {
            receiver.answer_otherwise(Answer::status(200));
        }
        scene.clock.advance(Duration::from_mins(6));
    }
    scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "delivered")
        .await;
    for webhook in received(&receiver, 3).await {
        assert_eq!(body(&webhook)["data"]["text"], "an offer");
    }

    jobs::begin_periodic(scene.app.services()).await.unwrap();
    let stop = CancellationToken::new();
    let working = tokio::spawn({
        let (services, stop) = (scene.app.services().clone(), stop.clone());
        async move { jobs::work(&services, stop).await }
    });
    within_patience(async {
        while !texts().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    stop.cancel();
    working.await.unwrap();
}

impl Scene {
    /// Somebody sends a document, which is kept.
    async fn receive_with_file(&self, text: &str, bytes: &'static str) {
        let tx = self.app.store().write(self.app.tenant(Home::A)).await.unwrap();
        let message = self.receive(&tx, text, None).await;
        let bytes = futures_util::stream::iter([Ok::<_, ()>(bytes.into())]);
        let file = NewFile {
            stored: self
                .app
                .media()
                .write(tx.organization_id(), bytes, 100)
                .await
                .unwrap(),
            media_type: MediaType::parse("application/pdf").unwrap(),
            name: FileName::sanitize("offer.pdf"),
            expires_at: tx.now().plus(Duration::from_hours(1)),
        };
        let file = media_files::insert(&tx, &file).await.unwrap();
        assert!(media_files::attach(&tx, file.id, message, None).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// Somebody sends a document, whose text may be one to be forgotten.
    async fn receive(&self, tx: &TenantTx, text: &str, forget_after: Option<Timestamp>) -> MessageId {
        sessions::lock(tx, self.session.id).await.unwrap();
        let news = MessageNews {
            key: "3EB0AABBCC".to_owned(),
            waha_message_id: "false_15550001111@c.us_3EB0AABBCC".to_owned(),
            chat_id: "15550001111@c.us".to_owned(),
            direction: Direction::Incoming,
            kind: MessageKind::Document,
            sender: Some("15550001111@c.us".to_owned()),
            status: DeliveryStatus::Received,
            happened_at: tx.now(),
            text: Some(text.to_owned()),
            reply_to: None,
            is_from_api: false,
        };
        let mut ledger = Ledger::open(tx, self.session.id, [news.key.as_str()])
            .await
            .unwrap();
        if let Some(moment) = forget_after {
            ledger.forget_texts_after(moment);
        }
        ledger.hear(&news);
        let message = ledger.id_of(&news.key).unwrap();
        ledger.write(tx, &mut Tally::new()).await.unwrap();
        message
    }
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

async fn receivers_made_for_waha_take_what_comes_with_either_secret(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene
        .create(json!({
            "url": receiver.url("/"), "style": "waha", "events": ["session.status"], "secret": "a-key-of-waha",
        }))
        .await;
    let rotated = scene.post(&format!("{}/rotate-secret", made.id), None).await;
    let next = rotated.json()["data"]["secret"].as_str().unwrap().to_owned();
    // The receiver has the old secret yet.
    receiver.answer_next([Answer::status(401)]);
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_status"] == 401)
        .await;
    scene.clock.advance(Duration::from_secs(10));
    scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "delivered")
        .await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].is_signed_as_waha(&next) && requests[1].is_signed_as_waha("a-key-of-waha"));
    assert_eq!(
        requests[0].header("x-webhook-request-id"),
        requests[1].header("x-webhook-request-id")
    );
    // After a day it is of no use any more.
    scene.clock.advance(Duration::from_hours(24));
    receiver.answer_next([Answer::status(401)]);
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_status"] == 401)
        .await;
    scene.clock.advance(Duration::from_secs(10));
    let requests = received(&receiver, 4).await;
    assert!(
        requests[2..]
            .iter()
            .all(|request| request.is_signed_as_waha(&next))
    );
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
    what_a_message_says_and_a_link_to_its_file_are_delivered,
    a_text_that_is_not_kept_is_there_until_every_receiver_has_it,
    each_endpoint_gets_its_own_events_and_none_of_another_organization,
    a_slow_receiver_delays_nobody_else,
    a_rotated_secret_signs_for_a_day_beside_the_new_one,
    receivers_made_for_waha_take_what_comes_with_either_secret,
    a_test_arrives_under_its_own_name,
    secrets_are_in_no_answer_but_the_first_and_in_no_log,
);
