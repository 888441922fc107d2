//! `wahana servers`

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde::Serialize;
use wahana_domain::{OrganizationId, ServerId, Timestamp};
use wahana_service::{
    Operator, Services,
    platform::{
        hooks::{self, GlobalHook},
        organizations,
        servers::{self, BaseUrl, NewServer, ServerAct, ServerChange, ServerCheck, ServerKey, ServerLoad},
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
        /// How many calls to it may be under way at a time, or none for the default of 64.
        #[arg(long, value_parser = limit, default_value = "none")]
        concurrency: Limit,
        /// How many calls to it may begin in a second, or none for as many as come.
        #[arg(long, value_parser = limit, default_value = "none")]
        requests_per_second: Limit,
        #[command(flatten)]
        key: Key,
    },
    /// List all WAHA servers: their state, whose they are, their load and limits.
    List,
    /// Find out whether a WAHA answers there and takes the key, and what it is.
    Check {
        /// Its name or id.
        server: String,
    },
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
        /// How many calls to it may be under way at a time, or none for the default of 64.
        #[arg(long, value_parser = limit)]
        concurrency: Option<Limit>,
        /// How many calls to it may begin in a second, or none for as many as come.
        #[arg(long, value_parser = limit)]
        requests_per_second: Option<Limit>,
        /// Ask for another key.
        #[arg(long, conflicts_with_all = ["key_stdin", "key_env"])]
        key_prompt: bool,
        #[command(flatten)]
        key: Key,
    },
    /// Start, repair and place nothing on a WAHA server until it is resumed. What runs goes on, and sends.
    Pause {
        /// Its name or id.
        server: String,
    },
    /// End a pause.
    Resume {
        /// Its name or id.
        server: String,
    },
    /// Place no new session on a WAHA server, so that it empties as sessions are deleted and moved.
    Drain {
        /// Its name or id.
        server: String,
    },
    /// Let new sessions come to a WAHA server again.
    Undrain {
        /// Its name or id.
        server: String,
    },
    /// Make a WAHA server an organization's own: its new sessions come to its own servers only, and nobody
    /// else's do. Sessions of others that are there stay.
    Bind {
        /// Its name or id.
        server: String,
        /// The organization, by name or id.
        #[arg(long)]
        organization: String,
    },
    /// Let all organizations share a WAHA server again, but for those that have their own.
    Unbind {
        /// Its name or id.
        server: String,
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
    concurrency: Option<i32>,
    requests_per_second: Option<i32>,
    organization_id: Option<OrganizationId>,
    /// The name of that organization.
    organization: Option<String>,
    paused_at: Option<Timestamp>,
    draining_at: Option<Timestamp>,
    last_snapshot_at: Option<Timestamp>,
    last_event_at: Option<Timestamp>,
}

impl ServerRow {
    /// In words what an operator wants of it.
    fn state(&self) -> String {
        let draining = match self.sessions {
            _ if self.draining_at.is_none() => None,
            0 => Some("drained".to_owned()),
            sessions => Some(format!("draining, {sessions} left")),
        };
        let paused = self.paused_at.map(|_| "paused".to_owned());
        let words: Vec<String> = paused.into_iter().chain(draining).collect();
        if words.is_empty() {
            "in use".to_owned()
        } else {
            words.join(", ")
        }
    }
}

impl Row for ServerRow {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "BASE URL",
        "STATE",
        "ORGANIZATION",
        "SESSIONS",
        "CAPACITY",
        "CONCURRENCY",
        "PER SECOND",
        "LAST SEEN",
        "LAST EVENT",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.base_url.clone(),
            self.state(),
            optional(self.organization.as_ref()),
            self.sessions.to_string(),
            optional(self.capacity),
            optional(self.concurrency),
            optional(self.requests_per_second),
            optional(self.last_snapshot_at),
            optional(self.last_event_at),
        ]
    }
}

#[derive(Serialize)]
struct CheckRow {
    server: String,
    answers: bool,
    key_is_accepted: Option<bool>,
    version: Option<String>,
    engine: Option<String>,
    tier: Option<String>,
    drawback: Option<&'static str>,
    problem: Option<&'static str>,
}

impl Row for CheckRow {
    const COLUMNS: &'static [&'static str] = &[
        "SERVER",
        "ANSWERS",
        "TAKES THE KEY",
        "VERSION",
        "ENGINE",
        "EDITION",
        "DRAWBACK",
        "PROBLEM",
    ];

    fn cells(&self) -> Vec<String> {
        let yes_or_no = |is_so: bool| if is_so { "yes" } else { "no" };
        vec![
            self.server.clone(),
            yes_or_no(self.answers).to_owned(),
            optional(self.key_is_accepted.map(yes_or_no)),
            optional(self.version.as_ref()),
            optional(self.engine.as_ref()),
            optional(self.tier.as_ref()),
            optional(self.drawback),
            optional(self.problem),
        ]
    }
}

impl CheckRow {
    fn of(server: String, check: ServerCheck) -> Self {
        let drawback = check.answer.as_ref().and_then(|answer| answer.drawback);
        let (version, engine, tier) = check.answer.map_or((None, None, None), |answer| {
            (Some(answer.version), Some(answer.engine), Some(answer.tier))
        });
        Self {
            server,
            answers: check.answers,
            key_is_accepted: check.key_is_accepted,
            version,
            engine,
            tier,
            drawback,
            problem: check.problem,
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

/// The row of a server, with the name of the organization whose own it is.
async fn row(services: &Services, load: ServerLoad) -> anyhow::Result<ServerRow> {
    let organization = match load.server.organization {
        Some(id) => Some(
            organizations::get(services, &Operator::CommandLine, id)
                .await?
                .name,
        ),
        None => None,
    };
    Ok(ServerRow {
        id: load.server.id,
        name: load.server.name,
        base_url: load.server.base_url,
        sessions: load.sessions,
        capacity: load.server.capacity,
        concurrency: load.server.concurrency,
        requests_per_second: load.server.requests_per_second,
        organization_id: load.server.organization,
        organization,
        paused_at: load.server.paused_at,
        draining_at: load.server.draining_at,
        last_snapshot_at: load.server.last_snapshot_at,
        last_event_at: load.server.last_event_at,
    })
}

pub(super) async fn run(command: Command, services: &Services, output: Output) -> anyhow::Result<()> {
    let operator = Operator::CommandLine;
    let find = async |named: &str| -> anyhow::Result<ServerLoad> {
        Ok(servers::find(services, &Operator::CommandLine, named).await?)
    };
    let act = async |named: &str, act: ServerAct| -> anyhow::Result<_> {
        let id = find(named).await?.server.id;
        Ok(servers::act(services, &Operator::CommandLine, id, act).await)
    };
    let changed = match command {
        Command::Add {
            name,
            base_url,
            capacity: Limit(capacity),
            concurrency: Limit(concurrency),
            requests_per_second: Limit(requests_per_second),
            key,
        } => {
            let new = NewServer {
                name: super::name(&name)?,
                base_url,
                key: key.get()?,
                capacity,
                concurrency,
                requests_per_second,
            };
            let added = servers::add(services, &operator, new).await;
            if let Ok(added) = &added
                && let Err(error) = servers::ask(services, &operator, added.server.id).await
            {
                warn(&format!(
                    "the server is added, but it cannot be used yet: {error} `wahana servers update` changes its \
                     address and its key"
                ));
            }
            added
        }
        Command::List => {
            let mut rows = Vec::new();
            for load in servers::list(services, &operator).await? {
                rows.push(row(services, load).await?);
            }
            return output.list(&rows);
        }
        Command::Check { server } => return check(services, find(&server).await?, output).await,
        Command::Update {
            server,
            name,
            base_url,
            capacity,
            concurrency,
            requests_per_second,
            key_prompt,
            key,
        } => {
            let number = |limit: Option<Limit>| limit.map(|Limit(number)| number);
            let change = ServerChange {
                name: name.as_deref().map(super::name).transpose()?,
                base_url,
                key: (key_prompt || key.is_given()).then(|| key.get()).transpose()?,
                capacity: number(capacity),
                concurrency: number(concurrency),
                requests_per_second: number(requests_per_second),
            };
            servers::update(services, &operator, find(&server).await?.server.id, change).await
        }
        Command::Pause { server } => act(&server, ServerAct::Pause).await?,
        Command::Resume { server } => act(&server, ServerAct::Resume).await?,
        Command::Drain { server } => act(&server, ServerAct::Drain).await?,
        Command::Undrain { server } => act(&server, ServerAct::Undrain).await?,
        Command::Bind { server, organization } => {
            let organization = organizations::find(services, &operator, &organization).await?.id;
            act(&server, ServerAct::Bind(organization)).await?
        }
        Command::Unbind { server } => act(&server, ServerAct::Unbind).await?,
        Command::Hook { server, rotate } => {
            let id = find(&server).await?.server.id;
            let hook = hooks::get(services, &operator, id, rotate)
                .await
                .map_err(super::refused)?;
            return print_environment(&hook, output);
        }
        Command::Remove { server } => {
            servers::remove(services, &operator, find(&server).await?.server.id).await?;
            return output.done("The WAHA server is removed.");
        }
    };
    output.one(&row(services, changed.map_err(super::refused)?).await?)
}

/// Shows how a server stands; fails if it does not work.
async fn check(services: &Services, load: ServerLoad, output: Output) -> anyhow::Result<()> {
    let check = servers::check(services, &Operator::CommandLine, load.server.id).await?;
    let problem = check.problem;
    output.one(&CheckRow::of(load.server.name, check))?;
    match problem {
        Some(problem) => anyhow::bail!("{problem}"),
        None => Ok(()),
    }
}
