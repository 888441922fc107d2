//! Files of messages: which there are, and whose they are.

use wahana_domain::{MediaFile, MediaFileId, MediaState, MediaType, MessageId, StorageKey, StoredBytes};
use wahana_store::{
    TenantTx,
    activity::Tally,
    media_files::{self, ExpectedFile, NewFile},
    messages::{self, Accepted, Ledger, MessageNews},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

on_both_databases!(
    a_message_has_one_file_however_often_it_is_told_of,
    what_was_heard_of_a_message_gives_its_file_to_the_one_that_was_sent,
    a_file_of_another_organization_does_not_exist,
);

fn expected(message: MessageId) -> ExpectedFile {
    ExpectedFile {
        message,
        source: Some("/api/files/one/a.jpeg".to_owned()),
        media_type: MediaType::parse("image/jpeg").unwrap(),
        name: None,
    }
}

/// A message's file, of which nobody was told before.
async fn expect(tx: &TenantTx, message: MessageId) -> MediaFileId {
    media_files::expect(tx, &expected(message))
        .await
        .unwrap()
        .unwrap()
}

fn stored(tx: &TenantTx) -> StoredBytes {
    StoredBytes {
        key: StorageKey::generate(tx.organization_id()),
        size: 5,
        sha256: "0".repeat(64),
    }
}

async fn a_message_has_one_file_however_often_it_is_told_of(db: &TestDatabase) {
    let world = World::new(db).await;
    let message = world.fill(&world.a).await.message;
    let tx = world.write(&world.a).await;
    let id = expect(&tx, message).await;
    assert_eq!(media_files::expect(&tx, &expected(message)).await.unwrap(), None);
    let (first, second) = (stored(&tx), stored(&tx));
    assert!(media_files::set_stored(&tx, id, &first).await.unwrap());
    assert!(
        !media_files::set_stored(&tx, id, &second).await.unwrap(),
        "it is there already"
    );
    media_files::give_up(&tx, id, MediaState::Expired).await.unwrap();
    tx.commit().await.unwrap();
    let tx = world.read(&world.a).await;
    let file = media_files::of_message(&tx, message).await.unwrap().unwrap();
    assert_eq!(
        (file.id, file.state, file.stored),
        (id, MediaState::Stored, Some(first))
    );
    assert_eq!(file.source, None);
}

/// Tells of a message that WAHA took but has not answered for yet, with a file; gives its row.
async fn hear(tx: &TenantTx, session: wahana_domain::SessionId, key: &str) -> MessageId {
    let mut ledger = Ledger::open(tx, session, [key]).await.unwrap();
    ledger.hear(&MessageNews {
        key: key.to_owned(),
        waha_message_id: format!("true_15550001111@c.us_{key}"),
        chat_id: "15550001111@c.us".to_owned(),
        direction: wahana_domain::Direction::Outgoing,
        kind: wahana_domain::MessageKind::Image,
        sender: None,
        status: wahana_domain::DeliveryStatus::Accepted,
        happened_at: START,
        text: None,
        reply_to: None,
        is_from_api: false,
    });
    let id = ledger.id_of(key).unwrap();
    ledger.write(tx, &mut Tally::new()).await.unwrap();
    media_files::expect(tx, &expected(id)).await.unwrap().unwrap();
    id
}

async fn what_was_heard_of_a_message_gives_its_file_to_the_one_that_was_sent(db: &TestDatabase) {
    let world = World::new(db).await;
    let (without, with) = (world.fill(&world.a).await, world.fill(&world.b).await);
    for (organization, own, has_file) in [(&world.a, without, false), (&world.b, with, true)] {
        let tx = world.write(organization).await;
        if has_file {
            let new = NewFile {
                stored: stored(&tx),
                media_type: MediaType::unknown(),
                name: None,
                expires_at: START,
            };
            let file = media_files::insert(&tx, &new).await.unwrap();
            assert!(
                media_files::attach(&tx, file.id, own.message, None)
                    .await
                    .unwrap()
            );
        }
        let heard = hear(&tx, own.session.id, "A").await;
        let accepted = Accepted {
            id: own.message,
            key: "A",
            waha_message_id: "true_15550001111@c.us_A",
            happened_at: START,
        };
        messages::accept(&tx, own.session.id, accepted, &mut Tally::new())
            .await
            .unwrap();
        let file = media_files::of_message(&tx, own.message).await.unwrap().unwrap();
        let state = if has_file {
            MediaState::Stored
        } else {
            MediaState::Waiting
        };
        assert_eq!(file.state, state, "what wahana sent is not fetched");
        assert_eq!(
            media_files::of_message(&tx, heard).await.unwrap(),
            None::<MediaFile>
        );
        tx.commit().await.unwrap();
    }
    let ended = world
        .platform_read()
        .await
        .ended_media(None, None, 10)
        .await
        .unwrap();
    assert_eq!(ended.len(), 1, "the other's place was taken");
}

async fn a_file_of_another_organization_does_not_exist(db: &TestDatabase) {
    let world = World::new(db).await;
    let message = world.fill(&world.a).await.message;
    let tx = world.write(&world.a).await;
    let id = expect(&tx, message).await;
    tx.commit().await.unwrap();
    let tx = world.write(&world.b).await;
    assert_eq!(media_files::get(&tx, id).await.unwrap(), None);
    assert_eq!(media_files::of_message(&tx, message).await.unwrap(), None);
    assert!(!media_files::set_stored(&tx, id, &stored(&tx)).await.unwrap());
    media_files::give_up(&tx, id, MediaState::Failed).await.unwrap();
    assert_eq!(messages::find(&tx, message, None).await.unwrap(), None);
    tx.commit().await.unwrap();
    let tx = world.read(&world.a).await;
    let file = media_files::get(&tx, id).await.unwrap().unwrap();
    assert_eq!(file.state, MediaState::Waiting);
    let session = messages::find(&tx, message, None)
        .await
        .unwrap()
        .unwrap()
        .session_id;
    let seen = messages::find(&tx, message, Some(&[session])).await.unwrap();
    assert!(seen.is_some());
    assert_eq!(messages::find(&tx, message, Some(&[])).await.unwrap(), None);
}
