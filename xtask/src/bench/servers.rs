//! The servers that are measured: started on free ports, and stopped whatever happens.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;

use super::http;
use crate::interruption::{self, Interruption};

const LONGEST_START: Duration = Duration::from_mins(1);
/// Linux counts the time of programs in hundredths of a second, on every machine.
const TICKS_PER_SECOND: u64 = 100;

/// A running program. Dropping it ends it.
pub(super) struct Server {
    child: Child,
    log: PathBuf,
}

/// A command that ends with this program, also when this is killed in a way that it cannot notice.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

impl Server {
    /// Starts a program with one worker thread that writes its log into a file.
    pub(super) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        command.env("TOKIO_WORKER_THREADS", "1");
        Self::start_with_all_threads(command, log)
    }

    /// The same with as many threads as it starts by itself.
    pub(super) fn start_with_all_threads(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            // In a group of its own, Ctrl-C does not end it before those who use it.
            .process_group(0)
            .spawn()
            .context("cannot start setpriv")?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Waits until `is_ready` says so.
    pub(super) fn wait_until(
        &mut self,
        interruption: &Interruption,
        is_ready: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let start = Instant::now();
        while !is_ready() {
            interruption.pause()?;
            self.check(start)?;
        }
        Ok(())
    }

    /// How long it takes from now until the path is answered with 200.
    pub(super) fn time_until_ok(&mut self, address: SocketAddr, path: &str) -> anyhow::Result<Duration> {
        let start = Instant::now();
        loop {
            if http::get(address, path, None).is_ok_and(|answer| answer.status == 200) {
                return Ok(start.elapsed());
            }
            self.check(start)?;
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// How much memory it holds, in bytes.
    pub(super) fn resident_memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes: u64 = line
            .and_then(|line| line.trim().strip_suffix("kB"))
            .and_then(|number| number.trim().parse().ok())
            .context("the system does not say how much memory a program holds")?;
        Ok(kibibytes * 1024)
    }

    /// How much time of the processors it has taken since its start.
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold anything; user and system time are the 14th and 15th field.
        let fields = stat.rsplit_once(") ").context("a strange /proc/…/stat")?.1;
        let ticks: Vec<u64> = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Duration::from_millis(
            ticks.iter().sum::<u64>() * 1000 / TICKS_PER_SECOND,
        ))
    }

    /// An error if it ended, or should be ready by now.
    fn check(&mut self, start: Instant) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("a server ended ({status}):\n{}", self.log()?);
        }
        if start.elapsed() > LONGEST_START {
            bail!("a server is not ready in time:\n{}", self.log()?);
        }
        Ok(())
    }

    fn log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        interruption::end(&mut self.child, Signal::TERM);
    }
}

/// An address of this machine that nobody listens on at the moment.
pub(super) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Whether somebody listens there.
pub(super) fn listens(address: SocketAddr) -> bool {
    std::net::TcpStream::connect(address).is_ok()
}
