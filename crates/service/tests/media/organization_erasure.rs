//! Erasing a whole organization: the database, the media store and WAHA are searched for what was its own.

use std::time::Duration;

use waha_sim::{Fault, FaultKind};
use wahana_domain::{EmailAddress, Membership, OrganizationId, Role, UserId};
use wahana_service::{
    Operator,
    platform::{erasures, organizations},
};
use wahana_store::{NewUser, PlatformTx};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{
    erasure::{FILE, NUMBER, RECEIVED, SENT, everything, found, send},
    export::{ROOM, export},
    world::World,
};

on_both_databases!(nothing_is_left_of_an_organization_that_was_erased);

const ORGANIZATION: &str = "Warung Terhapus";
const LEAVES: &str = "leaves@wahana.test";
const STAYS: &str = "stays@wahana.test";
const OPERATES: &str = "operates@wahana.test";

/// A person who is a member of these organizations.
async fn join(tx: &PlatformTx, email: &str, organizations: &[OrganizationId]) {
    let user_id = UserId::new();
    tx.insert_user(&NewUser {
        id: user_id,
        email: EmailAddress::parse(email).unwrap(),
        display_name: email.to_owned(),
        is_platform_administrator: email == OPERATES,
    })
    .await
    .unwrap();
    for organization_id in organizations {
        tx.insert_membership(&Membership {
            organization_id: *organization_id,
            user_id,
            role: Role::Owner,
            created_at: tx.now(),
        })
        .await
        .unwrap();
    }
}

async fn nothing_is_left_of_an_organization_that_was_erased(db: &TestDatabase) {
    let world = World::with_room(db, ROOM).await;
    let (place, foreign) = (world.session().await, world.session().await);
    for place in [&place, &foreign] {
        send(&world, place).await;
        world.receive_and_tell(place, "A", FILE.as_bytes()).await;
    }
    world.fetch().await;
    assert!(export(&world, place.tenant).await.file.is_some());
    let id = place.tenant.organization_id();
    let elsewhere = foreign.tenant.organization_id();
    let tx = world.store.platform_write().await.unwrap();
    join(&tx, LEAVES, &[id]).await;
    join(&tx, STAYS, &[id, elsewhere]).await;
    join(&tx, OPERATES, &[id]).await;
    tx.rename_organization(id, ORGANIZATION).await.unwrap();
    tx.commit().await.unwrap();

    let operator = Operator::CommandLine;
    let ask = async |name| erasures::create(&world.services, &operator, id, name).await;
    assert!(ask(ORGANIZATION).await.is_err(), "it is not closed");
    organizations::close(&world.services, &operator, id)
        .await
        .unwrap();
    assert!(ask("another").await.is_err(), "it has another name");
    let asked = ask(ORGANIZATION).await.unwrap();
    assert_eq!((asked.rows, asked.finished_at), (0, None));

    let has_session = |name: &str| world.sim.session_status(name).is_some();
    // WAHA is away at first, and what is there of the sessions is not forgotten.
    world
        .sim
        .set_fault(Fault::new(FaultKind::CloseBefore).method("DELETE").times(1));
    world
        .work_until(async || {
            let jobs = world.jobs("erase_organization").await;
            jobs.iter().any(|job| job.last_error.is_some())
        })
        .await;
    assert!(has_session(&place.waha_name));
    world.clock.advance(Duration::from_mins(3));
    let so_far = async || erasures::get(&world.services, &operator, id).await.unwrap();
    world
        .work_until(async || so_far().await.finished_at.is_some())
        .await;

    assert!(so_far().await.rows > 5, "{:?}", so_far().await);
    assert!(!has_session(&place.waha_name));
    assert!(has_session(&foreign.waha_name));
    let text = String::from_utf8_lossy(&everything(&world).await).into_owned();
    for (text_of, is_there) in [
        (ORGANIZATION, false),
        (LEAVES, false),
        (STAYS, true),
        (OPERATES, true),
    ] {
        assert_eq!(text.contains(text_of), is_there, "{text_of}");
    }
    let of_it = async |table: &str| {
        let all = format!("SELECT organization_id FROM {table}");
        db.texts_unguarded(&format!(
            "SELECT 'row' FROM ({all}) t WHERE organization_id = {}",
            db.id_literal(id.as_uuid())
        ))
        .await
        .len()
    };
    for table in [
        "sessions",
        "messages",
        "media_files",
        "memberships",
        "jobs",
        "organization_events",
    ] {
        assert_eq!(of_it(table).await, 0, "{table}");
    }
    assert!(
        of_it("audit_entries").await > 0,
        "its log ends when it is past its time"
    );
    assert_eq!(world.kept().len(), 1, "the other organization's file");
    assert_eq!(
        found(&world).await,
        [SENT, RECEIVED, FILE, NUMBER],
        "of the other organization"
    );
    let again = ask("whatever").await.unwrap();
    assert!(again.finished_at.is_some());
}
