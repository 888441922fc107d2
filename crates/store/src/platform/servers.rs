//! WAHA servers: they belong to the platform, and organizations never see them.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use wahana_domain::{OrganizationId, ServerId, Timestamp, WahaServer};

use super::PlatformTx;
use crate::{
    Belonging, StoreError,
    entity::{session, waha_server},
};

/// A WAHA server to be added.
#[derive(Clone, Debug)]
pub struct NewServer {
    /// Its id.
    pub id: ServerId,
    /// What operators call it.
    pub name: String,
    /// Where it is.
    pub base_url: String,
    /// The key that opens it.
    pub api_key: SecretString,
    /// How many sessions it may hold.
    pub capacity: Option<i32>,
}

/// What to change of a WAHA server; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ServerChange {
    /// Another name.
    pub name: Option<String>,
    /// Another address.
    pub base_url: Option<String>,
    /// Another key.
    pub api_key: Option<SecretString>,
    /// Another capacity; `Some(None)` for as many as come.
    pub capacity: Option<Option<i32>>,
    /// How many calls may be under way at a time; `Some(None)` for the default.
    pub concurrency: Option<Option<i32>>,
    /// How many calls may begin in a second; `Some(None)` for as many as come.
    pub requests_per_second: Option<Option<i32>>,
    /// Since when it is paused; `Some(None)` if it is not any more.
    pub paused_at: Option<Option<Timestamp>>,
    /// Since when it is drained; `Some(None)` if it is not any more.
    pub draining_at: Option<Option<Timestamp>>,
    /// Whose it is alone; `Some(None)` if all share it from now on.
    pub organization: Option<Option<OrganizationId>>,
}

/// A WAHA server and how many living sessions are on it.
#[derive(Clone, Debug)]
pub struct ServerLoad {
    /// The server.
    pub server: WahaServer,
    /// Its living sessions.
    pub sessions: i64,
}

impl PlatformTx {
    /// Adds a WAHA server, its key encrypted.
    pub async fn insert_server(&self, new: &NewServer) -> Result<(), StoreError> {
        let now = self.now().as_micros();
        self.insert(waha_server::ActiveModel {
            id: Set(new.id.as_uuid()),
            name: Set(new.name.clone()),
            base_url: Set(new.base_url.clone()),
            encrypted_api_key: Set(self
                .keys
                .encrypt(new.api_key.expose_secret(), api_key_of(new.id))?),
            capacity: Set(new.capacity),
            last_snapshot_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            removed_at: Set(None),
            ..Default::default()
        })
        .await
    }

    /// One WAHA server, its key decrypted, for whoever is about to call it.
    pub async fn server(&self, id: ServerId) -> Result<Option<WahaServer>, StoreError> {
        let found =
            waha_server::Entity::find_by_id(id.as_uuid()).filter(waha_server::Column::RemovedAt.is_null());
        found
            .one(&self.transaction)
            .await?
            .map(|row| self.server_from_row(row))
            .transpose()
    }

    /// Every WAHA server with its load, by name, for operators and for the choice of a place.
    pub async fn servers(&self) -> Result<Vec<ServerLoad>, StoreError> {
        let counts: Vec<(Uuid, i64)> = session::Entity::find()
            .select_only()
            .column(session::Column::WahaServerId)
            .column_as(session::Column::Id.count(), "sessions")
            .filter(session::Column::DeletedAt.is_null())
            .group_by(session::Column::WahaServerId)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let counts: HashMap<Uuid, i64> = counts.into_iter().collect();
        let rows = waha_server::Entity::find()
            .filter(waha_server::Column::RemovedAt.is_null())
            .order_by_asc(waha_server::Column::Name)
            .all(&self.transaction)
            .await?;
        rows.into_iter()
            .map(|row| {
                let sessions = counts.get(&row.id).copied().unwrap_or(0);
                Ok(ServerLoad {
                    server: self.server_from_row(row)?,
                    sessions,
                })
            })
            .collect()
    }

    /// Changes a WAHA server; says whether it exists.
    pub async fn update_server(&self, id: ServerId, change: &ServerChange) -> Result<bool, StoreError> {
        let mut update = waha_server::Entity::update_many()
            .col_expr(
                waha_server::Column::UpdatedAt,
                Expr::value(self.now().as_micros()),
            )
            .filter(waha_server::Column::Id.eq(id.as_uuid()))
            .filter(waha_server::Column::RemovedAt.is_null());
        if let Some(name) = &change.name {
            update = update.col_expr(waha_server::Column::Name, Expr::value(name.clone()));
        }
        if let Some(base_url) = &change.base_url {
            update = update.col_expr(waha_server::Column::BaseUrl, Expr::value(base_url.clone()));
        }
        if let Some(api_key) = &change.api_key {
            let encrypted = self.keys.encrypt(api_key.expose_secret(), api_key_of(id))?;
            update = update.col_expr(waha_server::Column::EncryptedApiKey, Expr::value(encrypted));
        }
        let numbers = [
            (waha_server::Column::Capacity, change.capacity),
            (waha_server::Column::Concurrency, change.concurrency),
            (waha_server::Column::RequestsPerSecond, change.requests_per_second),
        ];
        for (column, number) in numbers {
            if let Some(number) = number {
                update = update.col_expr(column, Expr::value(number));
            }
        }
        let times = [
            (waha_server::Column::PausedAt, change.paused_at),
            (waha_server::Column::DrainingAt, change.draining_at),
        ];
        for (column, time) in times {
            if let Some(time) = time {
                update = update.col_expr(column, Expr::value(time.map(Timestamp::as_micros)));
            }
        }
        if let Some(organization) = change.organization {
            let organization = organization.map(OrganizationId::as_uuid);
            update = update.col_expr(waha_server::Column::OrganizationId, Expr::value(organization));
        }
        Ok(update.exec(&self.transaction).await?.rows_affected == 1)
    }

    /// Takes a WAHA server off the list, if no living session is on it; says whether it did.
    pub async fn remove_server(&self, id: ServerId) -> Result<bool, StoreError> {
        // Whoever places a session there at this moment is waited for.
        if self.locked_server(id).await?.is_none() || self.sessions_count(id).await? > 0 {
            return Ok(false);
        }
        self.delete_leftovers(id).await?;
        let removed = waha_server::Entity::update_many()
            .col_expr(
                waha_server::Column::RemovedAt,
                Expr::value(self.now().as_micros()),
            )
            .filter(waha_server::Column::Id.eq(id.as_uuid()))
            .filter(waha_server::Column::RemovedAt.is_null())
            .exec(&self.transaction)
            .await?;
        Ok(removed.rows_affected == 1)
    }

    /// Writes down when a server's session list was last read, so that a process that starts knows
    /// how old its rows are.
    pub async fn set_last_snapshot(&self, id: ServerId, at: Timestamp) -> Result<(), StoreError> {
        waha_server::Entity::update_many()
            .col_expr(waha_server::Column::LastSnapshotAt, Expr::value(at.as_micros()))
            .filter(waha_server::Column::Id.eq(id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    pub(super) fn server_from_row(&self, row: waha_server::Model) -> Result<WahaServer, StoreError> {
        let id = ServerId::from(row.id);
        Ok(WahaServer {
            id,
            name: row.name,
            base_url: row.base_url,
            api_key: self.keys.decrypt(&row.encrypted_api_key, api_key_of(id))?,
            capacity: row.capacity,
            concurrency: row.concurrency,
            requests_per_second: row.requests_per_second,
            organization: row.organization_id.map(OrganizationId::from),
            paused_at: row.paused_at.map(Timestamp::from_micros),
            draining_at: row.draining_at.map(Timestamp::from_micros),
            last_snapshot_at: row.last_snapshot_at.map(Timestamp::from_micros),
            hook_version: row.hook_version,
            last_event_at: row.last_event_at.map(Timestamp::from_micros),
            event_gap_since: row.event_gap_since.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        })
    }
}

pub(super) const fn api_key_of(server: ServerId) -> Belonging {
    Belonging {
        purpose: "waha_servers.api_key",
        organization: None,
        row: server.as_uuid(),
    }
}
