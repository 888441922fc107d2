//! The server itself.

use serde::Deserialize;

use crate::client::Call;
use crate::error::WahaError;
use crate::timeouts::CallKind;
use crate::{WahaClient, wire};

/// What a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    /// Such as `2026.2.1`.
    pub version: String,
    /// The engine that runs its sessions: `NOWEB`, `GOWS`, `WEBJS`.
    pub engine: Option<String>,
    /// `CORE` or `PLUS`.
    pub tier: Option<String>,
    /// Such as `linux/x64`.
    pub platform: Option<String>,
    /// Its name among servers that share a database.
    pub worker_id: Option<String>,
}

impl ServerVersion {
    /// Whether the caller may choose the keys of texts: since 2026.4.3, with NOWEB and GOWS. See
    /// [`TextToSend::key`](crate::TextToSend::key).
    #[must_use]
    pub fn takes_message_keys(&self) -> bool {
        /// The first version that does.
        const FIRST: [u32; 3] = [2026, 4, 3];
        let numbers: Vec<u32> = self
            .version
            .split(['.', '-'])
            .map_while(|part| part.parse().ok())
            .collect();
        let engine = self.engine.as_deref();
        numbers.as_slice() >= FIRST.as_slice() && matches!(engine, Some("NOWEB" | "GOWS"))
    }
}

#[derive(Deserialize)]
struct WireVersion {
    version: String,
    #[serde(default, deserialize_with = "wire::text")]
    engine: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    tier: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    platform: Option<String>,
    #[serde(default, deserialize_with = "wire::object")]
    worker: Option<WireWorker>,
}

#[derive(Deserialize)]
struct WireWorker {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct WirePing {
    message: String,
}

impl WahaClient {
    /// The server's version; `KeyRefused` tells that the key is wrong.
    pub async fn version(&self) -> Result<ServerVersion, WahaError> {
        let call = Call::get(CallKind::Quick, &["api", "server", "version"]);
        let version: WireVersion = self.json(call).await?;
        Ok(ServerVersion {
            version: version.version,
            engine: version.engine,
            tier: version.tier,
            platform: version.platform,
            worker_id: version.worker.and_then(|worker| worker.id),
        })
    }

    /// Whether a WAHA answers at the address. The key is not sent, since WAHA answers this without one.
    pub async fn ping(&self) -> Result<(), WahaError> {
        let answer = self
            .answer(Call::get(CallKind::Quick, &["ping"]).without_key())
            .await?;
        let ping: WirePing = answer.decode()?;
        if ping.message == "pong" {
            Ok(())
        } else {
            Err(answer.broken("it is not a pong"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_chosen_by_the_caller_since_a_version_and_with_two_engines() {
        let takes = |version: &str, engine: Option<&str>| {
            let version = ServerVersion {
                version: version.to_owned(),
                engine: engine.map(str::to_owned),
                tier: None,
                platform: None,
                worker_id: None,
            };
            version.takes_message_keys()
        };
        for version in ["2026.4.3", "2026.4.10", "2026.7.1", "2027.1.1", "2026.9.2-beta"] {
            assert!(
                takes(version, Some("NOWEB")) && takes(version, Some("GOWS")),
                "{version}"
            );
            assert!(
                !takes(version, Some("WEBJS")) && !takes(version, None),
                "{version}"
            );
        }
        for version in ["2026.4.2", "2026.2.1", "2025.12.9", "2026", "unknown", ""] {
            assert!(!takes(version, Some("NOWEB")), "{version}");
        }
    }
}
