//! `wahana serve`

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::MissedTickBehavior,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wahana_api::{ApiSettings, ApiState, Metrics, metrics_router, router};

use crate::{
    config::{Overrides, Settings},
    http_server, telemetry,
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Where to listen, over `listen` of the configuration.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// wahana's address as people see it, over `public_url` of the configuration.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

impl Arguments {
    pub(super) fn overrides(self) -> Overrides {
        let given = [("listen", self.listen), ("public_url", self.public_url)];
        given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

/// How often the use of tokens is written down.
const TOKEN_USES_INTERVAL: Duration = Duration::from_mins(1);
/// How often what was measured is folded into buckets: until then each request is a number in memory, and
/// thousands of requests a second are megabytes a minute.
const METRICS_INTERVAL: Duration = Duration::from_secs(5);

pub(super) async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::start(&settings.log)?;
    let mut signals = StopSignals::watch()?;
    let services = super::open(&settings).await?;
    super::require_readable_secrets(&services).await?;
    let metrics = Metrics::install(settings.metrics.is_public)?;
    let listener = listen("listen", settings.network.listen).await?;
    let metrics_listener = match settings.metrics.listen {
        Some(address) => Some(listen("metrics.listen", address).await?),
        None => None,
    };
    let state = ApiState::new(
        services,
        ApiSettings {
            public_url: settings.network.public_url.clone(),
            trusted_proxies: settings.network.trusted_proxies.clone(),
            cors_origins: settings.network.cors_origins.clone(),
            body_limit: settings.limits.body_bytes,
            media_limit: settings.limits.media_bytes,
            metrics: Some(metrics.clone()),
        },
    );
    announce(&settings, &listener, metrics_listener.as_ref())?;

    // New requests stop first; then what runs beside them, when the last request has ended.
    let (stop, stop_upkeep) = (CancellationToken::new(), CancellationToken::new());
    let requests = TaskTracker::new();
    let serve = |listener, router| {
        let (stop, requests) = (stop.clone(), requests.clone());
        tokio::spawn(http_server::serve(
            listener,
            router,
            settings.limits,
            stop,
            requests,
        ))
    };
    let serving = serve(listener, router(state.clone()));
    let serving_metrics = metrics_listener.map(|listener| serve(listener, metrics_router(metrics.clone())));
    let upkeep = tokio::spawn(upkeep(state.clone(), metrics, stop_upkeep.clone()));

    let signal = signals.next().await;
    tracing::info!(
        signal,
        requests.wait_s = settings.limits.shutdown_timeout.as_secs(),
        "wahana stops: it takes no new requests and ends the running ones"
    );
    stop.cancel();
    serving.await.context("serving ended early")?;
    if let Some(serving) = serving_metrics {
        serving.await.context("serving metrics ended early")?;
    }
    requests.close();
    // What was begun for a caller who hung up meanwhile is ended, too.
    let ended = async {
        requests.wait().await;
        state.services().drain().await;
    };
    tokio::select! {
        () = ended => {}
        () = tokio::time::sleep(settings.limits.shutdown_timeout) => {
            tracing::warn!(connections = requests.len(), "requests that did not end in time are cut off");
        }
        signal = signals.next() => {
            tracing::warn!(signal, connections = requests.len(), "told to stop again: requests are cut off");
        }
    }
    stop_upkeep.cancel();
    upkeep.await.context("the upkeep ended early")?;
    let written = state.services().write_token_uses().await;
    state.services().close().await?;
    written.context("when tokens were last used could not be written")?;
    tracing::info!("wahana has stopped");
    Ok(())
}

async fn listen(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("wahana cannot listen on {address} ({setting})"))
}

/// Says in words what runs where.
fn announce(
    settings: &Settings,
    listener: &TcpListener,
    metrics_listener: Option<&TcpListener>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let database = if settings.database.is_sqlite()? {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(
        "wahana {version} listens on http://{address} and is {} to people; its database is {database}",
        settings.network.public_url
    );
    let public_port = settings.network.public_url.port_or_known_default();
    if !settings.network.is_public_url_given && public_port != Some(address.port()) {
        tracing::warn!(
            "public_url is not set and is taken to be {}, which is another port than wahana listens on: links lead \
             there, and browsers cannot sign in; set public_url (or --public-url) to the address that people use",
            settings.network.public_url
        );
    }
    if let Some(listener) = metrics_listener {
        tracing::info!("metrics are at http://{}/metrics", listener.local_addr()?);
    }
    Ok(())
}

async fn upkeep(state: ApiState, metrics: Metrics, stop: CancellationToken) {
    let every = |period| {
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    };
    let (mut token_uses, mut measurements) = (every(TOKEN_USES_INTERVAL), every(METRICS_INTERVAL));
    loop {
        tokio::select! {
            _ = measurements.tick() => metrics.upkeep(),
            _ = token_uses.tick() => {
                if let Err(error) = state.services().write_token_uses().await {
                    tracing::error!(error = %error, "when tokens were last used could not be written");
                }
            }
            () = stop.cancelled() => return,
        }
    }
}

/// Watches for being told to stop.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn watch() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?,
            interrupt: signal(SignalKind::interrupt()).context("SIGINT cannot be watched")?,
        })
    }

    /// Waits until the process is told to stop, and says how.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
