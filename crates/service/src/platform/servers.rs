//! WAHA servers as operators see them: they add, list, change and remove them.

mod answer;

use secrecy::{ExposeSecret, SecretString};
use wahana_domain::{OrganizationId, ServerId};
pub use wahana_store::ServerLoad;
use wahana_store::{NewServer as NewServerRow, PlatformTx, ServerChange as ServerRowChange};

pub use super::base_url::{BaseUrl, InvalidBaseUrl};
use crate::{FieldErrors, Operator, ServiceError, Services, audit::record_by_operator};
pub use answer::{ServerAnswer, ServerCheck, ask, check};
pub use waha_client::Circuit;

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
    /// How many calls to it may be under way at a time; `None` for the default.
    pub concurrency: Option<i32>,
    /// How many calls to it may begin in a second; `None` for as many as come.
    pub requests_per_second: Option<i32>,
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
    /// How many calls to it may be under way at a time; `Some(None)` for the default.
    pub concurrency: Option<Option<i32>>,
    /// How many calls to it may begin in a second; `Some(None)` for as many as come.
    pub requests_per_second: Option<Option<i32>>,
}

/// What operators do with a WAHA server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerAct {
    /// Nothing is started, repaired or placed there until it is resumed. What runs goes on, and sends.
    Pause,
    /// The pause ends.
    Resume,
    /// No new session is placed there, so that it empties as sessions are deleted and moved.
    Drain,
    /// New sessions come there again.
    Undrain,
    /// It becomes this organization's own: its new sessions come to its own servers only, and nobody else's do.
    /// Sessions of others that are there stay.
    Bind(OrganizationId),
    /// All organizations share it again, but for those that have their own.
    Unbind,
}

/// The most sessions that a server may be said to hold.
pub const MAX_CAPACITY: i32 = 100_000;
/// The most calls to a server that may be allowed to be under way at a time.
pub const MAX_CONCURRENCY: i32 = 10_000;
/// The most calls to a server that may be allowed to begin in a second.
pub const MAX_REQUESTS_PER_SECOND: i32 = 100_000;
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
    check_numbers(new.capacity, new.concurrency, new.requests_per_second)?;
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
    let limits = ServerRowChange {
        concurrency: Some(new.concurrency),
        requests_per_second: Some(new.requests_per_second),
        ..Default::default()
    };
    tx.update_server(id, &limits).await?;
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

/// Changes a WAHA server.
pub async fn update(
    services: &Services,
    operator: &Operator,
    id: ServerId,
    change: ServerChange,
) -> Result<ServerLoad, ServiceError> {
    check_numbers(
        change.capacity.flatten(),
        change.concurrency.flatten(),
        change.requests_per_second.flatten(),
    )?;
    let row = ServerRowChange {
        name: change.name,
        base_url: change.base_url.map(|url| url.as_str().to_owned()),
        api_key: change.key.map(|key| key.0),
        capacity: change.capacity,
        concurrency: change.concurrency,
        requests_per_second: change.requests_per_second,
        ..Default::default()
    };
    let tx = services.store.platform_write().await?;
    write(services, operator, tx, id, &row, "platform.servers.update").await
}

/// Does something with a WAHA server.
pub async fn act(
    services: &Services,
    operator: &Operator,
    id: ServerId,
    act: ServerAct,
) -> Result<ServerLoad, ServiceError> {
    let tx = services.store.platform_write().await?;
    let known = load(&tx, id).await?.server;
    let now = tx.now();
    let mut row = ServerRowChange::default();
    let operation = match act {
        // What is so already goes on since then.
        ServerAct::Pause => {
            row.paused_at = Some(known.paused_at.or(Some(now)));
            "platform.servers.pause"
        }
        ServerAct::Resume => {
            row.paused_at = Some(None);
            "platform.servers.resume"
        }
        ServerAct::Drain => {
            row.draining_at = Some(known.draining_at.or(Some(now)));
            "platform.servers.drain"
        }
        ServerAct::Undrain => {
            row.draining_at = Some(None);
            "platform.servers.undrain"
        }
        ServerAct::Bind(organization) => {
            if tx.organization(organization).await?.is_none() {
                return Err(FieldErrors::one("organization_id", "must be the id of an organization").into());
            }
            row.organization = Some(Some(organization));
            "platform.servers.bind"
        }
        ServerAct::Unbind => {
            row.organization = Some(None);
            "platform.servers.unbind"
        }
    };
    write(services, operator, tx, id, &row, operation).await
}

/// Whether this process calls a WAHA server at present; every process finds that out for itself.
#[must_use]
pub fn circuit(services: &Services, id: ServerId) -> Circuit {
    services.upstreams.circuit(id)
}

async fn write(
    services: &Services,
    operator: &Operator,
    tx: PlatformTx,
    id: ServerId,
    row: &ServerRowChange,
    operation: &str,
) -> Result<ServerLoad, ServiceError> {
    if !tx.update_server(id, row).await? {
        return Err(not_found());
    }
    record_by_operator(&tx, operator, None, operation).await?;
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
            "{sessions} living sessions are on this WAHA server. Drain it, so that no more come, and move each with \
             `wahana sessions move` or delete it; then remove the server."
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

fn check_numbers(
    capacity: Option<i32>,
    concurrency: Option<i32>,
    requests_per_second: Option<i32>,
) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    for (field, number, most) in [
        ("capacity", capacity, MAX_CAPACITY),
        ("concurrency", concurrency, MAX_CONCURRENCY),
        (
            "requests_per_second",
            requests_per_second,
            MAX_REQUESTS_PER_SECOND,
        ),
    ] {
        if number.is_some_and(|number| !(1..=most).contains(&number)) {
            errors.add(field, format!("must be from 1 to {most}, or none"));
        }
    }
    errors.finish(Some(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fit_into_a_header_and_do_not_print_themselves() {
        let key = ServerKey::parse("a-key-of-WAHA").unwrap();
        assert!(!format!("{key:?}").contains("a-key"));
        for text in ["", "two words", "line\nbreak", "schlüssel", &"x".repeat(513)] {
            assert!(ServerKey::parse(text).is_err(), "{text}");
        }
    }
}
