//! What is deleted is nowhere any more: the whole database and the media store are searched for it.

use std::{path::PathBuf, time::Duration};

use data_encoding::HEXLOWER;
use secrecy::ExposeSecret;
use serde_json::json;
use wahana_domain::{
    ChatId, DeliveryStatus, Erasure, ErasureId, JobState, Month, OutgoingMessage, ProcessId, Retention,
    UserId,
};
use wahana_store::{
    Tenant, TenantTx, erasures,
    idempotency::{self, KeptAnswer},
    jobs::{self, NewJob},
    messages::{self, HistoryQuery, MessageContent, NewMessage, Requester, SendLease},
    organizations::{self, OrganizationChange},
    usage,
    webhooks::AttemptOutcome,
};
use wahana_testkit::{database::TestDatabase, on_both_databases, rows};

use crate::{
    export::{ROOM, export},
    receiver::Receiver,
    world::{CHAT, Place, START, World},
};

on_both_databases!(
    nothing_is_left_of_messages_that_are_past_their_time,
    nothing_is_left_of_texts_that_are_not_kept_any_more,
    nothing_is_left_of_a_chat_that_was_erased,
    an_erasure_waits_for_what_is_being_sent_and_touches_nobody_else,
    an_erasure_goes_past_what_it_cannot_read,
    another_organizations_undeletable_file_keeps_up_no_erasure,
    an_erasure_whose_file_cannot_be_deleted_is_tried_until_it_can,
);

pub(crate) const SENT: &str = "the recipe that was sent";
/// As [`World::tell`] writes it.
pub(crate) const RECEIVED: &str = "a text below a file";
pub(crate) const FILE: &str = "the bytes of a secret drawing";

const OTHER: &str = "what is said to another";
/// The person's number, as it is in chat ids.
pub(crate) const NUMBER: &str = "15550001111";

pub(crate) async fn send(world: &World<'_>, place: &Place) {
    let tx = world.store.write(place.tenant).await.unwrap();
    let message = OutgoingMessage {
        status: DeliveryStatus::Accepted,
        ..rows::message(place.session, tx.now())
    };
    keep(&tx, &message, SENT).await;
    let answer = KeptAnswer {
        status: 200,
        body: json!({"chat_id": message.chat_id}).to_string(),
    };
    let key = message.id.to_string();
    assert!(
        idempotency::reserve(&tx, &key, b"print", message.id)
            .await
            .unwrap()
    );
    assert!(idempotency::answer(&tx, message.id, &answer).await.unwrap());
    tx.commit().await.unwrap();
}

pub(crate) async fn keep(tx: &TenantTx, message: &OutgoingMessage, text: &str) {
    let content = MessageContent {
        text: Some(text.to_owned()),
        details: Some(json!({"mentions": ["15550003333@c.us"]}).to_string()),
    };
    let new = NewMessage {
        message,
        content: &content,
        requester: &Requester {
            user: UserId::new(),
            token: None,
            request_id: "request".to_owned(),
        },
        key: None,
    };
    messages::enqueue(tx, &new).await.unwrap();
}

/// Everything that the database holds, as far as it is text.
pub(crate) async fn everything(world: &World<'_>) -> Vec<u8> {
    let db = world.db;
    if db.is_postgres() {
        let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
        let mut found = String::new();
        let tables = db.texts_unguarded(tables).await;
        for known in world.store.table_sizes().await.unwrap() {
            assert!(
                tables.iter().any(|table| table == known.table),
                "{} is not looked through",
                known.table
            );
        }
        for table in &tables {
            let rows = db
                .texts_unguarded(&format!("SELECT t::text FROM {table} t"))
                .await;
            found.push_str(&rows.join("\n"));
        }
        return found.into_bytes();
    }
    let settings = db.settings();
    let path = settings
        .url
        .expose_secret()
        .trim_start_matches("sqlite://")
        .to_owned();
    let mut found = std::fs::read(&path).unwrap();
    found.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());
    found
}

/// Which of the texts can be found in the database or in the media store.
pub(crate) async fn found(world: &World<'_>) -> Vec<&'static str> {
    let mut bytes = everything(world).await;
    for (_, file) in world.kept() {
        bytes.extend(file);
    }
    let contains = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    // PostgreSQL writes bytes as hexadecimal digits.
    let is_there =
        |text: &&str| contains(text.as_bytes()) || contains(HEXLOWER.encode(text.as_bytes()).as_bytes());
    [SENT, RECEIVED, FILE, NUMBER, OTHER]
        .into_iter()
        .filter(is_there)
        .collect()
}

async fn nothing_is_left_of_messages_that_are_past_their_time(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let tx = world.store.write(place.tenant).await.unwrap();
    let change = OrganizationChange {
        retention: Some(Retention {
            messages_days: Some(3),
            ..Retention::default()
        }),
        ..Default::default()
    };
    organizations::update(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    let receiver = Receiver::of(&world, &place).await;
    for key in ["A", "B"] {
        send(&world, &place).await;
        world.receive_and_tell(&place, key, FILE.as_bytes()).await;
    }
    world.fetch().await;
    // What it answers stays with deliveries that are tried again.
    let again = AttemptOutcome::RetryAt(START.plus(Duration::from_hours(9 * 24)));
    receiver.answer(&world, &place, OTHER, again).await;
    assert_eq!(found(&world).await, [SENT, RECEIVED, FILE, NUMBER, OTHER]);
    world.clock.advance(Duration::from_hours(4 * 24));
    world.tidy().await;
    assert!(found(&world).await.is_empty(), "{:?}", found(&world).await);
}

async fn nothing_is_left_of_texts_that_are_not_kept_any_more(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    let receiver = Receiver::of(&world, &place).await;
    send(&world, &place).await;
    world.receive_and_tell(&place, "A", FILE.as_bytes()).await;
    world.fetch().await;
    receiver
        .answer(&world, &place, OTHER, AttemptOutcome::Delivered)
        .await;
    assert_eq!(found(&world).await, [SENT, RECEIVED, FILE, NUMBER, OTHER]);
    let tx = world.store.write(place.tenant).await.unwrap();
    let change = OrganizationChange {
        keeps_message_texts: Some(false),
        ..Default::default()
    };
    organizations::update(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    world.tidy().await;
    assert_eq!(
        found(&world).await,
        [FILE, NUMBER],
        "neither texts nor what was answered to them"
    );
}

/// Somebody asks for the chat to be erased.
pub(crate) async fn ask(world: &World<'_>, tenant: Tenant) -> ErasureId {
    let tx = world.store.write(tenant).await.unwrap();
    let erasure = Erasure {
        id: ErasureId::new(),
        chat_id: Some(ChatId::parse(CHAT).unwrap()),
        messages: 0,
        events: 0,
        created_at: tx.now(),
        finished_at: None,
    };
    erasures::insert(&tx, &erasure).await.unwrap();
    let job = NewJob {
        kind: "erase_chat",
        subject: None,
        payload: json!({"erasure": erasure.id}).to_string(),
        run_at: tx.now(),
    };
    jobs::enqueue(&tx, &job).await.unwrap();
    tx.commit().await.unwrap();
    erasure.id
}

pub(crate) async fn erasure(world: &World<'_>, tenant: Tenant, id: ErasureId) -> Erasure {
    let tx = world.store.read(tenant).await.unwrap();
    erasures::get(&tx, id).await.unwrap().unwrap()
}

async fn nothing_is_left_of_a_chat_that_was_erased(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let place = world.session().await;
    send(&world, &place).await;
    world.receive_and_tell(&place, "A", FILE.as_bytes()).await;
    world.fetch().await;
    let group = "120363000000000001@g.us";
    let in_group = json!({
        "id": format!("false_{group}_B_{CHAT}"), "timestamp": START.as_seconds(), "from": group,
        "participant": CHAT, "fromMe": false, "body": RECEIVED, "hasMedia": false,
    });
    world.tell_as(&place, &["message"], "B", &in_group).await;
    let call =
        json!({"id": "C", "from": CHAT, "timestamp": START.as_seconds(), "isVideo": false, "isGroup": false});
    world.tell_as(&place, &["call.received"], "C", &call).await;
    let tx = world.store.write(place.tenant).await.unwrap();
    let to_another = OutgoingMessage {
        chat_id: ChatId::parse("15550002222@c.us").unwrap(),
        ..rows::message(place.session, tx.now())
    };
    keep(&tx, &to_another, OTHER).await;
    keep(&tx, &rows::message(place.session, tx.now()), SENT).await;
    let month = Month::of(tx.now());
    for _ in 0..2 {
        assert!(usage::raise(&tx, month, None).await.unwrap());
    }
    tx.commit().await.unwrap();
    assert_eq!(found(&world).await, [SENT, RECEIVED, FILE, NUMBER, OTHER]);

    let exported = export(&world, place.tenant).await;
    assert!(exported.file.is_some());
    let id = ask(&world, place.tenant).await;
    world
        .work_until(async || erasure(&world, place.tenant, id).await.finished_at.is_some())
        .await;
    let erased = erasure(&world, place.tenant, id).await;
    assert_eq!(
        (erased.messages, erased.events, erased.chat_id),
        (4, 1, None),
        "two that were sent, two that came in, and a call"
    );
    assert_eq!(found(&world).await, [OTHER]);
    assert!(world.kept().is_empty());
    let tx = world.store.read(place.tenant).await.unwrap();
    assert_eq!(
        usage::messages(&tx, month).await.unwrap(),
        1,
        "the one that waited was not sent"
    );
    drop(tx);

    // WAHA tells of them again, and late.
    world.tell_as(&place, &["message.any"], "B", &in_group).await;
    let acknowledgement = json!({
        "id": format!("true_{CHAT}_D"), "from": CHAT, "fromMe": true, "ack": 3, "ackName": "READ",
    });
    world
        .tell_as(&place, &["message.ack"], "D", &acknowledgement)
        .await;
    world.fetch().await;
    // What WAHA said is deleted once it is applied, and leaves the database's log in the next round.
    world.tidy().await;
    assert_eq!(found(&world).await, [OTHER]);
}

async fn an_erasure_waits_for_what_is_being_sent_and_touches_nobody_else(db: &TestDatabase) {
    let world = World::new(db).await;
    let (place, foreign) = (world.session().await, world.session().await);
    for place in [&place, &foreign] {
        send(&world, place).await;
    }
    let tx = world.store.write(place.tenant).await.unwrap();
    let being_sent = OutgoingMessage {
        status: DeliveryStatus::Sending,
        ..rows::message(place.session, tx.now())
    };
    let new = NewMessage {
        message: &being_sent,
        content: &MessageContent::default(),
        requester: &Requester {
            user: UserId::new(),
            token: None,
            request_id: "request".to_owned(),
        },
        key: None,
    };
    let lease = SendLease {
        owner: ProcessId::new(),
        expires_at: tx.now().plus(Duration::from_hours(1)),
    };
    let attempt = messages::begin(&tx, &new, &lease).await.unwrap();
    tx.commit().await.unwrap();

    let id = ask(&world, place.tenant).await;
    world
        .work_until(async || {
            let jobs = world.jobs("erase_chat").await;
            jobs.iter().any(|job| job.last_error.is_some())
        })
        .await;
    let waiting = erasure(&world, place.tenant, id).await;
    assert_eq!((waiting.messages, waiting.finished_at), (1, None));
    let tx = world.store.write(place.tenant).await.unwrap();
    messages::conclude(&tx, attempt).await.unwrap().unwrap();
    messages::set_outcome(&tx, being_sent.id, DeliveryStatus::Failed, "So it went.")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    world
        .work_until(async || erasure(&world, place.tenant, id).await.finished_at.is_some())
        .await;
    assert_eq!(erasure(&world, place.tenant, id).await.messages, 2);
    let tx = world.store.read(foreign.tenant).await.unwrap();
    let history = messages::history(&tx, &HistoryQuery::default(), 10)
        .await
        .unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].text.as_deref(), Some(SENT));
    assert!(erasures::get(&tx, id).await.unwrap().is_none());
}

async fn is_erased(world: &World<'_>, tenant: Tenant, id: ErasureId) -> bool {
    erasure(world, tenant, id).await.finished_at.is_some()
}

async fn an_erasure_goes_past_what_it_cannot_read(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    for (key, from) in [("C", CHAT), ("D", CHAT), ("E", "15550002222@c.us")] {
        let call = json!({"id": key, "from": from, "timestamp": START.as_seconds(), "isVideo": false, "isGroup": false});
        world.tell_as(&place, &["call.received"], key, &call).await;
    }
    let first = "SELECT MIN(number) FROM organization_events WHERE type = 'call.received'";
    db.execute_unguarded(&format!(
        "UPDATE organization_events SET data = '{{\"from\": \"{CHAT}\", ' WHERE number = ({first})"
    ))
    .await;
    let id = ask(&world, place.tenant).await;
    world
        .work_until(async || is_erased(&world, place.tenant, id).await)
        .await;
    assert_eq!(erasure(&world, place.tenant, id).await.events, 2);
    assert!(found(&world).await.is_empty(), "{:?}", found(&world).await);
}

/// Puts something that cannot be deleted in the place of a file, which is not kept any longer.
async fn end_undeletable(world: &World<'_>, place: &Place) -> PathBuf {
    let file = world.files(place.tenant).await.remove(0);
    let path = world.folder().join(file.stored.unwrap().key.as_str());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let id = world.db.id_literal(file.id.as_uuid());
    let end = format!("UPDATE media_files SET state = 'expired', message_id = NULL WHERE id = {id}");
    world.db.execute_unguarded(&end).await;
    path
}

async fn another_organizations_undeletable_file_keeps_up_no_erasure(db: &TestDatabase) {
    let world = World::new(db).await;
    let (foreign, place) = (world.session().await, world.session().await);
    for place in [&foreign, &place] {
        world.receive_and_tell(place, "A", FILE.as_bytes()).await;
    }
    world.fetch().await;
    end_undeletable(&world, &foreign).await;
    let id = ask(&world, place.tenant).await;
    world
        .work_until(async || is_erased(&world, place.tenant, id).await)
        .await;
    assert!(world.kept().is_empty());
}

async fn an_erasure_whose_file_cannot_be_deleted_is_tried_until_it_can(db: &TestDatabase) {
    let world = World::new(db).await;
    let place = world.session().await;
    for key in ["A", "B"] {
        world.receive_and_tell(&place, key, FILE.as_bytes()).await;
    }
    world.fetch().await;
    let in_the_way = end_undeletable(&world, &place).await;
    let id = ask(&world, place.tenant).await;
    // Longer than anything is tried that may be given up.
    for attempts in 1..8 {
        world
            .work_until(async || {
                let jobs = world.jobs("erase_chat").await;
                jobs.iter()
                    .all(|job| job.attempts == attempts && job.state == JobState::Waiting)
            })
            .await;
        world.clock.advance(Duration::from_mins(30));
    }
    assert!(!is_erased(&world, place.tenant, id).await);
    assert!(world.kept().is_empty(), "the other file is deleted all the same");
    std::fs::remove_dir(&in_the_way).unwrap();
    world
        .work_until(async || is_erased(&world, place.tenant, id).await)
        .await;
    assert!(found(&world).await.is_empty());
}
