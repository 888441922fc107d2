//! What a session does.

use std::time::Duration;

use serde_json::json;
use wahana_domain::SessionStatus;
use wahana_store::sessions::{self, Observation};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Event, World, at};

const ONE: &str = "15551230001@c.us";
const TWO: &str = "15551230002@c.us";

on_both_databases!(
    a_session_is_followed_from_its_start_to_its_end,
    older_news_change_the_history_alone,
    what_is_of_the_same_moment_has_an_order,
    a_late_number_is_not_lost_and_a_later_one_stays,
    a_number_that_another_session_holds_stays_there,
    a_snapshot_and_an_event_do_not_undo_each_other,
    each_new_code_is_newer_news,
    calls_and_changes_of_groups_are_activity,
    a_clock_of_wahas_that_is_ahead_holds_up_nothing,
);

async fn a_session_is_followed_from_its_start_to_its_end(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    for (number, (word, me, status)) in [
        ("STARTING", None, SessionStatus::Connecting),
        ("SCAN_QR_CODE", None, SessionStatus::ScanQr),
        ("STARTING", Some(ONE), SessionStatus::Connecting),
        ("WORKING", Some(ONE), SessionStatus::Working),
        ("FAILED", Some(ONE), SessionStatus::Error),
        ("STOPPED", None, SessionStatus::Disconnected),
    ]
    .into_iter()
    .enumerate()
    {
        world.later(Duration::from_secs(1));
        let when = i64::try_from(number).unwrap() * 1000;
        world
            .tell(place, &[Event::status(&format!("evt_{number}"), when, word, me)])
            .await;
        let session = world.get(place).await;
        assert_eq!(session.status, status);
        assert_eq!(session.waha_status.as_deref(), Some(word));
        assert_eq!(session.observed_at, Some(at(when)));
        let is_paired = number >= 2;
        let number = session.phone_number.map(|number| number.as_str().to_owned());
        assert_eq!(number.as_deref(), is_paired.then_some("+15551230001"));
    }
    let session = world.get(place).await;
    assert_eq!(session.error_count, 1);
    assert!(
        session.last_error.unwrap().contains("failed"),
        "it is why it stopped"
    );
    assert_eq!(
        world.transitions(place, "status").await,
        [
            "- connecting",
            "connecting scan_qr",
            "scan_qr connecting",
            "connecting working",
            "working error",
            "error disconnected",
        ]
    );
    assert_eq!(
        world.transitions(place, "health").await,
        [
            "- unknown",
            "unknown healthy",
            "healthy critical",
            "critical unknown"
        ]
    );
    let events = world.events(place).await;
    assert_eq!(events, ["applied -"; 6], "what was applied says nothing any more");
}

async fn older_news_change_the_history_alone(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    world
        .tell(place, &[Event::status("evt_2", 2000, "WORKING", Some(ONE))])
        .await;
    let before = world.get(place).await;
    world
        .tell(place, &[Event::status("evt_1", 1000, "FAILED", None)])
        .await;
    let after = world.get(place).await;
    assert_eq!(
        (after.status, after.observed_at),
        (before.status, before.observed_at)
    );
    assert_eq!(after.phone_number, before.phone_number);
    assert_eq!((after.error_count, after.last_error), (1, None));
    assert_eq!(
        world.transitions(place, "status").await,
        ["- error", "error working"]
    );

    world
        .tell(place, &[Event::status("evt_2", 2000, "FAILED", None)])
        .await;
    assert_eq!(
        world.get(place).await.status,
        SessionStatus::Working,
        "the same event again"
    );
}

/// WAHA's times are milliseconds.
async fn what_is_of_the_same_moment_has_an_order(db: &TestDatabase) {
    let world = World::new(db).await;
    world.later(Duration::from_mins(1));
    let both = [
        Event::status("evt_1", 1000, "STARTING", None),
        Event::status("evt_2", 1000, "SCAN_QR_CODE", None),
    ];
    let mut states = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let place = world.session().await;
        for number in order {
            world.tell(place, &[both[number].clone()]).await;
        }
        assert_eq!(world.get(place).await.status, SessionStatus::ScanQr);
        states.push(world.state(place).await);
    }
    assert_eq!(states[0], states[1]);
}

async fn a_late_number_is_not_lost_and_a_later_one_stays(db: &TestDatabase) {
    let world = World::new(db).await;
    world.later(Duration::from_mins(1));
    let place = world.session().await;
    world
        .tell(place, &[Event::status("evt_3", 3000, "STOPPED", None)])
        .await;
    world
        .tell(place, &[Event::status("evt_2", 2000, "WORKING", Some(TWO))])
        .await;
    let number = async || world.get(place).await.phone_number.unwrap().as_str().to_owned();
    assert_eq!(number().await, "+15551230002");
    world
        .tell(place, &[Event::status("evt_1", 1000, "WORKING", Some(ONE))])
        .await;
    assert_eq!(number().await, "+15551230002");
    assert_eq!(world.get(place).await.status, SessionStatus::Disconnected);
}

async fn a_number_that_another_session_holds_stays_there(db: &TestDatabase) {
    let world = World::new(db).await;
    world.later(Duration::from_mins(1));
    let tenant = world.organization().await;
    let holder = world.session_of(tenant, "holder").await;
    let other = world.session_of(tenant, "other").await;
    world
        .tell(holder, &[Event::status("evt_1", 1000, "WORKING", Some(ONE))])
        .await;
    world
        .tell(other, &[Event::status("evt_2", 2000, "WORKING", Some(ONE))])
        .await;
    let session = world.get(other).await;
    assert_eq!(
        (session.status, session.phone_number),
        (SessionStatus::Working, None)
    );
    assert!(session.last_error.unwrap().contains("another session"));
    assert!(world.get(holder).await.phone_number.is_some());

    let tx = world.store.write(tenant).await.unwrap();
    assert!(sessions::delete(&tx, holder.session).await.unwrap());
    tx.commit().await.unwrap();
    world
        .tell(other, &[Event::status("evt_3", 3000, "WORKING", Some(ONE))])
        .await;
    let session = world.get(other).await;
    assert!(session.phone_number.is_some(), "nobody holds it any more");
    assert_eq!(session.last_error, None);
}

async fn a_snapshot_and_an_event_do_not_undo_each_other(db: &TestDatabase) {
    let world = World::new(db).await;
    world.later(Duration::from_mins(1));
    let place = world.session().await;
    let look = async |word: &str, when: i64| {
        let observation = Observation {
            waha_status: Some(word.to_owned()),
            phone_number: None,
            asked_at: at(when),
        };
        if let Some(change) = observation.change(&world.get(place).await) {
            let tx = world.store.write(place.tenant).await.unwrap();
            sessions::observe(&tx, &change).await.unwrap();
            tx.commit().await.unwrap();
        }
        world.get(place).await.status
    };
    world
        .tell(place, &[Event::status("evt_2", 2000, "WORKING", None)])
        .await;
    assert_eq!(
        look("STARTING", 1500).await,
        SessionStatus::Working,
        "it was asked for before"
    );
    assert_eq!(look("FAILED", 3000).await, SessionStatus::Error);
    world
        .tell(place, &[Event::status("evt_1", 2500, "WORKING", None)])
        .await;
    let session = world.get(place).await;
    assert_eq!((session.status, session.error_count), (SessionStatus::Error, 1));
    assert_eq!(
        world.transitions(place, "status").await,
        ["- working", "working error"]
    );
}

async fn each_new_code_is_newer_news(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(5));
    for (id, when) in [("evt_1", 1000), ("evt_2", 21_000), ("evt_3", 41_000)] {
        world
            .tell(place, &[Event::status(id, when, "SCAN_QR_CODE", None)])
            .await;
        assert_eq!(world.get(place).await.observed_at, Some(at(when)));
    }
    assert_eq!(world.transitions(place, "status").await, ["- scan_qr"]);
    // What comes between two of them has come between them.
    world
        .tell(place, &[Event::status("evt_0", 30_000, "STARTING", None)])
        .await;
    assert_eq!(world.get(place).await.status, SessionStatus::ScanQr);
    assert_eq!(
        world.transitions(place, "status").await,
        ["- scan_qr", "scan_qr connecting", "connecting scan_qr"]
    );

    // Repeats are forgotten when nothing earlier can come any more.
    let day = 24 * 60 * 60 * 1000;
    world.later(Duration::from_hours(24 * 5));
    for number in 0..2 {
        let event = Event::status(&format!("evt_late_{number}"), 5 * day, "SCAN_QR_CODE", None);
        world.tell(place, &[event]).await;
    }
    let repeats = "SELECT CAST(happened_at AS varchar) FROM session_transitions
                   WHERE session_id = {session} AND subject = 'status' AND old_value = new_value";
    assert_eq!(
        world.rows(place, repeats).await.len(),
        2,
        "those of now, and none of before"
    );
    assert_eq!(world.transitions(place, "status").await.len(), 3);
}

async fn calls_and_changes_of_groups_are_activity(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_hours(1));
    let quarter = 15 * 60 * 1000;
    world
        .tell(
            place,
            &[
                Event::new("evt_1", "call.received", quarter - 1, json!({"id": "CALL1"})),
                Event::new("evt_2", "call.received", quarter, json!({"id": "CALL2"})),
                Event::new("evt_3", "call.rejected", quarter, json!({"id": "CALL2"})),
                Event::new("evt_4", "group.v2.join", quarter, json!({})),
                Event::new("evt_5", "group.v2.participants", quarter + 1, json!({})),
                Event::new("evt_6", "group.join", quarter + 1, json!({})),
                Event::new("evt_7", "presence.update", quarter + 2, json!({})),
                Event::new("evt_8", "something.new", quarter + 3, json!(null)),
            ],
        )
        .await;
    let activity = "SELECT slot || ' ' || calls || ' ' || group_changes FROM session_activity
                    WHERE session_id = {session} ORDER BY slot";
    let (first, second) = (at(0).as_micros(), at(quarter).as_micros());
    assert_eq!(
        world.rows(place, activity).await,
        [format!("{first} 1 0"), format!("{second} 1 2")]
    );
    assert_eq!(world.events(place).await, ["applied -"; 8]);
    let last = "SELECT CAST(last_event_at AS varchar) FROM session_upkeep WHERE session_id = {session}";
    assert_eq!(
        world.rows(place, last).await,
        [at(quarter + 3).as_micros().to_string()]
    );
}

async fn a_clock_of_wahas_that_is_ahead_holds_up_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world
        .tell(place, &[Event::status("evt_1", 60_000, "WORKING", None)])
        .await;
    let session = world.get(place).await;
    assert_eq!(
        session.observed_at,
        Some(at(0)),
        "it came in now, so it happened by now"
    );
}
