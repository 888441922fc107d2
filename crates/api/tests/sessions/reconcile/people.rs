//! People's acts while rounds go on.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use waha_sim::Status;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::Watch;
use crate::world::TickingClock;

on_both_databases!(
    what_people_do_is_never_undone_while_rounds_go_on,
    a_configuration_that_people_change_is_not_taken_for_a_session_that_stopped,
    what_a_list_shows_of_a_session_on_the_way_does_not_outlast_the_act,
);

/// How much time passes at most while somebody's act is under way. Hands are kept off a session for a minute then,
/// which is longer than WAHA is ever waited for: an act that a slow machine makes longer is none that exists.
const LONGEST_ACT: Duration = Duration::from_secs(50);
/// How much time passes at once.
const TICK: Duration = Duration::from_millis(250);

/// Time that passes some fifty times as fast as on the machine's clock.
#[derive(Clone)]
struct Passing {
    clock: Arc<TickingClock>,
    /// How much of it has passed since the act began that is under way.
    in_act: Arc<Mutex<Option<Duration>>>,
}

impl Passing {
    /// Does what somebody does, for no longer than that ever takes.
    async fn act<T>(&self, act: impl Future<Output = T>) -> T {
        *self.in_act.lock().unwrap() = Some(Duration::ZERO);
        let outcome = act.await;
        *self.in_act.lock().unwrap() = None;
        outcome
    }

    fn tick(&self) {
        let mut in_act = self.in_act.lock().unwrap();
        if let Some(passed) = in_act.as_mut() {
            if *passed + TICK > LONGEST_ACT {
                return;
            }
            *passed += TICK;
        }
        self.clock.advance(TICK);
    }
}

/// Runs the reconciler as a process does, with time passing, while something is done.
async fn while_rounds_go_on(watch: &Watch<'_>, acts: impl AsyncFnOnce(&Passing)) {
    let stop = CancellationToken::new();
    let (reconciler, ends) = (watch.reconciler.clone(), stop.clone());
    let running = tokio::spawn(async move { reconciler.run(ends).await });
    let time = Passing {
        clock: watch.world.clock.clone(),
        in_act: Arc::default(),
    };
    let (own, ends) = (time.clone(), stop.clone());
    let passing = tokio::spawn(async move {
        while !ends.is_cancelled() {
            own.tick();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    acts(&time).await;
    stop.cancel();
    running.await.unwrap();
    passing.await.unwrap();
}

async fn what_people_do_is_never_undone_while_rounds_go_on(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    while_rounds_go_on(&watch, async |time| {
        for _ in 0..5 {
            time.act(watch.owner.post("/shop/stop")).await.ok();
            let starts = watch.calls("POST /api/sessions/{session}/start");
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(watch.on_waha(&session), Some(Status::Stopped));
            assert_eq!(watch.calls("POST /api/sessions/{session}/start"), starts);
            time.act(watch.owner.post("/shop/start")).await.ok();
            watch.server.sim.wait_for_status(name, Status::Working).await;
            time.act(watch.owner.post("/shop/restart")).await.ok();
            watch.server.sim.wait_for_status(name, Status::Working).await;
        }
        time.act(watch.owner.delete("/shop")).await.ok();
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
    while_rounds_go_on(&watch, async |time| {
        for debug in [true, false, true] {
            let change = serde_json::json!({"configuration": {"debug": debug}});
            time.act(watch.owner.patch("/shop", &change)).await.ok();
            watch.until_working(&session).await;
        }
    })
    .await;
    assert_eq!(watch.by_itself("sessions.start").await, (0, 0));
    assert_eq!(watch.calls("POST /api/sessions/{session}/start"), 0);
}

async fn what_a_list_shows_of_a_session_on_the_way_does_not_outlast_the_act(database: &TestDatabase) {
    let watch = Watch::at_speed(database, 0.5).await;
    let session = watch.session().await;
    let change = serde_json::json!({"configuration": {"debug": true}});
    tokio::join!(async { watch.owner.patch("/shop", &change).await.ok() }, async {
        let name = session.waha.name.as_str();
        watch.server.sim.wait_for_status(name, Status::Stopped).await;
        watch.world.clock.advance(Duration::from_secs(6));
        assert_eq!(watch.owner.status("shop").await["status"], "disconnected");
    });
    // The list is young enough for another second.
    watch.round_after(Duration::from_secs(1)).await;
    assert_eq!(watch.by_itself("sessions.start").await, (0, 0));
}
