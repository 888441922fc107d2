//! The program `waha-sim`: a WAHA without a phone, on a port.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use clap::Parser;
use tracing_subscriber::EnvFilter;
use waha_sim::{Engine, GlobalHook, NOTICE, SessionSeed, WahaSim};

/// A simulator of WAHA (WhatsApp HTTP API), for demonstrations and tests. It has no phone, and nothing that goes through it
/// reaches WhatsApp.
#[derive(Debug, Parser)]
#[command(name = "waha-sim", version)]
struct Arguments {
    /// Where WAHA's API listens.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,

    /// Where the control API listens, which has no password. Left out, there is none.
    #[arg(long)]
    control: Option<SocketAddr>,

    /// The environment variable that holds the API key. Left out, everybody may call.
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,

    /// The engine whose answers are given.
    #[arg(long, value_enum, default_value_t = Engine::Noweb)]
    engine: Engine,

    /// The WAHA release to be.
    #[arg(long, default_value = "2026.7.1")]
    waha_version: String,

    /// The factor on all of WAHA's own times: 1 is WAHA's speed, 0.1 ten times faster.
    #[arg(long, default_value_t = 1.0)]
    time_scale: f64,

    /// Sessions pair by themselves this long after their first QR code, such as 5s, 500ms or 1m. Left out, they wait
    /// for the control API.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    auto_pair_after: Option<Duration>,

    /// How many contacts each phone has.
    #[arg(long, default_value_t = 3)]
    contacts: u32,

    /// Messages that generated contacts write to working sessions, per minute.
    #[arg(long, default_value_t = 0.0)]
    traffic: f64,

    /// The seed of everything generated.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// What the addresses of files begin with, if clients reach the simulator by another address than it listens on.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    /// WAHA's server-wide webhook: where the events of all sessions go.
    #[arg(long, value_name = "URL")]
    hook_url: Option<String>,

    /// The events the server-wide webhook gets.
    #[arg(long, value_name = "EVENTS", value_delimiter = ',', default_value = "*")]
    hook_events: Vec<String>,

    /// The environment variable that holds the key which signs the server-wide webhook.
    #[arg(long, value_name = "NAME", requires = "hook_url")]
    hook_hmac_key_env: Option<String>,

    /// A session that works from the start; may be repeated.
    #[arg(long = "session", value_name = "NAME")]
    sessions: Vec<String>,
}

/// `5s`, `500ms`, `1m`: a whole number and its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_invalid| "a time begins with a whole number, as in 5s".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err("a time ends with its unit: ms, s or m".to_owned()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).init();

    let mut builder = WahaSim::builder()
        .listen(arguments.listen)
        .engine(arguments.engine)
        .version(&arguments.waha_version)
        .time_scale(arguments.time_scale)
        .auto_pair_after(arguments.auto_pair_after)
        .contacts_per_session(arguments.contacts)
        .seed(arguments.seed);
    if let Some(name) = &arguments.api_key_env {
        builder = builder.api_key(secret(name)?);
    }
    if let Some(hook) = global_hook(&arguments)? {
        builder = builder.global_hook(hook);
    }
    if let Some(control) = arguments.control {
        builder = builder.control(control);
    }
    if let Some(url) = &arguments.base_url {
        builder = builder.public_base_url(url);
    }
    let waha = builder.start().await?;
    for session in &arguments.sessions {
        waha.add_session(SessionSeed::new(session));
    }
    waha.set_traffic(arguments.traffic);

    tracing::info!("{NOTICE}");
    tracing::info!(
        url = waha.base_url(),
        control = waha.control_address().map(|address| format!("http://{address}")),
        version = arguments.waha_version,
        engine = arguments.engine.name(),
        time_scale = arguments.time_scale,
        "waha-sim listens"
    );
    if arguments.api_key_env.is_none() {
        tracing::warn!("no --api-key-env was given: everybody who reaches the port may call");
    }
    stop_signal().await?;
    tracing::info!("waha-sim ends");
    waha.shutdown();
    Ok(())
}

/// Reads a secret from the environment, never from the command line, where other users could see it.
fn secret(name: &str) -> anyhow::Result<String> {
    let value =
        std::env::var(name).with_context(|| format!("the environment variable {name} cannot be read"))?;
    if value.is_empty() {
        bail!("the environment variable {name} is empty; put the secret into it");
    }
    Ok(value)
}

fn global_hook(arguments: &Arguments) -> anyhow::Result<Option<GlobalHook>> {
    let Some(url) = &arguments.hook_url else {
        return Ok(None);
    };
    let events: Vec<&str> = arguments.hook_events.iter().map(String::as_str).collect();
    let mut hook = GlobalHook::new(url, &events);
    let unknown = hook.unknown_events();
    if !unknown.is_empty() {
        bail!("WAHA has no events of the name {}", unknown.join(", "));
    }
    if let Some(name) = &arguments.hook_hmac_key_env {
        hook = hook.hmac_key(secret(name)?);
    }
    Ok(Some(hook))
}

/// Waits for the terminal's interrupt or the system's wish to end.
async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("the signal to end cannot be listened for")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("the interrupt cannot be listened for"),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        for wrong in ["", "5", "s", "-5s", "5h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
