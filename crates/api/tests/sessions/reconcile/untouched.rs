//! Whom wahana leaves alone.

use std::time::Duration;

use waha_sim::Status;
use wahana_domain::{DesiredStatus, OrganizationLimits, ProcessId};
use wahana_service::{ReconcileSettings, Reconciler};
use wahana_store::upkeep::{self, Restriction};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::{Watch, at_once};
use crate::world::eventually;

on_both_databases!(
    restricted_sessions_are_never_touched,
    a_paused_server_is_left_alone_until_it_is_resumed,
    a_pause_holds_for_what_had_not_begun_yet,
    what_is_as_it_should_be_costs_no_writes,
    nobody_elses_session_is_touched,
);

const ALIVE: &str = "GET /api/sessions/{session}/me";

async fn restricted_sessions_are_never_touched(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let made = watch
        .sessions(&["stopped", "failed", "lost"], DesiredStatus::Running)
        .await;
    let tx = watch.world.store.write(watch.home.tenant).await.unwrap();
    for session in &made {
        let restriction = Restriction {
            reason: "time lock (463)".to_owned(),
            until: None,
        };
        upkeep::set_restriction(&tx, session.id, &restriction)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let sim = &watch.server.sim;
    sim.stop_session(made[0].waha.name.as_str()).unwrap();
    sim.fail_session(made[1].waha.name.as_str()).unwrap();
    sim.delete_session(made[2].waha.name.as_str()).unwrap();
    // Not even when the organization is suspended: it would have to be started again.
    watch.rounds(3).await;
    watch
        .world
        .database
        .execute_unguarded("UPDATE organizations SET state = 'suspended'")
        .await;
    watch.rounds(3).await;
    for session in &made {
        assert_eq!(sim.counts().session(session.waha.name.as_str()), 0);
    }
}

async fn a_paused_server_is_left_alone_until_it_is_resumed(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    let set_paused = async |value: &str| {
        let change = format!("UPDATE waha_servers SET paused_at = {value}");
        watch.world.database.execute_unguarded(&change).await;
    };
    set_paused("1").await;
    watch.server.sim.stop_session(name).unwrap();
    watch.rounds(5).await;
    assert_eq!(watch.server.sim.counts().session(name), 0);
    assert_eq!(
        watch.owner.status("shop").await["status"],
        "disconnected",
        "it is seen all the same"
    );
    set_paused("NULL").await;
    watch.rounds(1).await;
    watch.server.sim.wait_for_status(name, Status::Working).await;
}

async fn a_pause_holds_for_what_had_not_begun_yet(database: &TestDatabase) {
    const START: &str = "POST /api/sessions/{session}/start";
    let watch = Watch::new(database).await;
    let names = ["a", "b", "c", "d", "e", "f"];
    for session in watch.sessions(&names, DesiredStatus::Running).await {
        watch.server.sim.stop_session(session.waha.name.as_str()).unwrap();
    }
    let slowly = ReconcileSettings {
        steps_per_second: 1,
        ..at_once()
    };
    let reconciler = Reconciler::new(watch.world.services.clone(), ProcessId::new(), slowly);
    watch.world.clock.advance(Duration::from_secs(6));
    let (own, server) = (reconciler.clone(), watch.server.id);
    let round = tokio::spawn(async move { own.round(server).await });
    eventually(async || watch.calls(START) > 0).await;
    let pause = "UPDATE waha_servers SET paused_at = 1";
    watch.world.database.execute_unguarded(pause).await;
    round.await.unwrap().unwrap();
    reconciler.settle().await;
    assert!(watch.calls(START) < 6, "nothing more was begun");
}

async fn what_is_as_it_should_be_costs_no_writes(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let names: Vec<String> = (0..100).map(|number| format!("s{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    watch.sessions(&names[..60], DesiredStatus::Running).await;
    watch.sessions(&names[60..], DesiredStatus::Stopped).await;
    watch.rounds(1).await;
    let before = watch.dump().await;
    watch.server.sim.reset_records();
    watch.rounds(20).await;
    assert_eq!(watch.dump().await, before);
    let counts = watch.server.sim.counts();
    let lists = counts.route("GET /api/sessions");
    assert!(lists <= 20, "one list a round: {lists}");
    // Besides, some sessions are asked whether they are alive.
    assert_eq!(counts.total, lists + counts.route(ALIVE));
}

async fn nobody_elses_session_is_touched(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let other = watch.world.organization("b", OrganizationLimits::default()).await;
    // Of nobody: it was on WAHA before.
    let stranger = waha_sim::SessionSeed::new("stranger");
    watch.server.sim.add_session(stranger.status(Status::Stopped));
    watch.server.sim.stop_session(session.waha.name.as_str()).unwrap();
    watch.rounds(3).await;
    assert_eq!(watch.server.sim.session_status("stranger"), Some(Status::Stopped));
    assert_eq!(watch.server.sim.counts().session("stranger"), 0);
    assert!(watch.world.audit(other).await.is_empty());
}
