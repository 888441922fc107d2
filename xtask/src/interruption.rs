//! Ending in order when asked to from outside.

use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_STOP: Duration = Duration::from_secs(10);

/// Keeps Ctrl-C and other requests to end from ending this program before it has tidied up.
pub(crate) struct Interruption {
    /// Ctrl-C, which the terminal gives to the programs started here too.
    by_terminal: Arc<AtomicBool>,
    /// A signal for this program alone.
    by_signal: Arc<AtomicBool>,
}

impl Interruption {
    /// From now on requests to end are only remembered.
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let this = Self {
            by_terminal: Arc::default(),
            by_signal: Arc::default(),
        };
        for (signal, flag) in [
            (SIGINT, &this.by_terminal),
            (SIGTERM, &this.by_signal),
            (SIGHUP, &this.by_signal),
        ] {
            signal_hook::flag::register(signal, Arc::clone(flag)).context("cannot watch for signals")?;
        }
        Ok(this)
    }

    /// Sleeps a moment; an error if somebody wants this program to end.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        if self.by_terminal.load(Ordering::Relaxed) || self.by_signal.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        thread::sleep(PAUSE);
        Ok(())
    }

    /// Waits until the child has ended by itself or because it was told to.
    pub(crate) fn wait_for(&self, child: &mut Child) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if self.by_signal.swap(false, Ordering::Relaxed) {
                kill_process(Pid::from_child(child), Signal::TERM).context("cannot end the tests")?;
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Tells a child to end, and kills it if it does not.
pub(crate) fn end(child: &mut Child, signal: Signal) {
    // An error means that it has ended already, which `try_wait` finds out.
    let _ = kill_process(Pid::from_child(child), signal);
    let start = Instant::now();
    while start.elapsed() < LONGEST_STOP {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
}
