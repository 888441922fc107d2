//! Secrets from a prompt, standard input or the environment; never from an argument, which everybody
//! on the machine can see.

use std::io::{self, IsTerminal, Read};

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret, SecretString};

/// Longer than any secret.
const MAX_LENGTH: u64 = 64 * 1024;

/// Where a secret comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Secret<'a> {
    /// Standard input, whole, but for the line's end.
    Stdin,
    /// An environment variable.
    Environment(&'a str),
    /// Somebody types it, twice if it is new.
    Prompt { is_new: bool },
}

impl Secret<'_> {
    /// Gets the secret; `what` names it, `otherwise` says how to give it where nobody can type.
    pub(crate) fn get(self, what: &str, otherwise: &str) -> anyhow::Result<SecretString> {
        match self {
            Self::Stdin => from_stdin(what),
            Self::Environment(name) => std::env::var(name)
                .map(SecretString::from)
                .ok()
                .with_context(|| format!("the environment variable {name} for the {what} is not set")),
            Self::Prompt { is_new } => from_prompt(what, otherwise, is_new),
        }
    }
}

fn from_stdin(what: &str) -> anyhow::Result<SecretString> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(MAX_LENGTH)
        .read_to_string(&mut text)
        .with_context(|| format!("the {what} cannot be read from standard input"))?;
    let text = SecretString::from(text);
    let line = text.expose_secret();
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        bail!("standard input has no {what}");
    }
    if line.contains('\n') {
        bail!("the {what} on standard input must be one line");
    }
    Ok(line.to_owned().into())
}

fn from_prompt(what: &str, otherwise: &str, is_new: bool) -> anyhow::Result<SecretString> {
    if !io::stdin().is_terminal() {
        bail!("nobody can be asked for the {what} here; {otherwise}");
    }
    let ask = |question: String| {
        rpassword::prompt_password(question)
            .map(SecretString::from)
            .with_context(|| format!("the {what} cannot be read from the terminal"))
    };
    let first = ask(format!("The {what}: "))?;
    if is_new {
        let second = ask(format!("The {what} again: "))?;
        if first.expose_secret() != second.expose_secret() {
            bail!("the two differ; nothing was done");
        }
    }
    Ok(first)
}
