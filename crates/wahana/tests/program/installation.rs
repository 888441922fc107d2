//! The program, run in a folder of its own and without the environment's settings.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Installation(TempDir);

pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    is_success: bool,
}

impl Installation {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With keys and a database.
    pub(crate) fn ready() -> Self {
        let installation = Self::empty();
        installation.run(&["keys", "init"]).expect_success();
        installation.run(&["migrate"]).expect_success();
        installation
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wahana"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.command(arguments).output().unwrap().into()
    }

    pub(crate) fn run_with_environment(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied()).output().unwrap().into()
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut running = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = running.stdin.take().unwrap();
        // A program that refused its arguments reads nothing.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        running.wait_with_output().unwrap().into()
    }

    /// Adds a WAHA server, with its key on standard input.
    pub(crate) fn add_server(&self, name: &str, base_url: &str, key: &str) -> Outcome {
        let add = [
            "servers",
            "add",
            "--name",
            name,
            "--base-url",
            base_url,
            "--key-stdin",
        ];
        self.run_with_input(&add, key)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.0.path().join(file), text).unwrap();
    }

    pub(crate) fn remove(&self, file: &str) {
        fs::remove_file(self.0.path().join(file)).unwrap();
    }

    pub(crate) fn allow_others_to_read(&self, file: &str) {
        let path = self.0.path().join(file);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// Who may do what with each file, as bits.
    pub(crate) fn modes(&self) -> Vec<(String, u32)> {
        let files = fs::read_dir(self.0.path()).unwrap().map(|file| file.unwrap());
        files
            .map(|file| {
                let mode = file.metadata().unwrap().permissions().mode() & 0o777;
                (file.file_name().into_string().unwrap(), mode)
            })
            .collect()
    }

    /// Every byte of the database.
    pub(crate) fn database(&self) -> Vec<u8> {
        let files = fs::read_dir(self.0.path()).unwrap();
        let files = files.map(|file| file.unwrap().path());
        files
            .filter(|path| path.to_string_lossy().contains("wahana.db"))
            .flat_map(|path| fs::read(path).unwrap())
            .collect()
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            is_success: output.status.success(),
        }
    }
}

impl Outcome {
    /// Standard output of a success.
    #[track_caller]
    pub(crate) fn expect_success(self) -> String {
        assert!(self.is_success, "{}", self.stderr);
        self.stdout
    }

    /// Standard error of a failure that is no crash.
    #[track_caller]
    pub(crate) fn expect_failure(self) -> String {
        assert!(!self.is_success, "{}", self.stdout);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self.stderr
    }

    /// The JSON of a success.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.is_success, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }

    pub(crate) fn everything(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
