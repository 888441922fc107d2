//! Sessions that are moved to another WAHA server while somebody looks after both.

use waha_sim::Status;
use wahana_service::{
    Operator,
    platform::moving::{self, Move},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::watch::Watch;

on_both_databases!(a_moved_session_is_looked_after_at_its_new_place_alone);

async fn a_moved_session_is_looked_after_at_its_new_place_alone(database: &TestDatabase) {
    let watch = Watch::new(database).await;
    let session = watch.session().await;
    let told = "SELECT subject || ' ' || new_value FROM session_transitions ORDER BY happened_at, subject";
    // Its history begins with what was known before.
    watch.server.sim.fail_session(session.waha.name.as_str()).unwrap();
    watch.rounds(2).await;
    watch.until_working(&session).await;
    watch.rounds(1).await;
    let before = watch.world.database.texts_unguarded(told).await;
    assert!(before.contains(&"status error".to_owned()), "{before:?}");

    let new = watch.world.server("two").await;
    let wanted = Move {
        session: session.id,
        to: new.id,
        is_forced: false,
    };
    let moved = moving::carry_out(&watch.world.services, &Operator::CommandLine, wanted).await;
    let name = moved.unwrap().session.waha.name;
    new.sim.wait_for_status(name.as_str(), Status::ScanQrCode).await;
    watch.rounds(2).await;
    watch.reconciler.round(new.id).await.unwrap();
    watch.reconciler.settle().await;
    assert_eq!(watch.server.sim.session_status(session.waha.name.as_str()), None);
    assert_eq!(watch.server.sim.session_status(name.as_str()), None);
    assert_eq!(new.sim.counts().total, 1 + reads(&new.sim));

    let after = watch.world.database.texts_unguarded(told).await;
    assert_eq!(&after[..before.len()], before, "{after:?}");

    // Lost there, it is made again there.
    new.sim.delete_session(name.as_str()).unwrap();
    for _ in 0..2 {
        watch.world.clock.advance(std::time::Duration::from_secs(6));
        watch.reconciler.round(new.id).await.unwrap();
        watch.reconciler.settle().await;
    }
    new.sim.wait_for_status(name.as_str(), Status::ScanQrCode).await;
    assert_eq!(watch.server.sim.session_status(name.as_str()), None);
}

/// How many of the calls only read.
fn reads(sim: &waha_sim::WahaSim) -> u64 {
    let requests = sim.received_requests();
    let reads = requests.iter().filter(|request| request.method == "GET").count();
    u64::try_from(reads).unwrap()
}
