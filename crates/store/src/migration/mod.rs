//! The schema, for both databases from one source, and how it changes.
//!
//! Changes first expand and later contract, so that the previous release still runs on the new schema
//! while processes are replaced. A migration that was released is never edited.

mod lock;
mod m20261123_000001_initial;
mod m20261123_000002_session_changes;
mod m20261123_000003_upkeep;
mod m20261123_000010_work_indexes;
mod m20261123_000011_message_usage;
mod m20261123_000012_session_upkeep;
mod m20261123_000020_event_gap;
mod m20261123_000030_number_time;
mod m20261123_000060_reconciliation;
mod m20261123_000070_session_leftovers;
mod m20261123_000080_durable_messages;
mod m20261123_000085_media_files;
mod m20261123_000090_organization_events;
mod m20261123_000095_message_history;
mod m20261123_000110_paced_sending;
mod m20261123_000111_queue_bound;
mod m20261123_000115_webhooks;
mod m20261123_000118_own_events;
mod m20261123_000120_erasures;
mod m20261123_000121_exports;
mod m20261124_000122_organization_erasures;
mod m20261124_000123_session_sweeps;
mod m20261124_000124_unkept_texts;
mod m20261130_000200_organization_erasures_wait;
mod m20261130_000210_left_alone;
mod m20261130_000230_attempt_times;
pub(crate) mod privileges;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sea_orm_migration::{MigrationTrait, MigratorTrait, async_trait::async_trait};

use crate::{connection, error::StoreError, settings::DatabaseSettings};

pub(crate) struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_initial::Migration),
            Box::new(m20261123_000002_session_changes::Migration),
            Box::new(m20261123_000003_upkeep::Migration),
            Box::new(m20261123_000010_work_indexes::Migration),
            Box::new(m20261123_000011_message_usage::Migration),
            Box::new(m20261123_000012_session_upkeep::Migration),
            Box::new(m20261123_000020_event_gap::Migration),
            Box::new(m20261123_000030_number_time::Migration),
            Box::new(m20261123_000060_reconciliation::Migration),
            Box::new(m20261123_000070_session_leftovers::Migration),
            Box::new(m20261123_000080_durable_messages::Migration),
            Box::new(m20261123_000085_media_files::Migration),
            Box::new(m20261123_000090_organization_events::Migration),
            Box::new(m20261123_000095_message_history::Migration),
            Box::new(m20261123_000110_paced_sending::Migration),
            Box::new(m20261123_000111_queue_bound::Migration),
            Box::new(m20261123_000115_webhooks::Migration),
            Box::new(m20261123_000118_own_events::Migration),
            Box::new(m20261123_000120_erasures::Migration),
            Box::new(m20261123_000121_exports::Migration),
            Box::new(m20261124_000122_organization_erasures::Migration),
            Box::new(m20261124_000123_session_sweeps::Migration),
            Box::new(m20261124_000124_unkept_texts::Migration),
            Box::new(m20261130_000200_organization_erasures_wait::Migration),
            Box::new(m20261130_000210_left_alone::Migration),
            Box::new(m20261130_000230_attempt_times::Migration),
        ]
    }
}

/// Brings the database to the schema of this release, under a lock: processes that start together
/// wait for the first. On PostgreSQL it also makes the two runtime roles and gives them what they
/// need, no more.
///
/// # Errors
///
/// When the database cannot be reached or changed, or was migrated by a newer wahana.
pub async fn migrate(settings: &DatabaseSettings) -> Result<Vec<String>, StoreError> {
    let lock = lock::acquire(settings).await?;
    let connection = connection::open_for_migration(settings).await?;
    let migrated = run(&connection).await;
    // The lock must be let go before the connection's own error is told.
    let closed = connection.close().await;
    lock.release().await?;
    closed?;
    migrated
}

async fn run(connection: &DatabaseConnection) -> Result<Vec<String>, StoreError> {
    let pending = match state(connection).await? {
        SchemaState::Newer(names) => return Err(StoreError::NewerSchema(names)),
        SchemaState::Current => Vec::new(),
        SchemaState::Pending(names) => names,
    };
    Migrator::up(connection, None).await?;
    if connection.get_database_backend() == DbBackend::Postgres {
        privileges::grant(connection).await?;
    }
    Ok(pending)
}

/// How the database's schema stands to this release.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SchemaState {
    /// It is this release's.
    Current,
    /// These migrations are still to be applied.
    Pending(Vec<String>),
    /// These were applied by a newer release.
    Newer(Vec<String>),
}

/// Looks how the schema stands, without changing anything.
pub(crate) async fn state(connection: &DatabaseConnection) -> Result<SchemaState, StoreError> {
    let known: Vec<String> = Migrator::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    let applied = applied(connection).await?;
    let newer: Vec<String> = applied
        .iter()
        .filter(|name| !known.contains(name))
        .cloned()
        .collect();
    if !newer.is_empty() {
        return Ok(SchemaState::Newer(newer));
    }
    let pending: Vec<String> = known.into_iter().filter(|name| !applied.contains(name)).collect();
    Ok(if pending.is_empty() {
        SchemaState::Current
    } else {
        SchemaState::Pending(pending)
    })
}

async fn applied(connection: &DatabaseConnection) -> Result<Vec<String>, StoreError> {
    let backend = connection.get_database_backend();
    let exists = match backend {
        DbBackend::Postgres => {
            "SELECT 1 FROM information_schema.tables WHERE table_name = 'seaql_migrations' AND table_schema = current_schema()"
        }
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
    };
    if connection
        .query_one_raw(Statement::from_string(backend, exists))
        .await?
        .is_none()
    {
        return Ok(Vec::new());
    }
    let rows = connection
        .query_all_raw(Statement::from_string(
            backend,
            "SELECT version FROM seaql_migrations ORDER BY version",
        ))
        .await?;
    rows.iter()
        .map(|row| row.try_get("", "version").map_err(StoreError::from))
        .collect()
}
