//! People's acts while rounds go on.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waha_sim::Status;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::Watch;

on_both_databases!(
    what_people_do_is_never_undone_while_rounds_go_on,
    a_configuration_that_people_change_is_not_taken_for_a_session_that_stopped,
);

/// Runs the reconciler as a process does, with time passing, while something is done.
async fn while_rounds_go_on(watch: &Watch<'_>, act: impl Future<Output = ()>) {
    let stop = CancellationToken::new();
    let (reconciler, ends) = (watch.reconciler.clone(), stop.clone());
    let running = tokio::spawn(async move { reconciler.run(ends).await });
    let (clock, ends) = (watch.world.clock.clone(), stop.clone());
    let passing = tokio::spawn(async move {
        while !ends.is_cancelled() {
            clock.advance(Duration::from_millis(250));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    act.await;
    stop.cancel();
    running.await.unwrap();
    passing.await.unwrap();
}

async fn what_people_do_is_never_undone_while_rounds_go_on(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    while_rounds_go_on(&watch, async {
        for _ in 0..5 {
            watch.owner.post("/shop/stop").await.ok();
            let starts = watch.calls("POST /api/sessions/{session}/start");
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(watch.on_waha(&session), Some(Status::Stopped));
            assert_eq!(watch.calls("POST /api/sessions/{session}/start"), starts);
            watch.owner.post("/shop/start").await.ok();
            watch.server.sim.wait_for_status(name, Status::Working).await;
            watch.owner.post("/shop/restart").await.ok();
            watch.server.sim.wait_for_status(name, Status::Working).await;
        }
        watch.owner.delete("/shop").await.ok();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(watch.on_waha(&session), None);
    })
    .await;
    for operation in [
        "sessions.start",
        "sessions.restart",
        "sessions.stop",
        "sessions.delete",
    ] {
        assert_eq!(watch.by_itself(operation).await, (0, 0), "{operation}");
    }
}

async fn a_configuration_that_people_change_is_not_taken_for_a_session_that_stopped(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    while_rounds_go_on(&watch, async {
        for debug in [true, false, true] {
            let change = serde_json::json!({"configuration": {"debug": debug}});
            watch.owner.patch("/shop", &change).await.ok();
            watch
                .server
                .sim
                .wait_for_status(session.waha.name.as_str(), Status::Working)
                .await;
        }
    })
    .await;
    assert_eq!(watch.by_itself("sessions.start").await, (0, 0));
    assert_eq!(watch.calls("POST /api/sessions/{session}/start"), 0);
}
