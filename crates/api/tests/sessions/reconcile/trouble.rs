//! A WAHA that is away, silent or wrong for a while.

use std::time::Duration;

use waha_client::{TimeLimit, Timeouts};
use waha_sim::{Fault, FaultKind, Status};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::Watch;
use crate::world::Wishes;

on_both_databases!(
    while_waha_is_in_trouble_nothing_is_done_and_then_all_is_as_wanted,
    steps_that_waha_does_not_take_are_tried_again_later,
);

async fn while_waha_is_in_trouble_nothing_is_done_and_then_all_is_as_wanted(database: &TestDatabase) {
    let brief = TimeLimit {
        idle: Duration::from_millis(200),
        total: Some(Duration::from_millis(200)),
    };
    let wishes = Wishes {
        sync_wait: Duration::from_secs(1),
        timeouts: Timeouts {
            quick: brief,
            ..Timeouts::default()
        },
    };
    let watch = Watch::with(database, wishes).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    for trouble in [
        None,
        Some(FaultKind::Status(500)),
        Some(FaultKind::Hang),
        Some(FaultKind::Garbage),
        Some(FaultKind::CloseInBody),
    ] {
        watch.rounds(1).await;
        watch.server.sim.stop_session(name).unwrap();
        match &trouble {
            None => watch.server.sim.go_away().await,
            Some(kind) => watch.server.sim.set_fault(Fault::new(kind.clone())),
        }
        let before = watch.dump().await;
        watch.rounds(3).await;
        assert_eq!(watch.dump().await, before, "{trouble:?}");
        watch.server.sim.clear_faults();
        watch.server.sim.come_back().await;
        // Long enough that what was tried before has been forgotten.
        watch.round_after(Duration::from_mins(11)).await;
        watch.rounds(1).await;
        watch.server.sim.wait_for_status(name, Status::Working).await;
        watch.rounds(1).await;
        watch.round_after(Duration::from_mins(11)).await;
    }
    assert_eq!(watch.by_itself("sessions.start").await, (5, 5));
}

async fn steps_that_waha_does_not_take_are_tried_again_later(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let name = session.waha.name.as_str();
    watch.server.sim.stop_session(name).unwrap();
    watch
        .server
        .sim
        .set_fault(Fault::new(FaultKind::Status(500)).method("POST").times(2));
    watch.rounds(1).await;
    let (begun, ended) = watch.by_itself("sessions.start").await;
    assert_eq!((begun, ended), (1, 0));
    for _ in 0..20 {
        watch.rounds(1).await;
    }
    watch.server.sim.wait_for_status(name, Status::Working).await;
    assert_eq!(watch.by_itself("sessions.start").await, (3, 1));
    let failures = watch.world.audit(watch.home).await;
    let failures = failures
        .iter()
        .filter(|entry| matches!(entry.outcome, wahana_domain::AuditOutcome::Failure { .. }));
    assert_eq!(failures.count(), 2);
}
