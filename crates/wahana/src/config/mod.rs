//! The configuration: a file, the environment and the command line, the later over the earlier.

mod database;
mod keys;
mod limits;
mod log;
mod media;
mod metrics;
mod network;
mod rates;
mod reader;
mod reconcile;
mod redis;
mod retention;
mod role;
mod setting;
mod sync;
mod waha;
mod webhooks;

use std::path::{Path, PathBuf};

use anyhow::bail;
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::Serialize;
use wahana_domain::ProcessRole;
use wahana_service::{jobs::RetentionSettings, limits::LimitDefaults};
use wahana_store::DatabaseSettings;

use self::reader::Reader;
pub(crate) use self::{
    keys::{
        Keys, create_file as create_key_file, prune_file as prune_key_file, rotate_file as rotate_key_file,
    },
    limits::Limits,
    log::{Log, LogFormat},
    media::Media,
    metrics::MetricsSettings,
    network::Network,
    reader::Faults,
    reconcile::Reconcile,
    redis::Redis,
    sync::Sync,
    waha::Waha,
    webhooks::Webhooks,
};

/// The file that is read without being named, if there is one.
const DEFAULT_FILE: &str = "wahana.toml";
/// Names of settings in the environment begin with this.
const PREFIX: &str = "WAHANA_";

/// Variables that begin like settings and are none: which file to read, and where clients find wahana, which
/// is what the demo's file calls it. That file may be in the environment of any command.
const NO_SETTINGS: [&str; 2] = ["config", "url"];

/// Every setting, checked.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) network: Network,
    pub(crate) role: ProcessRole,
    pub(crate) database: DatabaseSettings,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) media: Media,
    pub(crate) metrics: MetricsSettings,
    pub(crate) rates: LimitDefaults,
    pub(crate) redis: Redis,
    pub(crate) retention: RetentionSettings,
    pub(crate) reconcile: Reconcile,
    pub(crate) sync: Sync,
    pub(crate) waha: Waha,
    pub(crate) webhooks: Webhooks,
}

/// What the command line says over file and environment: names of settings and their values.
pub(crate) type Overrides = Vec<(&'static str, String)>;

/// A setting as it is in effect, for people.
#[derive(Serialize)]
pub(crate) struct Effective {
    pub(crate) name: &'static str,
    /// Without what may be secret.
    pub(crate) value: String,
    pub(crate) source: String,
}

/// What was given, before it is checked.
#[derive(Clone, Debug)]
pub(crate) struct Given(Figment);

impl Given {
    /// Gathers what is given. A file that was named must exist; `wahana.toml` in the working
    /// directory need not.
    pub(crate) fn gather(file: Option<&Path>, overrides: Overrides) -> anyhow::Result<Self> {
        let mut figment = Figment::new();
        if let Some(path) = existing(file)? {
            figment = figment.merge(Toml::file_exact(path));
        }
        figment = figment.merge(Env::prefixed(PREFIX).ignore(&NO_SETTINGS).split("__"));
        for (name, value) in overrides {
            figment = figment.merge(Serialized::default(name, value));
        }
        Ok(Self(figment))
    }

    /// What a file says and nothing else.
    pub(crate) fn file_alone(file: &Path) -> Self {
        Self(Figment::from(Toml::file_exact(file)))
    }

    /// Checks every setting.
    pub(crate) fn check(&self) -> Result<Settings, Faults> {
        let mut reader = Reader::new(&self.0);
        let network = network::read(&mut reader);
        let role = role::read(&mut reader);
        let database = database::read(&mut reader);
        let keys = keys::read(&mut reader);
        let limits = limits::read(&mut reader);
        let log = log::read(&mut reader);
        let media = media::read(&mut reader, database.as_ref());
        let metrics = metrics::read(&mut reader);
        let rates = rates::read(&mut reader);
        let redis = redis::read(&mut reader);
        let retention = retention::read(&mut reader);
        let reconcile = reconcile::read(&mut reader);
        let sync = sync::read(&mut reader);
        let waha = waha::read(&mut reader);
        let webhooks = webhooks::read(&mut reader);
        let complete = network
            .zip(database)
            .zip(keys)
            .zip(log)
            .zip(redis)
            .zip(media)
            .zip(webhooks)
            .map(
                |((((((network, database), keys), log), redis), media), webhooks)| Settings {
                    network,
                    role,
                    database,
                    keys,
                    limits,
                    log,
                    media,
                    metrics,
                    rates,
                    redis,
                    retention,
                    reconcile,
                    sync,
                    waha,
                    webhooks,
                },
            );
        reader.finish(complete)
    }

    /// Every setting as it is in effect, in the order of the table.
    pub(crate) fn effective(&self, settings: &Settings) -> Vec<Effective> {
        let reader = Reader::new(&self.0);
        let mut shown = settings.network.shown();
        shown.extend(role::shown(settings.role));
        shown.extend(database::shown(&settings.database));
        shown.extend(settings.keys.shown());
        shown.extend(settings.limits.shown());
        shown.extend(rates::shown(&settings.rates));
        shown.extend(settings.log.shown());
        shown.extend(settings.media.shown());
        shown.extend(settings.metrics.shown());
        shown.extend(settings.redis.shown());
        shown.extend(retention::shown(settings.retention));
        shown.extend(settings.reconcile.shown());
        shown.extend(settings.sync.shown());
        shown.extend(settings.waha.shown());
        shown.extend(settings.webhooks.shown());
        shown
            .into_iter()
            .map(|(name, value)| Effective {
                name,
                value,
                source: reader.source(name),
            })
            .collect()
    }
}

fn existing(file: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    match file {
        Some(path) if path.is_file() => Ok(Some(path.to_owned())),
        Some(path) if path.is_dir() => bail!(
            "{} is a directory; --config names a file, such as {}",
            path.display(),
            path.join(DEFAULT_FILE).display()
        ),
        Some(path) => bail!("there is no configuration file {}", path.display()),
        None => Ok(Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.is_file())),
    }
}

/// A list as it is written in TOML.
fn list<T: std::fmt::Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
    format!("[{}]", items.join(", "))
}

/// What is shown of a setting that was not given.
const UNSET: &str = "(not set)";

#[cfg(test)]
mod tests;
