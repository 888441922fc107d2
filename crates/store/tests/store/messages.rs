//! Messages that were handed to wahana.

use std::time::Duration;

use wahana_domain::{DeliveryStatus, MessageId, SessionId};
use wahana_store::{StoreError, messages};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

async fn a_message_is_kept_with_what_became_of_it(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let mut message = world.new_message(session.id);
    let tx = world.write(&world.a).await;
    messages::insert(&tx, &message).await.unwrap();
    assert_eq!(
        messages::get(&tx, message.id).await.unwrap(),
        Some(message.clone())
    );
    tx.commit().await.unwrap();

    world.clock.advance(Duration::from_secs(2));
    let tx = world.write(&world.a).await;
    messages::set_outcome(&tx, message.id, DeliveryStatus::Accepted, Some("true_1@c.us_ABC"))
        .await
        .unwrap();
    message.status = DeliveryStatus::Accepted;
    message.waha_message_id = Some("true_1@c.us_ABC".to_owned());
    message.updated_at = START.plus(Duration::from_secs(2));
    assert_eq!(messages::get(&tx, message.id).await.unwrap(), Some(message));
    assert_eq!(messages::get(&tx, MessageId::new()).await.unwrap(), None);
}

async fn a_message_cannot_name_a_session_of_another_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    let foreign = world.session(&world.b, "sales").await;
    let mut errors = Vec::new();
    for session in [foreign.id, SessionId::new()] {
        let tx = world.write(&world.a).await;
        let refused: Result<(), StoreError> = messages::insert(&tx, &world.new_message(session)).await;
        errors.push(refused.unwrap_err().to_string());
    }
    assert_eq!(errors[0], errors[1], "nobody learns that it exists");
}

on_both_databases!(
    a_message_is_kept_with_what_became_of_it,
    a_message_cannot_name_a_session_of_another_organization,
);
