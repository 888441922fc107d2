//! `wahana`: the organization layer for WAHA, as a program.

mod background;
mod commands;
mod config;
mod http_server;
mod output;
mod prompt;
mod telemetry;

use std::{io::Write, process::ExitCode};

use clap::Parser;

fn main() -> ExitCode {
    match commands::run(commands::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            // With standard error gone too, the exit code is all that is left to say.
            let _ = writeln!(std::io::stderr(), "wahana: {error:#}");
            ExitCode::FAILURE
        }
    }
}
