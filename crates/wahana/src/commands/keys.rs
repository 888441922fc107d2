//! `wahana keys`

use std::path::PathBuf;

use anyhow::bail;
use clap::Subcommand;

use crate::{
    config::{Keys, Settings, create_key_file},
    output::Output,
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

pub(super) fn run(command: Command, settings: &Settings, output: Output) -> anyhow::Result<()> {
    let Command::Init { path } = command;
    let path = match (path, &settings.keys) {
        (Some(path), _) => path,
        (None, Keys::File(path)) => path.clone(),
        (None, Keys::Ring(_)) => {
            bail!("the keys come from the environment (keys.ring); say with --path where to make a file")
        }
    };
    create_key_file(&path)?;
    output.done(&format!(
        "Made {}. Keep a copy of it in a safe place: without it, what it encrypted is lost.",
        path.display()
    ))
}
