//! Deleting what is past its time, in batches, of every organization.

use std::time::Duration;

use wahana_domain::{DeliveryStatus, Month, Process, ProcessId, ProcessRole, Timestamp};
use wahana_store::{
    JobClaim, PlatformTx, audit,
    jobs::{self, NewJob},
    usage,
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, TestOrganization, World};

const DAY: Duration = Duration::from_hours(24);
const EVERYTHING: u64 = 1000;

fn days_ago(days: u32) -> Timestamp {
    START.minus(DAY * days)
}

/// The labels of the rows that are left, sorted.
async fn left(db: &TestDatabase, query: &str) -> Vec<String> {
    let mut texts = db.texts_unguarded(query).await;
    texts.sort();
    texts
}

/// A row in each of the tables that hold sessions' histories, which events will write.
async fn history(db: &TestDatabase, world: &World, organization: &TestOrganization, label: &str) {
    let session = world.session(organization, "sales").await.id;
    let (server, owner) = (world.server, organization.id());
    let id = |id: uuid::Uuid| db.id_literal(id);
    let (session, server, owner) = (id(session.as_uuid()), id(server.as_uuid()), id(owner.as_uuid()));
    let mut statements = Vec::new();
    for (days, state) in [(8, "applied"), (8, "ignored"), (8, "waiting"), (6, "applied")] {
        let (row, at) = (id(uuid::Uuid::now_v7()), days_ago(days).as_micros());
        statements.push(format!(
            "INSERT INTO waha_events (id, organization_id, session_id, waha_server_id, event_id, kind, state, happened_at, received_at)
            VALUES ({row}, {owner}, {session}, {server}, '{label} {days} {state}', 'message', '{state}', {at}, {at});"
        ));
    }
    for days in [399, 401] {
        let (row, at) = (id(uuid::Uuid::now_v7()), days_ago(days).as_micros());
        statements.push(format!(
            "INSERT INTO session_transitions (id, organization_id, session_id, subject, new_value, happened_at)
            VALUES ({row}, {owner}, {session}, 'status', '{label} {days}', {at});
            INSERT INTO session_activity (session_id, slot, organization_id, messages_sent, messages_received,
                media_sent, media_received, messages_delivered, messages_read, messages_failed, calls, group_changes)
            VALUES ({session}, {at}, {owner}, {days}, 0, 0, 0, 0, 0, 0, 0, 0);"
        ));
    }
    db.execute_unguarded(&statements.concat()).await;
}

async fn histories_go_when_they_are_due_and_of_every_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    history(db, &world, &world.a, "a").await;
    history(db, &world, &world.b, "b").await;
    let tx = world.platform_write().await;
    assert_eq!(
        tx.delete_settled_events(days_ago(7), EVERYTHING).await.unwrap(),
        4
    );
    let (transitions, activity) = (
        tx.delete_session_transitions(days_ago(400), EVERYTHING),
        tx.delete_session_activity(days_ago(400), EVERYTHING),
    );
    assert_eq!((transitions.await.unwrap(), activity.await.unwrap()), (2, 2));
    tx.commit().await.unwrap();
    assert_eq!(
        left(db, "SELECT event_id FROM waha_events").await,
        ["a 6 applied", "a 8 waiting", "b 6 applied", "b 8 waiting"]
    );
    assert_eq!(
        left(db, "SELECT new_value FROM session_transitions").await,
        ["a 399", "b 399"]
    );
    assert_eq!(
        left(db, "SELECT CAST(messages_sent AS text) FROM session_activity").await,
        ["399", "399"]
    );
}

async fn what_was_sent_is_forgotten_by_whole_months_and_of_every_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    let months = [days_ago(800), days_ago(400), START].map(Month::of);
    for organization in [&world.a, &world.b] {
        let tx = world.write(organization).await;
        for month in months {
            assert!(usage::raise(&tx, month, None).await.unwrap());
        }
        tx.commit().await.unwrap();
    }
    let tx = world.platform_write().await;
    assert_eq!(tx.delete_message_usage(months[1], 1).await.unwrap(), 1);
    assert_eq!(tx.delete_message_usage(months[1], EVERYTHING).await.unwrap(), 1);
    tx.commit().await.unwrap();
    for organization in [&world.a, &world.b] {
        let tx = world.read(organization).await;
        let mut left = Vec::new();
        for month in months {
            left.push(usage::messages(&tx, month).await.unwrap());
        }
        assert_eq!(left, [0, 1, 1]);
    }
}

async fn a_batch_is_no_larger_than_asked_and_takes_the_oldest(db: &TestDatabase) {
    let world = World::new(db).await;
    world.clock.set(days_ago(10));
    let tx = world.platform_write().await;
    for number in 0..5 {
        world.clock.advance(Duration::from_secs(1));
        tx.record(&world.entry(Some(&world.a), &format!("operation {number}")))
            .await
            .unwrap();
    }
    for process in 0..5 {
        let silent = Process {
            id: ProcessId::new(),
            name: format!("host/{process}"),
            role: ProcessRole::All,
            started_at: START,
            seen_at: START.plus(Duration::from_secs(process)),
        };
        tx.see_process(&silent).await.unwrap();
    }
    let all = START.plus(DAY);
    let mut deleted = Vec::new();
    loop {
        deleted.push(tx.delete_silent_processes(all, 2).await.unwrap());
        if deleted.ends_with(&[0]) {
            break;
        }
        if deleted.len() == 1 {
            let names: Vec<_> = tx.processes(START).await.unwrap();
            let mut names: Vec<_> = names.into_iter().map(|process| process.name).collect();
            names.sort();
            assert_eq!(names, ["host/2", "host/3", "host/4"]);
        }
    }
    assert_eq!(deleted, [2, 2, 1, 0]);
}

async fn jobs_go_after_they_ended(db: &TestDatabase) {
    let world = World::new(db).await;
    world.clock.set(days_ago(31));
    let new = |kind| NewJob {
        kind,
        subject: None,
        payload: "{}".to_owned(),
        run_at: days_ago(31),
    };
    let end = async |tx: &PlatformTx, kind: &'static str, is_done: bool| {
        let claim = JobClaim {
            kinds: &[kind],
            owner: ProcessId::new(),
            lease: DAY,
            after: None,
        };
        let claimed = tx.claim_job(&claim).await.unwrap().unwrap();
        if is_done {
            assert!(tx.finish_job(&claimed.lease).await.unwrap());
        } else {
            assert!(tx.fail_job(&claimed.lease, "no", None).await.unwrap());
        }
    };
    for (organization, kind) in [
        (&world.a, "waits"),
        (&world.a, "done"),
        (&world.b, "dead"),
        (&world.b, "done lately"),
    ] {
        let tx = world.write(organization).await;
        jobs::enqueue(&tx, &new(kind)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let tx = world.platform_write().await;
    end(&tx, "done", true).await;
    end(&tx, "dead", false).await;
    world.clock.set(days_ago(29));
    end(&tx, "done lately", true).await;
    world.clock.set(START);
    assert_eq!(
        tx.delete_finished_jobs(days_ago(30), EVERYTHING).await.unwrap(),
        2
    );
    tx.commit().await.unwrap();
    assert_eq!(left(db, "SELECT kind FROM jobs").await, ["done lately", "waits"]);
}

async fn audit_entries_and_messages_go_by_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut sessions = Vec::new();
    for organization in [&world.a, &world.b] {
        sessions.push(world.session(organization, "sales").await.id);
    }
    // Older than the retention by the database's own clock, too.
    for days in [3000, 2000] {
        world.clock.set(days_ago(days));
        for (organization, session) in [&world.a, &world.b].into_iter().zip(&sessions) {
            let tx = world.write(organization).await;
            let entry = world.entry(Some(organization), &format!("{days}"));
            audit::insert(&tx, &entry).await.unwrap();
            let mut message = world.new_message(*session);
            message.status = DeliveryStatus::Read;
            world.add_message(&tx, &message).await.unwrap();
            tx.commit().await.unwrap();
        }
        let tx = world.platform_write().await;
        tx.record(&world.entry(None, &format!("own {days}")))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let (a, cutoff) = (world.a.id(), days_ago(2500));
    let tx = world.platform_write().await;
    assert_eq!(
        tx.delete_audit_entries(Some(a), cutoff, EVERYTHING)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        tx.delete_audit_entries(None, cutoff, EVERYTHING).await.unwrap(),
        1
    );
    assert_eq!(tx.delete_messages(a, cutoff, EVERYTHING).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(
        left(db, "SELECT operation FROM audit_entries").await,
        ["2000", "2000", "3000", "own 2000"]
    );
    assert_eq!(left(db, "SELECT status FROM messages").await.len(), 3);
}

async fn what_let_people_in_goes_after_it_ended(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut statements = Vec::new();
    for (number, days) in [(1, 31), (2, 29)] {
        let at = days_ago(days).as_micros();
        let row = db.id_literal(uuid::Uuid::now_v7());
        let owner = db.id_literal(world.a.owner.as_uuid());
        let hash = if db.is_postgres() {
            format!("'\\x0{number}'::bytea")
        } else {
            format!("x'0{number}'")
        };
        for table in ["sign_ins", "password_resets"] {
            statements.push(format!(
                "INSERT INTO {table} (id, user_id, secret_hash, expires_at, created_at) VALUES ({row}, {owner}, {hash}, {at}, {at});"
            ));
        }
    }
    db.execute_unguarded(&statements.concat()).await;
    let tx = world.platform_write().await;
    let (sign_ins, links) = (
        tx.delete_ended_sign_ins(days_ago(30), EVERYTHING),
        tx.delete_ended_password_resets(days_ago(30), EVERYTHING),
    );
    assert_eq!((sign_ins.await.unwrap(), links.await.unwrap()), (1, 1));
}

on_both_databases!(
    histories_go_when_they_are_due_and_of_every_organization,
    what_was_sent_is_forgotten_by_whole_months_and_of_every_organization,
    a_batch_is_no_larger_than_asked_and_takes_the_oldest,
    jobs_go_after_they_ended,
    audit_entries_and_messages_go_by_organization,
    what_let_people_in_goes_after_it_ended,
);
