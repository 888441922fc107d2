//! Messages and how far they come.

use std::time::Duration;

use serde_json::{Value, json};
use wahana_domain::SessionCounters;
use wahana_store::{
    messages::{HistoryQuery, history},
    organizations::{self, OrganizationChange},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Event, Place, World, at};

on_both_databases!(
    a_message_that_is_told_twice_counts_once,
    what_nobody_wrote_to_anybody_is_no_message,
    acknowledgements_only_advance_a_message,
    what_was_written_is_kept_once_and_in_one_place,
    what_was_written_is_there_until_it_was_told_for_who_does_not_want_it_kept,
);

const TEXT: &str = "the secret recipe";

fn received(key: &str, seconds: i64, image: bool) -> Value {
    let message = if image {
        json!({"imageMessage": {"mimetype": "image/jpeg"}})
    } else {
        json!({"conversation": TEXT})
    };
    json!({
        "id": format!("false_15550001111@c.us_{key}"),
        "timestamp": at(seconds * 1000).as_seconds(),
        "from": "15550001111@c.us", "fromMe": false, "body": TEXT, "hasMedia": image, "ack": 2,
        "_data": {"message": message},
    })
}

fn sent(key: &str, seconds: i64) -> Value {
    json!({
        "id": format!("true_15550001111@c.us_{key}"),
        "timestamp": at(seconds * 1000).as_seconds(),
        "from": "15550001111@c.us", "fromMe": true, "body": TEXT, "hasMedia": false, "ack": 0,
        "_data": {"message": {"conversation": TEXT}},
    })
}

fn acknowledged(key: &str, ack: i64) -> Value {
    let id = format!("true_15550001111@c.us_{key}");
    json!({"id": id, "from": "15550001111@c.us", "fromMe": true, "ack": ack})
}

async fn messages(world: &World<'_>, place: Place) -> Vec<String> {
    let query = "SELECT message_key || ' ' || direction || ' ' || kind || ' ' || status || ' ' ||
                    coalesce(sender, '-') FROM messages WHERE session_id = {session} ORDER BY message_key";
    world.rows(place, query).await
}

async fn a_message_that_is_told_twice_counts_once(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    world
        .tell(
            place,
            &[
                Event::new("evt_1", "message", 1001, received("A", 1, false)),
                Event::new("evt_2", "message.any", 1002, received("A", 1, false)),
                Event::new("evt_3", "message.any", 2001, received("B", 2, true)),
                Event::new("evt_4", "message.any", 3001, sent("C", 3)),
            ],
        )
        .await;
    // In another transaction.
    world
        .tell(
            place,
            &[Event::new("evt_5", "message", 2002, received("B", 2, true))],
        )
        .await;
    assert_eq!(
        messages(&world, place).await,
        [
            "A incoming text received 15550001111@c.us",
            "B incoming image received 15550001111@c.us",
            "C outgoing text accepted -",
        ]
    );
    let session = world.get(place).await;
    let counted = SessionCounters {
        messages_sent: 1,
        messages_received: 2,
        media_sent: 0,
        media_received: 1,
    };
    assert_eq!(session.counters, counted);
    assert_eq!(session.last_message_at, Some(at(3000)));
    let activity = "SELECT messages_sent || ' ' || messages_received || ' ' || media_received
                    FROM session_activity WHERE session_id = {session}";
    assert_eq!(world.rows(place, activity).await, ["1 2 1"]);
}

async fn what_nobody_wrote_to_anybody_is_no_message(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    let mut story = received("S", 1, false);
    story["id"] = json!("false_status@broadcast_S_15550001111@c.us");
    story["from"] = json!("status@broadcast");
    let mut reaction = received("R", 1, false);
    reaction["_data"] = json!({"message": {"reactionMessage": {"text": "+"}}});
    world
        .tell(
            place,
            &[
                Event::new("evt_1", "message", 1000, story),
                Event::new("evt_2", "message.any", 1000, reaction.clone()),
                Event::new("evt_3", "message.reaction", 1000, reaction),
                Event::new("evt_4", "message.ack", 1000, acknowledged("P", 0)),
                Event::new(
                    "evt_5",
                    "message.ack",
                    1000,
                    json!({"id": "false_15550001111@c.us_I", "fromMe": false, "ack": 3}),
                ),
            ],
        )
        .await;
    assert!(messages(&world, place).await.is_empty());
    assert_eq!(world.get(place).await.counters, SessionCounters::default());
    assert_eq!(world.events(place).await, ["applied -"; 5]);
}

async fn acknowledgements_only_advance_a_message(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    let status = async || messages(&world, place).await.remove(0);
    let activity = async || {
        let query = "SELECT messages_sent || ' ' || messages_delivered || ' ' || messages_read || ' ' ||
                        messages_failed FROM session_activity WHERE session_id = {session}";
        world.rows(place, query).await
    };
    let mut number = 0;
    let mut acknowledge = async |ack: i64| {
        number += 1;
        let id = format!("evt_ack_{number}");
        let event = Event::new(id, "message.ack", 2000 + number, acknowledged("A", ack));
        world.tell(place, &[event]).await;
    };
    acknowledge(1).await;
    assert_eq!(
        status().await,
        "A outgoing other sent -",
        "nothing else is known yet"
    );
    assert!(activity().await.is_empty());
    world
        .tell(place, &[Event::new("evt_1", "message.any", 1000, sent("A", 1))])
        .await;
    assert_eq!(status().await, "A outgoing text sent -");
    assert_eq!(activity().await, ["1 0 0 0"]);
    for (ack, word, counted) in [
        (-1, "failed", "1 0 0 1"),
        (1, "failed", "1 0 0 1"),
        (2, "delivered", "1 1 0 0"),
        (-1, "delivered", "1 1 0 0"),
        (4, "read", "1 1 1 0"),
        (2, "read", "1 1 1 0"),
    ] {
        acknowledge(ack).await;
        assert_eq!(status().await, format!("A outgoing text {word} -"), "{ack}");
        assert_eq!(activity().await, [counted], "{ack}");
    }
    assert_eq!(world.get(place).await.counters.messages_sent, 1);
}

async fn texts(world: &World<'_>, place: Place) -> Vec<String> {
    let query = "SELECT message_key || ' ' || coalesce(text, '-') || ' ' || coalesce(reply_to, '-') FROM messages m
                 JOIN message_contents ON message_id = m.id WHERE session_id = {session} ORDER BY message_key";
    world.rows(place, query).await
}

async fn what_was_written_is_kept_once_and_in_one_place(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    world.later(Duration::from_mins(1));
    let mut answer = received("B", 2, true);
    answer["replyTo"] = json!({"id": "A"});
    let mut silent = received("C", 3, true);
    silent["body"] = "".into();
    world
        .tell(
            place,
            &[
                Event::new("evt_1", "message", 1000, received("A", 1, false)),
                Event::new("evt_2", "message.any", 1000, received("A", 1, false)),
                Event::new("evt_3", "message", 2000, answer),
                Event::new("evt_4", "message", 3000, silent),
            ],
        )
        .await;
    let later = Event::new("evt_5", "message.any", 4000, sent("D", 4));
    world.tell(place, std::slice::from_ref(&later)).await;
    world
        .tell(
            place,
            &[Event {
                id: "evt_6".to_owned(),
                ..later
            }],
        )
        .await;
    assert_eq!(
        texts(&world, place).await,
        [
            format!("A {TEXT} -"),
            format!("B {TEXT} A"),
            format!("D {TEXT} -")
        ]
    );
    let state = world.state(place).await;
    assert!(state.iter().all(|row| !row.contains(TEXT)), "{state:?}");
}

async fn what_was_written_is_there_until_it_was_told_for_who_does_not_want_it_kept(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let tx = world.store.write(place.tenant).await.unwrap();
    let change = OrganizationChange {
        keeps_message_texts: Some(false),
        ..Default::default()
    };
    organizations::update(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    world.later(Duration::from_mins(1));
    let mut through_api = sent("C", 3);
    through_api["source"] = json!("api");
    world
        .tell(
            place,
            &[
                Event::new("evt_1", "message", 1000, received("A", 1, false)),
                Event::new("evt_2", "message.any", 2000, sent("B", 2)),
                Event::new("evt_3", "message.any", 3000, through_api),
            ],
        )
        .await;
    assert_eq!(messages(&world, place).await.len(), 3);
    // Who sent it through the API knows what it says.
    let told = [format!("A {TEXT} -"), format!("B {TEXT} -")];
    assert_eq!(texts(&world, place).await, told);
    let tx = world.store.read(place.tenant).await.unwrap();
    let kept = history(&tx, &HistoryQuery::default(), 10).await.unwrap();
    let query = HistoryQuery {
        text: Some(TEXT.to_owned()),
        ..Default::default()
    };
    let found = history(&tx, &query, 10).await.unwrap();
    drop(tx);
    assert_eq!((kept.len(), found.len()), (3, 0));
    assert!(kept.iter().all(|message| message.text.is_none()));

    world.later(Duration::from_mins(5));
    let forget = async || {
        let tx = world.store.platform_write().await.unwrap();
        let forgotten = tx.delete_told_texts(tx.now(), 10).await.unwrap();
        tx.commit().await.unwrap();
        forgotten
    };
    assert_eq!(forget().await, 0);
    assert_eq!(texts(&world, place).await, told);
    world.later(Duration::from_millis(1));
    assert_eq!(forget().await, 2);
    assert!(texts(&world, place).await.is_empty());
    let state = world.state(place).await;
    assert!(state.iter().all(|row| !row.contains(TEXT)), "{state:?}");
}
