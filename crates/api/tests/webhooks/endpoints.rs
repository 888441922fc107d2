//! Making and changing endpoints.

use http::Method;
use serde_json::{Value, json};
use wahana_domain::{Ability, Role};
use wahana_testkit::{
    app::{Actor, By, Home, Sees, TestApp},
    database::TestDatabase,
    on_both_databases,
    receiver::{Answer, WebhookReceiver},
};

use crate::{OWNER, OWNER_OF_B, Scene, WEBHOOKS, made};

const URL: &str = "https://receiver.example/hook";

async fn an_endpoint_is_made_shown_changed_and_deleted(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let answer = scene
        .owner
        .post_json(
            WEBHOOKS,
            &json!({
                "url": URL, "description": "Ours", "events": ["message.received", "session.status"],
                "sessions": [scene.session.name],
            }),
        )
        .await;
    let made = made(&answer);
    assert!(made.secret.starts_with("whsec_"));
    let shown = scene.get(&made.id).await;
    for (field, expected) in [
        ("url", json!(URL)),
        ("description", json!("Ours")),
        ("style", json!("standard")),
        ("events", json!(["message.received", "session.status"])),
        ("sessions", json!([scene.session.id])),
        ("state", json!("enabled")),
        ("secret", Value::Null),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    let own = format!("{WEBHOOKS}/{}", made.id);
    let change = json!({
        "description": null, "events": null, "sessions": null, "headers": {"X-A": "b"}, "state": "disabled",
        "url": "https://other.example/",
    });
    let changed = scene.owner.patch_json(&own, &change).await;
    assert_eq!(changed.named(), "200", "{}", changed.text());
    let changed = changed.json()["data"].take();
    for (field, expected) in [
        ("url", json!("https://other.example/")),
        ("description", Value::Null),
        ("events", Value::Null),
        ("sessions", Value::Null),
        ("header_names", json!(["x-a"])),
        ("state", json!("disabled")),
        ("disabled_reason", json!("It was switched off.")),
    ] {
        assert_eq!(changed[field], expected, "{field}");
    }
    let refused = scene.post(&format!("{}/test", made.id), None).await;
    assert_eq!(refused.named(), "409 CONFLICT");
    assert_eq!(scene.owner.delete(&own).await.named(), "200");
    assert_eq!(scene.owner.delete(&own).await.named(), "404 NOT_FOUND");
    let log = scene.owner.get("/api/waha/audit-log").await.text();
    for operation in ["webhooks.create", "webhooks.update", "webhooks.delete"] {
        assert!(log.contains(operation), "{operation}");
    }
}

async fn faulty_endpoints_are_refused_with_their_fields(db: &TestDatabase) {
    // Without a list of open networks: a name might lead into one.
    let app = TestApp::start(db).await;
    let owner = app.actor(OWNER).await;
    let headers: serde_json::Map<String, Value> = (0..11).map(|n| (format!("x-{n}"), json!("a"))).collect();
    for (body, field) in [
        (json!({"url": "http://receiver.example/"}), "url"),
        (json!({"url": "https://10.0.0.1/"}), "url"),
        (json!({"url": "https://0x7f.1/"}), "url"),
        (json!({"url": "https://[::ffff:169.254.169.254]/"}), "url"),
        (json!({"url": "https://user@receiver.example/"}), "url"),
        (json!({"url": "https://receiver.example:8443/"}), "url"),
        (json!({"url": "nowhere"}), "url"),
        (json!({"url": URL, "style": "carrier pigeon"}), "style"),
        (json!({"url": URL, "events": ["message.burnt"]}), "events"),
        (json!({"url": URL, "events": []}), "events"),
        (
            json!({"url": URL, "style": "waha", "events": ["message.received"]}),
            "events",
        ),
        (json!({"url": URL, "sessions": []}), "sessions"),
        (json!({"url": URL, "headers": {"webhook-id": "x"}}), "headers"),
        (json!({"url": URL, "headers": {"x-a": "a\r\nb: c"}}), "headers"),
        (
            json!({"url": URL, "headers": {"x-a": "1", "X-A": "2"}}),
            "headers",
        ),
        (json!({"url": URL, "headers": headers}), "headers"),
        (json!({"url": URL, "secret": "guess"}), "secret"),
        (json!({"url": URL, "description": "x".repeat(201)}), "description"),
        (json!({"url": URL, "position": 0}), "position"),
    ] {
        let answer = owner.post_json(WEBHOOKS, &body).await;
        assert_eq!(answer.named(), "422 VALIDATION_ERROR", "{body}");
        assert!(answer.json()["errors"].get(field).is_some(), "{}", answer.text());
    }
    let of_b = app.session(Home::B).await;
    let foreign = json!({"url": URL, "sessions": [of_b.id]});
    assert_eq!(
        owner.post_json(WEBHOOKS, &foreign).await.named(),
        "404 SESSION_NOT_FOUND"
    );
}

async fn there_are_twenty_at_most(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    for _ in 0..20 {
        scene.create(json!({"url": URL})).await;
    }
    let refused = scene.owner.post_json(WEBHOOKS, &json!({"url": URL})).await;
    assert_eq!(refused.named(), "409 CONFLICT");
    let listed = scene.owner.get(WEBHOOKS).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 20);
    let of_b = scene.app.actor(OWNER_OF_B).await;
    assert!(
        of_b.get(WEBHOOKS).await.json()["data"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

async fn nobody_makes_an_endpoint_that_is_told_more_than_they_see(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let own = scene.session.id;
    let another = scene.app.session(Home::A).await.id;
    let sees = Sees { that: own, another };
    let limited = scene
        .app
        .actors(&[(Actor::LimitedToThatSession, Some(sees))])
        .await
        .remove(0);
    let for_all = scene.endpoint_at(&receiver).await;
    let answer = limited.post_json(WEBHOOKS, &json!({"url": URL})).await;
    assert_eq!(answer.json()["data"]["sessions"], json!([own]));
    let id = made(&answer).id;
    let wider = json!({"url": URL, "sessions": [another]});
    assert_eq!(
        limited.post_json(WEBHOOKS, &wider).await.named(),
        "404 SESSION_NOT_FOUND"
    );
    let widened = limited
        .patch_json(&format!("{WEBHOOKS}/{id}"), &json!({"sessions": null}))
        .await;
    assert_eq!(widened.json()["data"]["sessions"], json!([own]));
    let created_by = scene.get(&id).await["created_by"].take();
    assert!(created_by.is_string(), "{created_by}");
    let listed = limited.get(WEBHOOKS).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    let foreign = limited.get(&format!("{WEBHOOKS}/{}", for_all.id)).await;
    assert_eq!(foreign.named(), "404 NOT_FOUND");

    let lacking = scene.app.actor(Actor::Lacking(Ability::MessagesRead)).await;
    let answer = lacking.post_json(WEBHOOKS, &json!({"url": URL})).await;
    let events = answer.json()["data"]["events"].to_string();
    assert!(
        events.contains("session.status") && !events.contains("message."),
        "{events}"
    );
    let hidden = json!({"url": URL, "events": ["message.received"]});
    assert_eq!(
        lacking.post_json(WEBHOOKS, &hidden).await.named(),
        "403 FORBIDDEN"
    );
    let waha = json!({"url": URL, "style": "waha", "events": ["message.any"]});
    assert_eq!(lacking.post_json(WEBHOOKS, &waha).await.named(), "403 FORBIDDEN");
    // Nor do they lead elsewhere what they do not see.
    let moved = lacking
        .patch_json(&format!("{WEBHOOKS}/{}", for_all.id), &json!({"url": URL}))
        .await;
    assert_eq!(moved.named(), "403 FORBIDDEN");

    let agent = scene
        .app
        .actor(Actor::Member(Home::A, Role::Agent, By::Token))
        .await;
    assert_eq!(agent.get(WEBHOOKS).await.named(), "403 FORBIDDEN");
}

async fn what_an_endpoint_was_told_before_it_was_narrowed_stays_hidden(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(Answer::with_body(500, "an echo"));
    let (own, another) = (scene.session.id, scene.app.session(Home::A).await.id);
    let made = scene
        .create(json!({"url": receiver.url("/"), "events": ["session.qr"]}))
        .await;
    scene.happen(Home::A, Some(another)).await;
    let is_tried = |delivery: &Value| delivery["last_status"] == 500;
    let delivery = scene.delivery_when(&made.id, is_tried).await;
    let endpoint = format!("{WEBHOOKS}/{}", made.id);
    let narrowed = scene
        .owner
        .patch_json(&endpoint, &json!({"sessions": [own]}))
        .await;
    assert_eq!(narrowed.named(), "200");

    let sees = Sees { that: own, another };
    let limited = scene
        .app
        .actors(&[(Actor::LimitedToThatSession, Some(sees))])
        .await
        .remove(0);
    let listed = limited.get(&format!("{endpoint}/deliveries")).await;
    assert_eq!(listed.json()["data"], json!([]));
    let target = format!("{WEBHOOKS}/deliveries/{}", delivery["id"].as_str().unwrap());
    assert_eq!(limited.get(&target).await.named(), "404 NOT_FOUND");
    let replay = format!("{target}/replay");
    assert_eq!(
        limited.send(Method::POST, &replay, None).await.named(),
        "404 NOT_FOUND"
    );
    // Nor is it sent by asking for all that failed, or because it waits.
    receiver.answer_otherwise(Answer::status(200));
    assert_eq!(scene.owner.send(Method::POST, &replay, None).await.named(), "202");
    let failed = scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "failed")
        .await;
    assert_eq!(
        failed["last_error"],
        "The webhook is not told of this event any more."
    );
    assert_eq!(receiver.requests().len(), 1);
}

async fn headers_do_not_go_to_another_server_without_being_named_again(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let made = scene
        .create(json!({"url": URL, "headers": {"authorization": "Bearer theirs"}}))
        .await;
    let endpoint = format!("{WEBHOOKS}/{}", made.id);
    for elsewhere in [
        "https://elsewhere.example/hook",
        "https://receiver.example.test/hook",
    ] {
        let refused = scene
            .owner
            .patch_json(&endpoint, &json!({"url": elsewhere}))
            .await;
        assert_eq!(refused.named(), "422 VALIDATION_ERROR");
        assert!(
            refused.json()["errors"].get("headers").is_some(),
            "{}",
            refused.text()
        );
    }
    for (change, names) in [
        (
            json!({"url": "https://receiver.example/other"}),
            json!(["authorization"]),
        ),
        (
            json!({"url": "https://elsewhere.example/", "headers": {"x-a": "b"}}),
            json!(["x-a"]),
        ),
        (json!({"url": URL, "headers": {}}), json!([])),
    ] {
        let changed = scene.owner.patch_json(&endpoint, &change).await;
        assert_eq!(
            changed.json()["data"]["header_names"],
            names,
            "{}",
            changed.text()
        );
    }
}

async fn what_receivers_answer_is_for_who_may_be_told(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(Answer::with_body(500, "an echo"));
    let made = scene
        .create(json!({"url": receiver.url("/"), "events": ["session.qr"]}))
        .await;
    scene.happen_in_session().await;
    let is_tried = |delivery: &Value| delivery["last_status"] == 500;
    let delivery = scene.delivery_when(&made.id, is_tried).await;
    let target = format!("{WEBHOOKS}/deliveries/{}", delivery["id"].as_str().unwrap());
    let lacking = scene.app.actor(Actor::Lacking(Ability::SessionsRead)).await;
    for (actor, answer) in [(&scene.owner, json!("an echo")), (&lacking, Value::Null)] {
        let shown = actor.get(&target).await.json();
        assert_eq!(shown["data"]["tried"][0]["answer"], answer, "{shown}");
    }
    // Nor do they get what proves that a delivery is genuine.
    let rotated = lacking
        .send(
            Method::POST,
            &format!("{WEBHOOKS}/{}/rotate-secret", made.id),
            None,
        )
        .await;
    assert_eq!(rotated.named(), "403 FORBIDDEN");
}

on_both_databases!(
    what_an_endpoint_was_told_before_it_was_narrowed_stays_hidden,
    headers_do_not_go_to_another_server_without_being_named_again,
    what_receivers_answer_is_for_who_may_be_told,
    an_endpoint_is_made_shown_changed_and_deleted,
    faulty_endpoints_are_refused_with_their_fields,
    there_are_twenty_at_most,
    nobody_makes_an_endpoint_that_is_told_more_than_they_see,
);
