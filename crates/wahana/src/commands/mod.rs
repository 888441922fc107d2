//! The commands. Each has a module.

mod configuration;
mod demo;
mod doctor;
mod expiry;
mod jobs;
mod keys;
mod migrate;
mod organizations;
mod platform_tokens;
mod serve;
mod servers;
mod sessions;
mod tokens;
mod users;

use std::{future::Future, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use waha_client::HttpOptions;
use wahana_domain::{SystemClock, Text};
use wahana_service::{
    Operator, ServiceError, ServiceSettings, Services, connections_to_waha, limits::LimitSettings, platform,
};
use wahana_store::Store;

use crate::{
    config::{Given, Overrides, Settings},
    output::{Output, print},
};

/// The organization layer for WAHA: each organization has a WAHA of its own.
#[derive(Debug, Parser)]
#[command(name = "wahana", version, about)]
pub(crate) struct Arguments {
    /// The configuration file [default: wahana.toml in the working directory, if there is one].
    #[arg(long, global = true, env = "WAHANA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer in JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API.
    Serve(serve::Arguments),
    /// Show everything at work: SQLite, a simulated WAHA, two organizations with sessions and traffic.
    Demo(demo::Arguments),
    /// Bring the database to the schema of this release.
    Migrate,
    /// Say what is wrong with the configuration, the keys or the database.
    Doctor,
    /// Show the configuration that is in effect, without secrets.
    Config,
    /// The keys that encrypt secrets at rest.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Print the API's description (OpenAPI 3.1).
    Openapi,
    /// Organizations.
    #[command(subcommand)]
    Organizations(organizations::Command),
    /// People.
    #[command(subcommand)]
    Users(users::Command),
    /// Access tokens of organizations.
    #[command(subcommand)]
    Tokens(tokens::Command),
    /// WAHA servers.
    #[command(subcommand)]
    Servers(servers::Command),
    /// Background work.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Sessions that were on WAHA servers before wahana was.
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Tokens of platform administrators.
    #[command(subcommand)]
    PlatformTokens(platform_tokens::Command),
}

/// Runs a command; errors are one sentence for the person who started it.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // Two providers panic at first use, so one is chosen here, before anything speaks TLS.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("the TLS provider was chosen twice, which is a defect of wahana");
    }
    let output = Output {
        is_json: arguments.json,
    };
    let gather = |overrides: Overrides| Given::gather(arguments.config.as_deref(), overrides);
    let settings = || Ok::<_, anyhow::Error>(gather(Vec::new())?.check()?);
    match arguments.command {
        Command::Openapi => print(&(wahana_api::openapi().to_pretty_json()? + "\n"))?,
        Command::Config => configuration::run(&gather(Vec::new())?, output)?,
        Command::Doctor => return block_on(doctor::run(&gather(Vec::new())?, output))?,
        Command::Serve(arguments) => {
            let settings = gather(arguments.overrides())?.check()?;
            block_on(serve::run(settings))??;
        }
        Command::Demo(arguments) => block_on(demo::run(arguments))??,
        Command::Migrate => block_on(migrate::run(&settings()?, output))??,
        Command::Keys(command) => keys::run(command, &settings()?, output)?,
        Command::Organizations(command) => with_services(&settings()?, async |services| {
            organizations::run(command, services, output).await
        })?,
        Command::Users(command) => with_services(&settings()?, async |services| {
            users::run(command, services, output).await
        })?,
        Command::Tokens(command) => with_services(&settings()?, async |services| {
            tokens::run(command, services, output).await
        })?,
        Command::Servers(command) => with_services(&settings()?, async |services| {
            servers::run(command, services, output).await
        })?,
        Command::Jobs(command) => with_services(&settings()?, async |services| {
            jobs::run(command, services, output).await
        })?,
        Command::Sessions(command) => with_services(&settings()?, async |services| {
            sessions::run(command, services, output).await
        })?,
        Command::PlatformTokens(command) => with_services(&settings()?, async |services| {
            platform_tokens::run(command, services, output).await
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command on the database itself; a running server follows within five seconds.
fn with_services(
    settings: &Settings,
    command: impl AsyncFnOnce(&Services) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    block_on(async {
        let services = open(settings).await?;
        let done = command(&services).await;
        services.close().await?;
        done
    })?
}

fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Runtime::new().context("the program's threads cannot be started")?;
    Ok(runtime.block_on(future))
}

/// Opens the database with the keys.
async fn open(settings: &Settings) -> anyhow::Result<Services> {
    let keys = settings.keys.load()?;
    let store = Store::open(&settings.database, keys, Arc::new(SystemClock)).await?;
    services(store, settings)
}

/// The services over an open database.
fn services(store: Store, settings: &Settings) -> anyhow::Result<Services> {
    let http = connections_to_waha(&HttpOptions::default())?;
    let settings = ServiceSettings {
        hook_url: settings.network.hook_url.clone(),
        sync_max_age: settings.sync.max_age,
        sync_wait: settings.sync.wait,
        waha_timeouts: settings.waha.timeouts(),
        media_allow: settings.media.allow.clone(),
        media: settings.media.settings(),
        webhook_allow: settings.webhooks.allow.clone(),
        retention: settings.retention,
        event_streams: settings.limits.event_streams,
        limits: LimitSettings {
            defaults: settings.rates,
            redis: settings.redis.settings.clone(),
        },
        ..ServiceSettings::at(settings.network.public_url.clone())
    };
    Ok(Services::new(store, http, settings))
}

/// Makes sure that the key ring opens the secrets in the database: with another ring every call to WAHA would
/// fail, each as a defect.
async fn require_readable_secrets(services: &Services) -> anyhow::Result<()> {
    platform::servers::list(services, &Operator::CommandLine)
        .await
        .map(drop)
        .context(
            "the keys of the WAHA servers in the database cannot be read; bring back the key ring with which the \
             servers were added (keys.file, or WAHANA_KEYS__RING)",
        )
}

/// How many of a list are read at a time.
const PAGE: u64 = 500;

/// The whole of a list that is read by offset and limit, and says how long it is.
async fn all<T, R: From<T>>(
    page: impl AsyncFn(u64, u64) -> Result<(Vec<T>, u64), ServiceError>,
) -> anyhow::Result<Vec<R>> {
    let mut rows: Vec<R> = Vec::new();
    loop {
        let offset = u64::try_from(rows.len())?;
        let (found, total) = page(offset, PAGE).await?;
        let is_last = found.is_empty() || offset + PAGE >= total;
        rows.extend(found.into_iter().map(R::from));
        if is_last {
            return Ok(rows);
        }
    }
}

/// A name that somebody gives to something.
fn name(text: &str) -> anyhow::Result<String> {
    let name = Text::<100>::parse(text).map_err(|error| anyhow::anyhow!("--name {error}"))?;
    Ok(name.into_string())
}

/// A refusal in one sentence, with what is wrong with which argument.
fn refused(error: ServiceError) -> anyhow::Error {
    let ServiceError::Invalid(fields) = &error else {
        return error.into();
    };
    let faults: Vec<String> = fields
        .by_field()
        .iter()
        .map(|(field, faults)| format!("{field} {}", faults.join(" and ")))
        .collect();
    anyhow::anyhow!("nothing was done: {}", faults.join("; "))
}
