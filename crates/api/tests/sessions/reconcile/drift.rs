//! Configurations on WAHA that are not what was set here.

use std::time::Duration;

use serde_json::json;
use waha_sim::{SendRefusal, Status};
use wahana_domain::{DesiredStatus, Session, SessionConfiguration};
use wahana_store::sessions::{self, SessionChange};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::Watch;

on_both_databases!(
    drift_is_seen_said_and_repaired_once_a_day,
    a_restart_by_a_person_puts_the_configuration_right,
    a_number_that_whatsapp_restricts_is_known_and_left_alone_until_it_sends_after_a_rest,
);

/// A session that works, for which this was set here.
async fn configured(watch: &Watch<'_>) -> Session {
    let mut session = watch.sessions(&["shop"], DesiredStatus::Running).await.remove(0);
    session.configuration = SessionConfiguration {
        debug: Some(true),
        ..SessionConfiguration::default()
    };
    let tx = watch.world.store.write(watch.home.tenant).await.unwrap();
    let change = SessionChange {
        configuration: Some(session.configuration.clone()),
        ..SessionChange::default()
    };
    sessions::update(&tx, session.id, &change).await.unwrap();
    tx.commit().await.unwrap();
    session
}

/// Somebody changes the configuration on WAHA itself.
fn meddle(watch: &Watch<'_>, session: &Session) {
    let name = session.waha.name.as_str();
    let config =
        json!({"debug": false, "metadata": {"kept": "yes"}, "proxy": {"server": "secret.example:1"}});
    let number = "15550000009";
    let seed = waha_sim::SessionSeed::new(name).phone(number).config(config);
    watch.server.sim.add_session(seed);
}

async fn check(watch: &Watch<'_>) -> serde_json::Value {
    let health = watch.owner.get("/shop/health").await.ok();
    let checks = health.data()["checks"].as_array().unwrap().clone();
    let found = checks
        .into_iter()
        .find(|check| check["name"] == "configured_as_wanted");
    found.unwrap()
}

async fn drift_is_seen_said_and_repaired_once_a_day(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = configured(&watch).await;
    let name = session.waha.name.as_str();
    meddle(&watch, &session);
    watch.server.sim.reset_records();
    watch.rounds(1).await;
    assert_eq!(watch.by_itself("sessions.repair").await, (1, 1));
    watch.server.sim.wait_for_status(name, Status::Working).await;
    watch.rounds(3).await;
    let config = watch.server.configuration(name).await;
    assert_eq!(config["debug"], true);
    assert_eq!(config["metadata"]["kept"], "yes", "it was merged, not replaced");
    assert_eq!(check(&watch).await["passed"], true);

    // Again on the same day: it is said, and left.
    meddle(&watch, &session);
    watch.rounds(5).await;
    assert_eq!(watch.calls("PUT /api/sessions/{session}"), 1);
    let said = check(&watch).await;
    assert_eq!(said["passed"], false);
    let detail = said["detail"].as_str().unwrap();
    assert!(detail.contains("debug") && !detail.contains("secret"), "{detail}");
    // To ask how it is repairs nothing.
    watch.owner.post("/shop/sync").await.ok();
    assert_eq!(watch.calls("PUT /api/sessions/{session}"), 1);

    // The first round forgets what was tried a day ago.
    watch.round_after(Duration::from_hours(24)).await;
    watch.rounds(1).await;
    assert_eq!(watch.calls("PUT /api/sessions/{session}"), 2);
    // What has not changed is not asked for again.
    watch.server.sim.wait_for_status(name, Status::Working).await;
    watch.rounds(3).await;
    watch.server.sim.reset_records();
    watch.rounds(5).await;
    let counts = watch.server.sim.counts();
    let lists = counts.route("GET /api/sessions");
    let alive = counts.route("GET /api/sessions/{session}/me");
    assert!(lists <= 5 && counts.total == lists + alive, "{counts:?}");
}

async fn a_restart_by_a_person_puts_the_configuration_right(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = configured(&watch).await;
    let name = session.waha.name.as_str();
    // It was repaired today already.
    meddle(&watch, &session);
    watch.rounds(3).await;
    meddle(&watch, &session);
    watch.rounds(2).await;
    assert_eq!(check(&watch).await["passed"], false);
    watch.owner.post("/shop/restart").await.ok();
    watch.server.sim.wait_for_status(name, Status::Working).await;
    assert_eq!(watch.server.configuration(name).await["debug"], true);
    watch.rounds(2).await;
    assert_eq!(check(&watch).await["passed"], true);
}

async fn a_number_that_whatsapp_restricts_is_known_and_left_alone_until_it_sends_after_a_rest(
    database: &TestDatabase,
) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    let send = async || {
        let message = json!({"to": "+15557654321", "text": "hello"});
        watch.owner.post_json("/shop/send-text", &message).await
    };
    let restricted = async || {
        let health = watch.owner.get("/shop/health").await.ok();
        let checks = health.data()["checks"].as_array().unwrap().clone();
        checks
            .iter()
            .find(|check| check["name"] == "unrestricted")
            .unwrap()
            .clone()
    };
    watch
        .server
        .sim
        .refuse_sends(name, SendRefusal::TimeLocked, Some(1));
    assert!(!send().await.status.is_success());
    let said = restricted().await;
    assert_eq!(said["passed"], false);
    assert!(said["detail"].as_str().unwrap().contains("463"));
    watch.server.sim.fail_session(name).unwrap();
    watch.rounds(3).await;
    assert_eq!(watch.by_itself("sessions.restart").await, (0, 0));

    // A person may. What goes out then may be to somebody who is known, whom a restriction leaves out.
    watch.owner.post("/shop/restart").await.ok();
    watch.server.sim.wait_for_status(name, Status::Working).await;
    watch.rounds(1).await;
    send().await.ok();
    assert_eq!(restricted().await["passed"], false);

    // After hours without a word of it, it shows that the number is free.
    watch.world.clock.advance(Duration::from_hours(7));
    watch.rounds(1).await;
    send().await.ok();
    assert_eq!(restricted().await["passed"], true);
    watch.server.sim.fail_session(name).unwrap();
    watch.rounds(1).await;
    assert_eq!(watch.by_itself("sessions.restart").await, (1, 1));
}
