//! One migration at a time: SeaORM takes no lock of its own, and four processes that started
//! together collided.

use std::{fs::File, path::PathBuf};

use sqlx::{Connection, PgConnection};

use crate::{
    connection::{cannot_connect, private_file, unusable_file},
    error::StoreError,
    settings::DatabaseSettings,
};

/// Held while the schema changes.
pub(crate) enum MigrationLock {
    /// A lock of PostgreSQL's, held by this connection.
    Postgres(Box<PgConnection>),
    /// A lock on a file beside the SQLite database.
    File(File),
}

/// The number of the advisory lock; any number that nobody else uses in this database.
const ADVISORY_LOCK: i64 = 0x7761_6861_6e61;

/// Waits until nobody else migrates.
pub(crate) async fn acquire(settings: &DatabaseSettings) -> Result<MigrationLock, StoreError> {
    let Some(path) = settings.sqlite_path()? else {
        let options = settings.postgres_owner()?;
        let mut connection = PgConnection::connect_with(&options)
            .await
            .map_err(|error| cannot_connect(&options, &error))?;
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(ADVISORY_LOCK)
            .execute(&mut connection)
            .await?;
        return Ok(MigrationLock::Postgres(Box::new(connection)));
    };
    let mut lock_path = path.into_os_string();
    lock_path.push(".migration-lock");
    let locked = tokio::task::spawn_blocking(move || {
        let path = PathBuf::from(lock_path);
        let file = private_file(&path)?;
        file.lock().map_err(|error| unusable_file(&path, &error))?;
        Ok::<_, StoreError>(file)
    });
    match locked.await {
        Ok(file) => Ok(MigrationLock::File(file?)),
        Err(error) => Err(StoreError::File(error.to_string())),
    }
}

impl MigrationLock {
    /// Lets the next one in.
    pub(crate) async fn release(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(connection) => Ok(connection.close().await?),
            Self::File(file) => Ok(file.unlock()?),
        }
    }
}
