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
