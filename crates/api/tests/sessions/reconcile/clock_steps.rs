//! Clocks that are set: by an hour forward, and back again.

use std::{sync::Arc, time::Duration};

use waha_client::{HttpClient, HttpOptions};
use waha_sim::{Fault, FaultKind, Status};
use wahana_domain::{Clock, ProcessId};
use wahana_service::{Reconciler, ServiceSettings, Services};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::{Watch, at_once};
use crate::world::{LONG, TickingClock, eventually};

on_both_databases!(
    what_was_seen_with_a_clock_that_was_ahead_does_not_hide_what_is,
    what_was_put_off_with_a_clock_that_was_ahead_is_not_put_off_for_long,
    what_was_known_before_the_clock_was_set_back_is_not_fresh,
    processes_whose_clocks_differ_do_nothing_twice,
    a_leader_that_died_with_a_clock_that_was_ahead_is_followed,
);

const STEP: Duration = Duration::from_hours(1);

async fn what_was_seen_with_a_clock_that_was_ahead_does_not_hide_what_is(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    watch.rounds(1).await;
    for step in 1..=3 {
        watch.world.clock.set_ahead(STEP);
        watch.server.sim.stop_session(name).unwrap();
        eventually(async || {
            watch.rounds(1).await;
            watch.on_waha(&session) == Some(Status::Working)
        })
        .await;
        watch.rounds(1).await;
        watch.world.clock.set_back(STEP);
        assert_eq!(watch.owner.status("shop").await["status"], "working");
        watch.rounds(1).await;
        assert_eq!(
            watch.by_itself("sessions.start").await,
            (2 * step - 1, 2 * step - 1)
        );

        watch.server.sim.stop_session(name).unwrap();
        watch.world.later();
        assert_eq!(
            watch.owner.status("shop").await["status"],
            "disconnected",
            "{step}"
        );
        eventually(async || {
            watch.rounds(1).await;
            watch.on_waha(&session) == Some(Status::Working)
        })
        .await;
        watch.rounds(2).await;
        assert_eq!(watch.by_itself("sessions.start").await, (2 * step, 2 * step));
    }
    assert_eq!(watch.calls("POST /api/sessions/{session}/start"), 6);
}

async fn what_was_put_off_with_a_clock_that_was_ahead_is_not_put_off_for_long(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    watch.rounds(1).await;
    watch.world.clock.set_ahead(STEP);
    watch
        .server
        .sim
        .set_fault(Fault::new(FaultKind::Status(500)).method("POST"));
    watch.server.sim.stop_session(session.waha.name.as_str()).unwrap();
    watch.rounds(10).await;
    let (tried, _) = watch.by_itself("sessions.start").await;
    assert!(tried > 0);
    watch.server.sim.clear_faults();

    watch.world.clock.set_back(STEP);
    watch.rounds(2).await;
    watch.until_working(&session).await;
    watch.rounds(2).await;
    assert_eq!(watch.by_itself("sessions.start").await, (tried + 1, 1));
    assert_eq!(watch.owner.status("shop").await["status"], "working");
}

async fn what_was_known_before_the_clock_was_set_back_is_not_fresh(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    watch.session().await;
    let answer = watch.owner.get("/shop/status").await.ok();
    assert_eq!(answer.sync()["is_fresh"], true);
    watch.server.sim.go_away().await;
    watch.world.clock.set_back(STEP);
    let answer = watch.owner.get("/shop/status").await.ok();
    assert_eq!(answer.sync()["is_fresh"], false);
}

/// Another process, with a clock of its own.
async fn process(database: &TestDatabase, clock: &Arc<TickingClock>) -> Reconciler {
    let settings = ServiceSettings {
        sync_wait: LONG,
        ..ServiceSettings::at("http://wahana.test/".parse().unwrap())
    };
    let http = HttpClient::new(&HttpOptions::default()).unwrap();
    let services = Services::new(database.store(clock.clone()).await, http, settings);
    Reconciler::new(services, ProcessId::new(), at_once())
}

async fn processes_whose_clocks_differ_do_nothing_twice(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    let clock = Arc::new(TickingClock::default());
    let other = process(database, &clock).await;
    let mut started = 0;
    let mut both_go_on = async || {
        watch.server.sim.stop_session(name).unwrap();
        started += 1;
        // Each round is begun while what the other one began goes on.
        eventually(async || {
            for after in [Duration::from_secs(6), Duration::ZERO] {
                clock.advance(after);
                watch.world.clock.advance(after);
                watch.reconciler.round(watch.server.id).await.unwrap();
                other.round(watch.server.id).await.unwrap();
            }
            watch.reconciler.settle().await;
            other.settle().await;
            watch.on_waha(&session) == Some(Status::Working)
        })
        .await;
        assert_eq!(watch.calls("POST /api/sessions/{session}/start"), started);
        assert_eq!(
            watch.by_itself("sessions.start").await.0,
            usize::try_from(started).unwrap()
        );
    };
    both_go_on().await;
    clock.set_ahead(STEP);
    both_go_on().await;
    clock.set_back(STEP);
    both_go_on().await;
    clock.set_back(STEP);
    both_go_on().await;
    clock.set_ahead(STEP);
    both_go_on().await;
}

async fn a_leader_that_died_with_a_clock_that_was_ahead_is_followed(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let clock = Arc::new(TickingClock::default());
    let other = process(database, &clock).await;
    watch.world.clock.set_ahead(STEP);
    watch.rounds(2).await;
    watch.server.sim.stop_session(session.waha.name.as_str()).unwrap();

    // It does nothing any more; by the other's clock its lease goes on for an hour.
    let begin = clock.now();
    eventually(async || {
        clock.advance(Duration::from_secs(6));
        other.round(watch.server.id).await.unwrap();
        other.settle().await;
        watch.on_waha(&session) == Some(Status::Working)
    })
    .await;
    assert!(clock.now().since(begin) < STEP / 2);
    assert_eq!(watch.by_itself("sessions.start").await, (1, 1));

    // The other one keeps it, also when the first comes back.
    watch.world.clock.set_back(STEP);
    watch.rounds(2).await;
    other.round(watch.server.id).await.unwrap();
    assert_eq!(watch.by_itself("sessions.start").await, (1, 1));
}
