//! Where wahana stops trying, and says so.

use std::time::Duration;

use waha_sim::Status;
use wahana_domain::reconciliation::{Halt, MAX_RESTARTS};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::Watch;

on_both_databases!(
    a_session_that_fails_again_and_again_is_left_alone_with_the_reason,
    a_session_that_waits_for_its_phone_is_left_alone,
);

async fn a_session_that_fails_again_and_again_is_left_alone_with_the_reason(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    let fail_again = async |rounds: usize| {
        for _ in 0..rounds {
            watch.server.sim.fail_session(name).unwrap();
            // Longer than any wait, and shorter than it takes to be called stable.
            watch.round_after(Duration::from_secs(370)).await;
        }
    };
    fail_again(20).await;
    let restarts = usize::try_from(MAX_RESTARTS).unwrap();
    assert_eq!(watch.by_itself("sessions.restart").await, (restarts, restarts));
    let health = watch.owner.get("/shop/health").await.ok();
    assert_eq!(health.data()["health_status"], "critical");
    assert_eq!(health.data()["reason"], Halt::FailsAgain.as_str());
    assert_eq!(health.data()["last_error"], Halt::FailsAgain.as_str());
    let kept = |health: &serde_json::Value| {
        let checks = health["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["name"] == "kept_running")
            .unwrap()
            .clone()
    };
    assert_eq!(kept(health.data())["passed"], false);
    assert_eq!(kept(health.data())["detail"], Halt::FailsAgain.as_str());
    let before = watch.dump().await;
    watch.rounds(5).await;
    assert_eq!(watch.dump().await, before, "it is said once");

    // A person restarts it, and all is forgotten.
    watch.owner.post("/shop/restart").await.ok();
    watch.server.sim.wait_for_status(name, Status::Working).await;
    watch.rounds(1).await;
    let health = watch.owner.get("/shop/health").await.ok();
    assert_eq!(health.data()["health_status"], "healthy");
    assert_eq!(kept(health.data())["passed"], true);
    fail_again(1).await;
    assert_eq!(
        watch.by_itself("sessions.restart").await,
        (restarts + 1, restarts + 1)
    );
}

async fn a_session_that_waits_for_its_phone_is_left_alone(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    // The phone's owner unlinks it: one restart, which shows a code.
    watch.server.sim.unlink(name).unwrap();
    watch.rounds(1).await;
    watch.server.sim.wait_for_status(name, Status::ScanQrCode).await;
    watch.rounds(3).await;
    assert_eq!(watch.by_itself("sessions.restart").await, (1, 1));
    // Nobody scans it.
    watch.server.sim.fail_session(name).unwrap();
    for _ in 0..5 {
        watch.round_after(Duration::from_secs(370)).await;
    }
    assert_eq!(watch.by_itself("sessions.restart").await, (1, 1));
    let status = watch.owner.status("shop").await;
    assert_eq!(status["status"], "error");
    assert_eq!(status["last_error"], Halt::PhoneNeeded.as_str());
}
