//! Several processes: one of them looks after a server.

use std::time::Duration;

use waha_sim::{Fault, Status};
use wahana_domain::ProcessId;
use wahana_service::Reconciler;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::{Watch, at_once};
use crate::world::eventually;

on_both_databases!(
    another_process_takes_over_when_the_leader_is_gone,
    a_leader_that_was_frozen_writes_nothing_when_it_wakes_up,
);

/// Longer than a leader may say nothing.
const TERM: Duration = Duration::from_secs(20);

fn another(watch: &Watch<'_>) -> Reconciler {
    Reconciler::new(watch.world.services.clone(), ProcessId::new(), at_once())
}

async fn another_process_takes_over_when_the_leader_is_gone(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let other = another(&watch);
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    watch.rounds(1).await;
    watch.server.sim.stop_session(name).unwrap();
    watch.world.clock.advance(Duration::from_secs(6));
    other.round(watch.server.id).await.unwrap();
    other.settle().await;
    assert_eq!(
        watch.by_itself("sessions.start").await,
        (0, 0),
        "it is the leader's to do"
    );

    // The leader was killed: it does nothing any more.
    watch.world.clock.advance(TERM);
    other.round(watch.server.id).await.unwrap();
    other.settle().await;
    watch.server.sim.wait_for_status(name, Status::Working).await;
    assert_eq!(watch.by_itself("sessions.start").await, (1, 1));
}

async fn a_leader_that_was_frozen_writes_nothing_when_it_wakes_up(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let other = another(&watch);
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    watch.rounds(1).await;
    watch.server.sim.stop_session(name).unwrap();
    // The leader has asked WAHA, and hears nothing for long.
    watch
        .server
        .sim
        .set_fault(Fault::slow(Duration::from_secs(2)).method("POST"));
    watch.world.clock.advance(Duration::from_secs(6));
    watch.reconciler.round(watch.server.id).await.unwrap();
    eventually(async || watch.calls("POST /api/sessions/{session}/start") == 1).await;
    watch.server.sim.clear_faults();

    // Meanwhile another takes over, and the session is stopped by a person.
    watch.world.clock.advance(TERM);
    other.round(watch.server.id).await.unwrap();
    other.settle().await;
    watch.owner.post("/shop/stop").await.ok();
    let before = watch.dump().await;
    watch.reconciler.settle().await;
    assert_eq!(watch.dump().await, before, "what came of it is not its to write");
    assert_eq!(watch.by_itself("sessions.start").await, (1, 0));

    // Nor does it do anything as long as the other is there.
    watch.reconciler.round(watch.server.id).await.unwrap();
    watch.reconciler.settle().await;
    assert_eq!(watch.dump().await, before);
}
