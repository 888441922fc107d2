//! What WAHA servers say when they are asked.

use waha_client::{ServerVersion, WahaError};
use wahana_domain::ServerId;

use super::not_found;
use crate::{Operator, ServiceError, Services, upstream::unreadable_for_operator};

/// How a WAHA server stands.
#[derive(Clone, Debug)]
pub struct ServerCheck {
    /// Whether a WAHA answers at its address.
    pub answers: bool,
    /// Whether it takes wahana's key; `None` if that could not be found out.
    pub key_is_accepted: Option<bool>,
    /// What it says of itself, if it said that.
    pub answer: Option<ServerAnswer>,
    /// What is wrong and what to do, in words.
    pub problem: Option<&'static str>,
}

/// Finds out how a WAHA server stands: whether a WAHA answers there, takes the key, and what it is. It is
/// asked even if it was away just now.
pub async fn check(services: &Services, _: &Operator, id: ServerId) -> Result<ServerCheck, ServiceError> {
    let tx = services.store.platform_read().await?;
    let server = tx.server(id).await?.ok_or_else(not_found)?;
    drop(tx);
    let upstream = services.upstreams.connect_unguarded(server)?;
    let mut check = ServerCheck {
        answers: false,
        key_is_accepted: None,
        answer: None,
        problem: None,
    };
    if let Err(error) = upstream.waha().ping().await {
        check.problem = Some(match error {
            WahaError::Unreachable { .. } => {
                "Nothing answers at this address. See that WAHA runs, and where."
            }
            WahaError::OutcomeUnknown { .. } => {
                "Something at this address takes calls and does not answer them."
            }
            _ => "What answers at this address is no WAHA, or one that is broken.",
        });
        return Ok(check);
    }
    check.answers = true;
    match upstream.waha().version().await {
        Ok(said) => {
            check.key_is_accepted = Some(true);
            check.answer = Some(ServerAnswer::from(said));
        }
        Err(WahaError::KeyRefused { .. }) => {
            check.key_is_accepted = Some(false);
            check.problem = Some("WAHA does not take this key. Give the one that it has in WAHA_API_KEY.");
        }
        Err(_) => check.problem = Some("WAHA answers, but does not say which version it is."),
    }
    Ok(check)
}

/// What a WAHA server says of itself.
#[derive(Clone, Debug)]
pub struct ServerAnswer {
    /// Its version.
    pub version: String,
    /// The engine that runs its sessions.
    pub engine: String,
    /// Which edition it is, such as `CORE`.
    pub tier: String,
    /// What will not work on it; `None` if all does.
    pub drawback: Option<&'static str>,
}

/// Asks a WAHA server what it is, and whether it takes wahana's key.
pub async fn ask(services: &Services, _: &Operator, id: ServerId) -> Result<ServerAnswer, ServiceError> {
    let upstream = services.upstreams.get(id).await?;
    let said = upstream
        .waha()
        .version()
        .await
        .map_err(|error| unreadable_for_operator(&upstream.server, &error))?;
    Ok(said.into())
}

impl From<ServerVersion> for ServerAnswer {
    fn from(said: ServerVersion) -> Self {
        Self {
            drawback: drawback(&said.version),
            version: said.version,
            engine: said.engine.unwrap_or_else(unsaid),
            tier: said.tier.unwrap_or_else(unsaid),
        }
    }
}

fn unsaid() -> String {
    "unknown".to_owned()
}

/// What an older WAHA lacks. Since 2026.6.1 its Core has what Plus had: many sessions and media.
fn drawback(version: &str) -> Option<&'static str> {
    let numbers: Option<Vec<u32>> = version.split('.').take(3).map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        None => Some("its version is none that wahana knows, so nothing can be said about what works"),
        Some(numbers) if numbers >= [2026, 6, 1].as_slice() => None,
        Some(numbers) if numbers >= [2026, 2].as_slice() => {
            Some("before 2026.6.1 it needs WAHA Plus for more than one session and for sending media")
        }
        Some(_) => Some("it is older than 2026.2, which wahana was not made for"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_versions_lack_is_said() {
        assert_eq!(drawback("2026.6.1"), None);
        assert_eq!(drawback("2026.10.2"), None);
        assert!(drawback("2026.2.1").unwrap().contains("Plus"));
        assert!(drawback("2025.12.3").unwrap().contains("older"));
        assert!(drawback("unknown").unwrap().contains("none that wahana knows"));
    }
}
