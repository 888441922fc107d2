//! A `wahana serve` that can be killed and frozen.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command},
};

use super::world::{World, eventually};

/// A process; what it says goes into a file, so that it never waits for a reader.
pub(super) struct Process {
    child: Child,
    log: PathBuf,
    pub(super) address: String,
}

impl Process {
    /// Starts a process of this role and waits until it answers requests.
    pub(super) async fn start(world: &World<'_>, role: &str) -> Self {
        let log = world.folder.path().join(format!("{}.log", world.next_number()));
        let mut child = world
            .installation
            .command(&["serve", "--listen", &world.address(), "--role", role])
            .stdout(std::process::Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut address = None;
        eventually(async || {
            let text = std::fs::read_to_string(&log).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "it ended:\n{text}");
            // Whole lines only: the last one may still be written.
            let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let line = lines.find_map(|line| line.split_once("listens on http://"));
            address = line.and_then(|(_, rest)| rest.split_whitespace().next().map(str::to_owned));
            address.is_some()
        })
        .await;
        Self {
            child,
            log,
            address: address.unwrap(),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once (SIGKILL), wherever it is.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it where it is (SIGSTOP), with its connections open.
    pub(super) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on (SIGCONT), as if no time had passed.
    pub(super) fn wake(&self) {
        self.signal("-CONT");
    }

    pub(super) fn said(&self, text: &str) -> bool {
        std::fs::read_to_string(&self.log).unwrap().contains(text)
    }

    fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
