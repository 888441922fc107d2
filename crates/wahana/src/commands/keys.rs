//! `wahana keys`

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Subcommand;

use crate::{
    config::{Keys, Settings, create_key_file},
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
}

pub(super) async fn run(command: Command, settings: &Settings, output: Output) -> anyhow::Result<()> {
    let Command::Init { path } = command;
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
