//! `wahana servers`

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde::Serialize;
use wahana_domain::{ServerId, Timestamp};
use wahana_service::{
    Operator, Services,
    platform::{
        hooks::{self, GlobalHook},
        servers::{self, BaseUrl, NewServer, ServerChange, ServerKey, ServerLoad},
    },
};

use super::organizations::{Limit, limit};
use crate::{
    output::{Output, Row, optional, print, warn},
    prompt::Secret,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a WAHA server. Its key is asked for.
    Add {
        /// What to call it.
        #[arg(long)]
        name: String,
        /// Where it is: a scheme, a host and perhaps a port, such as `http://127.0.0.1:3000`.
        #[arg(long, value_parser = base_url)]
        base_url: BaseUrl,
        /// How many sessions it may hold, or none for as many as come.
        #[arg(long, value_parser = limit, default_value = "none")]
        capacity: Limit,
        #[command(flatten)]
        key: Key,
    },
    /// List all WAHA servers and their load.
    List,
    /// Change a WAHA server.
    Update {
        /// Its name or id.
        server: String,
        /// What to call it from now on.
        #[arg(long)]
        name: Option<String>,
        /// Where it is from now on; it must be the same WAHA.
        #[arg(long, value_parser = base_url)]
        base_url: Option<BaseUrl>,
        /// How many sessions it may hold, or none for as many as come.
        #[arg(long, value_parser = limit)]
        capacity: Option<Limit>,
        /// Ask for another key.
        #[arg(long, conflicts_with_all = ["key_stdin", "key_env"])]
        key_prompt: bool,
        #[command(flatten)]
        key: Key,
    },
    /// Print the lines for a WAHA server's environment with which it sends the events of all its sessions
    /// to wahana. They hold a secret.
    Hook {
        /// Its name or id.
        server: String,
        /// Have a new key from now on, and new ones for its sessions, which each gets at its next start. The
        /// keys before stay valid.
        #[arg(long)]
        rotate: bool,
    },
    /// Take a WAHA server off the list; refused while living sessions are on it.
    Remove {
        /// Its name or id.
        server: String,
    },
}

/// Where the key comes from. Never an argument: everybody on the machine can see those.
#[derive(Args, Debug)]
pub(crate) struct Key {
    /// Read the key from standard input.
    #[arg(long)]
    key_stdin: bool,
    /// Read the key from this environment variable.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "key_stdin")]
    key_env: Option<String>,
}

impl Key {
    fn get(&self) -> anyhow::Result<ServerKey> {
        let secret = match &self.key_env {
            _ if self.key_stdin => Secret::Stdin,
            Some(name) => Secret::Environment(name),
            None => Secret::Prompt { is_new: false },
        };
        let text = secret.get("key of the WAHA server", "give it with --key-stdin or --key-env")?;
        ServerKey::parse(text.expose_secret()).map_err(|error| anyhow::anyhow!("the key {error}"))
    }

    fn is_given(&self) -> bool {
        self.key_stdin || self.key_env.is_some()
    }
}

fn base_url(text: &str) -> Result<BaseUrl, String> {
    BaseUrl::parse(text).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct ServerRow {
    id: ServerId,
    name: String,
    base_url: String,
    sessions: i64,
    capacity: Option<i32>,
    last_snapshot_at: Option<Timestamp>,
}

impl Row for ServerRow {
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "BASE URL", "SESSIONS", "CAPACITY", "LAST SEEN"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.base_url.clone(),
            self.sessions.to_string(),
            optional(self.capacity),
            optional(self.last_snapshot_at),
        ]
    }
}

impl From<ServerLoad> for ServerRow {
    fn from(load: ServerLoad) -> Self {
        Self {
            id: load.server.id,
            name: load.server.name,
            base_url: load.server.base_url,
            sessions: load.sessions,
            capacity: load.server.capacity,
            last_snapshot_at: load.server.last_snapshot_at,
        }
    }
}

/// Prints the variables as a file of them is written; none of the values needs quotes.
fn print_environment(hook: &GlobalHook, output: Output) -> anyhow::Result<()> {
    let variables = hook.environment();
    if output.is_json {
        let object: serde_json::Map<String, serde_json::Value> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.expose_secret().into()))
            .collect();
        return print(&format!("{}\n", serde_json::to_string_pretty(&object)?));
    }
    let lines = variables
        .iter()
        .map(|(name, value)| format!("{name}={}\n", value.expose_secret()));
    print(&lines.collect::<String>())
}

pub(super) async fn run(command: Command, services: &Services, output: Output) -> anyhow::Result<()> {
    let operator = Operator::CommandLine;
    match command {
        Command::Add {
            name,
            base_url,
            capacity: Limit(capacity),
            key,
        } => {
            let new = NewServer {
                name: super::name(&name)?,
                base_url,
                key: key.get()?,
                capacity,
            };
            let added = servers::add(services, &operator, new)
                .await
                .map_err(super::refused)?;
            if let Err(error) = servers::ask(services, &operator, added.server.id).await {
                warn(&format!(
                    "the server is added, but it cannot be used yet: {error} `wahana servers update` changes its \
                     address and its key"
                ));
            }
            output.one(&ServerRow::from(added))
        }
        Command::List => {
            let found = servers::list(services, &Operator::CommandLine).await?;
            let rows: Vec<ServerRow> = found.into_iter().map(ServerRow::from).collect();
            output.list(&rows)
        }
        Command::Update {
            server,
            name,
            base_url,
            capacity,
            key_prompt,
            key,
        } => {
            let id = servers::find(services, &Operator::CommandLine, &server)
                .await?
                .server
                .id;
            let change = ServerChange {
                name: name.as_deref().map(super::name).transpose()?,
                base_url,
                key: (key_prompt || key.is_given()).then(|| key.get()).transpose()?,
                capacity: capacity.map(|Limit(capacity)| capacity),
            };
            let updated = servers::update(services, &operator, id, change)
                .await
                .map_err(super::refused)?;
            output.one(&ServerRow::from(updated))
        }
        Command::Hook { server, rotate } => {
            let id = servers::find(services, &operator, &server).await?.server.id;
            let hook = hooks::get(services, &operator, id, rotate)
                .await
                .map_err(super::refused)?;
            print_environment(&hook, output)
        }
        Command::Remove { server } => {
            let id = servers::find(services, &Operator::CommandLine, &server)
                .await?
                .server
                .id;
            servers::remove(services, &operator, id).await?;
            output.done("The WAHA server is removed.")
        }
    }
}
