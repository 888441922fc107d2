//! The queue of a session's messages: whose turn it is, and what becomes of those that are handed over.

use std::time::Duration;

use wahana_domain::{DeliveryStatus, OutgoingMessage, ProcessId, SessionId, Timestamp};
use wahana_store::{
    activity::Tally,
    idempotency::{self, KeptAnswer},
    messages::{self, Accepted, Attempt, MessageContent, NewMessage, Requester, SendLease},
    organizations::{self, OrganizationChange},
    sessions,
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

const LEASE: Duration = Duration::from_mins(1);

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn lease(world: &World) -> SendLease {
    SendLease {
        owner: ProcessId::new(),
        expires_at: world.store.clock().now().plus(LEASE),
    }
}

fn waiting(world: &World, session: SessionId, due_at: Timestamp) -> OutgoingMessage {
    OutgoingMessage {
        status: DeliveryStatus::Queued,
        due_at,
        expires_at: Some(due_at.plus(Duration::from_hours(1))),
        is_asynchronous: true,
        ..world.new_message(session)
    }
}

async fn enqueue(world: &World, session: SessionId, due_at: Timestamp) -> OutgoingMessage {
    let message = waiting(world, session, due_at);
    let tx = world.write(&world.a).await;
    world.add_message(&tx, &message).await.unwrap();
    tx.commit().await.unwrap();
    message
}

async fn claim(world: &World, message: &OutgoingMessage) -> Option<Attempt> {
    let tx = world.write(&world.a).await;
    sessions::lock(&tx, message.session_id).await.unwrap();
    let attempt = messages::claim(&tx, message, Some(&message.id.to_string()), &lease(world))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    attempt
}

async fn status(world: &World, message: &OutgoingMessage) -> DeliveryStatus {
    let tx = world.read(&world.a).await;
    messages::get(&tx, message.id).await.unwrap().unwrap().status
}

async fn messages_go_in_the_order_of_their_times_one_at_a_time(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let later = enqueue(&world, session, after(10)).await;
    let second = enqueue(&world, session, after(1)).await;
    let first = enqueue(&world, session, after(0)).await;
    world.clock.advance(Duration::from_secs(2));

    assert_eq!(claim(&world, &second).await, None, "it is not its turn");
    let tx = world.read(&world.a).await;
    let head = messages::first_due(&tx, session, world.store.clock().now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(head.message, first);
    assert_eq!(head.content.unwrap().text.as_deref(), Some("Hello"));
    assert_eq!(head.requester.unwrap().user, world.a.owner);
    drop(tx);
    let attempt = claim(&world, &first).await.unwrap();
    assert_eq!(attempt.number, 1);
    assert_eq!(status(&world, &first).await, DeliveryStatus::Sending);
    assert_eq!(claim(&world, &second).await, None, "the lane is taken");
    let tx = world.read(&world.a).await;
    let now = world.store.clock().now();
    assert!(messages::first_due(&tx, session, now).await.unwrap().is_none());
    assert!(messages::has_others_before(&tx, session, now).await.unwrap());
    drop(tx);

    // It surely was not sent: it waits again, and it is still its turn.
    let tx = world.write(&world.a).await;
    assert!(messages::conclude(&tx, attempt).await.unwrap().is_some());
    messages::put_back(&tx, first.id, "It rained.").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(&world, &second).await, None);
    let again = claim(&world, &first).await.unwrap();
    assert_eq!(again.number, 2);
    let tx = world.write(&world.a).await;
    assert!(
        messages::conclude(&tx, attempt).await.unwrap().is_none(),
        "an earlier attempt"
    );
    assert!(messages::conclude(&tx, again).await.unwrap().is_some());
    messages::set_outcome(&tx, first.id, DeliveryStatus::Failed, "no")
        .await
        .unwrap();
    assert!(
        messages::conclude(&tx, again).await.unwrap().is_none(),
        "it is written down"
    );
    tx.commit().await.unwrap();
    assert!(claim(&world, &second).await.is_some());
    assert_eq!(claim(&world, &later).await, None, "its time has not come");
}

async fn one_that_waits_can_be_taken_back_and_ends_with_its_time(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let cancelled = enqueue(&world, session, START).await;
    let tx = world.write(&world.a).await;
    assert!(messages::cancel(&tx, cancelled.id, "Cancelled.").await.unwrap());
    assert!(!messages::cancel(&tx, cancelled.id, "Cancelled.").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(claim(&world, &cancelled).await, None);

    let (sent, left) = (
        enqueue(&world, session, START).await,
        enqueue(&world, session, START).await,
    );
    let attempt = claim(&world, &sent).await.unwrap();
    let tx = world.write(&world.a).await;
    assert!(
        !messages::cancel(&tx, sent.id, "Cancelled.").await.unwrap(),
        "it is being sent"
    );
    messages::set_waiting_for(&tx, left.id, "It waits for the rain to stop.")
        .await
        .unwrap();
    tx.commit().await.unwrap();

    world.clock.advance(Duration::from_mins(61));
    let tx = world.write(&world.a).await;
    assert!(messages::needs_sweep(&tx, session).await.unwrap());
    let expired: Vec<_> = messages::expire(&tx, session).await.unwrap();
    assert_eq!(
        expired.iter().map(|head| head.message.id).collect::<Vec<_>>(),
        [left.id]
    );
    // The process that had the other did not come back.
    let abandoned = messages::abandoned(&tx, session).await.unwrap();
    assert_eq!(
        abandoned.iter().map(|head| head.message.id).collect::<Vec<_>>(),
        [sent.id]
    );
    assert_eq!(abandoned[0].key, Some(sent.id.to_string()));
    messages::set_outcome(&tx, sent.id, DeliveryStatus::Unknown, "?")
        .await
        .unwrap();
    messages::wait_to_settle(&tx, sent.id, Some(tx.now()))
        .await
        .unwrap();
    assert!(!messages::needs_sweep(&tx, session).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.read(&world.a).await;
    let left = messages::get(&tx, left.id).await.unwrap().unwrap();
    assert_eq!(left.status, DeliveryStatus::Expired);
    assert_eq!(left.reason.as_deref(), Some("It waits for the rain to stop."));
    let unsettled = messages::unsettled(&tx, session).await.unwrap();
    assert_eq!(
        unsettled.iter().map(|head| head.message.id).collect::<Vec<_>>(),
        [sent.id]
    );
    drop(tx);

    // It did come back: what it knows is written down all the same.
    let tx = world.write(&world.a).await;
    assert!(messages::conclude(&tx, attempt).await.unwrap().is_some());
    tx.commit().await.unwrap();
    let tx = world.read(&world.a).await;
    assert!(messages::unsettled(&tx, session).await.unwrap().is_empty());
}

async fn what_is_past_its_time_is_nobodys_turn_and_says_what_held_it_up(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let mut past = Vec::new();
    for second in 0..3 {
        past.push(enqueue(&world, session, after(second)).await);
    }
    let tx = world.write(&world.a).await;
    let rain = "It waits for the rain to stop.";
    messages::set_waiting_for(&tx, past[0].id, rain).await.unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(Duration::from_hours(2));
    let now = world.store.clock().now();
    let next = enqueue(&world, session, now).await;

    // Nobody ended them yet.
    assert_eq!(claim(&world, &past[0]).await, None);
    let tx = world.read(&world.a).await;
    let head = messages::first_due(&tx, session, now).await.unwrap().unwrap();
    assert_eq!(head.message.id, next.id);
    drop(tx);
    assert!(claim(&world, &next).await.is_some());

    let tx = world.write(&world.a).await;
    assert_eq!(messages::expire(&tx, session).await.unwrap().len(), past.len());
    tx.commit().await.unwrap();
    let tx = world.read(&world.a).await;
    for message in &past {
        let message = messages::get(&tx, message.id).await.unwrap().unwrap();
        assert_eq!(message.status, DeliveryStatus::Expired);
        assert_eq!(message.reason.as_deref(), Some(rain));
    }
}

async fn sessions_with_something_due_are_found_whosever_they_are(db: &TestDatabase) {
    let world = World::new(db).await;
    let due = async |world: &World, after: Option<SessionId>| -> Vec<SessionId> {
        let tx = world.platform_read().await;
        let due = tx.sessions_with_due_messages(after, 10).await.unwrap();
        due.into_iter().map(|due| due.session).collect()
    };
    let of_a = world.session(&world.a, "sales").await.id;
    let of_b = world.session(&world.b, "sales").await.id;
    enqueue(&world, of_a, after(5)).await;
    let message = waiting(&world, of_b, START);
    let tx = world.write(&world.b).await;
    world.add_message(&tx, &message).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(due(&world, None).await, [of_b]);
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(due(&world, None).await, [of_a, of_b]);
    assert_eq!(due(&world, Some(of_a)).await, [of_b]);
    let tx = world.write(&world.b).await;
    assert!(
        messages::claim(&tx, &message, None, &lease(&world))
            .await
            .unwrap()
            .is_some()
    );
    tx.commit().await.unwrap();
    assert_eq!(due(&world, None).await, [of_a]);
    world.clock.advance(LEASE);
    assert_eq!(
        due(&world, None).await,
        [of_a, of_b],
        "its process did not come back"
    );
    db.execute_unguarded("UPDATE organizations SET state = 'suspended' WHERE name = 'Beta'")
        .await;
    assert_eq!(due(&world, None).await, [of_a]);
}

async fn a_key_belongs_to_one_request_of_one_organization_for_a_day(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let message = enqueue(&world, session, START).await;
    let tx = world.write(&world.a).await;
    assert_eq!(idempotency::find(&tx, "key").await.unwrap(), None);
    assert!(
        idempotency::reserve(&tx, "key", b"one", message.id)
            .await
            .unwrap()
    );
    assert!(
        !idempotency::reserve(&tx, "key", b"two", message.id)
            .await
            .unwrap()
    );
    let known = idempotency::find(&tx, "key").await.unwrap().unwrap();
    assert_eq!(
        (known.fingerprint.as_slice(), known.message),
        (&b"one"[..], message.id)
    );
    assert_eq!(known.answer, None);
    let answer = KeptAnswer {
        status: 202,
        body: "{}".to_owned(),
    };
    assert!(idempotency::answer(&tx, message.id, &answer).await.unwrap());
    let other = KeptAnswer {
        status: 200,
        body: "[]".to_owned(),
    };
    assert!(
        !idempotency::answer(&tx, message.id, &other).await.unwrap(),
        "the first stays"
    );
    idempotency::release(&tx, message.id).await.unwrap();
    let known = idempotency::find(&tx, "key").await.unwrap().unwrap();
    assert_eq!(known.answer, Some(answer), "what was answered stays");
    tx.commit().await.unwrap();

    let tx = world.read(&world.b).await;
    assert_eq!(
        idempotency::find(&tx, "key").await.unwrap(),
        None,
        "it is another's"
    );
    drop(tx);
    world.clock.advance(idempotency::KEPT_FOR);
    let tx = world.write(&world.a).await;
    assert_eq!(idempotency::find(&tx, "key").await.unwrap(), None);
    assert!(
        idempotency::reserve(&tx, "key", b"two", message.id)
            .await
            .unwrap()
    );
    idempotency::release(&tx, message.id).await.unwrap();
    assert_eq!(idempotency::find(&tx, "key").await.unwrap(), None);
}

async fn a_message_takes_the_lane_while_it_is_free(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let tx = world.write(&world.a).await;
    sessions::lock(&tx, session).await.unwrap();
    assert!(!messages::has_others_before(&tx, session, tx.now()).await.unwrap());
    let message = world.new_message(session);
    let content = MessageContent::default();
    let requester = Requester {
        user: world.a.owner,
        token: None,
        request_id: "request".to_owned(),
    };
    let new = NewMessage {
        message: &message,
        content: &content,
        requester: &requester,
        key: None,
    };
    let attempt = messages::begin(&tx, &new, &lease(&world)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status(&world, &message).await, DeliveryStatus::Sending);
    // Not even a defect hands over two at a time.
    let tx = world.write(&world.a).await;
    let second = world.new_message(session);
    let new = NewMessage {
        message: &second,
        ..new
    };
    assert!(messages::begin(&tx, &new, &lease(&world)).await.is_err());
    drop(tx);
    let tx = world.write(&world.a).await;
    assert!(messages::conclude(&tx, attempt).await.unwrap().is_some());
    tx.commit().await.unwrap();
    let tx = world.read(&world.a).await;
    assert!(!messages::has_others_before(&tx, session, tx.now()).await.unwrap());
}

async fn what_is_said_is_forgotten_with_the_sending_by_who_does_not_keep_it(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let tx = world.write(&world.a).await;
    let change = OrganizationChange {
        keeps_message_texts: Some(false),
        ..Default::default()
    };
    organizations::update(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    let accepted = &enqueue(&world, session, START).await;
    let failed = &enqueue(&world, session, START).await;
    let cancelled = &enqueue(&world, session, START).await;
    let unknown = &enqueue(&world, session, START).await;
    let left = &enqueue(&world, session, START).await;
    let waiting = &enqueue(&world, session, START).await;
    let all = [accepted, failed, cancelled, unknown, left, waiting];
    let attempt = claim(&world, accepted).await.unwrap();
    let tx = world.write(&world.a).await;
    messages::conclude(&tx, attempt).await.unwrap().unwrap();
    let taken = Accepted {
        id: accepted.id,
        key: "A",
        waha_message_id: "true_15550001111@c.us_A",
        happened_at: START,
    };
    messages::accept(&tx, session, taken, &mut Tally::new())
        .await
        .unwrap();
    assert!(messages::cancel(&tx, cancelled.id, "Cancelled.").await.unwrap());
    tx.commit().await.unwrap();
    let attempt = claim(&world, failed).await.unwrap();
    let tx = world.write(&world.a).await;
    messages::conclude(&tx, attempt).await.unwrap().unwrap();
    messages::put_back(&tx, failed.id, "WAHA is away.").await.unwrap();
    let content = messages::content(&tx, failed.id).await.unwrap();
    assert!(content.is_some(), "it is still to be sent");
    tx.commit().await.unwrap();
    for (message, outcome) in [
        (failed, DeliveryStatus::Failed),
        (unknown, DeliveryStatus::Unknown),
        (left, DeliveryStatus::Unknown),
    ] {
        let attempt = claim(&world, message).await.unwrap();
        let tx = world.write(&world.a).await;
        messages::conclude(&tx, attempt).await.unwrap().unwrap();
        messages::set_outcome(&tx, message.id, outcome, "So it went.")
            .await
            .unwrap();
        if message == unknown {
            messages::wait_to_settle(&tx, message.id, Some(after(9)))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }
    let kept = async || {
        let tx = world.read(&world.a).await;
        let mut kept = Vec::new();
        for message in all {
            kept.push(messages::content(&tx, message.id).await.unwrap().is_some());
        }
        kept
    };
    assert_eq!(kept().await, [false, false, false, true, true, true]);
    // What is left behind goes with the next round, and what may be sent still stays.
    let tx = world.platform_write().await;
    assert_eq!(tx.delete_unkept_contents(world.b.id(), 100).await.unwrap(), 0);
    assert_eq!(tx.delete_unkept_contents(world.a.id(), 100).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(kept().await, [false, false, false, true, false, true]);
    assert_eq!(status(&world, waiting).await, DeliveryStatus::Queued);
}

async fn messages_that_wait_are_counted_for_each_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    let sessions = [
        world.session(&world.a, "sales").await.id,
        world.session(&world.a, "support").await.id,
    ];
    let first = enqueue(&world, sessions[0], START).await;
    enqueue(&world, sessions[1], after(60)).await;
    let tx = world.read(&world.a).await;
    assert!(messages::has_queued_more_than(&tx, 0).await.unwrap());
    assert!(messages::has_queued_more_than(&tx, 1).await.unwrap());
    assert!(!messages::has_queued_more_than(&tx, 2).await.unwrap());
    drop(tx);
    claim(&world, &first).await.unwrap();
    let tx = world.read(&world.a).await;
    assert!(
        !messages::has_queued_more_than(&tx, 1).await.unwrap(),
        "what is being sent does not wait"
    );
    drop(tx);
    let tx = world.read(&world.b).await;
    assert!(!messages::has_queued_more_than(&tx, 0).await.unwrap());
}

on_both_databases!(
    what_is_said_is_forgotten_with_the_sending_by_who_does_not_keep_it,
    messages_that_wait_are_counted_for_each_organization,
    messages_go_in_the_order_of_their_times_one_at_a_time,
    one_that_waits_can_be_taken_back_and_ends_with_its_time,
    what_is_past_its_time_is_nobodys_turn_and_says_what_held_it_up,
    sessions_with_something_due_are_found_whosever_they_are,
    a_key_belongs_to_one_request_of_one_organization_for_a_day,
    a_message_takes_the_lane_while_it_is_free,
);
