//! `cargo xtask demo`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;

use crate::cargo;

/// Becomes `wahana demo`, so that Ctrl-C and the exit code are the demo's own. Returns only on failure.
pub(crate) fn run(release: bool, arguments: &[OsString]) -> anyhow::Result<()> {
    let mut command = cargo::command(["run", "--package", "wahana"]);
    if release {
        command.arg("--release");
    }
    let error = command.args(["--", "demo"]).args(arguments).exec();
    Err(anyhow::Error::new(error).context("cannot start cargo"))
}
