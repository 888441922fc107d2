//! The audit log.

use std::time::Duration;

use wahana_domain::{ActorKind, AuditEntry, AuditOutcome, SessionId, TokenId};
use wahana_store::audit::{self, AuditQuery, Position};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

async fn entries_are_read_as_they_were_written(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut entries = Vec::new();
    for (actor, outcome) in [
        (ActorKind::User, AuditOutcome::Intent),
        (ActorKind::Token, AuditOutcome::Success),
        (ActorKind::PlatformAdministrator, AuditOutcome::Success),
        (ActorKind::CommandLine, AuditOutcome::Success),
        (
            ActorKind::System,
            AuditOutcome::Failure {
                error_code: "session_not_found".to_owned(),
            },
        ),
    ] {
        let mut entry = world.entry(Some(&world.a), "sessions.create");
        entry.actor = actor;
        entry.outcome = outcome;
        entry.token_id = (actor == ActorKind::Token).then(TokenId::generate);
        entry.session_id = Some(SessionId::new());
        entry.source_address = (actor != ActorKind::System).then(|| "2001:db8::1".parse().unwrap());
        let tx = world.write(&world.a).await;
        audit::insert(&tx, &entry).await.unwrap();
        tx.commit().await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        entries.insert(0, entry);
    }
    let tx = world.read(&world.a).await;
    assert_eq!(
        audit::page(&tx, &AuditQuery::default(), 10).await.unwrap(),
        entries
    );
    assert_eq!(
        audit::page(&tx, &AuditQuery::default(), u64::MAX)
            .await
            .unwrap()
            .len(),
        5
    );
}

async fn every_filter_holds(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = SessionId::new();
    let tx = world.write(&world.a).await;
    let mut entries: Vec<AuditEntry> = Vec::new();
    for second in 0..4_u64 {
        let mut entry = world.entry(
            Some(&world.a),
            if second == 1 {
                "tokens.create"
            } else {
                "sessions.start"
            },
        );
        entry.created_at = START.plus(Duration::from_secs(second));
        entry.session_id = (second == 2).then_some(session);
        entry.user_id = (second == 3).then_some(world.a.owner);
        audit::insert(&tx, &entry).await.unwrap();
        entries.push(entry);
    }
    let none = AuditQuery::default;
    let at = |second| START.plus(Duration::from_secs(second));
    for (query, expected) in [
        (
            AuditQuery {
                user: Some(world.a.owner),
                ..none()
            },
            vec![3],
        ),
        (
            AuditQuery {
                session: Some(session),
                ..none()
            },
            vec![2],
        ),
        (
            AuditQuery {
                operation: Some("tokens.create".to_owned()),
                ..none()
            },
            vec![1],
        ),
        (
            AuditQuery {
                since: Some(at(2)),
                ..none()
            },
            vec![3, 2],
        ),
        (
            AuditQuery {
                until: Some(at(2)),
                ..none()
            },
            vec![1, 0],
        ),
        (
            AuditQuery {
                since: Some(at(1)),
                until: Some(at(3)),
                ..none()
            },
            vec![2, 1],
        ),
    ] {
        let found = audit::page(&tx, &query, 10).await.unwrap();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|index: usize| entries[index].clone())
            .collect();
        assert_eq!(found, expected, "{query:?}");
    }
}

/// Reads page after page until nothing is left.
async fn pages_of_two(world: &World) -> Vec<AuditEntry> {
    let tx = world.read(&world.a).await;
    let mut all: Vec<AuditEntry> = Vec::new();
    loop {
        let query = AuditQuery {
            before: all.last().map(position),
            ..Default::default()
        };
        let page = audit::page(&tx, &query, 2).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn position(entry: &AuditEntry) -> Position {
    Position {
        created_at: entry.created_at,
        id: entry.id,
    }
}

async fn pages_miss_and_repeat_nothing_even_at_one_moment(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.write(&world.a).await;
    for _ in 0..7 {
        audit::insert(&tx, &world.entry(Some(&world.a), "sessions.start"))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let paged = pages_of_two(&world).await;
    let tx = world.read(&world.a).await;
    let whole = audit::page(&tx, &AuditQuery::default(), 100).await.unwrap();
    assert_eq!((whole.len(), paged), (7, whole));
}

async fn the_platforms_log_has_what_belongs_to_no_organization_and_what_operators_did(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.platform_write().await;
    let mut own = Vec::new();
    for operation in ["servers.create", "organizations.create"] {
        let entry = world.entry(None, operation);
        tx.record(&entry).await.unwrap();
        own.insert(0, entry);
        world.clock.advance(Duration::from_secs(1));
    }
    let of_member = world.entry(Some(&world.a), "sessions.create");
    tx.record(&of_member).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let mut of_a = vec![of_member];
    for actor in [ActorKind::PlatformAdministrator, ActorKind::CommandLine] {
        let mut entry = world.entry(Some(&world.a), "organizations.suspend");
        entry.actor = actor;
        tx.record(&entry).await.unwrap();
        own.insert(0, entry.clone());
        of_a.insert(0, entry);
        world.clock.advance(Duration::from_secs(1));
    }
    tx.commit().await.unwrap();
    let tx = world.platform_read().await;
    assert_eq!(tx.audit_entries(None, 10).await.unwrap(), own);
    assert_eq!(tx.audit_entries(None, 1).await.unwrap(), own[..1]);
    assert_eq!(
        tx.audit_entries(Some(&position(&own[0])), u64::MAX)
            .await
            .unwrap(),
        own[1..]
    );
    let tx = world.read(&world.a).await;
    assert_eq!(audit::page(&tx, &AuditQuery::default(), 10).await.unwrap(), of_a);
}

on_both_databases!(
    entries_are_read_as_they_were_written,
    every_filter_holds,
    pages_miss_and_repeat_nothing_even_at_one_moment,
    the_platforms_log_has_what_belongs_to_no_organization_and_what_operators_did,
);
