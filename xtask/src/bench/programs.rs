//! wahana and the programs of the benchmark, built with optimizations.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::Bench;
use super::servers::{Server, command, free_address, listens};
use crate::cargo;

const TARGET_FOLDER: &str = "target";

/// Builds everything that is started here.
pub(super) fn build() -> anyhow::Result<()> {
    eprintln!("bench: building with optimizations, which takes minutes the first time");
    cargo::run(cargo::command([
        "build",
        "--locked",
        "--release",
        "--package",
        "wahana",
        "--package",
        "wahana-bench",
    ]))
}

fn program(name: &str) -> PathBuf {
    let folder = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| TARGET_FOLDER.into());
    Path::new(&folder).join("release").join(name)
}

/// How many there are of what the measurements are made with.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) organizations: u32,
    pub(super) sessions_each: u32,
    pub(super) servers: u32,
    pub(super) tokens: u32,
}

impl Rows {
    fn spread(self, command: &mut Command) -> &mut Command {
        command
            .args(["--organizations", &self.organizations.to_string()])
            .args(["--sessions-each", &self.sessions_each.to_string()])
            .args(["--servers", &self.servers.to_string()])
    }
}

/// Simulated WAHA servers.
pub(super) struct Simulators {
    _process: Server,
    pub(super) addresses: PathBuf,
}

impl Simulators {
    /// Starts them. With contacts, their sessions have chats.
    pub(super) fn start(bench: &Bench, name: &str, rows: Rows, contacts: u32) -> anyhow::Result<Self> {
        let addresses = bench.path(&format!("{name}.addresses"));
        let mut command = command(&program("simulators"));
        rows.spread(&mut command)
            .arg("--addresses")
            .arg(&addresses)
            .args(["--contacts", &contacts.to_string()]);
        let mut process = Server::start(command, &bench.path(&format!("{name}.simulators.log")))?;
        process.wait_until(&bench.interruption, || addresses.exists())?;
        Ok(Self {
            _process: process,
            addresses,
        })
    }
}

/// A filled database, and the tokens for it.
pub(super) struct Database {
    pub(super) url: String,
    keys: PathBuf,
    /// Headers that show a token, one a line.
    pub(super) headers: PathBuf,
}

impl Database {
    /// Fills a SQLite database in the benchmark's folder.
    pub(super) fn sqlite(
        bench: &Bench,
        name: &str,
        rows: Rows,
        simulators: &Simulators,
    ) -> anyhow::Result<Self> {
        let file = bench.path(&format!("{name}.db"));
        let file = file.to_str().context("the temporary folder has a strange name")?;
        Self::fill(bench, name, format!("sqlite://{file}"), rows, simulators)
    }

    /// Fills a database.
    pub(super) fn fill(
        bench: &Bench,
        name: &str,
        url: String,
        rows: Rows,
        simulators: &Simulators,
    ) -> anyhow::Result<Self> {
        let database = Self {
            url,
            keys: bench.path(&format!("{name}.keys")),
            headers: bench.path(&format!("{name}.headers")),
        };
        let mut command = command(&program("seed"));
        rows.spread(&mut command)
            .args(["--tokens", &rows.tokens.to_string()])
            .arg("--keys")
            .arg(&database.keys)
            .arg("--headers")
            .arg(&database.headers)
            .arg("--addresses")
            .arg(&simulators.addresses)
            .env("WAHANA_DATABASE__URL", &database.url)
            .stdin(Stdio::null());
        let mut seed = command.spawn().context("cannot start seed")?;
        let status = bench.interruption.wait_for(&mut seed)?;
        ensure!(status.success(), "the database could not be filled ({status})");
        Ok(database)
    }
}

/// wahana, serving.
pub(super) struct Wahana {
    pub(super) process: Server,
    pub(super) address: SocketAddr,
}

impl Wahana {
    /// Starts it and waits until it is ready.
    pub(super) fn start(bench: &Bench, name: &str, database: &Database) -> anyhow::Result<Self> {
        let mut wahana = Self::launch(bench, name, database)?;
        wahana.process.time_until_ok(wahana.address, "/readyz")?;
        Ok(wahana)
    }

    /// The same with all its threads, for yardsticks that have theirs.
    pub(super) fn start_with_all_threads(
        bench: &Bench,
        name: &str,
        database: &Database,
    ) -> anyhow::Result<Self> {
        let mut wahana = Self::launched_by(Server::start_with_all_threads, bench, name, database)?;
        wahana.process.time_until_ok(wahana.address, "/readyz")?;
        Ok(wahana)
    }

    /// Starts it as people would, with its log in a file.
    pub(super) fn launch(bench: &Bench, name: &str, database: &Database) -> anyhow::Result<Self> {
        Self::launched_by(Server::start, bench, name, database)
    }

    fn launched_by(
        start: fn(Command, &Path) -> anyhow::Result<Server>,
        bench: &Bench,
        name: &str,
        database: &Database,
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = command(&program("wahana").canonicalize()?);
        command
            .arg("serve")
            .env("WAHANA_LISTEN", address.to_string())
            .env("WAHANA_PUBLIC_URL", format!("http://{address}"))
            .env("WAHANA_HOOK_URL", format!("http://{address}"))
            .env("WAHANA_DATABASE__URL", &database.url)
            .env("WAHANA_KEYS__FILE", &database.keys)
            // The load comes from few tokens for its size, and refusals are not what is measured.
            .env("WAHANA_LIMITS__REQUESTS_PER_MINUTE", "10000000")
            .env("WAHANA_LIMITS__MESSAGES_PER_MINUTE", "10000000")
            .env("WAHANA_LIMITS__MESSAGES_PER_HOUR", "10000000")
            .env("WAHANA_LIMITS__QUEUED_MESSAGES", "10000000")
            // The receiver of webhooks is here.
            .env("WAHANA_WEBHOOKS__ALLOW", "127.0.0.0/8")
            // No configuration of this machine's is to be found.
            .current_dir(bench.folder.path());
        let process = start(command, &bench.path(&format!("{name}.wahana.log")))?;
        Ok(Self { process, address })
    }
}

/// Where a WAHA server sends its events, and the key that signs them.
#[derive(Deserialize)]
pub(super) struct Hook {
    #[serde(rename = "WHATSAPP_HOOK_URL")]
    url: String,
    #[serde(rename = "WHATSAPP_HOOK_HMAC_KEY")]
    key: String,
}

impl Hook {
    /// Of the first WAHA server of a wahana that serves.
    pub(super) fn of(bench: &Bench, wahana: &Wahana, database: &Database) -> anyhow::Result<Self> {
        let mut command = Command::new(program("wahana").canonicalize()?);
        let output = command
            .args(["--json", "servers", "hook", "waha-0"])
            .env("WAHANA_HOOK_URL", format!("http://{}", wahana.address))
            .env("WAHANA_DATABASE__URL", &database.url)
            .env("WAHANA_KEYS__FILE", &database.keys)
            .current_dir(bench.folder.path())
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "wahana does not say where events go to");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// A program that sends events there.
    pub(super) fn events(&self, wahana: &Wahana) -> anyhow::Result<Command> {
        let origin = format!("http://{}", wahana.address);
        let path = self.url.strip_prefix(&origin).context("a hook elsewhere")?;
        let mut command = command(&program("events"));
        command
            .args(["--address", &wahana.address.to_string(), "--path", path])
            .env("HOOK_KEY", &self.key);
        Ok(command)
    }
}

/// A program that writes the rows of events into a database, without wahana.
pub(super) fn event_rows(database: &Database) -> Command {
    let mut command = tool("event_rows");
    command.env("WAHANA_DATABASE__URL", &database.url);
    command
}

/// A program of the benchmark's own.
pub(super) fn tool(name: &str) -> Command {
    command(&program(name))
}

/// A bare route that answers the same bytes.
pub(super) struct Yardstick {
    _process: Server,
    pub(super) address: SocketAddr,
}

impl Yardstick {
    /// Starts it with an answer of wahana's.
    pub(super) fn start(
        bench: &Bench,
        name: &str,
        path: &str,
        answer: &super::http::Answer,
    ) -> anyhow::Result<Self> {
        /// What the server adds itself, and what is another in each answer.
        const OWN: [&str; 4] = ["date", "content-length", "connection", "x-request-id"];
        let body = bench.path(&format!("{name}.body"));
        std::fs::write(&body, &answer.body)?;
        let address = free_address()?;
        let mut command = command(&program("yardstick"));
        command
            .args(["--listen", &address.to_string(), "--path", path])
            .arg("--body")
            .arg(&body);
        for (header, value) in &answer.headers {
            if !OWN.contains(&header.as_str()) {
                command.args(["--header", &format!("{header}:{value}")]);
            }
        }
        let mut process = Server::start(command, &bench.path(&format!("{name}.yardstick.log")))?;
        process.wait_until(&bench.interruption, || listens(address))?;
        Ok(Self {
            _process: process,
            address,
        })
    }
}
