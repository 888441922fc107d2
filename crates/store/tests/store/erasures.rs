//! Erasing a chat, beside what else goes on.

use std::time::Duration;

use wahana_domain::{
    ChatId, Clock, DeliveryStatus, Direction, Erasure, ErasureId, Happening, MessageKind,
    NewOrganizationEvent, OutgoingMessage, ProcessId, SessionId,
    organization_event::{Call, MessageProgress},
};
use wahana_store::{
    JobClaim, TenantTx,
    activity::Tally,
    erasures::{self, Doomed, ErasedMessages},
    jobs::{self, JobLease, NewJob},
    messages::{self, Acknowledgement, Ledger, MessageNews},
    organization_events::{self, Following},
    sessions,
    webhooks::{AttemptOutcome, ClaimedEndpoint},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{
    webhooks,
    world::{START, World},
};

const CHAT: &str = "15550001111@c.us";
const KEY: &str = "3EB0AABBCC";
/// How often is looked whether a statement waits for a lock.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

fn chat() -> ChatId {
    ChatId::parse(CHAT).unwrap()
}

/// The job that erases a chat of organization A.
struct Job {
    lease: JobLease,
    erasure: ErasureId,
}

impl Job {
    async fn begin(world: &World) -> Self {
        let erasure = Erasure {
            id: ErasureId::new(),
            chat_id: Some(chat()),
            messages: 0,
            events: 0,
            created_at: START,
            finished_at: None,
        };
        let new = NewJob {
            kind: "erase_chat",
            subject: None,
            payload: "{}".to_owned(),
            run_at: START,
        };
        let tx = world.write(&world.a).await;
        erasures::insert(&tx, &erasure).await.unwrap();
        jobs::enqueue(&tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        let tx = world.platform_write().await;
        let claim = JobClaim {
            kinds: &["erase_chat"],
            owner: ProcessId::new(),
            lease: Duration::from_hours(1),
            after: None,
        };
        let claimed = tx.claim_job(&claim).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        Self {
            lease: claimed.lease,
            erasure: erasure.id,
        }
    }

    async fn write(&self, world: &World) -> TenantTx {
        let tx = world.store.write_while_running(&self.lease, world.a.tenant);
        tx.await.unwrap().unwrap()
    }

    async fn erase(&self, world: &World, these: &[Doomed]) -> ErasedMessages {
        let tx = self.write(world).await;
        let erased = erasures::erase_messages(&tx, self.erasure, these).await.unwrap();
        tx.commit().await.unwrap();
        erased
    }
}

async fn doomed(world: &World) -> Vec<Doomed> {
    let tx = world.read(&world.a).await;
    erasures::messages_of(&tx, &chat(), 100).await.unwrap()
}

fn received(world: &World) -> MessageNews {
    MessageNews {
        key: KEY.to_owned(),
        waha_message_id: format!("false_{CHAT}_{KEY}"),
        chat_id: CHAT.to_owned(),
        direction: Direction::Incoming,
        kind: MessageKind::Text,
        sender: Some(CHAT.to_owned()),
        status: DeliveryStatus::Received,
        happened_at: world.clock.now(),
        text: Some("what was said".to_owned()),
        reply_to: None,
        is_from_api: false,
    }
}

/// WAHA tells of the message with the key.
async fn tell(world: &World, session: SessionId, change: impl FnOnce(&mut Ledger)) {
    let tx = world.write(&world.a).await;
    sessions::lock(&tx, session).await.unwrap();
    let mut ledger = Ledger::open(&tx, session, [KEY]).await.unwrap();
    change(&mut ledger);
    ledger.write(&tx, &mut Tally::new()).await.unwrap();
    tx.commit().await.unwrap();
}

/// What is kept of messages: the chat, what they say, and who sent them.
async fn kept(db: &TestDatabase) -> Vec<String> {
    db.texts_unguarded(
        "SELECT m.chat_id || '|' || COALESCE(m.waha_message_id, '') || '|' || m.status || '|' || COALESCE(c.text, '')
         FROM messages m LEFT JOIN message_contents c ON c.message_id = m.id ORDER BY m.id",
    )
    .await
}

async fn what_waha_tells_of_an_erased_message_again_brings_nothing_back(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let job = Job::begin(&world).await;
    tell(&world, session, |ledger| ledger.hear(&received(&world))).await;
    assert_eq!(kept(db).await.len(), 1);
    let erased = job.erase(&world, &doomed(&world).await).await;
    assert_eq!((erased.messages, erased.cancelled), (1, Vec::new()));
    assert!(kept(db).await.is_empty());

    tell(&world, session, |ledger| ledger.hear(&received(&world))).await;
    tell(&world, session, |ledger| ledger.acknowledge(&read())).await;
    assert!(kept(db).await.is_empty(), "{:?}", kept(db).await);
    // Another session's message with the same key is another message.
    let other = world.session(&world.a, "support").await.id;
    tell(&world, other, |ledger| ledger.hear(&received(&world))).await;
    assert_eq!(kept(db).await.len(), 1);

    // When WAHA cannot tell of it any more, it is not remembered either.
    let tx = world.platform_write().await;
    let later = START.plus(Duration::from_micros(1));
    assert_eq!(tx.forget_erased_messages(START, 10).await.unwrap(), 0);
    assert_eq!(tx.forget_erased_messages(later, 10).await.unwrap(), 1);
}

fn read() -> Acknowledgement {
    Acknowledgement {
        key: KEY.to_owned(),
        waha_message_id: format!("true_{CHAT}_{KEY}"),
        status: DeliveryStatus::Read,
    }
}

async fn an_acknowledgement_alone_does_not_say_in_which_chat(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    tell(&world, session, |ledger| ledger.acknowledge(&read())).await;
    assert_eq!(kept(db).await, ["||read|"]);
    // An id that cannot be taken apart is not kept at all.
    let whole = Acknowledgement {
        key: format!("{KEY}/{CHAT}"),
        ..read()
    };
    tell(&world, session, |ledger| ledger.acknowledge(&whole)).await;
    assert_eq!(kept(db).await, ["||read|"]);
    let sent = MessageNews {
        direction: Direction::Outgoing,
        waha_message_id: format!("true_{CHAT}_{KEY}"),
        sender: None,
        status: DeliveryStatus::Accepted,
        ..received(&world)
    };
    tell(&world, session, |ledger| ledger.hear(&sent)).await;
    assert_eq!(
        kept(db).await,
        [format!("{CHAT}|true_{CHAT}_{KEY}|read|what was said")]
    );
}

/// Waits until the task has ended, or one of its statements waits for a lock.
async fn ended_or_blocked<T>(db: &TestDatabase, task: &tokio::task::JoinHandle<T>) {
    if !db.is_postgres() {
        // There is one writer at a time.
        return;
    }
    let blocked = "SELECT pid::text FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while !task.is_finished() && db.texts_unguarded(blocked).await.is_empty() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn erasing_waits_for_whoever_changes_messages_of_a_session(db: &TestDatabase) {
    let world = std::sync::Arc::new(World::new(db).await);
    let session = world.session(&world.a, "sales").await.id;
    let job = Job::begin(&world).await;
    let first = MessageNews {
        text: None,
        ..received(&world)
    };
    tell(&world, session, |ledger| ledger.hear(&first)).await;
    let these = doomed(&world).await;

    let tx = world.write(&world.a).await;
    sessions::lock(&tx, session).await.unwrap();
    let mut ledger = Ledger::open(&tx, session, [KEY]).await.unwrap();
    let erasing = tokio::spawn({
        let world = world.clone();
        async move { job.erase(&world, &these).await }
    });
    ended_or_blocked(db, &erasing).await;
    ledger.hear(&received(&world));
    ledger.write(&tx, &mut Tally::new()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(erasing.await.unwrap().messages, 1);
    assert!(kept(db).await.is_empty(), "{:?}", kept(db).await);
}

async fn what_waits_is_cancelled_and_what_is_handed_over_is_left(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let job = Job::begin(&world).await;
    let new = |status, chat: &str| OutgoingMessage {
        status,
        chat_id: ChatId::parse(chat).unwrap(),
        ..world.new_message(session)
    };
    let waiting = new(DeliveryStatus::Queued, CHAT);
    let to_another = new(DeliveryStatus::Queued, "15550002222@c.us");
    let tx = world.write(&world.a).await;
    for message in [&waiting, &to_another, &new(DeliveryStatus::Accepted, CHAT)] {
        world.add_message(&tx, message).await.unwrap();
    }
    tx.commit().await.unwrap();
    tell(&world, session, |ledger| {
        let in_group = MessageNews {
            chat_id: "120363000000000001@g.us".to_owned(),
            ..received(&world)
        };
        ledger.hear(&in_group);
    })
    .await;
    let foreign = world.session(&world.b, "sales").await.id;
    let of_another = world.new_message(foreign);
    let tx = world.write(&world.b).await;
    world.add_message(&tx, &of_another).await.unwrap();
    tx.commit().await.unwrap();

    let mut these = doomed(&world).await;
    assert_eq!(these.len(), 3, "two to the chat and one from its person");
    let tx = world.read(&world.a).await;
    assert_eq!(erasures::messages_of(&tx, &chat(), 1).await.unwrap(), these[..1]);
    drop(tx);
    these.push(Doomed {
        message: of_another.id,
        session: foreign,
    });
    // Its turn comes before it is erased.
    let tx = world.write(&world.a).await;
    sessions::lock(&tx, session).await.unwrap();
    let lease = messages::SendLease {
        owner: ProcessId::new(),
        expires_at: START.plus(Duration::from_mins(1)),
    };
    let attempt = messages::claim(&tx, &waiting, None, &lease)
        .await
        .unwrap()
        .unwrap();
    tx.commit().await.unwrap();
    let erased = job.erase(&world, &these).await;
    assert_eq!((erased.messages, erased.cancelled), (2, Vec::new()));

    let tx = world.write(&world.a).await;
    assert!(erasures::has_messages(&tx, &chat()).await.unwrap());
    sessions::lock(&tx, session).await.unwrap();
    messages::conclude(&tx, attempt).await.unwrap().unwrap();
    messages::put_back(&tx, waiting.id, "It rained.").await.unwrap();
    tx.commit().await.unwrap();
    let erased = job.erase(&world, &these).await;
    assert_eq!((erased.messages, erased.cancelled), (1, vec![START]));
    let tx = world.read(&world.a).await;
    assert!(!erasures::has_messages(&tx, &chat()).await.unwrap());
    assert!(messages::get(&tx, to_another.id).await.unwrap().is_some());
    let counted = erasures::get(&tx, job.erasure).await.unwrap().unwrap();
    assert_eq!(counted.messages, 3);
    let tx = world.read(&world.b).await;
    assert!(messages::get(&tx, of_another.id).await.unwrap().is_some());
    assert!(erasures::get(&tx, job.erasure).await.unwrap().is_none());
}

/// What is kept of deliveries: the event's number, and the answers to them.
async fn kept_deliveries(db: &TestDatabase) -> Vec<String> {
    db.texts_unguarded(
        "SELECT d.event_number || '|' || COALESCE(a.answer, '') FROM webhook_deliveries d
         LEFT JOIN webhook_attempts a ON a.delivery_id = d.id ORDER BY d.event_number",
    )
    .await
}

async fn what_receivers_were_told_of_erased_messages_goes_with_their_answers(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let job = Job::begin(&world).await;
    let endpoint = webhooks::make(&world, &world.a, &webhooks::new_endpoint()).await;
    tell(&world, session, |ledger| ledger.hear(&received(&world))).await;
    let erased = doomed(&world).await;
    let stays = world.new_message(session);
    let tx = world.write(&world.a).await;
    world.add_message(&tx, &stays).await.unwrap();
    // Told of twice: the second time while it is erased.
    for message in [erased[0].message, stays.id, erased[0].message] {
        organization_events::raise(
            &tx,
            NewOrganizationEvent {
                session: Some(session),
                message: Some(message),
                happened_at: START,
                happening: Happening::MessageStatus(MessageProgress {
                    status: DeliveryStatus::Read.as_str().to_owned(),
                    previous_status: None,
                }),
            },
        );
    }
    tx.commit().await.unwrap();
    webhooks::fan_out(&world.store, &world.a).await;
    let all = webhooks::claim(&world.store, &world.a, endpoint.id, 100).await;
    let mut concluded = all.clone();
    let in_flight = all
        .deliveries
        .iter()
        .max_by_key(|claimed| claimed.delivery.event_number);
    let in_flight = in_flight.unwrap().delivery.id;
    concluded
        .deliveries
        .retain(|claimed| claimed.delivery.id != in_flight);
    webhooks::conclude(&world, &concluded, AttemptOutcome::Delivered).await;
    let before = kept_deliveries(db).await;

    job.erase(&world, &erased).await;
    // What was on its way is over, and its answer is not kept either.
    let late = ClaimedEndpoint {
        deliveries: all
            .deliveries
            .iter()
            .filter(|claimed| claimed.delivery.id == in_flight)
            .cloned()
            .collect(),
        ..all
    };
    webhooks::conclude(&world, &late, AttemptOutcome::Delivered).await;
    let left = kept_deliveries(db).await;
    assert!(left.iter().any(|kept| kept.ends_with("|thank you")), "{left:?}");
    let tx = world.read(&world.a).await;
    let events = match organization_events::following(&tx, 0, 100).await.unwrap() {
        Following::Events(events) => events,
        Following::Lost(_) => Vec::new(),
    };
    let of_erased: Vec<_> = events
        .into_iter()
        .filter(|event| event.message == Some(erased[0].message))
        .map(|event| format!("{}|", event.number))
        .collect();
    assert!(of_erased.len() > 1, "the events themselves stay");
    let is_of_erased = |kept: &&String| of_erased.iter().any(|number| kept.starts_with(number));
    assert!(before.iter().any(|kept| is_of_erased(&kept)), "{before:?}");
    assert!(!left.iter().any(|kept| is_of_erased(&kept)), "{left:?}");
}

async fn what_receivers_were_told_of_calls_goes_with_their_answers(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await.id;
    let job = Job::begin(&world).await;
    let endpoint = webhooks::make(&world, &world.a, &webhooks::new_endpoint()).await;
    let tx = world.write(&world.a).await;
    for from in [CHAT, "15550002222@c.us"] {
        let call = Call {
            call_id: None,
            from: Some(from.to_owned()),
            is_video: false,
            is_group: false,
        };
        organization_events::raise(
            &tx,
            NewOrganizationEvent {
                session: Some(session),
                message: None,
                happened_at: START,
                happening: Happening::CallReceived(call),
            },
        );
    }
    tx.commit().await.unwrap();
    webhooks::fan_out(&world.store, &world.a).await;
    let claimed = webhooks::claim(&world.store, &world.a, endpoint.id, 100).await;
    webhooks::conclude(&world, &claimed, AttemptOutcome::Delivered).await;
    let before = kept_deliveries(db).await;

    let tx = world.read(&world.a).await;
    let found = erasures::events_of(&tx, &chat(), 0, 100).await.unwrap();
    drop(tx);
    assert_eq!(found.naming.len(), 1, "one call is of the chat: {found:?}");
    let call = found.naming[0];
    let (tx, chat) = (job.write(&world).await, chat());
    let erased = erasures::erase_from_events(&tx, job.erasure, &chat, &found.naming);
    assert_eq!(erased.await.unwrap(), 1);
    tx.commit().await.unwrap();
    let left = kept_deliveries(db).await;
    let is_of_call = |kept: &String| kept.starts_with(&format!("{call}|"));
    assert_eq!(before.iter().filter(|kept| is_of_call(kept)).count(), 1);
    let others: Vec<_> = before.into_iter().filter(|kept| !is_of_call(kept)).collect();
    assert_eq!(left, others);
    assert!(left.iter().any(|kept| kept.ends_with("|thank you")), "{left:?}");
}

on_both_databases!(
    what_receivers_were_told_of_calls_goes_with_their_answers,
    what_receivers_were_told_of_erased_messages_goes_with_their_answers,
    what_waha_tells_of_an_erased_message_again_brings_nothing_back,
    an_acknowledgement_alone_does_not_say_in_which_chat,
    erasing_waits_for_whoever_changes_messages_of_a_session,
    what_waits_is_cancelled_and_what_is_handed_over_is_left,
);
