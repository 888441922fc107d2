//! Rows that cannot be read keep no others from being delivered.

use serde_json::json;
use wahana_testkit::{database::TestDatabase, on_both_databases, receiver::WebhookReceiver};

use crate::{Scene, WEBHOOKS, body, received};

async fn an_endpoint_that_cannot_be_read_keeps_nothing_from_the_others(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let faulty = scene.create(json!({"url": receiver.url("/faulty")})).await;
    let made = scene.endpoint_at(&receiver).await;
    let of_faulty = if db.is_postgres() {
        format!("id = '{}'", faulty.id)
    } else {
        format!("hex(id) = upper('{}')", faulty.id.replace('-', ""))
    };
    db.execute_unguarded(&format!(
        "UPDATE webhook_endpoints SET style = 'baroque' WHERE {of_faulty}"
    ))
    .await;
    scene.happen_in_session().await;
    assert_eq!(received(&receiver, 1).await[0].target, "/hook");
    let list = scene.owner.get(WEBHOOKS).await;
    assert_eq!(list.named(), "200", "{}", list.text());
    let data = list.json()["data"].take();
    let ids: Vec<_> = data.as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&json!(made.id)]);
}

async fn what_an_event_is_about_is_told_as_not_kept_if_it_cannot_be_read(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    let made = scene.endpoint_at(&receiver).await;
    db.execute_unguarded("UPDATE sessions SET desired_status = 'dreaming'")
        .await;
    scene.happen_in_session().await;
    let told = body(&received(&receiver, 1).await[0]);
    assert_eq!(
        (&told["session_id"], &told["session_name"]),
        (&json!(scene.session.id), &json!(null))
    );
    scene
        .delivery_when(&made.id, |delivery| delivery["state"] == "delivered")
        .await;
}

async fn a_delivery_that_cannot_be_read_keeps_nothing_from_the_others(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let receiver = WebhookReceiver::start().unwrap();
    receiver.stop().await;
    let made = scene.endpoint_at(&receiver).await;
    scene.happen_in_session().await;
    scene
        .delivery_when(&made.id, |delivery| delivery["last_error"] != json!(null))
        .await;
    db.execute_unguarded("UPDATE webhook_deliveries SET last_status = -1, due_at = 0")
        .await;
    receiver.resume().unwrap();
    scene.happen_in_session().await;
    received(&receiver, 1).await;
}

on_both_databases!(
    an_endpoint_that_cannot_be_read_keeps_nothing_from_the_others,
    what_an_event_is_about_is_told_as_not_kept_if_it_cannot_be_read,
    a_delivery_that_cannot_be_read_keeps_nothing_from_the_others,
);
