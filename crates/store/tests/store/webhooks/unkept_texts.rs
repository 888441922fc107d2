//! How long texts are there that their organization does not keep.

use std::time::Duration;

use wahana_domain::{DeliveryStatus, Direction, MessageKind, WebhookEndpointId};
use wahana_store::{
    activity::Tally,
    messages::{Ledger, MessageNews},
    sessions,
    webhooks::{self, AttemptOutcome},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::{claim, conclude, fan_out, make, new_endpoint};
use crate::world::{START, TestOrganization, World};

on_both_databases!(
    a_text_is_there_until_every_webhook_was_told,
    who_is_told_nothing_holds_nothing_up,
);

/// A text comes in that is to be forgotten from now on.
async fn receive(world: &World, organization: &TestOrganization, key: &str) {
    let session = world.session(organization, &format!("session-{key}")).await.id;
    let tx = world.write(organization).await;
    sessions::lock(&tx, session).await.unwrap();
    let mut ledger = Ledger::open(&tx, session, [key]).await.unwrap();
    ledger.forget_texts_after(tx.now().minus(Duration::from_secs(1)));
    ledger.hear(&MessageNews {
        key: key.to_owned(),
        waha_message_id: format!("false_15550001111@c.us_{key}"),
        chat_id: "15550001111@c.us".to_owned(),
        direction: Direction::Incoming,
        kind: MessageKind::Text,
        sender: Some("15550001111@c.us".to_owned()),
        status: DeliveryStatus::Received,
        happened_at: START,
        text: Some(format!("the text of {key}")),
        reply_to: None,
        is_from_api: false,
    });
    ledger.write(&tx, &mut Tally::new()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Forgets what is told; gives back what is left.
async fn forget(world: &World, db: &TestDatabase) -> Vec<String> {
    let tx = world.platform_write().await;
    tx.delete_told_texts(tx.now(), 100).await.unwrap();
    tx.commit().await.unwrap();
    db.texts_unguarded("SELECT text FROM message_contents ORDER BY text")
        .await
}

async fn disable(world: &World, endpoint: WebhookEndpointId) {
    let tx = world.write(&world.a).await;
    assert!(webhooks::disable(&tx, endpoint, "For a test.").await.unwrap());
    tx.commit().await.unwrap();
}

async fn a_text_is_there_until_every_webhook_was_told(db: &TestDatabase) {
    let world = World::new(db).await;
    let endpoints = [
        make(&world, &world.a, &new_endpoint()).await,
        make(&world, &world.a, &new_endpoint()).await,
    ];
    receive(&world, &world.a, "A").await;
    assert_eq!(
        forget(&world, db).await,
        ["the text of A"],
        "nobody has looked at the event"
    );
    assert_eq!(fan_out(&world.store, &world.a).await, 2 * endpoints.len());
    let [first, second] = [&endpoints[0], &endpoints[1]];
    let claimed = claim(&world.store, &world.a, first.id, 10).await;
    conclude(&world, &claimed, AttemptOutcome::Delivered).await;
    assert_eq!(
        forget(&world, db).await,
        ["the text of A"],
        "the other was not told"
    );
    let claimed = claim(&world.store, &world.a, second.id, 10).await;
    let later = START.plus(Duration::from_hours(1));
    conclude(&world, &claimed, AttemptOutcome::RetryAt(later)).await;
    assert_eq!(
        forget(&world, db).await,
        ["the text of A"],
        "it is to be told again"
    );
    conclude(&world, &claimed, AttemptOutcome::Failed).await;
    assert!(forget(&world, db).await.is_empty(), "it was given up");
}

async fn who_is_told_nothing_holds_nothing_up(db: &TestDatabase) {
    let world = World::new(db).await;
    let disabled = make(&world, &world.a, &new_endpoint()).await;
    disable(&world, disabled.id).await;
    make(&world, &world.b, &new_endpoint()).await;
    for (organization, key) in [(&world.a, "A"), (&world.b, "B")] {
        receive(&world, organization, key).await;
    }
    assert_eq!(forget(&world, db).await, ["the text of B"]);
}
