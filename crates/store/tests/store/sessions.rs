//! One session and what happens to it.

use std::time::Duration;

use wahana_domain::{
    BusinessProfile, ClientAppearance, DesiredStatus, Pacing, PhoneNumber, Session, SessionCounters,
    SessionId, SessionName, SessionOrigin, SessionStatus,
};
use wahana_store::{
    StoreError, TenantTx, Uniqueness,
    sessions::{self, SessionChange, SessionReference},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World, add_server};

fn name(text: &str) -> SessionName {
    SessionName::parse(text).unwrap()
}

async fn get(tx: &TenantTx, id: SessionId) -> Option<Session> {
    sessions::get(tx, &SessionReference::Id(id), None).await.unwrap()
}

async fn a_session_is_read_as_it_was_written(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut full = world.new_session(&world.a, "Sales_2-b");
    full.origin = SessionOrigin::Adopted;
    full.display_name = Some("Sales ☎ O'Brien".to_owned());
    full.phone_number = Some(PhoneNumber::parse("+6281234567890").unwrap());
    full.status = SessionStatus::ActionRequired;
    full.waha_status = Some("PASSKEY_REQUIRED".to_owned());
    full.desired_status = DesiredStatus::Stopped;
    full.observed_at = Some(START);
    full.error_count = 3;
    full.configuration.client = Some(ClientAppearance {
        device_name: Some("Kasir \"1\"".to_owned()),
        browser_name: None,
    });
    full.last_error = Some("failed".to_owned());
    full.business = BusinessProfile {
        name: Some("Shop".to_owned()),
        description: Some("Sells".to_owned()),
        category: Some("Retail".to_owned()),
        website: Some("https://shop.example".to_owned()),
        email: Some("shop@shop.example".to_owned()),
    };
    full.counters = SessionCounters {
        messages_sent: 1,
        messages_received: 2,
        media_sent: 3,
        media_received: i64::MAX,
    };
    full.last_message_at = Some(START);
    world.add(&world.a, &full).await;
    let bare = world.session(&world.a, "bare").await;
    let tx = world.read(&world.a).await;
    assert_eq!(get(&tx, full.id).await, Some(full));
    assert_eq!(get(&tx, bare.id).await, Some(bare));
}

async fn a_session_is_found_by_name_or_id_among_those_that_may_be_seen(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let other = world.session(&world.a, "support").await;
    let tx = world.read(&world.a).await;
    let by_name = SessionReference::parse("sales").unwrap();
    let by_id = SessionReference::parse(&session.id.to_string()).unwrap();
    for reference in [&by_name, &by_id] {
        for (only, is_found) in [
            (None, true),
            (Some(&[session.id, other.id][..]), true),
            (Some(&[other.id][..]), false),
            (Some(&[][..]), false),
        ] {
            let found = sessions::get(&tx, reference, only).await.unwrap();
            assert_eq!(found.is_some(), is_found, "{reference:?} {only:?}");
        }
    }
    assert_eq!(SessionReference::parse("no name"), None);
    let other_case = SessionReference::parse("Sales").unwrap();
    assert_eq!(sessions::get(&tx, &other_case, None).await.unwrap(), None);
    let with_ids = sessions::with_ids(&tx, &[other.id, SessionId::new()])
        .await
        .unwrap();
    assert_eq!(with_ids, [other]);
    assert!(sessions::with_ids(&tx, &[]).await.unwrap().is_empty());
}

async fn a_name_is_taken_while_its_session_lives(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    world.session(&world.a, "Sales").await;
    world.session(&world.b, "sales").await;
    let again = world.new_session(&world.a, "sales");
    let tx = world.write(&world.a).await;
    assert!(sessions::name_exists(&tx, &name("sales")).await.unwrap());
    assert!(!sessions::name_exists(&tx, &name("SALES")).await.unwrap());
    assert!(matches!(
        sessions::insert(&tx, &again).await,
        Err(StoreError::Conflict(Uniqueness::SessionName))
    ));
    drop(tx);

    let tx = world.write(&world.a).await;
    assert_eq!(sessions::count(&tx).await.unwrap(), 2);
    assert!(sessions::delete(&tx, session.id).await.unwrap());
    assert!(!sessions::delete(&tx, session.id).await.unwrap());
    assert!(!sessions::name_exists(&tx, &name("sales")).await.unwrap());
    assert_eq!(get(&tx, session.id).await, None);
    assert_eq!(sessions::count(&tx).await.unwrap(), 1);
    sessions::insert(&tx, &again).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_number_is_one_living_sessions_in_an_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    let with_number = |mut session: Session| {
        session.phone_number = Some(PhoneNumber::parse("+6281234567890").unwrap());
        session
    };
    let first = with_number(world.new_session(&world.a, "first"));
    let second = with_number(world.new_session(&world.a, "second"));
    world.add(&world.a, &first).await;
    let tx = world.write(&world.a).await;
    let number = first.phone_number.clone().unwrap();
    let other = PhoneNumber::parse("+6281234567891").unwrap();
    for (number, but, is_taken) in [
        (&number, second.id, true),
        (&number, first.id, false),
        (&other, second.id, false),
    ] {
        assert_eq!(
            sessions::number_is_taken(&tx, number, but).await.unwrap(),
            is_taken
        );
    }
    assert!(matches!(
        sessions::insert(&tx, &second).await,
        Err(StoreError::Conflict(Uniqueness::SessionPhoneNumber))
    ));
    drop(tx);
    world
        .add(&world.b, &with_number(world.new_session(&world.b, "third")))
        .await;
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, first.id).await.unwrap());
    assert!(!sessions::number_is_taken(&tx, &number, second.id).await.unwrap());
    sessions::insert(&tx, &second).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_name_on_a_waha_server_is_never_used_again(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, session.id).await.unwrap());
    tx.commit().await.unwrap();
    let mut thief = world.new_session(&world.b, "thief");
    thief.waha.name = session.waha.name.clone();
    let tx = world.write(&world.b).await;
    assert!(matches!(
        sessions::insert(&tx, &thief).await,
        Err(StoreError::Conflict(Uniqueness::WahaName))
    ));
    drop(tx);
    thief.waha.server = add_server(&world.store, "second").await;
    world.add(&world.b, &thief).await;
}

async fn own_fields_change_and_the_rest_stays(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut session = world.session(&world.a, "sales").await;
    let other = world.session(&world.a, "support").await;
    world.clock.advance(Duration::from_secs(1));
    session.display_name = Some("Sales".to_owned());
    session.business.name = Some("Shop".to_owned());
    session.configuration.debug = Some(true);
    session.pacing = Some(Pacing::new(2, 6, true).unwrap());
    session.updated_at = world.store.clock().now();
    let change = SessionChange {
        display_name: Some(session.display_name.clone()),
        business: Some(session.business.clone()),
        configuration: Some(session.configuration.clone()),
        pacing: Some(session.pacing),
    };
    let tx = world.write(&world.a).await;
    sessions::update(&tx, session.id, &change).await.unwrap();
    assert_eq!(get(&tx, session.id).await.unwrap(), session);
    let change = SessionChange {
        display_name: Some(None),
        pacing: Some(None),
        ..Default::default()
    };
    sessions::update(&tx, session.id, &change).await.unwrap();
    session.display_name = None;
    session.pacing = None;
    assert_eq!(get(&tx, session.id).await.unwrap(), session);
    assert_eq!(get(&tx, other.id).await.unwrap(), other);
}

async fn a_wish_is_new_once(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let tx = world.write(&world.a).await;
    for (wish, is_new) in [
        (DesiredStatus::Running, false),
        (DesiredStatus::Stopped, true),
        (DesiredStatus::Stopped, false),
        (DesiredStatus::Running, true),
    ] {
        let was_new = sessions::set_desired_status(&tx, session.id, wish).await.unwrap();
        assert_eq!(was_new, is_new, "{wish}");
        assert_eq!(get(&tx, session.id).await.unwrap().desired_status, wish);
    }
    assert!(sessions::delete(&tx, session.id).await.unwrap());
    assert!(
        !sessions::set_desired_status(&tx, session.id, DesiredStatus::Running)
            .await
            .unwrap(),
        "what is deleted is wanted no more"
    );
}

async fn the_servers_are_those_of_living_sessions_that_may_be_seen(db: &TestDatabase) {
    let world = World::new(db).await;
    let second = add_server(&world.store, "second").await;
    let one = world.session(&world.a, "one").await;
    world.session(&world.a, "two").await;
    let mut elsewhere = world.new_session(&world.a, "three");
    elsewhere.waha.server = second;
    world.add(&world.a, &elsewhere).await;
    let tx = world.write(&world.a).await;
    let mut all = sessions::servers(&tx, None).await.unwrap();
    all.sort();
    let mut both = [world.server, second];
    both.sort();
    assert_eq!(all, both);
    assert_eq!(
        sessions::servers(&tx, Some(&[one.id])).await.unwrap(),
        [world.server]
    );
    assert!(sessions::servers(&tx, Some(&[])).await.unwrap().is_empty());
    assert!(sessions::delete(&tx, elsewhere.id).await.unwrap());
    assert_eq!(sessions::servers(&tx, None).await.unwrap(), [world.server]);
    drop(tx);
    let tx = world.read(&world.b).await;
    assert!(sessions::servers(&tx, None).await.unwrap().is_empty());
}

on_both_databases!(
    a_session_is_read_as_it_was_written,
    a_session_is_found_by_name_or_id_among_those_that_may_be_seen,
    a_name_is_taken_while_its_session_lives,
    a_number_is_one_living_sessions_in_an_organization,
    a_name_on_a_waha_server_is_never_used_again,
    own_fields_change_and_the_rest_stays,
    a_wish_is_new_once,
    the_servers_are_those_of_living_sessions_that_may_be_seen,
);
