//! Two processes on one database: one of them looks after the WAHA server, until it dies or freezes.

use waha_sim::{Fault, RestartLoss, Status};
use wahana_testkit::{database::TestDatabase, on_postgres};

use super::{
    process::Process,
    world::{World, eventually},
};

on_postgres!(
    another_process_takes_over_from_a_killed_one,
    a_process_that_was_frozen_writes_nothing_and_does_nothing_twice,
);

const MAKE: &str = "POST /api/sessions";
const START: &str = "POST /api/sessions/{session}/start";
const LOOK: &str = "GET /api/sessions";

/// Two processes and the number of the one that looks after the server.
async fn pair(world: &World<'_>) -> (Process, Process) {
    let first = Process::start(world, "all").await;
    let second = Process::start(world, "all").await;
    eventually(async || holder(world).await.is_some()).await;
    if is_holder(world, &first).await {
        (first, second)
    } else {
        (second, first)
    }
}

/// The name of the process that looks after the server, which ends with its number on the machine.
async fn holder(world: &World<'_>) -> Option<String> {
    let query =
        "SELECT p.name FROM leases l JOIN processes p ON p.id = l.owner WHERE l.name LIKE 'reconcile:%'";
    world.texts(query).await.pop()
}

async fn is_holder(world: &World<'_>, process: &Process) -> bool {
    let own = format!("/{}", process.id());
    holder(world).await.is_some_and(|name| name.ends_with(&own))
}

/// What wahana did by itself, and everything else that it writes about sessions when it does.
async fn written(world: &World<'_>) -> Vec<String> {
    let mut rows = Vec::new();
    for query in [
        "SELECT operation || ' ' || outcome || ' ' || created_at FROM audit_entries ORDER BY created_at, id",
        "SELECT s.session_name || ' ' || s.status || ' ' || s.updated_at || ' ' || u.attempts || ' ' ||
            coalesce(u.next_attempt_at, 0) || ' ' || u.updated_at
         FROM session_upkeep u JOIN sessions s ON s.id = u.session_id ORDER BY 1",
    ] {
        rows.extend(world.texts(query).await);
    }
    rows
}

/// How often wahana began something of this outcome by itself.
async fn by_itself(world: &World<'_>, outcome: &str) -> usize {
    let query = format!(
        "SELECT CAST(count(*) AS TEXT) FROM audit_entries WHERE actor = 'system' AND operation = 'sessions.start'
         AND outcome = '{outcome}'"
    );
    world.number(&query).await
}

/// Lets whoever looks after the server look a few times more.
async fn rounds(world: &World<'_>) {
    let seen = world.calls(LOOK);
    eventually(async || world.calls(LOOK) >= seen + 3).await;
}

async fn another_process_takes_over_from_a_killed_one(database: &TestDatabase) {
    let world = World::new(database).await;
    let (mut holder, other) = pair(&world).await;
    let name = world.working(&holder, "shop", "15550000001").await;
    world.session(&holder, "resting", false).await;
    rounds(&world).await;

    holder.kill();
    world.sim.restart(RestartLoss::Configuration).await;
    world.sim.reset_records();
    world.sim.wait_for_status(&name, Status::Working).await;
    eventually(async || by_itself(&world, "success").await == 1).await;
    assert!(is_holder(&world, &other).await);
    rounds(&world).await;
    assert_eq!(by_itself(&world, "intent").await, 1);
    assert_eq!(
        (world.calls(MAKE), world.calls(START)),
        (1, 1),
        "it is looked for first"
    );
    let status = "SELECT status FROM sessions WHERE session_name = 'shop'";
    eventually(async || world.texts(status).await == ["working"]).await;
}

async fn a_process_that_was_frozen_writes_nothing_and_does_nothing_twice(database: &TestDatabase) {
    let world = World::new(database).await;
    let (frozen, other) = pair(&world).await;
    let first = world.working(&frozen, "first", "15550000001").await;
    let second = world.working(&frozen, "second", "15550000002").await;
    rounds(&world).await;
    world.sim.reset_records();

    // It has asked WAHA to start a session, and is frozen before it hears of it.
    let slow = Fault::slow(std::time::Duration::from_secs(6));
    world.sim.set_fault(slow.method("POST").times(1));
    world.sim.stop_session(&first).unwrap();
    eventually(async || world.calls(START) == 1).await;
    frozen.freeze();
    eventually(async || is_holder(&world, &other).await).await;
    world.sim.wait_for_status(&first, Status::Working).await;

    // The other one sees that session work, and brings another back.
    world.sim.stop_session(&second).unwrap();
    world.sim.wait_for_status(&second, Status::Working).await;
    eventually(async || by_itself(&world, "success").await == 1).await;
    let status = "SELECT status FROM sessions ORDER BY session_name";
    eventually(async || world.texts(status).await == ["working", "working"]).await;
    rounds(&world).await;
    let before = written(&world).await;

    frozen.wake();
    eventually(async || frozen.said("what came of a step is its to see")).await;
    // It has said twice since that it lives, and has had that time to do something.
    let beat = format!(
        "SELECT CAST(seen_at AS TEXT) FROM processes WHERE name LIKE '%/{}'",
        frozen.id()
    );
    for _ in 0..2 {
        let seen = world.texts(&beat).await;
        eventually(async || world.texts(&beat).await != seen).await;
    }
    rounds(&world).await;
    assert_eq!(written(&world).await, before);
    assert_eq!(by_itself(&world, "intent").await, 2);
    assert_eq!((world.calls(MAKE), world.calls(START)), (0, 2));
    assert!(is_holder(&world, &other).await);
}
