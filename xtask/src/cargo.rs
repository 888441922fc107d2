//! Running cargo, and installing those of its subcommands that do not come with it.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// A subcommand of cargo that is installed from a crate called `cargo-<name>`.
pub(crate) struct Subcommand {
    name: &'static str,
    /// The version to install. Any version that is already there will do.
    version: &'static str,
}

pub(crate) const NEXTEST: Subcommand = Subcommand {
    name: "nextest",
    version: "0.9.143",
};
pub(crate) const DENY: Subcommand = Subcommand {
    name: "deny",
    version: "0.20.2",
};
pub(crate) const MACHETE: Subcommand = Subcommand {
    name: "machete",
    version: "0.9.2",
};

impl Subcommand {
    /// Installs the subcommand if it is lacking.
    pub(crate) fn ensure(&self) -> anyhow::Result<()> {
        if self.is_installed() {
            return Ok(());
        }
        let package = format!("cargo-{}@{}", self.name, self.version);
        eprintln!(
            "cargo {} is lacking: installing {package}, which takes minutes",
            self.name
        );
        run(command(["install", "--locked", &package]))
            .with_context(|| format!("cannot install {package}; install `cargo {}` by hand", self.name))
    }

    fn is_installed(&self) -> bool {
        command([self.name, "--version"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// The cargo that runs this program, with `arguments`. It tells its progress only to a terminal.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    // What cargo says to this program about its package would mislead the next one.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    if !io::stderr().is_terminal() {
        command.env("CARGO_TERM_QUIET", "true");
    }
    command
}

/// Runs a command to its end; an error if it fails.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", shown(&command)))?;
    ensure!(status.success(), "{} failed ({status})", shown(&command));
    Ok(())
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let words = [program.file_name().unwrap_or_default()]
        .into_iter()
        .chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}
