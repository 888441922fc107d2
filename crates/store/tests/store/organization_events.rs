//! What is told of what happens.

use std::time::Duration;

use wahana_domain::{
    Clock, DeliveryStatus, Direction, EventType, Happening, MessageId, MessageKind, NewOrganizationEvent,
    ProcessId, Session, SessionStatus, Timestamp,
};
use wahana_store::{
    TenantTx, Woken,
    activity::Tally,
    messages::{self, Accepted, Acknowledgement, Ledger, MessageNews, SendLease},
    organization_events::{self, Following, WrittenEvent, following, last_number},
    sessions::{self, Observation, StatusNews},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{
    webhooks,
    world::{START, TestOrganization, World},
};

const EVERYTHING: u64 = 1000;
const KEY: &str = "3EB0AABBCC";
const CHAT: &str = "15550001111@c.us";

fn happened() -> NewOrganizationEvent {
    NewOrganizationEvent {
        session: None,
        message: None,
        happened_at: START,
        happening: Happening::SessionQr,
    }
}

async fn written(tx: &TenantTx, after: i64) -> Vec<WrittenEvent> {
    whole(following(tx, after, EVERYTHING).await.unwrap())
}

fn whole(found: Following) -> Vec<WrittenEvent> {
    let events = match found {
        Following::Events(events) => Some(events),
        Following::Lost(_) => None,
    };
    events.unwrap()
}

/// What was told since a number: types, and the words of the old and the new state.
async fn told(world: &World, organization: &TestOrganization, after: i64) -> Vec<String> {
    let tx = world.read(organization).await;
    let events = written(&tx, after).await;
    let in_words = |event: &WrittenEvent| {
        let event_type = EventType::from_word(&event.event_type).unwrap();
        match Happening::parse(event_type, &event.data).unwrap() {
            Happening::SessionStatus(change) => {
                format!("{} > {}", change.previous_status, change.status)
            }
            Happening::SessionHealth(change) => {
                format!("{} > {}", change.previous_health_status, change.health_status)
            }
            Happening::MessageStatus(change) => {
                format!(
                    "{} > {}",
                    change.previous_status.unwrap_or_default(),
                    change.status
                )
            }
            Happening::MessageReceived(progress) | Happening::MessageSent(progress) => {
                format!("{}: {}", event.event_type, progress.status)
            }
            _ => event.event_type.clone(),
        }
    };
    events.iter().map(in_words).collect()
}

async fn last(world: &World, organization: &TestOrganization) -> i64 {
    last_number(&world.read(organization).await).await.unwrap()
}

async fn events_are_numbered_without_gaps_and_for_each_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    assert_eq!(last(&world, &world.a).await, 0);
    let tx = world.write(&world.a).await;
    for _ in 0..3 {
        organization_events::raise(&tx, happened());
    }
    tx.commit().await.unwrap();
    // What is not committed takes no number.
    let tx = world.write(&world.a).await;
    organization_events::raise(&tx, happened());
    drop(tx);
    for organization in [&world.a, &world.b] {
        let tx = world.write(organization).await;
        organization_events::raise(&tx, happened());
        tx.commit().await.unwrap();
    }
    for (organization, numbers) in [(&world.a, vec![1, 2, 3, 4]), (&world.b, vec![1])] {
        let tx = world.read(organization).await;
        let events = written(&tx, 0).await;
        let found: Vec<_> = events.iter().map(|event| event.number).collect();
        assert_eq!(found, numbers);
        assert_eq!(
            last_number(&tx).await.unwrap(),
            i64::try_from(numbers.len()).unwrap()
        );
    }
    let numbers = world.platform_read().await;
    let mut numbers = numbers
        .last_event_numbers(&[world.a.id(), world.b.id()])
        .await
        .unwrap();
    numbers.sort_unstable();
    let mut expected = [(world.a.id(), 4), (world.b.id(), 1)];
    expected.sort_unstable();
    assert_eq!(numbers, expected);
}

async fn very_many_at_once_are_written_too(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.write(&world.a).await;
    for _ in 0..4321 {
        organization_events::raise(&tx, happened());
    }
    tx.commit().await.unwrap();
    let tx = world.read(&world.a).await;
    let events = whole(following(&tx, 4000, EVERYTHING).await.unwrap());
    assert_eq!(events.len(), 321);
}

/// Four stores have their connections apart, as four processes do.
async fn who_resumes_misses_nothing_while_others_write(db: &TestDatabase) {
    const WRITERS: usize = 8;
    const EACH: usize = 12;
    let world = World::new(db).await;
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let (store, tenant) = (db.store(world.clock.clone()).await, world.a.tenant);
        writers.push(tokio::spawn(async move {
            for round in 0..EACH {
                let tx = store.write(tenant).await.unwrap();
                for _ in 0..=(number + round) % 3 {
                    organization_events::raise(&tx, happened());
                }
                // Transactions that began earlier end later.
                tokio::time::sleep(Duration::from_millis((number as u64 * 7 + round as u64 * 3) % 5)).await;
                tx.commit().await.unwrap();
            }
        }));
    }
    let expected: usize = (0..WRITERS)
        .flat_map(|number| (0..EACH).map(move |round| (number + round) % 3 + 1))
        .sum();
    let (mut seen, mut position) = (Vec::new(), 0);
    while seen.len() < expected {
        let tx = world.read(&world.a).await;
        for event in written(&tx, position).await {
            position = event.number;
            seen.push(event.number);
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let all: Vec<i64> = (1..=i64::try_from(expected).unwrap()).collect();
    assert_eq!(seen, all);
}

async fn what_was_deleted_or_never_was_is_said_to_be_lost(db: &TestDatabase) {
    let world = World::new(db).await;
    for days in [3, 2, 1] {
        world.clock.set(START.minus(Duration::from_hours(24 * days)));
        let tx = world.write(&world.a).await;
        organization_events::raise(&tx, happened());
        organization_events::raise(&tx, happened());
        tx.commit().await.unwrap();
    }
    let tx = world.platform_write().await;
    let before = START.minus(Duration::from_hours(36));
    assert_eq!(tx.delete_organization_events(before, 3).await.unwrap(), 3);
    assert_eq!(tx.delete_organization_events(before, 3).await.unwrap(), 1);
    tx.commit().await.unwrap();
    for (after, expected) in [
        (0, Err(6)),
        (3, Err(6)),
        (4, Ok(2)),
        (5, Ok(1)),
        (6, Ok(0)),
        (7, Err(6)),
    ] {
        let tx = world.read(&world.a).await;
        let found = match following(&tx, after, EVERYTHING).await.unwrap() {
            Following::Events(events) => Ok(events.len()),
            Following::Lost(last) => Err(last),
        };
        assert_eq!(found, expected, "after {after}");
    }
    let tx = world.platform_write().await;
    assert_eq!(tx.delete_organization_events(START, EVERYTHING).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let tx = world.read(&world.a).await;
    assert_eq!(following(&tx, 5, 1).await.unwrap(), Following::Lost(6));
    assert_eq!(following(&tx, 6, 1).await.unwrap(), Following::Events(Vec::new()));
}

async fn who_waits_is_woken_by_a_commit_with_events_alone(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut watch = world.store.watch_events();
    world.write(&world.a).await.commit().await.unwrap();
    let tx = world.write(&world.b).await;
    organization_events::raise(&tx, happened());
    drop(tx);
    assert_eq!(watch.try_next(), None);
    let tx = world.write(&world.b).await;
    organization_events::raise(&tx, happened());
    tx.commit().await.unwrap();
    assert_eq!(watch.next().await, Some(Woken::Organization(world.b.id())));
    assert_eq!(watch.try_next(), None);
}

async fn hear(world: &World, session: &Session, status: &str) {
    let tx = world.write(&world.a).await;
    let news = StatusNews {
        waha_status: status.to_owned(),
        phone_number: None,
        happened_at: world.clock.now(),
    };
    sessions::hear(&tx, session.id, &news).await.unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(Duration::from_secs(1));
}

async fn a_session_tells_what_becomes_of_it(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    for word in [
        "STARTING",
        "SCAN_QR_CODE",
        "SCAN_QR_CODE",
        "WORKING",
        "WORKING",
        "FAILED",
    ] {
        hear(&world, &session, word).await;
    }
    assert_eq!(
        told(&world, &world.a, 0).await,
        [
            "session.created",
            "connecting > scan_qr",
            "session.qr",
            "session.qr",
            "scan_qr > working",
            "unknown > healthy",
            "working > error",
            "healthy > critical",
        ]
    );
    let before = last(&world, &world.a).await;
    hear(&world, &session, "PASSKEY_REQUIRED").await;
    hear(&world, &session, "PASSKEY_CONFIRMATION_REQUIRED").await;
    let tx = world.write(&world.a).await;
    let known = sessions::lock(&tx, session.id).await.unwrap().unwrap();
    let gone = Observation {
        waha_status: None,
        phone_number: None,
        asked_at: world.clock.now(),
    };
    sessions::observe(&tx, &gone.change(&known).unwrap())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, session.id).await.unwrap());
    assert!(!sessions::delete(&tx, session.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(
        told(&world, &world.a, before).await,
        [
            "error > action_required",
            "critical > unknown",
            "action_required > action_required",
            "action_required > disconnected",
            "unknown > critical",
            "session.deleted",
        ]
    );
}

async fn a_warning_and_its_end_are_told(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut session = world.new_session(&world.a, "sales");
    session.status = SessionStatus::Working;
    session.waha_status = Some("WORKING".to_owned());
    session.observed_at = Some(START);
    world.add(&world.a, &session).await;
    for warning in [Some("It is silent."), Some("It is very silent."), None] {
        let tx = world.write(&world.a).await;
        sessions::set_warning(&tx, session.id, warning).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(
        told(&world, &world.a, 1).await,
        ["healthy > warning", "warning > healthy"]
    );
}

fn news(direction: Direction, at: Timestamp) -> MessageNews {
    MessageNews {
        key: KEY.to_owned(),
        waha_message_id: format!("true_{CHAT}_{KEY}"),
        chat_id: CHAT.to_owned(),
        direction,
        kind: MessageKind::Text,
        sender: None,
        status: match direction {
            Direction::Outgoing => DeliveryStatus::Accepted,
            Direction::Incoming => DeliveryStatus::Received,
        },
        happened_at: at,
        text: None,
        reply_to: None,
        is_from_api: false,
    }
}

/// Takes in what WAHA says of one message.
async fn take_in(world: &World, session: &Session, say: impl FnOnce(&mut Ledger)) {
    let tx = world.write(&world.a).await;
    let mut ledger = Ledger::open(&tx, session.id, [KEY]).await.unwrap();
    say(&mut ledger);
    ledger.write(&tx, &mut Tally::new()).await.unwrap();
    tx.commit().await.unwrap();
}

fn acknowledged(status: DeliveryStatus) -> Acknowledgement {
    Acknowledgement {
        key: KEY.to_owned(),
        waha_message_id: format!("true_{CHAT}_{KEY}"),
        status,
    }
}

async fn a_message_that_came_in_is_told_once(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    for _ in 0..2 {
        take_in(&world, &session, |ledger| {
            ledger.hear(&news(Direction::Incoming, START));
            ledger.hear(&news(Direction::Incoming, START));
        })
        .await;
    }
    assert_eq!(told(&world, &world.a, 1).await, ["message.received: received"]);
}

async fn a_message_from_the_phone_is_told_when_it_is_known(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    // Nothing but its key is known of it yet.
    take_in(&world, &session, |ledger| {
        ledger.acknowledge(&acknowledged(DeliveryStatus::Sent));
    })
    .await;
    take_in(&world, &session, |ledger| {
        ledger.acknowledge(&acknowledged(DeliveryStatus::Delivered));
    })
    .await;
    assert!(told(&world, &world.a, 1).await.is_empty());
    take_in(&world, &session, |ledger| {
        ledger.hear(&news(Direction::Outgoing, START));
    })
    .await;
    for status in [DeliveryStatus::Read, DeliveryStatus::Delivered] {
        take_in(&world, &session, |ledger| {
            ledger.acknowledge(&acknowledged(status));
        })
        .await;
    }
    assert_eq!(
        told(&world, &world.a, 1).await,
        ["message.sent: delivered", "delivered > read"]
    );
}

async fn every_step_of_a_message_of_our_own_is_told(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let message = world.new_message(session.id);
    let tx = world.write(&world.a).await;
    world.add_message(&tx, &message).await.unwrap();
    tx.commit().await.unwrap();
    let tx = world.write(&world.a).await;
    for status in [DeliveryStatus::Unknown, DeliveryStatus::Unknown] {
        messages::set_outcome(&tx, message.id, status, "It rained.")
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    accept(&world, &session, message.id).await;
    take_in(&world, &session, |ledger| {
        ledger.hear(&news(Direction::Outgoing, START));
        ledger.acknowledge(&acknowledged(DeliveryStatus::Failed));
    })
    .await;
    let first = message.status.as_str();
    assert_eq!(
        told(&world, &world.a, 1).await,
        [
            format!(" > {first}"),
            format!("{first} > unknown"),
            "message.sent: accepted".to_owned(),
            "unknown > accepted".to_owned(),
            "accepted > failed".to_owned(),
        ]
    );
}

async fn every_step_of_a_message_that_waits_is_told(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let mut message = world.new_message(session.id);
    message.status = DeliveryStatus::Queued;
    let mut expiring = world.new_message(session.id);
    expiring.status = DeliveryStatus::Queued;
    expiring.expires_at = Some(START);
    let tx = world.write(&world.a).await;
    world.add_message(&tx, &message).await.unwrap();
    let lease = SendLease {
        owner: ProcessId::new(),
        expires_at: START,
    };
    let attempt = messages::claim(&tx, &message, None, &lease)
        .await
        .unwrap()
        .unwrap();
    messages::conclude(&tx, attempt).await.unwrap().unwrap();
    messages::put_back(&tx, message.id, "It rained.").await.unwrap();
    assert!(messages::cancel(&tx, message.id, "Cancelled.").await.unwrap());
    world.add_message(&tx, &expiring).await.unwrap();
    assert_eq!(messages::expire(&tx, session.id).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    assert_eq!(
        told(&world, &world.a, 1).await,
        [
            " > queued",
            "queued > sending",
            "sending > queued",
            "queued > cancelled",
            " > queued",
            "queued > expired",
        ]
    );
}

async fn accept(world: &World, session: &Session, message: MessageId) {
    let tx = world.write(&world.a).await;
    let accepted = Accepted {
        id: message,
        key: KEY,
        waha_message_id: &format!("true_{CHAT}_{KEY}"),
        happened_at: START,
    };
    messages::accept(&tx, session.id, accepted, &mut Tally::new())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Lets endpoints be told what happened before they were made.
async fn tell_from_the_start(db: &TestDatabase) {
    db.execute_unguarded("UPDATE webhook_endpoints SET position = 0")
        .await;
}

async fn what_was_told_of_a_message_before_it_was_known_to_be_ours_points_to_it(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let message = world.new_message(session.id);
    let tx = world.write(&world.a).await;
    world.add_message(&tx, &message).await.unwrap();
    tx.commit().await.unwrap();
    take_in(&world, &session, |ledger| {
        ledger.hear(&news(Direction::Outgoing, START));
    })
    .await;
    webhooks::make(&world, &world.a, &webhooks::new_endpoint()).await;
    tell_from_the_start(db).await;
    webhooks::fan_out(&world.store, &world.a).await;
    accept(&world, &session, message.id).await;
    let deliveries =
        "SELECT CASE WHEN message_id = {} THEN 'its' ELSE 'another''s' END FROM webhook_deliveries
                      WHERE message_id IS NOT NULL";
    let deliveries = deliveries.replace("{}", &db.id_literal(message.id.as_uuid()));
    let deliveries = db.texts_unguarded(&deliveries).await;
    assert!(!deliveries.is_empty());
    assert!(
        deliveries.iter().all(|delivery| delivery == "its"),
        "{deliveries:?}"
    );
    let tx = world.read(&world.a).await;
    let events = written(&tx, 1).await;
    assert!(
        events.iter().all(|event| event.message == Some(message.id)),
        "{events:?}"
    );
    let described = messages::described(&tx, [message.id, MessageId::new()])
        .await
        .unwrap();
    assert_eq!(described.len(), 1);
    let described = &described[0];
    assert_eq!(described.chat_id, message.chat_id.as_str());
    assert_eq!(described.waha_message_id, Some(format!("true_{CHAT}_{KEY}")));
}

async fn sessions_are_named_also_when_they_are_gone(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let foreign = world.session(&world.b, "other").await;
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, session.id).await.unwrap());
    let called = sessions::called(&tx, [session.id, foreign.id]).await.unwrap();
    let names: Vec<_> = called.into_iter().map(|(id, called)| (id, called.name)).collect();
    assert_eq!(names, [(session.id, session.name)]);
}

on_both_databases!(
    events_are_numbered_without_gaps_and_for_each_organization,
    very_many_at_once_are_written_too,
    who_resumes_misses_nothing_while_others_write,
    what_was_deleted_or_never_was_is_said_to_be_lost,
    who_waits_is_woken_by_a_commit_with_events_alone,
    a_session_tells_what_becomes_of_it,
    a_warning_and_its_end_are_told,
    a_message_that_came_in_is_told_once,
    a_message_from_the_phone_is_told_when_it_is_known,
    every_step_of_a_message_of_our_own_is_told,
    every_step_of_a_message_that_waits_is_told,
    what_was_told_of_a_message_before_it_was_known_to_be_ours_points_to_it,
    sessions_are_named_also_when_they_are_gone,
);
