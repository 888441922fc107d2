//! What is measured.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use super::load::Load;
use super::nginx::Nginx;
use super::programs::{Database, Rows, Simulators, Wahana, Yardstick};
use super::report::{Measured, Target};
use super::{Bench, http, median};
use crate::postgres::Postgres;

const LIST: &str = "/api/waha/sessions?per_page=20";

/// One organization with as many sessions as one page is asked for.
const ONE_PAGE: Rows = Rows {
    organizations: 1,
    sessions_each: 20,
    servers: 1,
    tokens: 200,
};

/// After so long without a request, what a start needed is given back.
const REST: Duration = Duration::from_secs(2);

const MEGABYTE: f64 = 1e6;

/// How soon it is ready, and how little memory it holds then.
pub(super) fn start(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let simulators = Simulators::start(bench, "start", ONE_PAGE, 0)?;
    let database = Database::sqlite(bench, "start", ONE_PAGE, &simulators)?;
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        bench.interruption.pause()?;
        let mut wahana = Wahana::launch(bench, "start", &database)?;
        let time = wahana.process.time_until_ok(wahana.address, "/readyz")?;
        ready.push(time.as_secs_f64() * 1000.0);
        thread::sleep(REST);
        memory.push(megabytes(&wahana)?);
    }
    Ok(vec![
        Measured::alone(
            "Ready after its start, on an existing SQLite database",
            median(ready),
            "ms",
            Target::AtMost(300.0),
        ),
        Measured::alone("Memory, idle", median(memory), "MB", Target::AtMost(40.0)),
    ])
}

/// The list of sessions against the same bytes from a bare route, on SQLite.
pub(super) fn list_on_sqlite(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let simulators = Simulators::start(bench, "list", ONE_PAGE, 0)?;
    let database = Database::sqlite(bench, "list", ONE_PAGE, &simulators)?;
    let what = "List of 20 sessions, SQLite, against a bare axum route";
    list(bench, "list", &database, what, Target::AtLeast(0.5))
}

/// The same on PostgreSQL.
pub(super) fn list_on_postgres(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let postgres = Postgres::start(&bench.interruption)?;
    let simulators = Simulators::start(bench, "list-postgres", ONE_PAGE, 0)?;
    let url = postgres.url().to_owned();
    let database = Database::fill(bench, "list-postgres", url, ONE_PAGE, &simulators)?;
    let what = "List of 20 sessions, PostgreSQL, against a bare axum route";
    list(bench, "list-postgres", &database, what, Target::AtLeast(0.35))
}

fn list(
    bench: &Bench,
    name: &str,
    database: &Database,
    what: &str,
    target: Target,
) -> anyhow::Result<Vec<Measured>> {
    let wahana = Wahana::start(bench, name, database)?;
    let headers = fs::read_to_string(&database.headers)?;
    let answer = http::get_ok(wahana.address, LIST, headers.lines().next())?;
    let route = LIST.split('?').next().unwrap_or(LIST);
    let yardstick = Yardstick::start(bench, name, route, &answer)?;
    let of = |address| Load {
        address,
        path: LIST.to_owned(),
        headers: database.headers.clone(),
        limit: None,
    };
    let [yardstick, wahana] = bench.alternate([&of(yardstick.address), &of(wahana.address)])?;
    Ok(vec![Measured::throughput(what, &yardstick, &wahana, target)])
}

/// A read that WAHA answers, against nginx in front of the same WAHA.
pub(super) fn pass_through(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    /// Of the first session of the first organization, as `seed` and `simulators` name it.
    const OF_WAHANA: &str = "/api/waha/sessions/branch-0/chats";
    const OF_WAHA: &str = "/api/w_bench_000000/chats/overview?limit=21&offset=0";
    const CONTACTS: u32 = 20;

    let simulators = Simulators::start(bench, "pass-through", ONE_PAGE, CONTACTS)?;
    let database = Database::sqlite(bench, "pass-through", ONE_PAGE, &simulators)?;
    let wahana = Wahana::start(bench, "pass-through", &database)?;
    let waha = fs::read_to_string(&simulators.addresses)?;
    let waha = waha.trim().strip_prefix("http://").context("a strange address")?;
    let nginx = Nginx::start(bench, waha.parse()?)?;
    let key = bench.path("pass-through.key");
    fs::write(&key, "X-Api-Key: key-of-the-simulated-servers\n")?;

    let of_nginx = Load {
        address: nginx.address,
        path: OF_WAHA.to_owned(),
        headers: key,
        limit: None,
    };
    let of_wahana = Load {
        address: wahana.address,
        path: OF_WAHANA.to_owned(),
        headers: database.headers,
        limit: None,
    };
    let [nginx, wahana] = bench.alternate([&of_nginx, &of_wahana])?;
    Ok(vec![Measured::throughput(
        "Chats of a session, from WAHA, against nginx as a plain proxy to the same WAHA",
        &nginx,
        &wahana,
        Target::AtLeast(0.3),
    )])
}

/// What it costs to have many organizations.
pub(super) fn many_organizations(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    /// How many organizations ask within a few seconds.
    const ACTIVE: u32 = 200;
    let many = if bench.options.quick { 1_000 } else { 10_000 };
    let rows = Rows {
        organizations: many,
        sessions_each: 10,
        servers: many / 50,
        tokens: many,
    };
    let rows_of_one = Rows {
        organizations: 1,
        sessions_each: 10,
        servers: 10,
        tokens: ACTIVE,
    };
    let simulators_of_one = Simulators::start(bench, "one", rows_of_one, 0)?;
    let database_of_one = Database::sqlite(bench, "one", rows_of_one, &simulators_of_one)?;
    let wahana_of_one = Wahana::start(bench, "one", &database_of_one)?;
    let simulators = Simulators::start(bench, "many", rows, 0)?;
    let database = Database::sqlite(bench, "many", rows, &simulators)?;
    let wahana = Wahana::start(bench, "many", &database)?;

    let of = |wahana: &Wahana, database: &Database, limit| Load {
        address: wahana.address,
        path: LIST.to_owned(),
        headers: database.headers.clone(),
        limit,
    };
    let one = of(&wahana_of_one, &database_of_one, None);
    let some = of(&wahana, &database, Some(ACTIVE));
    let [one_organization, some_of_many] = bench.alternate([&one, &some])?;
    let all = of(&wahana, &database, None);
    let [one_again, all_of_many] = bench.alternate([&one, &all])?;
    let memory = megabytes(&wahana)?;
    Ok(vec![
        Measured::p50(
            &format!("p50 of the list, {ACTIVE} of {many} organizations asking, against one organization"),
            &one_organization,
            &some_of_many,
            Some(Target::AtMost(1.2)),
        ),
        Measured::p50(
            &format!("p50 of the list, all {many} organizations asking in turn, against one organization"),
            &one_again,
            &all_of_many,
            None,
        ),
        Measured::alone(
            &format!("Memory with {} sessions, after all were asked for", many * 10),
            memory,
            "MB",
            Target::AtMost(120.0),
        ),
    ])
}

pub(super) fn megabytes(wahana: &Wahana) -> anyhow::Result<f64> {
    let bytes = u32::try_from(wahana.process.resident_memory()? / 1024)?;
    Ok(f64::from(bytes) * 1024.0 / MEGABYTE)
}
