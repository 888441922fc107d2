//! `wahana serve`

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wahana_api::{ApiSettings, ApiState, Metrics, metrics_router, router};
use wahana_service::{Services, processes};

use crate::{
    background,
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
    /// What this process does (api, worker or all), over `role` of the configuration.
    #[arg(long)]
    role: Option<String>,
}

impl Arguments {
    pub(super) fn overrides(self) -> Overrides {
        let given = [
            ("listen", self.listen),
            ("public_url", self.public_url),
            ("role", self.role),
        ];
        given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

pub(super) async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::start(&settings.log)?;
    let mut signals = StopSignals::watch()?;
    let services = super::open(&settings).await?;
    super::require_readable_secrets(&services).await?;
    let metrics = Metrics::install(settings.metrics.is_public)?;
    let listener = if settings.role.serves_requests() {
        Some(listen("listen", settings.network.listen).await?)
    } else {
        None
    };
    let metrics_listener = match settings.metrics.listen {
        Some(address) => Some(listen("metrics.listen", address).await?),
        None => None,
    };
    announce(&settings, listener.as_ref(), metrics_listener.as_ref())?;

    let stop = CancellationToken::new();
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
    let api = listener.map(|listener| serve(listener, router(state(&services, &settings, &metrics))));
    let counts = metrics_listener.map(|listener| serve(listener, metrics_router(metrics.clone())));
    let background = background::start(&services, &metrics, settings.role, settings.reconcile.0);

    let signal = signals.next().await;
    tracing::info!(
        signal,
        requests.wait_s = settings.limits.shutdown_timeout.as_secs(),
        "wahana stops: it takes no new requests and no new work, and ends the running ones"
    );
    stop.cancel();
    services.end_streams();
    for serving in [api, counts].into_iter().flatten() {
        serving.await.context("serving ended early")?;
    }
    requests.close();
    // What was begun for a caller who hung up meanwhile is ended, too, and what wahana began by itself.
    let ended = async {
        tokio::join!(requests.wait(), background.stop());
        services.drain().await;
    };
    tokio::select! {
        () = ended => {}
        () = tokio::time::sleep(settings.limits.shutdown_timeout) => {
            tracing::warn!(connections = requests.len(), "what did not end in time is cut off");
        }
        signal = signals.next() => {
            tracing::warn!(signal, connections = requests.len(), "told to stop again: what runs is cut off");
        }
    }
    let written = services.write_token_uses().await;
    let retired = processes::retire(&services).await;
    services.close().await?;
    written.context("when tokens were last used could not be written")?;
    retired.context("the process could not be taken off the list")?;
    tracing::info!("wahana has stopped");
    Ok(())
}

fn state(services: &Services, settings: &Settings, metrics: &Metrics) -> ApiState {
    ApiState::new(
        services.clone(),
        ApiSettings {
            public_url: settings.network.public_url.clone(),
            trusted_proxies: settings.network.trusted_proxies.clone(),
            cors_origins: settings.network.cors_origins.clone(),
            body_limit: settings.limits.body_bytes,
            event_limit: settings.limits.event_bytes,
            media_limit: settings.limits.media_bytes,
            uploads: settings.limits.uploads,
            metrics: Some(metrics.clone()),
        },
    )
}

async fn listen(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("wahana cannot listen on {address} ({setting})"))
}

/// Says in words what runs where.
fn announce(
    settings: &Settings,
    listener: Option<&TcpListener>,
    metrics_listener: Option<&TcpListener>,
) -> anyhow::Result<()> {
    let database = if settings.database.is_sqlite()? {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    let version = env!("CARGO_PKG_VERSION");
    if let Some(listener) = listener {
        let address = listener.local_addr()?;
        tracing::info!(
            "wahana {version} listens on http://{address} and is {} to people; its database is {database}",
            settings.network.public_url
        );
        let public_port = settings.network.public_url.port_or_known_default();
        if !settings.network.is_public_url_given && public_port != Some(address.port()) {
            tracing::warn!(
                "public_url is not set and is taken to be {}, which is another port than wahana listens on: links \
                 lead there, and browsers cannot sign in; set public_url (or --public-url) to the address that \
                 people use",
                settings.network.public_url
            );
        }
    } else {
        tracing::info!(
            "wahana {version} does background work and takes no requests; its database is {database}"
        );
    }
    if !settings.role.works() {
        tracing::info!("this process does no background work: another must, with the role worker or all");
    }
    if let Some(listener) = metrics_listener {
        tracing::info!("metrics are at http://{}/metrics", listener.local_addr()?);
    }
    Ok(())
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
