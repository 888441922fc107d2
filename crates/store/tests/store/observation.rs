//! What WAHA was seen to say.

use std::time::Duration;

use wahana_domain::{PhoneNumber, Session, SessionId, SessionStatus, Timestamp};
use wahana_store::{
    StoreError, Uniqueness,
    sessions::{self, Observation, SessionReference, observe},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

fn at(second: u64) -> Timestamp {
    START.plus(Duration::from_secs(second))
}

fn saw(word: Option<&str>, asked_at: Timestamp) -> Observation {
    Observation {
        waha_status: word.map(str::to_owned),
        phone_number: None,
        asked_at,
    }
}

async fn get(world: &World, id: SessionId) -> Session {
    let tx = world.read(&world.a).await;
    let found = sessions::get(&tx, &SessionReference::Id(id), None).await;
    found.unwrap().unwrap()
}

/// What a worker does; says whether something was new.
async fn apply(world: &World, session: &Session, observation: &Observation) -> bool {
    let Some(change) = observation.change(session) else {
        return false;
    };
    let tx = world.write(&world.a).await;
    observe(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    true
}

async fn what_waha_says_is_written(db: &TestDatabase) {
    let world = World::new(db).await;
    let id = world.session(&world.a, "sales").await.id;
    let number = PhoneNumber::parse("+6281234567890").unwrap();
    let mut working = saw(Some("WORKING"), at(1));
    working.phone_number = Some(number.clone());
    assert!(apply(&world, &get(&world, id).await, &working).await);
    let session = get(&world, id).await;
    assert_eq!(session.status, SessionStatus::Working);
    assert_eq!(session.waha_status.as_deref(), Some("WORKING"));
    assert_eq!(
        (session.phone_number, session.observed_at),
        (Some(number.clone()), Some(at(1)))
    );

    assert!(apply(&world, &get(&world, id).await, &saw(Some("FAILED"), at(2))).await);
    let session = get(&world, id).await;
    assert_eq!((session.status, session.error_count), (SessionStatus::Error, 1));
    assert!(session.last_error.is_some());
    assert_eq!(
        session.phone_number,
        Some(number),
        "it was paired and may be again"
    );

    assert!(apply(&world, &get(&world, id).await, &saw(Some("WORKING"), at(3))).await);
    assert_eq!(get(&world, id).await.last_error, None);

    assert!(apply(&world, &get(&world, id).await, &saw(None, at(4))).await);
    let session = get(&world, id).await;
    assert_eq!(
        (session.status, session.error_count),
        (SessionStatus::Disconnected, 1)
    );
    assert!(session.is_gone());
}

async fn the_same_again_changes_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    let id = world.session(&world.a, "sales").await.id;
    for word in [
        Some("STARTING"),
        Some("SCAN_QR_CODE"),
        Some("FAILED"),
        Some("SOMETHING"),
        None,
    ] {
        assert!(apply(&world, &get(&world, id).await, &saw(word, at(2))).await);
        let before = get(&world, id).await;
        assert!(!apply(&world, &before, &saw(word, at(3))).await, "{word:?}");
        assert_eq!(get(&world, id).await, before);
    }
}

async fn that_waha_does_not_know_a_session_yet_is_no_news(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    assert_eq!(saw(None, at(59)).change(&session), None);
    assert!(apply(&world, &session, &saw(None, at(60))).await);
    assert!(get(&world, session.id).await.is_gone());
}

async fn an_answer_to_an_earlier_question_changes_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    let unseen = world.session(&world.a, "sales").await;
    assert!(apply(&world, &unseen, &saw(Some("WORKING"), at(5))).await);
    let seen = get(&world, unseen.id).await;
    assert_eq!(saw(Some("STOPPED"), at(4)).change(&seen), None);
    // The worker may have read the row before the later answer was written.
    let late = saw(Some("STOPPED"), at(4)).change(&unseen).unwrap();
    let tx = world.write(&world.a).await;
    observe(&tx, &late).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(get(&world, unseen.id).await, seen);
}

async fn a_deleted_session_is_not_observed(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let change = saw(Some("WORKING"), at(1)).change(&session).unwrap();
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, session.id).await.unwrap());
    observe(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    let statuses = db.texts_unguarded("SELECT status FROM sessions").await;
    assert_eq!(statuses, ["connecting"]);
}

async fn a_number_that_another_session_holds_is_not_taken_from_it(db: &TestDatabase) {
    let world = World::new(db).await;
    let number = PhoneNumber::parse("+6281234567890").unwrap();
    let mut holder = world.new_session(&world.a, "holder");
    holder.phone_number = Some(number.clone());
    world.add(&world.a, &holder).await;
    let other = world.session(&world.a, "other").await;
    let mut paired = saw(Some("WORKING"), at(1));
    paired.phone_number = Some(number);
    let change = paired.change(&other).unwrap();
    let tx = world.write(&world.a).await;
    assert!(matches!(
        observe(&tx, &change).await,
        Err(StoreError::Conflict(Uniqueness::SessionPhoneNumber))
    ));
    drop(tx);
    let change = change.with_taken_number();
    let tx = world.write(&world.a).await;
    observe(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    let observed = get(&world, other.id).await;
    assert_eq!(
        (observed.status, &observed.phone_number),
        (SessionStatus::Working, &None)
    );
    assert_eq!(get(&world, holder.id).await, holder);
    paired.asked_at = at(2);
    assert_eq!(
        paired.change(&observed),
        None,
        "it is known and not tried again and again"
    );
}

async fn a_number_that_was_logged_out_is_free_again(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let mut paired = saw(Some("WORKING"), at(1));
    paired.phone_number = Some(PhoneNumber::parse("+6281234567890").unwrap());
    assert!(apply(&world, &session, &paired).await);
    let change = saw(Some("STOPPED"), at(2))
        .change(&get(&world, session.id).await)
        .unwrap();
    let tx = world.write(&world.a).await;
    observe(&tx, &change.without_number()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(get(&world, session.id).await.phone_number, None);
}

on_both_databases!(
    what_waha_says_is_written,
    the_same_again_changes_nothing,
    that_waha_does_not_know_a_session_yet_is_no_news,
    a_number_that_was_logged_out_is_free_again,
    an_answer_to_an_earlier_question_changes_nothing,
    a_deleted_session_is_not_observed,
    a_number_that_another_session_holds_is_not_taken_from_it,
);
