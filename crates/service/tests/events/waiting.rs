//! Events that wait: after a crash, for somebody else, for what they cannot have.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use wahana_domain::SessionStatus;
use wahana_service::events;
use wahana_store::sessions;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Event, World};

on_both_databases!(
    what_a_process_left_behind_is_applied_once,
    processes_that_apply_at_the_same_time_apply_once,
    what_is_not_understood_holds_up_nothing,
    what_the_database_refuses_holds_up_nothing,
    events_of_a_deleted_session_are_ignored,
    a_woken_dispatcher_applies_and_an_idle_one_looks,
);

fn call(number: usize) -> Event {
    Event::new(
        format!("evt_{number:04}"),
        "call.received",
        i64::try_from(number).unwrap(),
        json!({}),
    )
}

async fn calls(world: &World<'_>, place: crate::world::Place) -> Vec<String> {
    let query = "SELECT CAST(calls AS varchar) FROM session_activity WHERE session_id = {session}";
    world.rows(place, query).await
}

async fn what_a_process_left_behind_is_applied_once(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    let all: Vec<Event> = (0..7).map(call).collect();
    assert_eq!(world.deliver(place, &all).await, 7);
    // A transaction that does not come to its end changes nothing.
    let tx = world.store.write(place.tenant).await.unwrap();
    for event in wahana_store::events::waiting(&tx, place.session, 10)
        .await
        .unwrap()
    {
        wahana_store::events::finish(&tx, &[event.id], wahana_store::events::EventState::Applied)
            .await
            .unwrap();
    }
    drop(tx);
    assert!(calls(&world, place).await.is_empty());

    let restarted = world.another_process().await;
    assert_eq!(world.deliver(place, &all).await, 0, "WAHA delivers them again");
    let (tenant, session) = (place.tenant, place.session);
    let applied = events::apply_session(&restarted, tenant, session).await.unwrap();
    assert_eq!(applied, 7);
    assert_eq!(
        events::apply_session(&restarted, tenant, session).await.unwrap(),
        0
    );
    assert_eq!(world.apply(place).await, 0);
    assert_eq!(calls(&world, place).await, ["7"]);
}

async fn processes_that_apply_at_the_same_time_apply_once(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    let all: Vec<Event> = (0..200).map(call).collect();
    world.deliver(place, &all).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let services = world.another_process().await;
        tasks.push(tokio::spawn(async move {
            events::apply_session(&services, place.tenant, place.session)
                .await
                .unwrap()
        }));
    }
    let mut applied = 0;
    for task in tasks {
        applied += task.await.unwrap();
    }
    assert_eq!(applied, 200);
    assert_eq!(calls(&world, place).await, ["200"]);
}

async fn what_is_not_understood_holds_up_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    world
        .tell(
            place,
            &[
                Event::new("evt_1", "session.status", 1, json!({"status": 7.5})),
                Event::new("evt_2", "message", 2, json!("text")),
                Event::new("evt_3", "message.ack", 3, json!({"id": "x"})),
                Event::status("evt_4", 4, "WORKING", None),
            ],
        )
        .await;
    let events = world.events(place).await;
    assert_eq!(events, ["ignored -", "ignored -", "ignored -", "applied -"]);
    assert_eq!(world.get(place).await.status, SessionStatus::Working);
}

/// Nothing is known that the databases refuse; so one is made to.
async fn what_the_database_refuses_holds_up_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    let refuse = if db.is_postgres() {
        "ALTER TABLE messages ADD CONSTRAINT refused CHECK (message_key <> 'POISON')"
    } else {
        "CREATE TRIGGER refused BEFORE INSERT ON messages WHEN NEW.message_key = 'POISON'
         BEGIN SELECT RAISE(ABORT, 'refused'); END"
    };
    db.execute_unguarded(refuse).await;
    let ack = json!({"id": "true_1@c.us_POISON", "fromMe": true, "ack": 1});
    world
        .deliver(
            place,
            &[
                call(1),
                Event::new("evt_0002", "message.ack", 2, ack),
                Event::status("evt_0003", 3, "WORKING", None),
            ],
        )
        .await;
    assert_eq!(world.apply(place).await, 2);
    assert_eq!(world.get(place).await.status, SessionStatus::Working);
    assert_eq!(calls(&world, place).await, ["1"]);
    let states = async || {
        let query = "SELECT state FROM waha_events WHERE session_id = {session} ORDER BY event_id";
        world.rows(place, query).await
    };
    assert_eq!(states().await, ["applied", "waiting", "applied"]);
    // It is given up some day, so that nothing waits for ever.
    world.later(Duration::from_hours(2));
    world.apply(place).await;
    assert_eq!(states().await, ["applied", "ignored", "applied"]);
}

async fn events_of_a_deleted_session_are_ignored(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    world
        .deliver(place, &[call(1), Event::status("evt_9", 9, "WORKING", None)])
        .await;
    let tx = world.store.write(place.tenant).await.unwrap();
    assert!(sessions::delete(&tx, place.session).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(world.apply(place).await, 2);
    assert_eq!(world.events(place).await, ["ignored -", "ignored -"]);
    assert!(calls(&world, place).await.is_empty());
    let status = "SELECT status FROM sessions WHERE id = {session}";
    assert_eq!(world.rows(place, status).await, ["connecting"]);
}

async fn a_woken_dispatcher_applies_and_an_idle_one_looks(db: &TestDatabase) {
    let world = World::new(db).await;
    let (left_behind, woken) = (world.session().await, world.session().await);
    world.later(Duration::from_mins(1));
    world.deliver(left_behind, &[call(1)]).await;
    let (services, stop) = (world.services.clone(), CancellationToken::new());
    let stopped = stop.clone();
    let dispatching = tokio::spawn(async move { events::dispatch(&services, &stopped).await });
    let eventually = async |place, number: &str| {
        while calls(&world, place).await != [number] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    eventually(left_behind, "1").await;
    for number in 1..=3 {
        world.take(woken, &call(number)).await;
    }
    eventually(woken, "3").await;
    stop.cancel();
    dispatching.await.unwrap();
}
