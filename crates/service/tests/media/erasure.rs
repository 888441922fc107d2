//! What is deleted is nowhere any more: the whole database and the media store are searched for it.

use std::time::Duration;

use secrecy::ExposeSecret;
use wahana_domain::{DeliveryStatus, OutgoingMessage, Retention, UserId};
use wahana_store::{
    messages::{self, MessageContent, NewMessage, Requester},
    organizations::{self, OrganizationChange},
};
use wahana_testkit::{database::TestDatabase, on_both_databases, rows};

use crate::world::{Place, World};

on_both_databases!(nothing_is_left_of_messages_that_are_past_their_time);

const SENT: &str = "the recipe that was sent";
/// As [`World::tell`] writes it.
const RECEIVED: &str = "a text below a file";
const FILE: &str = "the bytes of a secret drawing";

async fn send(world: &World<'_>, place: &Place) {
    let tx = world.store.write(place.tenant).await.unwrap();
    let message = OutgoingMessage {
        status: DeliveryStatus::Accepted,
        ..rows::message(place.session, tx.now())
    };
    let content = MessageContent {
        text: Some(SENT.to_owned()),
        details: None,
    };
    let new = NewMessage {
        message: &message,
        content: &content,
        requester: &Requester {
            user: UserId::new(),
            token: None,
            request_id: "request".to_owned(),
        },
        key: None,
    };
    messages::enqueue(&tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}

/// Everything that the database holds, as far as it is text.
async fn everything(db: &TestDatabase) -> Vec<u8> {
    if db.is_postgres() {
        let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
        let mut found = String::new();
        for table in db.texts_unguarded(tables).await {
            let rows = db
                .texts_unguarded(&format!("SELECT t::text FROM {table} t"))
                .await;
            found.push_str(&rows.join("\n"));
        }
        return found.into_bytes();
    }
    db.execute_unguarded("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let settings = db.settings();
    let path = settings
        .url
        .expose_secret()
        .trim_start_matches("sqlite://")
        .to_owned();
    let mut found = std::fs::read(&path).unwrap();
    found.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());
    found
}

/// Which of the texts can be found in the database or in the media store.
async fn found(world: &World<'_>) -> Vec<&'static str> {
    let mut bytes = everything(world.db).await;
    for (_, file) in world.kept() {
        bytes.extend(file);
    }
    let is_there = |text: &&str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    [SENT, RECEIVED, FILE].into_iter().filter(is_there).collect()
}

async fn nothing_is_left_of_messages_that_are_past_their_time(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let tx = world.store.write(place.tenant).await.unwrap();
    let change = OrganizationChange {
        retention: Some(Retention {
            messages_days: Some(3),
            ..Retention::default()
        }),
        ..Default::default()
    };
    organizations::update(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    for key in ["A", "B"] {
        send(&world, &place).await;
        world.receive_and_tell(&place, key, FILE.as_bytes()).await;
    }
    world.fetch().await;
    assert_eq!(found(&world).await, [SENT, RECEIVED, FILE]);
    world.clock.advance(Duration::from_hours(4 * 24));
    world.tidy().await;
    assert!(found(&world).await.is_empty(), "{:?}", found(&world).await);
}
