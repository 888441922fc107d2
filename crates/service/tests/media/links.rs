//! Links that need no credential.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use url::Url;
use wahana_domain::{MediaFile, OrganizationState};
use wahana_service::{
    ServiceError,
    media::{self, MediaLink, PresentedMediaLink},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Place, World};

on_both_databases!(
    a_link_leads_to_its_file_for_an_hour,
    a_changed_link_leads_nowhere,
    a_link_ends_with_what_it_leads_to,
);

async fn file(world: &World<'_>, place: &Place) -> MediaFile {
    let bytes = stream::iter([Ok::<_, ()>(Bytes::from_static(b"linked"))]);
    let upload = media::upload(&world.services, place.tenant, bytes, 100).await;
    let keep_for = Duration::from_hours(10);
    world.keep(place, &upload.unwrap(), keep_for).await
}

fn linked(world: &World<'_>, file: &MediaFile) -> (MediaLink, String) {
    let url: Url = media::link(&world.services, file.organization_id, file.id).unwrap();
    let value = |name| {
        let found = url.query_pairs().find(|(key, _)| key == name);
        found.unwrap().1.into_owned()
    };
    let link = MediaLink {
        organization: file.organization_id,
        file: file.id,
        expires: value("expires").parse().unwrap(),
    };
    assert_eq!(url.path(), format!("/media/{}/{}", link.organization, link.file));
    (link, value("signature"))
}

async fn opens(world: &World<'_>, link: MediaLink, signature: &str) -> bool {
    let presented = PresentedMediaLink { link, signature };
    match media::open_link(&world.services, presented).await {
        Ok(media) => {
            assert_eq!(media.file.id, link.file);
            true
        }
        Err(ServiceError::LinkInvalid) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn a_link_leads_to_its_file_for_an_hour(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let (link, signature) = linked(&world, &file(&world, &place).await);
    assert!(opens(&world, link, &signature).await);
    world.clock.advance(Duration::from_secs(3599));
    assert!(opens(&world, link, &signature).await);
    world.clock.advance(Duration::from_secs(1));
    assert!(!opens(&world, link, &signature).await);
}

async fn a_changed_link_leads_nowhere(db: &TestDatabase) {
    let world = World::new(db).await;
    let (place, other) = (world.session().await, world.session().await);
    let (own, foreign) = (file(&world, &place).await, file(&world, &other).await);
    let (link, signature) = linked(&world, &own);
    let (foreign_link, foreign_signature) = linked(&world, &foreign);
    for changed in [
        MediaLink {
            expires: link.expires + 1,
            ..link
        },
        MediaLink {
            file: foreign.id,
            ..link
        },
        MediaLink {
            organization: foreign.organization_id,
            ..link
        },
        foreign_link,
    ] {
        assert!(!opens(&world, changed, &signature).await, "{changed:?}");
    }
    let (ring_key, digits) = signature.split_once('.').unwrap();
    for changed in [
        foreign_signature,
        digits.to_owned(),
        format!("9.{digits}"),
        format!("0{signature}"),
        format!("+{signature}"),
        format!("{ring_key}.{}", &digits[2..]),
        format!("{ring_key}.{}", digits.to_uppercase()),
        format!("{ring_key}."),
        String::new(),
    ] {
        assert!(!opens(&world, link, &changed).await, "{changed}");
    }
    assert!(opens(&world, link, &signature).await);
}

async fn a_link_ends_with_what_it_leads_to(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let file = file(&world, &place).await;
    let (link, signature) = linked(&world, &file);
    for (state, is_open) in [
        (OrganizationState::Suspended, false),
        (OrganizationState::Active, true),
        (OrganizationState::Closed, false),
        (OrganizationState::Active, true),
    ] {
        let tx = world.store.platform_write().await.unwrap();
        tx.set_organization_state(link.organization, state).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(opens(&world, link, &signature).await, is_open, "{state:?}");
    }
    let tx = world.store.platform_write().await.unwrap();
    assert_eq!(
        tx.end_oldest_media(link.organization, 1, 10).await.unwrap(),
        0,
        "it is kept for a message"
    );
    tx.commit().await.unwrap();
    world.clock.advance(Duration::from_hours(11));
    let (link, signature) = linked(&world, &file);
    assert!(opens(&world, link, &signature).await);
    world.tidy().await;
    let (link, signature) = (link, signature);
    assert!(!opens(&world, link, &signature).await);
}
