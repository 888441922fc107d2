//! Asking a server as fast as it answers, with wrk.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, de::DeserializeOwned};

use crate::interruption::Interruption;

/// How many requests are under way at a time.
pub(super) const CONNECTIONS: u32 = 32;

/// What is asked of which server.
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) path: String,
    /// The file whose lines are sent in turn, one a request.
    pub(super) headers: PathBuf,
    /// How many of its lines; `None` for all.
    pub(super) limit: Option<u32>,
}

/// What wrk saw.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Outcome {
    pub(super) requests_per_second: f64,
    pub(super) p50_us: f64,
    requests: u64,
    failed: u64,
}

impl Load {
    /// Asks for so long.
    pub(super) fn run(&self, length: Duration, interruption: &Interruption) -> anyhow::Result<Outcome> {
        let mut command = Command::new("wrk");
        command
            .args(["--threads", "1", "--timeout", "10s", "--connections"])
            .arg(CONNECTIONS.to_string())
            .args(["--duration", &format!("{}s", length.as_secs())])
            .args(["--script", "bench/load.lua"])
            .arg(format!("http://{}{}", self.address, self.path))
            .arg("--")
            .arg(&self.headers)
            .arg(self.limit.unwrap_or(0).to_string());
        let outcome: Outcome = printed(command, interruption)?;
        ensure!(outcome.requests > 0, "no request for {} was answered", self.path);
        ensure!(
            outcome.failed == 0,
            "{} of {} requests for {} failed",
            outcome.failed,
            outcome.requests,
            self.path
        );
        Ok(outcome)
    }
}

/// What a program says in the last line that it prints, which is JSON; waits for its end.
pub(super) fn printed<T: DeserializeOwned>(
    mut command: Command,
    interruption: &Interruption,
) -> anyhow::Result<T> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    // What it prints fits into the pipe.
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Err(interrupted) = interruption.pause() {
            child.kill()?;
            child.wait()?;
            return Err(interrupted);
        }
    };
    let output = child.wait_with_output()?;
    let output = String::from_utf8_lossy(&output.stdout);
    ensure!(status.success(), "{name} failed ({status}): {output}");
    let last = output.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("{name} printed something else: {output}"))
}
