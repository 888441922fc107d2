//! Files that somebody has the bytes of, such as those that are to be sent.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use wahana_domain::{MediaFile, MediaState, MessageId};
use wahana_service::{
    ServiceError,
    media::{self, UploadError},
};
use wahana_store::media_files;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Place, World};

on_both_databases!(
    a_file_is_kept_and_read_again,
    nothing_stays_of_a_file_that_breaks_off,
    nothing_stays_of_a_file_that_nobody_claims,
    a_file_belongs_to_one_message,
);

const LIMIT: usize = 1000;

type Piece = Result<Bytes, &'static str>;

async fn put(
    world: &World<'_>,
    place: &Place,
    pieces: Vec<Piece>,
) -> Result<MediaFile, UploadError<&'static str>> {
    let upload = media::upload(&world.services, place.tenant, stream::iter(pieces), LIMIT).await?;
    Ok(world.keep(place, &upload, Duration::from_hours(1)).await)
}

fn pieces(texts: &[&'static str]) -> Vec<Piece> {
    texts
        .iter()
        .map(|text| Ok(Bytes::from_static(text.as_bytes())))
        .collect()
}

async fn a_file_is_kept_and_read_again(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let file = put(&world, &place, pieces(&["hello ", "world"])).await.unwrap();
    assert_eq!(world.files(place.tenant).await, std::slice::from_ref(&file));
    assert_eq!((file.state, file.message_id), (MediaState::Stored, None));
    let stored = file.stored.unwrap();
    let read = async |range| {
        let bytes = media::open(&world.services, &stored, range).await.unwrap();
        let pieces: Vec<Bytes> = bytes.try_collect().await.unwrap();
        String::from_utf8(pieces.concat()).unwrap()
    };
    assert_eq!(read(None).await, "hello world");
    assert_eq!(read(Some(4..7)).await, "o w");

    std::fs::remove_file(world.folder().join(stored.key.as_str())).unwrap();
    let gone = media::open(&world.services, &stored, None).await.err().unwrap();
    assert!(matches!(gone, ServiceError::MediaNotKept), "{gone}");
}

async fn nothing_stays_of_a_file_that_breaks_off(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let broken = put(
        &world,
        &place,
        [pieces(&["hello"]), vec![Err("hung up")]].concat(),
    )
    .await;
    assert!(matches!(broken, Err(UploadError::Source("hung up"))));
    let endless = stream::repeat_with(|| Ok::<_, &str>(Bytes::from_static(b"more"))).boxed();
    let large = media::upload(&world.services, place.tenant, endless, 50).await;
    let large = large.unwrap_err();
    assert!(
        matches!(
            large,
            UploadError::Service(ServiceError::MediaTooLarge { limit: 50 })
        ),
        "{large}"
    );
    assert_eq!(world.files(place.tenant).await, []);
    assert_eq!(world.kept(), []);
}

async fn nothing_stays_of_a_file_that_nobody_claims(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let upload = async || {
        let bytes = stream::iter(pieces(&["hello"]));
        let uploaded = media::upload(&world.services, place.tenant, bytes, LIMIT).await;
        uploaded.unwrap()
    };
    let refused = upload().await;
    assert_eq!(world.kept().len(), 1);
    drop(refused);
    assert_eq!(world.kept().len(), 0);
    let claimed = upload().await;
    let key = claimed.claim().key.clone();
    drop(claimed);
    assert!(world.folder().join(key.as_str()).exists());
}

async fn a_file_belongs_to_one_message(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let other = world.session().await;
    let file = put(&world, &place, pieces(&["x"])).await.unwrap();
    let message = MessageId::new();
    let tx = world.store.write(other.tenant).await.unwrap();
    assert!(
        !media_files::attach(&tx, file.id, MessageId::new(), None)
            .await
            .unwrap()
    );
    assert_eq!(media_files::get(&tx, file.id).await.unwrap(), None);
    tx.commit().await.unwrap();
    let tx = world.store.write(place.tenant).await.unwrap();
    assert!(media_files::attach(&tx, file.id, message, None).await.unwrap());
    assert!(
        !media_files::attach(&tx, file.id, MessageId::new(), None)
            .await
            .unwrap()
    );
    let found = media_files::of_message(&tx, message).await.unwrap().unwrap();
    assert_eq!((found.id, found.expires_at), (file.id, None));
    tx.commit().await.unwrap();
}
