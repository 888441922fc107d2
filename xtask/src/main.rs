//! The tasks of wahana's developers, run as `cargo xtask <task>`.
//!
//! They need a Unix system. Nothing here depends on the product's crates, so that a task starts soon
//! even when the product does not compile.

#![expect(
    clippy::print_stderr,
    reason = "the progress of a task is for the person who started it"
)]

mod alert_rules;
mod bench;
mod cargo;
mod check;
mod demo;
mod interruption;
mod openapi;
mod postgres;
mod source_rules;
mod system_packages;
mod test;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// The tasks of wahana's developers.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build wahana and run its demo.
    Demo {
        /// Build with optimizations.
        #[arg(long)]
        release: bool,
        /// Arguments for `wahana demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run all tests, with the servers they need started in a temporary folder.
    Test {
        /// Arguments for `cargo nextest run`, such as a part of a test's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Kill wahana at random while messages go out, and look whether each went out once.
    Torture {
        /// For how long, in minutes.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        minutes: u32,
    },
    /// Measure wahana side by side with yardsticks.
    Bench(bench::Options),
    /// Check everything that can be checked without running the product.
    Check,
    /// Look for known vulnerabilities in the dependencies (downloads the advisory database).
    Advisories,
    /// Write the API's description to docs/openapi.json.
    Openapi {
        /// Only compare the file with what the code says.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    env::set_current_dir(workspace_root()?).context("cannot enter the workspace")?;
    match task {
        Task::Demo { release, arguments } => demo::run(release, &arguments)?,
        Task::Test { arguments } => return test::run(&arguments),
        Task::Torture { minutes } => return test::torture(minutes),
        Task::Bench(options) => bench::run(options)?,
        Task::Check => check::run()?,
        Task::Advisories => check::advisories()?,
        Task::Openapi { check: false } => openapi::write()?,
        Task::Openapi { check: true } => openapi::check()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn workspace_root() -> anyhow::Result<PathBuf> {
    // Asked at run time: a copied target folder must not lead into the workspace it came from.
    let package = env::var_os("CARGO_MANIFEST_DIR").context("run this through cargo, as `cargo xtask`")?;
    let mut root = PathBuf::from(package);
    root.pop();
    Ok(root)
}
