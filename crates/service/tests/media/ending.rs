//! The end of files.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use wahana_domain::{MediaState, MessageId};
use wahana_service::media;
use wahana_store::{Tenant, media_files};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Place, World};

on_both_databases!(
    files_go_when_their_organization_does_not_keep_them_any_longer,
    the_oldest_files_go_when_there_are_too_many,
    what_is_to_be_sent_stays_and_what_nobody_sends_goes,
    the_files_of_deleted_messages_go_with_them,
    bytes_that_nobody_knows_of_are_found,
);

const DAY: Duration = Duration::from_hours(24);

async fn receive(world: &World<'_>, place: &Place, key: &str, bytes: &[u8]) {
    world.receive_and_tell(place, key, bytes).await;
    world.fetch().await;
}

async fn states(world: &World<'_>, tenant: Tenant) -> Vec<&'static str> {
    let files = world.files(tenant).await;
    files
        .iter()
        .map(|file| {
            assert_eq!(file.stored.is_some(), file.state == MediaState::Stored);
            file.state.as_str()
        })
        .collect()
}

async fn files_go_when_their_organization_does_not_keep_them_any_longer(db: &TestDatabase) {
    let world = World::new(db).await;
    let week = world.session().await;
    let day = world.session_of(world.organization(Some(1)).await).await;
    let ever = world.session_of(world.organization(None).await).await;
    for place in [&week, &day, &ever] {
        receive(&world, place, "A", place.waha_name.as_bytes()).await;
    }
    world.clock.advance(DAY * 2);
    receive(&world, &day, "B", b"new").await;
    world.tidy().await;
    assert_eq!(states(&world, week.tenant).await, ["stored"]);
    assert_eq!(states(&world, day.tenant).await, ["expired", "stored"]);
    world.clock.advance(DAY * 100);
    world.tidy().await;
    assert_eq!(states(&world, week.tenant).await, ["expired"]);
    assert_eq!(states(&world, day.tenant).await, ["expired", "expired"]);
    assert_eq!(states(&world, ever.tenant).await, ["stored"]);
    let kept: Vec<_> = world.kept().into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(kept, [ever.waha_name.as_bytes()]);
}

async fn the_oldest_files_go_when_there_are_too_many(db: &TestDatabase) {
    let world = World::new(db).await;
    let (place, other) = (world.session().await, world.session().await);
    receive(&world, &other, "O", &[0; 300]).await;
    for (number, bytes) in [300, 100, 300, 300].into_iter().enumerate() {
        world.clock.advance(Duration::from_secs(1));
        receive(&world, &place, &format!("A{number}"), &vec![1; bytes]).await;
    }
    assert_eq!(
        states(&world, place.tenant).await,
        ["stored"; 4],
        "1000 bytes may be there"
    );
    // What comes in is weighed at once: a flood is not let grow until somebody tidies up.
    world.clock.advance(Duration::from_secs(1));
    receive(&world, &place, "A4", &[1; 301]).await;
    assert_eq!(
        states(&world, place.tenant).await,
        ["expired", "expired", "stored", "stored", "stored"]
    );
    assert_eq!(
        states(&world, other.tenant).await,
        ["stored"],
        "each organization has its own limit"
    );
    assert_eq!(world.kept().len(), 4);
}

async fn upload(world: &World<'_>, place: &Place, keep_for: Duration) -> wahana_domain::MediaFile {
    let bytes = stream::iter([Ok::<_, ()>(Bytes::from_static(b"to be sent"))]);
    let upload = media::upload(&world.services, place.tenant, bytes, 100).await;
    world.keep(place, &upload.unwrap(), keep_for).await
}

async fn what_is_to_be_sent_stays_and_what_nobody_sends_goes(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let hour = Duration::from_hours(1);
    let (sent_late, forgotten) = (
        upload(&world, &place, hour).await,
        upload(&world, &place, hour).await,
    );
    let tx = world.store.write(place.tenant).await.unwrap();
    let due = tx.now().plus(DAY * 30);
    assert!(
        media_files::attach(&tx, sent_late.id, MessageId::new(), Some(due))
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    world.clock.advance(DAY * 20);
    world.tidy().await;
    let left: Vec<_> = world
        .files(place.tenant)
        .await
        .iter()
        .map(|file| file.id)
        .collect();
    assert_eq!(left, [sent_late.id], "{} is gone with its row", forgotten.id);
    assert_eq!(states(&world, place.tenant).await, ["stored"]);
    world.clock.advance(DAY * 11);
    world.tidy().await;
    assert_eq!(states(&world, place.tenant).await, ["expired"]);
    assert_eq!(world.kept(), []);
}

async fn the_files_of_deleted_messages_go_with_them(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    receive(&world, &place, "A", b"stored").await;
    // One that is still waited for.
    world.tell(&place, "B", serde_json::Value::Null).await;
    let tx = world.store.platform_write().await.unwrap();
    let organization = place.tenant.organization_id();
    let deleted = tx
        .delete_messages(organization, tx.now().plus(DAY), 10)
        .await
        .unwrap();
    assert_eq!(deleted, 2);
    tx.commit().await.unwrap();
    let files = world.files(place.tenant).await;
    assert!(
        files
            .iter()
            .all(|file| file.state == MediaState::Expired && file.message_id.is_none())
    );
    assert!(
        files
            .iter()
            .all(|file| file.name.is_none() && file.source.is_none())
    );
    world.tidy().await;
    assert_eq!(world.files(place.tenant).await, []);
    assert_eq!(world.kept(), []);
    world.fetch().await;
    assert_eq!(world.kept(), [], "what is fetched for nobody does not stay");
}

async fn bytes_that_nobody_knows_of_are_found(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session_of(world.organization(None).await).await;
    receive(&world, &place, "A", b"known").await;
    let known = world.kept().remove(0).0;
    // As a process leaves them that dies before it has written them down.
    let store = media::MediaStore::in_directory(world.folder().to_owned());
    let bytes = stream::iter([Ok::<_, ()>(Bytes::from_static(b"lost"))]);
    let lost = store
        .write(place.tenant.organization_id(), bytes, 100)
        .await
        .unwrap();
    let unfinished = world.folder().join(format!("{known}.unfinished"));
    std::fs::write(unfinished, "half").unwrap();
    let strange = world.folder().join("notes.txt");
    std::fs::write(&strange, "not wahana's").unwrap();
    assert_ne!(lost.key.as_str(), known);

    // The clock of these tests is ahead of the one by which files are dated.
    for _ in 0..24 {
        world.tidy().await;
    }
    let left: Vec<_> = world.kept().into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, [known, "notes.txt".to_owned()]);
}
