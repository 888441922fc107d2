//! `cargo xtask test`.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cargo::{self, NEXTEST};
use crate::interruption::Interruption;
use crate::postgres::Postgres;
use crate::system_packages;

/// Runs the tests with the servers they need. Prints nothing after the test runner's summary.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    run_with(arguments, &[])
}

/// Kills processes at random while messages go out, on each database and for each kind of WAHA in turn.
pub(crate) fn torture(minutes: u32) -> anyhow::Result<ExitCode> {
    /// On SQLite and PostgreSQL, where WAHA can be asked for a message and where not.
    const TESTS: u32 = 4;
    let arguments = [
        "--profile",
        "torture",
        "-p",
        "wahana",
        "--test",
        "program",
        "--no-capture",
        "-E",
        "test(random_kills)",
    ];
    let seconds = (minutes * 60 / TESTS).to_string();
    run_with(
        &arguments.map(OsString::from),
        &[("WAHANA_TORTURE_SECONDS", &seconds)],
    )
}

fn run_with(arguments: &[OsString], environment: &[(&str, &str)]) -> anyhow::Result<ExitCode> {
    system_packages::ensure()?;
    NEXTEST.ensure()?;
    let interruption = Interruption::watch()?;
    let postgres = Postgres::start(&interruption)?;

    let mut nextest = cargo::command(["nextest", "run"]);
    if !arguments.iter().any(selects_packages) {
        nextest.arg("--workspace");
    }
    if env::var_os("CI").is_some() && env::var_os("NEXTEST_PROFILE").is_none() {
        nextest.env("NEXTEST_PROFILE", "ci");
    }
    nextest
        .args(arguments)
        .envs(environment.iter().copied())
        .env("TESTKIT_POSTGRES_URL", postgres.url());
    let mut running = nextest.spawn().context("cannot start cargo nextest")?;
    let status = interruption.wait_for(&mut running)?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

fn selects_packages(argument: &OsString) -> bool {
    argument
        .to_str()
        .is_some_and(|text| text.starts_with("-p") || text.starts_with("--package"))
}
