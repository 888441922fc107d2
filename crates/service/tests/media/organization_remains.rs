//! What could be left of an organization that was erased: every table is asked, whatever came in between.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use waha_sim::{Fault, FaultKind, SessionSeed};
use wahana_domain::{
    EmailAddress, Invitation, InvitationId, JobState, Month, OrganizationId, Role, Secret, SessionName,
};
use wahana_service::{
    Operator,
    adoption::{self, Assignment},
    jobs,
    platform::{erasures, organizations as operated},
};
use wahana_store::{
    access_tokens, invitations,
    organizations::{self, OrganizationChange},
    upkeep, usage,
    webhooks::AttemptOutcome,
};
use wahana_testkit::{database::TestDatabase, on_both_databases, rows};

use crate::{
    erasure::{FILE, NUMBER, RECEIVED, SENT, ask, erasure, everything, found, send},
    export::{ROOM, export},
    organization_erasure::{LEAVES, ORGANIZATION, SETTLED, join},
    receiver::Receiver,
    world::{Place, World},
};

on_both_databases!(
    no_table_has_anything_of_an_erased_organization,
    an_erasure_that_is_interrupted_again_and_again_ends,
    what_a_slow_request_leaves_after_the_end_is_erased_too,
    all_but_its_sessions_is_erased_while_waha_is_away,
    a_session_is_given_to_no_closed_organization_and_no_name_too_soon_to_another,
);

/// What stays of an erased organization: its log until that is past its time, that it was erased, and whose a WAHA
/// server is.
const STAY: [&str; 3] = ["audit_entries", "organization_erasures", "waha_servers"];
/// Of what an ordinary organization has nothing: sessions that were moved to another server.
const EMPTY: [&str; 1] = ["session_leftovers"];

/// Every table that says whose its rows are, as the database itself knows it.
async fn tables_of_organizations(db: &TestDatabase) -> Vec<String> {
    let tables = if db.is_postgres() {
        "SELECT table_name::text FROM information_schema.columns
         WHERE table_schema = 'public' AND column_name = 'organization_id' ORDER BY 1"
    } else {
        "SELECT t.name FROM sqlite_master t, pragma_table_info(t.name) c
         WHERE t.type = 'table' AND c.name = 'organization_id' ORDER BY 1"
    };
    let mut tables = db.texts_unguarded(tables).await;
    tables.retain(|table| !STAY.contains(&table.as_str()));
    assert!(tables.len() > 20, "{tables:?}");
    tables
}

/// The tables that have something of an organization, and those that have nothing.
async fn tables_with(db: &TestDatabase, id: OrganizationId) -> (Vec<String>, Vec<String>) {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for table in tables_of_organizations(db).await {
        let id = db.id_literal(id.as_uuid());
        let rows = format!("SELECT 'row' FROM {table} WHERE organization_id = {id} LIMIT 1");
        if db.texts_unguarded(&rows).await.is_empty() {
            without.push(table);
        } else {
            with.push(table);
        }
    }
    (with, without)
}

async fn assert_nothing_is_left(world: &World<'_>, id: OrganizationId) {
    let (left, _) = tables_with(world.db, id).await;
    assert!(left.is_empty(), "{left:?}");
    let organization = operated::get(&world.services, &Operator::CommandLine, id).await;
    assert_eq!(organization.unwrap().name, "(erased)");
    let folder = world.folder().join(id.to_string());
    assert!(!folder.exists(), "the media store has nothing of it");
}

/// Gives the organization of a place something of everything.
async fn fill(world: &World<'_>, place: &Place) {
    let id = place.tenant.organization_id();
    let platform = world.store.platform_write().await.unwrap();
    let user = join(&platform, LEAVES, &[id]).await;
    platform.rename_organization(id, ORGANIZATION).await.unwrap();
    platform.commit().await.unwrap();

    let tx = world.store.write(place.tenant).await.unwrap();
    let mut token = rows::token(id, user, tx.now());
    token.sessions = Some(vec![place.session]);
    access_tokens::insert(&tx, &token, &Secret::generate().hash())
        .await
        .unwrap();
    let invitation = Invitation {
        id: InvitationId::new(),
        organization_id: id,
        email: EmailAddress::parse("invited@wahana.test").unwrap(),
        role: Role::Agent,
        invited_by: Some(user),
        expires_at: tx.now().plus(Duration::from_hours(24)),
        accepted_at: None,
        revoked_at: None,
        created_at: tx.now(),
    };
    invitations::insert(&tx, &invitation, &Secret::generate().hash())
        .await
        .unwrap();
    assert!(usage::raise(&tx, Month::of(tx.now()), None).await.unwrap());
    upkeep::set_silent_restart(&tx, place.session, tx.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let receiver = Receiver::of(world, place).await;
    // A message that is erased by itself, and others that are there when all is.
    world.receive_and_tell(place, "A", FILE.as_bytes()).await;
    world.fetch().await;
    let erased = ask(world, place.tenant).await;
    world
        .work_until(async || erasure(world, place.tenant, erased).await.finished_at.is_some())
        .await;
    send(world, place).await;
    let stopped = json!({"name": place.waha_name, "status": "STOPPED"});
    world.tell_as(place, &["session.status"], "S", &stopped).await;
    world.receive_and_tell(place, "B", FILE.as_bytes()).await;
    world.fetch().await;
    receiver
        .answer(world, place, SENT, AttemptOutcome::Delivered)
        .await;
    // The chat was erased before, and is in no export any more.
    world.clock.advance(Duration::from_secs(1));
    assert!(export(world, place.tenant).await.file.is_some());
}

/// Closes the organization of a place, and asks for its erasure.
async fn ask_for_all(world: &World<'_>, place: &Place) -> OrganizationId {
    let id = place.tenant.organization_id();
    let operator = Operator::CommandLine;
    operated::close(&world.services, &operator, id).await.unwrap();
    let name = operated::get(&world.services, &operator, id).await.unwrap().name;
    erasures::create(&world.services, &operator, id, &name)
        .await
        .unwrap();
    id
}

async fn is_erased(world: &World<'_>, id: OrganizationId) -> bool {
    let found = erasures::get(&world.services, &Operator::CommandLine, id).await;
    found.unwrap().finished_at.is_some()
}

async fn erase_all(world: &World<'_>, place: &Place) -> OrganizationId {
    let id = ask_for_all(world, place).await;
    world.clock.advance(SETTLED);
    world.work_until(async || is_erased(world, id).await).await;
    id
}

async fn no_table_has_anything_of_an_erased_organization(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let place = world.session().await;
    fill(&world, &place).await;
    let (_, without) = tables_with(db, place.tenant.organization_id()).await;
    assert_eq!(without, EMPTY, "what is empty before proves nothing");
    let id = ask_for_all(&world, &place).await;
    // Who was let in before it was closed is waited for.
    world
        .work_until(async || {
            let jobs = world.jobs("erase_organization").await;
            jobs.iter().any(|job| job.last_error.is_some())
        })
        .await;
    assert!(found(&world).await.contains(&SENT));
    world.clock.advance(SETTLED);
    world.work_until(async || is_erased(&world, id).await).await;
    assert_nothing_is_left(&world, id).await;
    assert!(found(&world).await.is_empty(), "{:?}", found(&world).await);
    let text = String::from_utf8_lossy(&everything(&world).await).into_owned();
    for gone in [ORGANIZATION, LEAVES, "invited@wahana.test", "receiver.example"] {
        assert!(!text.contains(gone), "{gone}");
    }
}

async fn an_erasure_that_is_interrupted_again_and_again_ends(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let (place, foreign) = (world.session().await, world.session().await);
    fill(&world, &place).await;
    send(&world, &foreign).await;
    let (before, _) = tables_with(db, foreign.tenant.organization_id()).await;
    let id = ask_for_all(&world, &place).await;
    world.clock.advance(SETTLED);
    // Later and later, so that it comes a step further each time.
    for pause in 0.. {
        let services = world.services.clone();
        let working = tokio::spawn(async move { jobs::work(&services, CancellationToken::new()).await });
        tokio::time::sleep(Duration::from_millis(5) * pause).await;
        // As a killed process would.
        working.abort();
        assert!(working.await.unwrap_err().is_cancelled());
        if is_erased(&world, id).await {
            break;
        }
        // Nobody waits for it any more.
        world.clock.advance(Duration::from_mins(3));
    }
    assert_nothing_is_left(&world, id).await;
    let (after, _) = tables_with(db, foreign.tenant.organization_id()).await;
    assert_eq!(after, before);
    assert!(world.sim.session_status(&foreign.waha_name).is_some());
}

async fn what_a_slow_request_leaves_after_the_end_is_erased_too(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let place = world.session().await;
    let id = erase_all(&world, &place).await;
    assert_nothing_is_left(&world, id).await;

    let late = world.session_of(place.tenant).await;
    send(&world, &late).await;
    world.receive_and_tell(&late, "L", FILE.as_bytes()).await;
    let tx = world.store.write(place.tenant).await.unwrap();
    let change = OrganizationChange {
        name: Some(ORGANIZATION.to_owned()),
        ..Default::default()
    };
    organizations::update(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(Duration::from_hours(1));
    world
        .work_until(async || {
            let jobs = world.jobs("erase_organization").await;
            jobs.iter().all(|job| job.state == JobState::Done)
        })
        .await;
    assert_nothing_is_left(&world, id).await;
    assert!(world.sim.session_status(&late.waha_name).is_none());
    assert!(found(&world).await.is_empty(), "{:?}", found(&world).await);
}

async fn all_but_its_sessions_is_erased_while_waha_is_away(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let place = world.session().await;
    fill(&world, &place).await;
    let number = format!(
        "UPDATE sessions SET phone_number = '+{NUMBER}', display_name = '{ORGANIZATION}' WHERE id = {}",
        db.id_literal(place.session.as_uuid())
    );
    db.execute_unguarded(&number).await;
    world
        .sim
        .set_fault(Fault::new(FaultKind::CloseBefore).method("DELETE"));
    let id = ask_for_all(&world, &place).await;
    world.clock.advance(SETTLED);
    let waits_for = async || {
        let erasure = erasures::get(&world.services, &Operator::CommandLine, id).await;
        erasure.unwrap().waits_for.unwrap_or_default()
    };
    world
        .work_until(async || waits_for().await.contains("WAHA"))
        .await;
    assert!(!is_erased(&world, id).await);
    let (left, _) = tables_with(db, id).await;
    let (mut has_to_wait, mut expected) = (left, vec!["session_leftovers", "sessions"]);
    has_to_wait.retain(|table| table != "session_upkeep");
    expected.sort_unstable();
    assert_eq!(has_to_wait, expected);
    // The database's log is emptied in the next round.
    world.tidy().await;
    let texts = found(&world).await;
    for gone in [SENT, RECEIVED, FILE, NUMBER] {
        assert!(!texts.contains(&gone), "{texts:?}");
    }

    world.sim.clear_faults();
    world.clock.advance(Duration::from_mins(3));
    world.work_until(async || is_erased(&world, id).await).await;
    assert_nothing_is_left(&world, id).await;
    assert_eq!(waits_for().await, "");
    assert!(world.sim.session_status(&place.waha_name).is_none());
}

/// The session on WAHA that nobody made through wahana is given to an organization; why not, if it is not.
async fn assign(world: &World<'_>, organization: OrganizationId) -> Result<(), String> {
    let assignment = Assignment {
        server: "one".to_owned(),
        waha_name: "default".to_owned(),
        organization,
        name: SessionName::parse("adopted").unwrap(),
    };
    let assigned = adoption::assign(&world.services, &Operator::CommandLine, vec![assignment], false);
    assigned.await.unwrap().remove(0).outcome.map(|_| ())
}

async fn a_session_is_given_to_no_closed_organization_and_no_name_too_soon_to_another(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let (place, other, closed) = (
        world.session().await,
        world.organization(None).await.organization_id(),
        world.organization(None).await.organization_id(),
    );
    operated::close(&world.services, &Operator::CommandLine, closed)
        .await
        .unwrap();
    world.sim.add_session(SessionSeed::new("default"));
    let refused = assign(&world, closed).await.unwrap_err();
    assert!(refused.contains("closed"), "{refused}");
    assign(&world, place.tenant.organization_id()).await.unwrap();
    erase_all(&world, &place).await;
    assert!(world.sim.session_status("default").is_none());

    // Somebody makes it anew on WAHA, which may still tell of the one before.
    world.sim.add_session(SessionSeed::new("default"));
    let refused = assign(&world, other).await.unwrap_err();
    assert!(refused.contains("erased"), "{refused}");
    world.clock.advance(Duration::from_hours(4 * 24));
    world.tidy().await;
    assign(&world, other).await.unwrap();
}
