//! Sessions that WAHA lost or that somebody stopped come back.

use waha_sim::{RestartLoss, Status};
use wahana_domain::DesiredStatus;
use wahana_service::{ReconcileSettings, Reconciler};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::{Watch, at_once};
use crate::world::eventually;

on_both_databases!(
    what_waha_lost_comes_back_if_it_is_wanted_and_each_once,
    what_was_stopped_behind_our_back_comes_back,
    what_should_be_stopped_or_gone_is_stopped_and_deleted,
    sessions_of_a_suspended_organization_rest_and_come_back_as_they_were,
    many_lost_sessions_come_back_a_few_at_a_time,
);

async fn what_waha_lost_comes_back_if_it_is_wanted_and_each_once(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let wanted = watch
        .sessions(&["a", "b", "c", "d", "e"], DesiredStatus::Running)
        .await;
    let resting = watch.sessions(&["x", "y"], DesiredStatus::Stopped).await;
    watch.rounds(2).await;
    watch.server.sim.restart(RestartLoss::Configuration).await;
    watch.server.sim.reset_records();

    watch.rounds(1).await;
    for session in &wanted {
        watch.until_working(session).await;
    }
    watch.rounds(10).await;

    assert_eq!(watch.calls("POST /api/sessions"), 5);
    assert_eq!(watch.by_itself("sessions.start").await, (5, 5));
    for session in &wanted {
        let status = watch.owner.status(session.name.as_str()).await;
        assert_eq!(status["status"], "working");
        assert!(!status["phone_number"].is_null(), "it is paired as before");
    }
    for session in &resting {
        assert_eq!(watch.on_waha(session), None);
        assert_eq!(watch.server.sim.counts().session(session.waha.name.as_str()), 0);
    }
}

async fn what_was_stopped_behind_our_back_comes_back(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    watch.server.sim.stop_session(name).unwrap();
    watch.rounds(1).await;
    watch.server.sim.wait_for_status(name, Status::Working).await;
    watch.rounds(3).await;
    assert_eq!(watch.by_itself("sessions.start").await, (1, 1));
    assert_eq!(watch.owner.status("shop").await["status"], "working");

    // Somebody who failed is restarted instead.
    watch.server.sim.fail_session(name).unwrap();
    watch.rounds(3).await;
    watch.server.sim.wait_for_status(name, Status::Working).await;
    assert_eq!(watch.by_itself("sessions.restart").await, (1, 1));
}

async fn what_should_be_stopped_or_gone_is_stopped_and_deleted(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let made = watch
        .sessions(&["stopped", "deleted"], DesiredStatus::Running)
        .await;
    // As people's acts leave it when WAHA did not say what came of them.
    for (session, wish) in made.iter().zip([DesiredStatus::Stopped, DesiredStatus::Deleted]) {
        let tx = watch.world.store.write(watch.home.tenant).await.unwrap();
        wahana_store::sessions::set_desired_status(&tx, session.id, wish)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    watch.rounds(4).await;
    assert_eq!(watch.on_waha(&made[0]), Some(Status::Stopped));
    assert_eq!(watch.on_waha(&made[1]), None);
    assert_eq!(watch.by_itself("sessions.stop").await, (1, 1));
    assert_eq!(watch.by_itself("sessions.delete").await, (1, 1));
    watch.owner.get("/deleted/status").await.expect(404);
}

async fn sessions_of_a_suspended_organization_rest_and_come_back_as_they_were(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let wanted = watch.sessions(&["a", "b"], DesiredStatus::Running).await;
    let resting = watch.sessions(&["x"], DesiredStatus::Stopped).await;
    let set_state = async |state: &str| {
        let change = format!("UPDATE organizations SET state = '{state}'");
        watch.world.database.execute_unguarded(&change).await;
    };
    set_state("suspended").await;
    watch.rounds(4).await;
    for session in &wanted {
        assert_eq!(watch.on_waha(session), Some(Status::Stopped));
    }
    assert_eq!(watch.by_itself("sessions.stop").await, (2, 2));

    set_state("active").await;
    watch.rounds(4).await;
    for session in &wanted {
        watch.until_working(session).await;
    }
    assert_eq!(watch.by_itself("sessions.start").await, (2, 2));
    assert_eq!(watch.on_waha(&resting[0]), Some(Status::Stopped));
    assert_eq!(watch.calls("DELETE /api/sessions/{session}"), 0);
    assert_eq!(watch.calls("POST /api/sessions/{session}/logout"), 0);
}

async fn many_lost_sessions_come_back_a_few_at_a_time(database: &TestDatabase) {
    let mut watch = Watch::new(database).await;
    let settings = ReconcileSettings {
        concurrency: 2,
        ..at_once()
    };
    let services = watch.world.services.clone();
    watch.reconciler = Reconciler::new(services, wahana_domain::ProcessId::new(), settings);
    let names: Vec<String> = (0..40).map(|number| format!("s{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sessions = watch.sessions(&names, DesiredStatus::Running).await;
    watch.server.sim.restart(RestartLoss::Configuration).await;
    watch.server.sim.reset_records();
    // Nothing that was begun is answered for now.
    watch.server.sim.set_fault(
        waha_sim::Fault::slow(std::time::Duration::from_millis(300))
            .method("POST")
            .on_path("/api/sessions"),
    );
    watch.world.later();
    watch.reconciler.round(watch.server.id).await.unwrap();
    eventually(async || watch.calls("POST /api/sessions") == 2).await;
    watch.reconciler.settle().await;
    assert_eq!(watch.calls("POST /api/sessions"), 2, "only two at a time");
    watch.server.sim.clear_faults();

    eventually(async || {
        watch.rounds(1).await;
        sessions
            .iter()
            .all(|session| watch.on_waha(session) == Some(Status::Working))
    })
    .await;
    watch.rounds(2).await;
    assert_eq!(watch.calls("POST /api/sessions"), 40);
}
