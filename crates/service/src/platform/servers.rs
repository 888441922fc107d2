//! WAHA servers as operators see them: they add, list, change and remove them.

use secrecy::{ExposeSecret, SecretString};
use wahana_domain::ServerId;
pub use wahana_store::ServerLoad;
use wahana_store::{NewServer as NewServerRow, PlatformTx, ServerChange as ServerRowChange};

pub use super::base_url::{BaseUrl, InvalidBaseUrl};
use crate::{
    FieldErrors, Operator, ServiceError, Services, audit::record_by_operator,
    upstream::unreadable_for_operator,
};

/// The key that opens a WAHA server. It does not print itself.
#[derive(Clone, Debug)]
pub struct ServerKey(SecretString);

/// The text cannot be a key of WAHA's. The text itself is not in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 512 visible characters of ASCII, as WAHA's WAHA_API_KEY has them")]
pub struct InvalidServerKey;

/// A WAHA server to be added.
#[derive(Clone, Debug)]
pub struct NewServer {
    /// What operators call it.
    pub name: String,
    /// Where it is.
    pub base_url: BaseUrl,
    /// The key that opens it.
    pub key: ServerKey,
    /// How many sessions it may hold; `None` for as many as come.
    pub capacity: Option<i32>,
}

/// What to change of a WAHA server; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ServerChange {
    /// Another name.
    pub name: Option<String>,
    /// Another address of the same WAHA.
    pub base_url: Option<BaseUrl>,
    /// Another key.
    pub key: Option<ServerKey>,
    /// Another capacity; `Some(None)` for as many as come.
    pub capacity: Option<Option<i32>>,
}

/// The most sessions that a server may be said to hold.
pub const MAX_CAPACITY: i32 = 100_000;
const MAX_KEY_LENGTH: usize = 512;

impl ServerKey {
    /// Checks that the key can be sent as a header.
    pub fn parse(text: &str) -> Result<Self, InvalidServerKey> {
        let is_sound =
            (1..=MAX_KEY_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_sound {
            Ok(Self(text.to_owned().into()))
        } else {
            Err(InvalidServerKey)
        }
    }
}

/// Adds a WAHA server, its key encrypted.
pub async fn add(
    services: &Services,
    operator: &Operator,
    new: NewServer,
) -> Result<ServerLoad, ServiceError> {
    check_capacity(new.capacity)?;
    let tx = services.store.platform_write().await?;
    let id = ServerId::new();
    tx.insert_server(&NewServerRow {
        id,
        name: new.name,
        base_url: new.base_url.as_str().to_owned(),
        api_key: new.key.0.expose_secret().to_owned().into(),
        capacity: new.capacity,
    })
    .await?;
    record_by_operator(&tx, operator, None, "platform.servers.create").await?;
    let added = load(&tx, id).await?;
    tx.commit().await?;
    Ok(added)
}

/// Every WAHA server and its load, by name.
pub async fn list(services: &Services, _: &Operator) -> Result<Vec<ServerLoad>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.servers().await?)
}

/// One WAHA server and its load.
pub async fn get(services: &Services, _: &Operator, id: ServerId) -> Result<ServerLoad, ServiceError> {
    let tx = services.store.platform_read().await?;
    load(&tx, id).await
}

/// The server that somebody at the command line names, by its id or name.
pub async fn find(services: &Services, operator: &Operator, named: &str) -> Result<ServerLoad, ServiceError> {
    let id = named.parse::<ServerId>().ok();
    let servers = list(services, operator).await?;
    servers
        .into_iter()
        .find(|load| load.server.name == named || Some(load.server.id) == id)
        .ok_or(ServiceError::NotFound("WAHA server"))
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
    Ok(ServerAnswer {
        drawback: drawback(&said.version),
        version: said.version,
        engine: said.engine.unwrap_or_else(unsaid),
        tier: said.tier.unwrap_or_else(unsaid),
    })
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

/// Changes a WAHA server.
pub async fn update(
    services: &Services,
    operator: &Operator,
    id: ServerId,
    change: ServerChange,
) -> Result<ServerLoad, ServiceError> {
    check_capacity(change.capacity.flatten())?;
    let tx = services.store.platform_write().await?;
    let row = ServerRowChange {
        name: change.name,
        base_url: change.base_url.map(|url| url.as_str().to_owned()),
        api_key: change.key.map(|key| key.0),
        capacity: change.capacity,
    };
    if !tx.update_server(id, &row).await? {
        return Err(not_found());
    }
    record_by_operator(&tx, operator, None, "platform.servers.update").await?;
    let updated = load(&tx, id).await?;
    tx.commit().await?;
    services.upstreams.forget(id).await;
    Ok(updated)
}

/// Takes a WAHA server off the list.
///
/// # Errors
///
/// [`ServiceError::Conflict`] while living sessions are on it.
pub async fn remove(services: &Services, operator: &Operator, id: ServerId) -> Result<(), ServiceError> {
    let tx = services.store.platform_write().await?;
    let sessions = load(&tx, id).await?.sessions;
    if sessions > 0 || !tx.remove_server(id).await? {
        return Err(ServiceError::conflict(format!(
            "{sessions} living sessions are on this WAHA server. Delete or move them before it is removed."
        )));
    }
    record_by_operator(&tx, operator, None, "platform.servers.remove").await?;
    tx.commit().await?;
    services.upstreams.forget(id).await;
    Ok(())
}

async fn load(tx: &PlatformTx, id: ServerId) -> Result<ServerLoad, ServiceError> {
    let servers = tx.servers().await?;
    servers
        .into_iter()
        .find(|load| load.server.id == id)
        .ok_or_else(not_found)
}

fn not_found() -> ServiceError {
    ServiceError::NotFound("WAHA server")
}

fn check_capacity(capacity: Option<i32>) -> Result<(), FieldErrors> {
    match capacity {
        Some(capacity) if !(1..=MAX_CAPACITY).contains(&capacity) => Err(FieldErrors::one(
            "capacity",
            format!("must be from 1 to {MAX_CAPACITY}, or none"),
        )),
        _ => Ok(()),
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

    #[test]
    fn keys_fit_into_a_header_and_do_not_print_themselves() {
        let key = ServerKey::parse("a-key-of-WAHA").unwrap();
        assert!(!format!("{key:?}").contains("a-key"));
        for text in ["", "two words", "line\nbreak", "schlüssel", &"x".repeat(513)] {
            assert!(ServerKey::parse(text).is_err(), "{text}");
        }
    }
}
