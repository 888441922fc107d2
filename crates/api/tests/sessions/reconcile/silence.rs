//! Sessions that work as far as WAHA says, and hear nothing.

use std::time::Duration;

use serde_json::json;
use waha_sim::{Fault, FaultKind, Status};
use wahana_domain::Clock;
use wahana_store::upkeep::{self, Restriction};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::Watch;

on_both_databases!(
    silence_beyond_its_habits_is_a_warning_with_the_evidence,
    a_session_that_does_not_answer_twice_is_a_warning_and_restarted_once_if_that_is_wanted,
);

const QUARTER: Duration = Duration::from_mins(16);

async fn health(watch: &Watch<'_>) -> (String, String) {
    let health = watch.owner.get("/shop/health").await.ok();
    let text = |name: &str| health.data()[name].as_str().unwrap().to_owned();
    (text("health_status"), text("reason"))
}

async fn silence_beyond_its_habits_is_a_warning_with_the_evidence(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    // It heard something every hour, for six days.
    let now = watch.world.clock.now().as_micros();
    let hour = 3_600_000_000_i64;
    let slots: Vec<String> = (1..144).map(|ago| (now - ago * hour).to_string()).collect();
    for slot in slots {
        let row = format!(
            "INSERT INTO session_activity (session_id, organization_id, slot, messages_sent, messages_received,
                media_sent, media_received, messages_delivered, messages_read, messages_failed, calls, group_changes)
             SELECT id, organization_id, {slot}, 0, 1, 0, 0, 0, 0, 0, 0, 0 FROM sessions"
        );
        watch.world.database.execute_unguarded(&row).await;
    }
    watch.rounds(2).await;
    assert_eq!(health(&watch).await.0, "healthy");
    watch.round_after(Duration::from_hours(2)).await;
    assert_eq!(health(&watch).await.0, "healthy", "that is not long");
    watch.round_after(Duration::from_hours(4)).await;
    let (status, reason) = health(&watch).await;
    assert_eq!(status, "warning");
    assert!(
        reason.contains("nothing was heard of it since 2025-12-31"),
        "{reason}"
    );
    assert_eq!(watch.owner.names("health_status=warning").await, ["shop"]);
    assert!(watch.owner.names("health_status=healthy").await.is_empty());
    let before = watch.dump().await;
    watch.round_after(Duration::from_hours(1)).await;
    assert_eq!(watch.dump().await, before, "it is said once");
    assert_eq!(
        watch.by_itself("sessions.restart").await,
        (0, 0),
        "nobody asked for that"
    );

    // An event arrives.
    let tx = watch.world.store.write(watch.home.tenant).await.unwrap();
    upkeep::set_drift(&tx, session.id, None).await.unwrap();
    tx.commit().await.unwrap();
    let heard = format!(
        "UPDATE session_upkeep SET last_event_at = {}",
        watch.world.clock.now().as_micros()
    );
    watch.world.database.execute_unguarded(&heard).await;
    watch.round_after(QUARTER).await;
    assert_eq!(health(&watch).await.0, "healthy");
}

async fn a_session_that_does_not_answer_twice_is_a_warning_and_restarted_once_if_that_is_wanted(
    database: &TestDatabase,
) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    let me = format!("/api/sessions/{name}/me");
    let set_fault = || {
        let fault = Fault::new(FaultKind::Status(500)).on_path(&me);
        watch.server.sim.set_fault(fault);
    };
    set_fault();
    watch.rounds(1).await;
    assert_eq!(health(&watch).await.0, "healthy", "once may be chance");
    watch.round_after(QUARTER).await;
    let (status, reason) = health(&watch).await;
    assert_eq!(status, "warning");
    assert!(reason.contains("does not answer"), "{reason}");

    // The organization wants such a session restarted; but not while WhatsApp restricts it.
    let restrict = async |restriction: Option<&str>| {
        let tx = watch.world.store.write(watch.home.tenant).await.unwrap();
        match restriction {
            Some(reason) => {
                let reason = reason.to_owned();
                let restriction = Restriction { reason, until: None };
                upkeep::set_restriction(&tx, session.id, &restriction)
                    .await
                    .unwrap();
            }
            None => upkeep::lift_restriction(&tx, session.id, tx.now()).await.unwrap(),
        }
        tx.commit().await.unwrap();
    };
    restrict(Some("capping (475)")).await;
    let wanted = json!({"restarts_silent_sessions": true});
    let organization = watch.owner.patch("/../organization", &wanted).await.ok();
    assert_eq!(organization.data()["restarts_silent_sessions"], true);
    watch.rounds(3).await;
    assert_eq!(watch.by_itself("sessions.restart").await, (0, 0));
    restrict(None).await;
    watch.rounds(1).await;
    assert_eq!(watch.by_itself("sessions.restart").await, (1, 1));
    watch.server.sim.wait_for_status(name, Status::Working).await;
    for _ in 0..4 {
        watch.round_after(QUARTER).await;
    }
    assert_eq!(health(&watch).await.0, "warning");
    assert_eq!(watch.by_itself("sessions.restart").await, (1, 1), "once a day");

    watch.server.sim.clear_faults();
    watch.round_after(QUARTER).await;
    assert_eq!(health(&watch).await.0, "healthy");
}
