//! `wahana keys`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::bail;
use clap::Subcommand;
use wahana_service::{Operator, Services, platform::keys};

use crate::{
    config::{Keys, Settings, create_key_file, prune_key_file, rotate_key_file},
    output::{Output, warn},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key file with one new key, which only its owner may read. Never overwrites one.
    Init {
        /// Where to make it [default: keys.file of the configuration].
        #[arg(long, value_name = "FILE")]
        path: Option<PathBuf>,
    },
    /// Put a new key before the others in the key file; it encrypts from now on, and the others still decrypt.
    /// Running processes know it once they are started anew.
    Rotate,
    /// Encrypt every stored secret with the first key of the ring. Can be repeated.
    Reencrypt,
    /// Remove the keys that no stored secret needs from the key file.
    Prune {
        /// Do it, and not only say which they are.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn run(command: Command, settings: &Settings, output: Output) -> anyhow::Result<()> {
    match command {
        Command::Init { path } => super::block_on(init(path, settings, output))?,
        Command::Rotate => rotate(settings, output),
        Command::Reencrypt => {
            super::with_services(settings, async |services| reencrypt(services, output).await)
        }
        Command::Prune { yes } => super::with_services(settings, async |services| {
            prune(services, settings, yes, output).await
        }),
    }
}

async fn init(path: Option<PathBuf>, settings: &Settings, output: Output) -> anyhow::Result<()> {
    let path = match (path, &settings.keys) {
        (Some(path), _) => path,
        (None, Keys::File(path)) => path.clone(),
        (None, Keys::Ring(_)) => {
            bail!("the keys come from the environment (keys.ring); say with --path where to make a file")
        }
    };
    create_key_file(&path)?;
    warn_of_locked_secrets(&path, settings).await;
    output.done(&format!(
        "Made {}. Keep a copy of it in a safe place: without it, what it encrypted is lost.",
        path.display()
    ))
}

/// Says so if the database has secrets that the new keys do not open. Where there is no database yet, or none
/// that can be asked, there is nothing to say.
async fn warn_of_locked_secrets(path: &Path, settings: &Settings) {
    let with_new_keys = Settings {
        keys: Keys::File(path.to_owned()),
        ..settings.clone()
    };
    let Ok(services) = super::open(&with_new_keys).await else {
        return;
    };
    if super::require_readable_secrets(&services).await.is_err() {
        warn(&format!(
            "the database has keys of WAHA servers that {} does not open; bring back the key ring with which they \
             were added",
            path.display()
        ));
    }
    // Nothing was written.
    let _ = services.close().await;
}

/// The key file, if there is one to be changed.
fn key_file(settings: &Settings) -> anyhow::Result<&Path> {
    match &settings.keys {
        Keys::File(path) => Ok(path),
        Keys::Ring(_) => bail!(
            "the keys come from the environment (keys.ring), which no command can change; its first line is the \
             key that encrypts, and `wahana doctor` says which of the others are still needed"
        ),
    }
}

fn rotate(settings: &Settings, output: Output) -> anyhow::Result<()> {
    let path = key_file(settings)?;
    let number = rotate_key_file(path)?;
    output.done(&format!(
        "Key {number} is the first of {} now. Copy the file to every machine that runs wahana and keep a copy of \
         it in a safe place, start every wahana process anew, and then run `wahana keys reencrypt`.",
        path.display()
    ))
}

async fn reencrypt(services: &Services, output: Output) -> anyhow::Result<()> {
    let done = keys::reencrypt(services, &Operator::CommandLine).await?;
    if done.unreadable > 0 {
        bail!(
            "{} secrets are encrypted anew, but {} cannot be decrypted with this key ring; bring back the keys that \
             encrypted them, or give those WAHA servers their keys again with `wahana servers update`",
            done.changed,
            done.unreadable
        );
    }
    output.done(&format!(
        "{} secrets are encrypted anew; all are encrypted with the first key now.",
        done.changed
    ))
}

async fn prune(services: &Services, settings: &Settings, yes: bool, output: Output) -> anyhow::Result<()> {
    let path = key_file(settings)?;
    let used = keys::in_use(services, &Operator::CommandLine).await?;
    if !yes {
        let unneeded = unneeded(&settings.keys.load()?.numbers(), &used);
        if unneeded.is_empty() {
            return output.done("Every key is needed.");
        }
        bail!(
            "keys {} encrypted nothing that is stored; say --yes to remove them from {}, once every wahana process \
             was started anew with the first key",
            listed(&unneeded),
            path.display()
        );
    }
    let removed = prune_key_file(path, |number| used.contains_key(&number))?;
    if removed.is_empty() {
        return output.done("Every key is needed.");
    }
    output.done(&format!(
        "Removed keys {}. Copy {} to every machine that runs wahana.",
        listed(&removed),
        path.display()
    ))
}

/// The keys that are neither the first nor needed to decrypt anything.
pub(super) fn unneeded(ring: &[u32], used: &BTreeMap<u32, u64>) -> Vec<u32> {
    let others = ring.iter().skip(1).copied();
    others.filter(|number| !used.contains_key(number)).collect()
}

/// Numbers in a sentence.
pub(super) fn listed(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}
