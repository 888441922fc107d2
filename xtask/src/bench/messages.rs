//! What it costs to send, and to listen to what happens.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use super::groups::megabytes;
use super::load::{CONNECTIONS, printed};
use super::programs::{self, Database, Rows, Simulators, Wahana};
use super::report::{Measured, Target};
use super::servers::Server;
use super::{Bench, median};

const ONE_SESSION: Rows = Rows {
    organizations: 1,
    sessions_each: 1,
    servers: 1,
    tokens: 1,
};

#[derive(Deserialize)]
struct Rate {
    messages_per_second: f64,
}

#[derive(Deserialize)]
struct Time {
    p50_us: f64,
}

/// Texts that are taken in to be sent later, against a loop that writes the same rows.
pub(super) fn handed_in(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let simulators = Simulators::start(bench, "handed-in", ONE_SESSION, 0)?;
    let database = Database::sqlite(bench, "handed-in", ONE_SESSION, &simulators)?;
    let bare = Database::sqlite(bench, "handed-in-rows", ONE_SESSION, &simulators)?;
    sample(
        bench,
        "handed-in-sample",
        &bare,
        &["hand-in", "--seconds", "1", "--connections", "1"],
    )?;
    let wahana = Wahana::start_with_all_threads(bench, "handed-in", &database)?;
    let seconds = bench.round_length().as_secs().to_string();
    let connections = CONNECTIONS.to_string();
    let (mut rows, mut texts) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        let mut command = send_rows(&bare);
        command.args(["hand-in", "--seconds", &seconds]);
        let of_rows: Rate = printed(command, &bench.interruption)?;
        rows.push(of_rows.messages_per_second);
        let mut command = sends(&wahana, &database);
        command.args(["hand-in", "--seconds", &seconds, "--connections", &connections]);
        let of_texts: Rate = printed(command, &bench.interruption)?;
        texts.push(of_texts.messages_per_second);
    }
    let what = "Texts taken in to be sent later, SQLite, against a loop that writes the same rows";
    Ok(vec![Measured::rates(what, &rows, &texts, Target::AtLeast(0.5))])
}

/// A text whose caller waits, against WAHA's call between two transactions with the same rows.
pub(super) fn waited_for(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let simulators = Simulators::start(bench, "waited-for", ONE_SESSION, 0)?;
    let database = Database::sqlite(bench, "waited-for", ONE_SESSION, &simulators)?;
    let bare = Database::sqlite(bench, "waited-for-rows", ONE_SESSION, &simulators)?;
    sample(bench, "waited-for-sample", &bare, &["wait", "--count", "1"])?;
    let wahana = Wahana::start_with_all_threads(bench, "waited-for", &database)?;
    let waha = std::fs::read_to_string(&simulators.addresses)?;
    let waha: SocketAddr = waha
        .trim()
        .strip_prefix("http://")
        .context("a strange address")?
        .parse()?;
    let count = if bench.options.quick { "50" } else { "500" };
    let (mut rows, mut texts) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        let mut command = send_rows(&bare);
        command.args(["wait", "--waha", &waha.to_string(), "--count", count]);
        let of_rows: Time = printed(command, &bench.interruption)?;
        rows.push(of_rows.p50_us / 1000.0);
        let mut command = sends(&wahana, &database);
        command.args(["wait", "--count", count]);
        let of_texts: Time = printed(command, &bench.interruption)?;
        texts.push(of_texts.p50_us / 1000.0);
    }
    let what =
        "p50 of a text whose caller waits, SQLite, beyond WAHA's call between two commits of the same rows";
    Ok(vec![Measured::beyond(
        what,
        median(rows),
        median(texts),
        Target::AtMost(1.0),
    )])
}

#[derive(Deserialize)]
struct Deliveries {
    deliveries_per_second: f64,
}

/// Events that are delivered to a receiver, against a loop that posts as many bodies and writes the same rows.
pub(super) fn delivered(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let count = if bench.options.quick { "200" } else { "2000" };
    let simulators = Simulators::start(bench, "delivered", ONE_SESSION, 0)?;
    let database = Database::sqlite(bench, "delivered", ONE_SESSION, &simulators)?;
    let bare = Database::sqlite(bench, "delivered-rows", ONE_SESSION, &simulators)?;
    let listening = bench.path("receiver.address");
    let mut command = programs::tool("receiver");
    command.arg("--address").arg(&listening);
    let mut receiver = Server::start(command, &bench.path("receiver.log"))?;
    receiver.wait_until(&bench.interruption, || listening.exists())?;
    let receiver = std::fs::read_to_string(&listening)?;
    let deliver = |wahana: &Wahana, database: &Database| {
        let mut command = programs::tool("deliveries");
        command
            .args(["--address", &wahana.address.to_string()])
            .args(["--receiver", &receiver, "--count", count])
            .arg("--headers")
            .arg(&database.headers);
        let rate: Deliveries = printed(command, &bench.interruption)?;
        anyhow::Ok(rate.deliveries_per_second)
    };
    // Each text that is taken in is an event.
    let texts = ["hand-in", "--seconds", "10", "--connections", "8"];
    sample(bench, "delivered-sample", &bare, &texts)?;
    let once = Wahana::start(bench, "delivered-once", &bare)?;
    deliver(&once, &bare)?;
    drop(once);
    let wahana = Wahana::start_with_all_threads(bench, "delivered", &database)?;
    let mut command = sends(&wahana, &database);
    command.args(texts);
    let _: serde_json::Value = printed(command, &bench.interruption)?;
    let (mut rows, mut deliveries) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        let mut command = programs::tool("delivery_rows");
        command
            .args(["--receiver", &receiver])
            .env("WAHANA_DATABASE__URL", &bare.url);
        let of_rows: Deliveries = printed(command, &bench.interruption)?;
        rows.push(of_rows.deliveries_per_second);
        deliveries.push(deliver(&wahana, &database)?);
    }
    let what = "Webhooks delivered to a receiver, SQLite, against a loop that posts and writes the same rows";
    Ok(vec![Measured::rates(
        what,
        &rows,
        &deliveries,
        Target::AtLeast(0.4),
    )])
}

/// Many who listen while nothing happens.
pub(super) fn streams(bench: &Bench) -> anyhow::Result<Vec<Measured>> {
    let count = if bench.options.quick { 200 } else { 2_000 };
    let rows = Rows {
        organizations: count,
        sessions_each: 1,
        servers: 1,
        tokens: count,
    };
    let simulators = Simulators::start(bench, "streams", rows, 0)?;
    let database = Database::sqlite(bench, "streams", rows, &simulators)?;
    let wahana = Wahana::start(bench, "streams", &database)?;
    let opened = bench.path("streams.opened");
    let mut command = programs::tool("streams");
    command
        .args([
            "--address",
            &wahana.address.to_string(),
            "--count",
            &count.to_string(),
        ])
        .arg("--headers")
        .arg(&database.headers)
        .arg("--opened")
        .arg(&opened);
    let mut listeners = Server::start(command, &bench.path("streams.log"))?;
    listeners.wait_until(&bench.interruption, || opened.exists())?;
    thread::sleep(Duration::from_secs(2));
    Ok(vec![Measured::alone(
        &format!("Memory with {count} open streams of events"),
        megabytes(&wahana)?,
        "MB",
        Target::AtMost(150.0),
    )])
}

/// Lets wahana write the rows of a message, for the loop to copy.
fn sample(bench: &Bench, name: &str, database: &Database, what: &[&str]) -> anyhow::Result<()> {
    let wahana = Wahana::start(bench, name, database)?;
    let mut command = sends(&wahana, database);
    command.args(what);
    let _: serde_json::Value = printed(command, &bench.interruption)?;
    Ok(())
}

fn sends(wahana: &Wahana, database: &Database) -> Command {
    let mut command = programs::tool("sends");
    command
        .args(["--address", &wahana.address.to_string()])
        .args(["--path", "/api/waha/sessions/branch-0/send-text"])
        .arg("--headers")
        .arg(&database.headers);
    command
}

fn send_rows(database: &Database) -> Command {
    let mut command = programs::tool("send_rows");
    command.env("WAHANA_DATABASE__URL", &database.url);
    command
}
