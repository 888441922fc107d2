//! Exports: everything of one organization, nothing of any other, and no secrets.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use wahana_domain::{
    ActorKind, AuditEntry, AuditEntryId, AuditOutcome, EmailAddress, Erasure, ErasureId, Export, ExportId,
    ExportState, Invitation, InvitationId, JobState, Membership, ProcessId, Role, Secret, UserId,
};
use wahana_store::{
    NewUser, Tenant, TenantTx, access_tokens, audit, erasures, exports, invitations,
    jobs::{self, NewJob},
    media_files, webhooks,
};
use wahana_testkit::{database::TestDatabase, on_both_databases, rows};

use crate::{
    erasure::{ask, erasure, keep, send},
    receiver::{PATH, endpoint},
    world::{Place, World},
};

on_both_databases!(
    an_export_has_everything_of_its_organization_and_nothing_else,
    an_export_that_is_larger_than_files_may_be_is_given_up,
    the_file_of_an_export_is_kept_for_a_week,
    an_export_during_an_erasure_is_begun_anew,
    an_export_that_ended_is_not_made_once_more,
    a_new_export_takes_the_place_of_the_one_before,
    an_export_whose_job_is_given_up_says_so,
);

/// As much as an export takes.
pub(crate) const ROOM: u64 = 10_000_000;
/// More than are read at a time.
const MESSAGES: usize = 1001;
const TEXT: &str = "the recipe in the export";
const FOREIGN: &str = "the recipe of another organization";

async fn begin(world: &World<'_>, tenant: Tenant) -> ExportId {
    let tx = world.store.write(tenant).await.unwrap();
    let id = ExportId::new();
    exports::insert(&tx, id).await.unwrap();
    enqueue(&tx, id).await;
    tx.commit().await.unwrap();
    id
}

async fn enqueue(tx: &TenantTx, id: ExportId) {
    let job = NewJob {
        kind: "export",
        subject: None,
        payload: json!({"export": id}).to_string(),
        run_at: tx.now(),
    };
    jobs::enqueue(tx, &job).await.unwrap();
}

async fn get(world: &World<'_>, tenant: Tenant, id: ExportId) -> Export {
    let tx = world.store.read(tenant).await.unwrap();
    exports::get(&tx, id).await.unwrap().unwrap()
}

/// Exports an organization.
pub(crate) async fn export(world: &World<'_>, tenant: Tenant) -> Export {
    let id = begin(world, tenant).await;
    world
        .work_until(async || get(world, tenant, id).await.finished_at.is_some())
        .await;
    get(world, tenant, id).await
}

/// What is in the file of an export.
async fn text_of(world: &World<'_>, tenant: Tenant, export: &Export) -> String {
    let tx = world.store.read(tenant).await.unwrap();
    let file = media_files::get(&tx, export.file.unwrap())
        .await
        .unwrap()
        .unwrap();
    let stored = file.stored.unwrap();
    let mut kept = world.kept().into_iter();
    let (_, bytes) = kept.find(|(name, _)| name == stored.key.as_str()).unwrap();
    assert_eq!(stored.size, bytes.len() as u64);
    String::from_utf8(bytes).unwrap()
}

async fn fill(world: &World<'_>, place: &Place, text: &str, email: &str) -> Secret {
    let tx = world.store.platform_write().await.unwrap();
    let user = UserId::new();
    tx.insert_user(&NewUser {
        id: user,
        email: EmailAddress::parse(email).unwrap(),
        display_name: format!("Person {email}"),
        is_platform_administrator: false,
    })
    .await
    .unwrap();
    let organization = place.tenant.organization_id();
    tx.insert_membership(&Membership {
        organization_id: organization,
        user_id: user,
        role: Role::Owner,
        created_at: tx.now(),
    })
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let secret = Secret::generate();
    let tx = world.store.write(place.tenant).await.unwrap();
    let token = rows::token(organization, user, tx.now());
    access_tokens::insert(&tx, &token, &secret.hash()).await.unwrap();
    keep(&tx, &rows::message(place.session, tx.now()), text).await;
    let invitation = Invitation {
        id: InvitationId::new(),
        organization_id: organization,
        email: EmailAddress::parse(&format!("invited-{email}")).unwrap(),
        role: Role::Agent,
        invited_by: Some(user),
        expires_at: tx.now(),
        accepted_at: None,
        revoked_at: None,
        created_at: tx.now(),
    };
    invitations::insert(&tx, &invitation, &secret.hash())
        .await
        .unwrap();
    webhooks::insert(&tx, &endpoint()).await.unwrap();
    let entry = AuditEntry {
        id: AuditEntryId::new(),
        organization_id: Some(organization),
        actor: ActorKind::User,
        user_id: Some(user),
        token_id: None,
        session_id: None,
        operation: "sessions.create".to_owned(),
        outcome: AuditOutcome::Success,
        source_address: None,
        request_id: None,
        created_at: tx.now(),
    };
    audit::insert(&tx, &entry).await.unwrap();
    tx.commit().await.unwrap();
    secret
}

async fn an_export_has_everything_of_its_organization_and_nothing_else(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let (place, foreign) = (world.session().await, world.session().await);
    let secret = fill(&world, &place, TEXT, "owner@alpha.example").await;
    fill(&world, &foreign, FOREIGN, "owner@beta.example").await;
    world.receive_and_tell(&place, "A", b"bytes of a file").await;
    world.fetch().await;
    let tx = world.store.write(place.tenant).await.unwrap();
    for _ in 2..MESSAGES {
        keep(&tx, &rows::message(place.session, tx.now()), TEXT).await;
    }
    tx.commit().await.unwrap();

    let export = export(&world, place.tenant).await;
    let text = text_of(&world, place.tenant, &export).await;
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(export.rows, lines.len() as u64);
    let mut kinds = BTreeMap::new();
    for line in &lines {
        *kinds.entry(line["type"].as_str().unwrap()).or_insert(0) += 1;
    }
    let expected = [
        ("audit_entry", 1),
        ("end", 1),
        ("invitation", 1),
        ("member", 1),
        ("message", MESSAGES),
        ("organization", 1),
        ("session", 1),
        ("token", 1),
        ("webhook", 1),
    ];
    assert_eq!(kinds, BTreeMap::from(expected));
    let last = lines.last().unwrap();
    assert_eq!(last["data"]["lines"], lines.len() - 1);
    let message = |wanted: &dyn Fn(&Value) -> bool| {
        let found = lines
            .iter()
            .find(|line| line["type"] == "message" && wanted(&line["data"]));
        &found.unwrap()["data"]
    };
    let sent = message(&|data| data["direction"] == "outgoing");
    assert_eq!((&sent["text"], &sent["status"]), (&json!(TEXT), &json!("queued")));
    assert_eq!(sent["mentions"], json!(["15550003333@c.us"]));
    assert!(
        sent["requested_by"].is_string() && sent["created_at"].is_string(),
        "{sent}"
    );
    let of_kind = |kind: &str| {
        let found = lines.iter().find(|line| line["type"] == kind);
        &found.unwrap()["data"]
    };
    assert!(
        of_kind("organization")["limits"]
            .as_object()
            .unwrap()
            .contains_key("sessions")
    );
    assert_eq!(of_kind("invitation")["email"], "invited-owner@alpha.example");
    assert_eq!(of_kind("token")["user_id"], of_kind("member")["user_id"]);
    assert_eq!(of_kind("webhook")["origin"], "https://receiver.example");
    let received = message(&|data| data["direction"] == "incoming");
    assert_eq!(received["media"]["filename"], "offer.pdf");
    assert_eq!(received["media"]["size"], 15);
    assert!(text.contains("owner@alpha.example"));

    let foreign_session = foreign.session.to_string();
    for hidden in [
        FOREIGN,
        "owner@beta.example",
        &foreign_session,
        &place.waha_name,
        &world.sim.base_url(),
        "bytes of a file",
        secret.expose(),
        PATH,
        "whsec_",
        "password",
        "hash",
    ] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    let tx = world.store.read(foreign.tenant).await.unwrap();
    assert!(exports::get(&tx, export.id).await.unwrap().is_none());
    assert!(
        media_files::get(&tx, export.file.unwrap())
            .await
            .unwrap()
            .is_none()
    );
}

async fn an_export_that_is_larger_than_files_may_be_is_given_up(db: &TestDatabase) {
    let world = World::with_room(db, 100).await;
    let place = world.session().await;
    let made = export(&world, place.tenant).await;
    assert_eq!(made.state(world.services.now()), ExportState::Failed);
    assert!(world.kept().is_empty());
}

async fn the_file_of_an_export_is_kept_for_a_week(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let place = world.session().await;
    let made = export(&world, place.tenant).await;
    world.clock.advance(Duration::from_hours(7 * 24 - 2));
    world.tidy().await;
    assert_eq!(world.kept().len(), 1);
    assert_eq!(made.state(world.services.now()), ExportState::Done);
    world.clock.advance(Duration::from_hours(2));
    world.tidy().await;
    assert!(world.kept().is_empty());
    assert_eq!(made.state(world.services.now()), ExportState::Expired);
    world.clock.advance(Duration::from_hours(30 * 24));
    world.tidy().await;
    let tx = world.store.read(place.tenant).await.unwrap();
    assert!(exports::get(&tx, made.id).await.unwrap().is_none());
}

async fn an_export_during_an_erasure_is_begun_anew(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let place = world.session().await;
    send(&world, &place).await;
    // Nobody works on it yet.
    let tx = world.store.write(place.tenant).await.unwrap();
    let open = Erasure {
        id: ErasureId::new(),
        chat_id: None,
        messages: 0,
        events: 0,
        created_at: tx.now(),
        finished_at: None,
    };
    erasures::insert(&tx, &open).await.unwrap();
    tx.commit().await.unwrap();
    let id = begin(&world, place.tenant).await;
    world
        .work_until(async || {
            let jobs = world.jobs("export").await;
            jobs.iter().any(|job| job.last_error.is_some())
        })
        .await;
    let waiting = get(&world, place.tenant, id).await;
    assert_eq!(
        (waiting.finished_at, waiting.rows),
        (None, 0),
        "nothing is written in vain"
    );
    assert!(
        world.kept().is_empty(),
        "what may have the chat in it is not kept"
    );

    let end = "UPDATE erasures SET finished_at = created_at";
    db.execute_unguarded(end).await;
    world.clock.advance(Duration::from_mins(1));
    world
        .work_until(async || get(&world, place.tenant, id).await.finished_at.is_some())
        .await;
    assert_eq!(world.kept().len(), 1);

    // A later erasure takes back what was exported before.
    let erasing = ask(&world, place.tenant).await;
    world
        .work_until(async || {
            let erasure = erasure(&world, place.tenant, erasing).await;
            erasure.finished_at.is_some()
        })
        .await;
    assert!(world.kept().is_empty());
    let export = get(&world, place.tenant, id).await;
    assert_eq!(export.state(world.services.now()), ExportState::Expired);
}

async fn an_export_that_ended_is_not_made_once_more(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let place = world.session().await;
    send(&world, &place).await;
    let made = export(&world, place.tenant).await;
    // As if its process had died before it could end the job.
    let tx = world.store.write(place.tenant).await.unwrap();
    enqueue(&tx, made.id).await;
    tx.commit().await.unwrap();
    world
        .work_until(async || {
            let jobs = world.jobs("export").await;
            jobs.iter().all(|job| job.state == JobState::Done)
        })
        .await;
    assert_eq!(get(&world, place.tenant, made.id).await, made);
    assert_eq!(world.kept().len(), 1);

    let erasing = ask(&world, place.tenant).await;
    world
        .work_until(async || {
            let erasure = erasure(&world, place.tenant, erasing).await;
            erasure.finished_at.is_some()
        })
        .await;
    assert!(world.kept().is_empty(), "no file has the chat in it");
}

async fn a_new_export_takes_the_place_of_the_one_before(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let place = world.session().await;
    world.receive_and_tell(&place, "A", b"bytes of a file").await;
    world.fetch().await;
    let first = export(&world, place.tenant).await;
    let second = export(&world, place.tenant).await;
    let first = get(&world, place.tenant, first.id).await;
    let now = world.services.now();
    assert_eq!(
        (first.state(now), second.state(now)),
        (ExportState::Expired, ExportState::Done)
    );
    world.tidy().await;
    assert_eq!(world.kept().len(), 2, "the second one's file, and the message's");

    let tx = world.store.platform_read().await.unwrap();
    let id = place.tenant.organization_id();
    assert_eq!(
        tx.media_bytes(id).await.unwrap(),
        15,
        "no received file gives way to an export"
    );
    assert_eq!(
        tx.waiting_media_bytes(id).await.unwrap(),
        0,
        "an export does not wait to be sent"
    );
}

async fn an_export_whose_job_is_given_up_says_so(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let is_dead = async || {
        let jobs = world.jobs("export").await;
        jobs.iter().any(|job| job.state == JobState::Dead)
    };
    let place = world.session().await;
    let id = begin(&world, place.tenant).await;
    // Its process does not come back from the last attempt.
    let last = format!(
        "UPDATE jobs SET state = 'running', attempts = 5, lease_expires_at = 0, lease_owner = {} WHERE kind = 'export'",
        db.id_literal(ProcessId::new().as_uuid())
    );
    db.execute_unguarded(&last).await;
    world.work_until(is_dead).await;
    let given_up = get(&world, place.tenant, id).await;
    assert_eq!(given_up.state(world.services.now()), ExportState::Failed);

    db.execute_unguarded("DELETE FROM jobs").await;
    let id = begin(&world, place.tenant).await;
    // A file is where the organization's folder should be, so that each attempt fails.
    std::fs::write(
        world.folder().join(place.tenant.organization_id().to_string()),
        "in the way",
    )
    .unwrap();
    for attempts in 1..=5 {
        world
            .work_until(async || {
                let jobs = world.jobs("export").await;
                jobs.iter()
                    .all(|job| job.attempts == attempts && job.state != JobState::Running)
            })
            .await;
        world.clock.advance(Duration::from_mins(30));
    }
    assert!(is_dead().await);
    let given_up = get(&world, place.tenant, id).await;
    assert_eq!(given_up.state(world.services.now()), ExportState::Failed);
}
