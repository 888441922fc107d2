//! What it costs to know what WAHA tells: events, and rounds over its sessions.

use std::thread;
use std::time::Duration;

use anyhow::bail;
use serde::Deserialize;

use super::load::{CONNECTIONS, printed};
use super::programs::{Database, Hook, Rows, Simulators, Wahana, event_rows};
use super::report::{Measured, Target};
use super::{Bench, median};
use crate::postgres::Postgres;

/// One organization with some sessions on one server.
const ONE_SERVER: Rows = Rows {
    organizations: 1,
    sessions_each: 20,
    servers: 1,
    tokens: 1,
};

#[derive(Deserialize)]
struct Stored {
    events_per_second: f64,
}

#[derive(Deserialize)]
struct Shown {
    p99_us: f64,
}

/// Events that are stored and answered, against a loop that writes the same rows, on SQLite.
pub(super) fn stored_on_sqlite(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let simulators = Simulators::start(bench, "events", ONE_SERVER, 0)?;
    let database = Database::sqlite(bench, "events", ONE_SERVER, &simulators)?;
    let bare = Database::sqlite(bench, "event-rows", ONE_SERVER, &simulators)?;
    stored(bench, "events", "SQLite", &database, &bare)
}

/// The same on PostgreSQL.
pub(super) fn stored_on_postgres(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let (postgres, other) = (
        Postgres::start(&bench.interruption)?,
        Postgres::start(&bench.interruption)?,
    );
    let simulators = Simulators::start(bench, "events-pg", ONE_SERVER, 0)?;
    let url = postgres.url().to_owned();
    let database = Database::fill(bench, "events-pg", url, ONE_SERVER, &simulators)?;
    let url = other.url().to_owned();
    let bare = Database::fill(bench, "event-rows-pg", url, ONE_SERVER, &simulators)?;
    stored(bench, "events-pg", "PostgreSQL", &database, &bare)
}

fn stored(
    bench: &Bench,
    name: &str,
    engine: &str,
    database: &Database,
    bare: &Database,
) -> anyhow::Result<Vec<Measured>> {
    let wahana = Wahana::start(bench, name, database)?;
    let hook = Hook::of(bench, &wahana, database)?;
    let seconds = bench.round_length().as_secs().to_string();
    let (connections, sessions) = (CONNECTIONS.to_string(), ONE_SERVER.sessions_each.to_string());
    let (mut rows, mut events) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        let mut command = event_rows(bare);
        // As many as can wait at a time for wahana's next transaction.
        command.args(["--seconds", &seconds, "--batch", &connections]);
        let of_rows: Stored = printed(command, &bench.interruption)?;
        rows.push(of_rows.events_per_second);
        let mut command = hook.events(&wahana)?;
        command.args(["messages", "--seconds", &seconds]).args([
            "--connections",
            &connections,
            "--sessions",
            &sessions,
        ]);
        let of_events: Stored = printed(command, &bench.interruption)?;
        events.push(of_events.events_per_second);
        // What was stored is applied, and does not slow down the next round of the other side.
        rest(bench, &wahana)?;
    }
    let what = format!(
        "Events stored and answered, {engine}, against a loop that writes the same rows {CONNECTIONS} a transaction"
    );
    Ok(vec![Measured::rates(&what, &rows, &events, Target::AtLeast(0.5))])
}

/// From an event of WAHA's to the new status in the API, when it is quiet.
pub(super) fn shown(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let simulators = Simulators::start(bench, "shown", ONE_SERVER, 0)?;
    let database = Database::sqlite(bench, "shown", ONE_SERVER, &simulators)?;
    let wahana = Wahana::start(bench, "shown", &database)?;
    let hook = Hook::of(bench, &wahana, &database)?;
    rest(bench, &wahana)?;
    let changes = if bench.options.quick { "50" } else { "500" };
    let mut times = Vec::new();
    for _ in 0..bench.rounds() {
        let mut command = hook.events(&wahana)?;
        command
            .args(["statuses", "--changes", changes])
            .args(["--session", "/api/waha/sessions/branch-0/status"])
            .arg("--headers")
            .arg(&database.headers);
        let shown: Shown = printed(command, &bench.interruption)?;
        times.push(shown.p99_us / 1000.0);
    }
    Ok(vec![Measured::alone(
        "p99 from a webhook of WAHA's to the new status in the API, SQLite",
        median(times),
        "ms",
        Target::AtMost(50.0),
    )])
}

/// What it costs to look after a server whose sessions are as wanted.
pub(super) fn round(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    /// How often a server is looked at by default.
    const INTERVAL: Duration = Duration::from_secs(5);
    const ROUNDS: u32 = 6;
    let rows = Rows {
        sessions_each: if bench.options.quick { 1_000 } else { 10_000 },
        ..ONE_SERVER
    };
    let simulators = Simulators::start(bench, "round", rows, 0)?;
    let database = Database::sqlite(bench, "round", rows, &simulators)?;
    let wahana = Wahana::start(bench, "round", &database)?;
    // The first rounds compare everything.
    thread::sleep(3 * INTERVAL);
    let before = wahana.process.processor_time()?;
    thread::sleep(ROUNDS * INTERVAL);
    let spent = wahana.process.processor_time()?.saturating_sub(before);
    Ok(vec![Measured::alone(
        &format!(
            "Processor time of a round over {} unchanged sessions",
            rows.sessions_each
        ),
        (spent / ROUNDS).as_secs_f64() * 1000.0,
        "ms",
        Target::AtMost(1000.0),
    )])
}

/// Waits until wahana has nothing to do.
fn rest(bench: &Bench, wahana: &Wahana) -> anyhow::Result<()> {
    const LOOK: Duration = Duration::from_secs(1);
    const LOOKS: u32 = 120;
    for _ in 0..LOOKS {
        bench.interruption.pause()?;
        let before = wahana.process.processor_time()?;
        thread::sleep(LOOK);
        if wahana.process.processor_time()?.saturating_sub(before) < LOOK / 20 {
            return Ok(());
        }
    }
    bail!("wahana does not come to rest")
}
