//! How everything stands together, of all organizations.

use std::time::Duration;

use wahana_domain::{DesiredStatus, OrganizationState, Timestamp, reconciliation::Halt};
use wahana_store::{
    ServerChange, SessionCount,
    events::NewEvent,
    sessions,
    upkeep::{self, Restriction},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, TestOrganization, World, add_server};

on_both_databases!(
    sessions_that_stand_alike_are_counted_together,
    the_event_that_waits_longest_is_told,
    servers_have_the_time_of_their_last_list,
);

async fn counts(world: &World) -> Vec<SessionCount> {
    let tx = world.platform_read().await;
    let mut counts = tx.session_counts().await.unwrap();
    counts.sort_by_key(|count| (count.sessions, count.is_organization_active, count.is_restricted));
    counts
}

async fn restrict(world: &World, organization: &TestOrganization, name: &str, until: Option<Timestamp>) {
    let session = world.session(organization, name).await.id;
    let tx = world.write(organization).await;
    let restriction = Restriction {
        reason: "time lock (463)".to_owned(),
        until,
    };
    upkeep::set_restriction(&tx, session, &restriction).await.unwrap();
    tx.commit().await.unwrap();
}

async fn sessions_that_stand_alike_are_counted_together(db: &TestDatabase) {
    let world = World::new(db).await;
    let one = world.session(&world.a, "one").await;
    world.session(&world.b, "one").await;
    let alike = SessionCount {
        status: one.status,
        desired_status: one.desired_status,
        is_organization_active: true,
        is_server_paused: false,
        is_restricted: false,
        halt: None,
        sessions: 2,
    };
    assert_eq!(counts(&world).await, std::slice::from_ref(&alike));

    restrict(&world, &world.a, "restricted", None).await;
    // Until now is no more.
    restrict(&world, &world.a, "was-restricted", Some(START)).await;
    let halted = world.session(&world.b, "halted").await.id;
    let gone = world.session(&world.b, "gone").await.id;
    let tx = world.write(&world.b).await;
    let mut attempts = upkeep::get(&tx, halted).await.unwrap().attempts;
    attempts.halt = Some(Halt::FailsAgain);
    attempts.next_at = Some(START);
    upkeep::set_attempts(&tx, halted, &attempts).await.unwrap();
    sessions::set_desired_status(&tx, halted, DesiredStatus::Stopped)
        .await
        .unwrap();
    assert!(sessions::delete(&tx, gone).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.platform_write().await;
    tx.set_organization_state(world.b.id(), OrganizationState::Suspended)
        .await
        .unwrap();
    let paused = ServerChange {
        paused_at: Some(Some(START)),
        ..ServerChange::default()
    };
    assert!(tx.update_server(world.server, &paused).await.unwrap());
    tx.commit().await.unwrap();
    let paused = SessionCount {
        is_server_paused: true,
        sessions: 1,
        ..alike
    };
    let mut found = counts(&world).await;
    let halted = found.iter().position(|count| count.halt.is_some()).unwrap();
    assert_eq!(
        found.remove(halted),
        SessionCount {
            desired_status: DesiredStatus::Stopped,
            is_organization_active: false,
            halt: Some(Halt::FailsAgain),
            ..paused
        }
    );
    assert_eq!(
        found,
        [
            SessionCount {
                is_organization_active: false,
                ..paused.clone()
            },
            SessionCount {
                is_restricted: true,
                ..paused.clone()
            },
            SessionCount {
                sessions: 2,
                ..paused
            },
        ]
    );
}

async fn the_event_that_waits_longest_is_told(db: &TestDatabase) {
    let world = World::new(db).await;
    let oldest = async || world.platform_read().await.oldest_waiting_event().await.unwrap();
    assert_eq!(oldest().await, None);
    for organization in [&world.a, &world.b] {
        let session = world.session(organization, "one").await.id;
        let tx = world.platform_write().await;
        let event = NewEvent {
            tenant: organization.tenant,
            session,
            server: world.server,
            event_id: format!("evt_{session}"),
            kind: "message".to_owned(),
            happened_at: START,
            payload: "{}".to_owned(),
        };
        assert_eq!(tx.store_events(&[event]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        world.clock.advance(Duration::from_mins(1));
    }
    assert_eq!(oldest().await, Some(START));
    db.execute_unguarded(&format!(
        "UPDATE waha_events SET state = 'applied' WHERE received_at = {}",
        START.as_micros()
    ))
    .await;
    assert_eq!(oldest().await, Some(START.plus(Duration::from_mins(1))));
}

async fn servers_have_the_time_of_their_last_list(db: &TestDatabase) {
    let world = World::new(db).await;
    world.clock.advance(Duration::from_mins(1));
    let second = add_server(&world.store, "second").await;
    let gone = add_server(&world.store, "gone").await;
    let listed = START.plus(Duration::from_mins(5));
    let tx = world.platform_write().await;
    tx.set_last_snapshot(world.server, listed).await.unwrap();
    assert!(tx.remove_server(gone).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.platform_read().await;
    let mut found = tx.last_snapshots().await.unwrap();
    found.sort_by_key(|last| last.at);
    let found: Vec<_> = found.iter().map(|last| (last.server, last.at)).collect();
    // One that never gave a list is waited for since it was added.
    let added = START.plus(Duration::from_mins(1));
    assert_eq!(found, [(second, added), (world.server, listed)]);
}
