//! A PostgreSQL server for one run of the tests.

use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::interruption::{self, Interruption};

/// Where Debian keeps the server's programs, in a folder for each major version; they are not on the PATH.
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";

/// PostgreSQL refuses to run as root. Debian's package makes this user for it.
const SERVER_USER: &str = "postgres";

const LONGEST_START: Duration = Duration::from_mins(1);

/// Somebody else may take the free port before the server does.
const ATTEMPTS: usize = 3;

/// Nothing of it outlives the run, so nothing needs to survive a crash of the machine.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
];

/// A running server with everything it keeps in a temporary folder. Dropping it stops and removes it.
pub(crate) struct Postgres {
    url: String,
    server: Child,
    /// Removed after the server was stopped.
    _folder: TempDir,
}

impl Postgres {
    /// Starts a server on a free port of the loopback interface and waits until it answers.
    pub(crate) fn start(interruption: &Interruption) -> anyhow::Result<Self> {
        let programs = program_folder()?;
        let folder = tempfile::Builder::new()
            .prefix("wahana-test-postgres-")
            .tempdir()?;
        let password = random_password()?;
        initialize(&programs, folder.path(), &password).context("cannot set up a PostgreSQL server")?;

        let mut attempt = 1;
        let (server, port) = loop {
            match start_once(&programs, folder.path(), interruption) {
                Ok(started) => break started,
                Err(StartError::Exited(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(StartError::Exited(log)) => bail!("PostgreSQL does not start:\n{log}"),
                Err(StartError::Other(error)) => return Err(error.context("cannot start PostgreSQL")),
            }
        };
        let url = format!("postgres://{SERVER_USER}:{password}@127.0.0.1:{port}/postgres");
        Ok(Self {
            url,
            server,
            _folder: folder,
        })
    }

    /// The superuser's address of the server.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Without keeping anything.
        interruption::end(&mut self.server, Signal::QUIT);
    }
}

/// The folder of the server's programs: Debian's newest version, else whatever the PATH has.
pub(crate) fn program_folder() -> anyhow::Result<PathBuf> {
    let search_path = env::var_os("PATH").unwrap_or_default();
    newest_version(Path::new(DEBIAN_VERSIONS))
        .into_iter()
        .chain(env::split_paths(&search_path))
        .find(|folder| {
            ["initdb", "postgres", "pg_isready"]
                .iter()
                .all(|program| folder.join(program).is_file())
        })
        .context("PostgreSQL's server programs are not there")
}

fn newest_version(versions: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(versions).ok()?;
    let numbered = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let programs = path.join("bin");
        programs.join("postgres").is_file().then_some((version, programs))
    });
    numbered
        .max_by_key(|(version, _)| *version)
        .map(|(_, programs)| programs)
}

fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("no random numbers")?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn initialize(programs: &Path, folder: &Path, password: &str) -> anyhow::Result<()> {
    let password_file = folder.join("password");
    fs::write(&password_file, password)?;
    if rustix::process::geteuid().is_root() {
        let (user, group) = (server_id("--user")?, server_id("--group")?);
        for path in [folder, &password_file] {
            chown(path, Some(user), Some(group))?;
        }
    }
    let output = as_server_user(&programs.join("initdb"))
        .arg("--pgdata")
        .arg(folder.join("data"))
        .arg("--pwfile")
        .arg(&password_file)
        // The password keeps other users of the machine out. It goes over the loopback interface in
        // clear text, because the usual exchange costs an unoptimized client a tenth of a second.
        .args(["--username", SERVER_USER, "--auth", "password"])
        .args([
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()?;
    ensure!(
        output.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

enum StartError {
    /// The server ended by itself; this is what it wrote.
    Exited(String),
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for StartError {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

fn start_once(
    programs: &Path,
    folder: &Path,
    interruption: &Interruption,
) -> Result<(Child, u16), StartError> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let log_path = folder.join("server.log");
    let log = File::create(&log_path)?;
    let mut server = as_server_user(&programs.join("postgres"));
    server
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        .arg("-p")
        .arg(port.to_string());
    for setting in SETTINGS {
        server.args(["-c", setting]);
    }
    server
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    // In a group of its own, Ctrl-C does not end it before the tests that use it.
    let mut server = server.process_group(0).spawn()?;

    let start = Instant::now();
    loop {
        if server.try_wait()?.is_some() {
            return Err(StartError::Exited(fs::read_to_string(&log_path)?));
        }
        let mut question = Command::new(programs.join("pg_isready"));
        question.args(["--quiet", "--host", "127.0.0.1", "--port", &port.to_string()]);
        if question.status()?.success() {
            return Ok((server, port));
        }
        let outcome = interruption.pause();
        if outcome.is_err() || start.elapsed() > LONGEST_START {
            interruption::end(&mut server, Signal::QUIT);
            outcome?;
            return Err(anyhow!("no answer: {}", fs::read_to_string(&log_path)?).into());
        }
    }
}

/// A command that root gives to the server's user. On Linux the server also ends when this program is
/// killed in a way that it cannot notice.
fn as_server_user(program: &Path) -> Command {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root && !cfg!(target_os = "linux") {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root {
        command.args(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups"]);
    }
    command.arg("--").arg(program);
    command
}

fn server_id(kind: &str) -> anyhow::Result<u32> {
    let output = Command::new("id")
        .args([kind, SERVER_USER])
        .output()
        .context("cannot start id")?;
    ensure!(
        output.status.success(),
        "PostgreSQL refuses to run as root, and there is no user `{SERVER_USER}`; make one, or run the \
         tests as another user"
    );
    String::from_utf8(output.stdout)?
        .trim()
        .parse()
        .context("id printed no number")
}
