//! The pools. Private to this crate: nothing outside can run a statement.

use std::{fs::File, io, path::Path, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    error::{StoreError, from_sqlx},
    migration::privileges::{PLATFORM_ROLE, TENANT_ROLE},
    settings::DatabaseSettings,
};

/// How long a statement waits for a connection, or for SQLite's only writer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that nobody used for so long are closed: they hold memory here and on the server.
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// How long PostgreSQL lets a transaction of ours do nothing before it ends it. No transaction waits for anybody else,
/// so whoever has one open that long was frozen or is gone, and would hold up everybody with its locks.
const IDLE_IN_TRANSACTION: (&str, &str) = ("idle_in_transaction_session_timeout", "10s");

/// PostgreSQL's code for a role that a connection wants to put on and that does not exist.
const INVALID_PARAMETER_VALUE: &str = "22023";

/// The pools, by what their transactions may see and whether they write.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(crate) tenant_read: DatabaseConnection,
    pub(crate) tenant_write: DatabaseConnection,
    pub(crate) platform_read: DatabaseConnection,
    pub(crate) platform_write: DatabaseConnection,
}

impl Connections {
    /// Opens the pools, and on PostgreSQL makes sure that row security holds for them.
    pub(crate) async fn open(settings: &DatabaseSettings) -> Result<Self, StoreError> {
        if settings.is_sqlite()? {
            // One writer, so that writers wait for each other here and not in SQLite's busy loop.
            let write = sqlite(settings, 1, false).await?;
            let read = sqlite(settings, settings.max_connections, true).await?;
            return Ok(Self {
                tenant_read: read.clone(),
                tenant_write: write.clone(),
                platform_read: read,
                platform_write: write,
            });
        }
        let max_connections = settings.max_connections;
        let tenant = runtime(settings.postgres_tenant()?, max_connections, TENANT_ROLE).await?;
        let platform = runtime(settings.postgres_platform()?, max_connections, PLATFORM_ROLE).await?;
        refuse_strong_role(&tenant, "database.tenant_url", TENANT_ROLE).await?;
        refuse_strong_role(&platform, "database.platform_url", PLATFORM_ROLE).await?;
        Ok(Self {
            tenant_read: tenant.clone(),
            tenant_write: tenant,
            platform_read: platform.clone(),
            platform_write: platform,
        })
    }
}

/// A connection that may change the schema.
pub(crate) async fn open_for_migration(
    settings: &DatabaseSettings,
) -> Result<DatabaseConnection, StoreError> {
    if settings.is_sqlite()? {
        return sqlite(settings, 1, false).await;
    }
    let options = settings.postgres_owner()?;
    postgres(options.clone(), 1)
        .await
        .map_err(|error| cannot_connect(&options, &error))
}

/// Opens a file that may be written, and makes it first if it is not there: for its owner alone.
pub(crate) fn private_file(path: &Path) -> Result<File, StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| unusable_file(path, &error))
}

/// Which file cannot be used, and why.
pub(crate) fn unusable_file(path: &Path, error: &io::Error) -> StoreError {
    StoreError::File(format!("{} cannot be written: {error}", path.display()))
}

/// Which server cannot be reached, and why. Of its address nothing that may be secret.
pub(crate) fn cannot_connect(options: &PgConnectOptions, error: &sqlx::Error) -> StoreError {
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    match error {
        sqlx::Error::Io(error) => StoreError::Unavailable(format!("PostgreSQL at {place}: {error}")),
        sqlx::Error::Database(_) => from_sqlx(error),
        other => StoreError::Unavailable(format!("PostgreSQL at {place}: {other}")),
    }
}

async fn sqlite(
    settings: &DatabaseSettings,
    max_connections: u32,
    only_reads: bool,
) -> Result<DatabaseConnection, StoreError> {
    let Some(path) = settings.sqlite_path()? else {
        return Err(StoreError::Settings(
            "database.url must begin with sqlite:".to_owned(),
        ));
    };
    if !only_reads {
        // SQLite gives the files beside it the same mode.
        private_file(&path)?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(ACQUIRE_TIMEOUT)
        // What is deleted is gone, and not only free to be written over.
        .pragma("secure_delete", "ON")
        .pragma("query_only", if only_reads { "ON" } else { "OFF" });
    let pool = SqlitePoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        // There is no network between here and the file that could have gone.
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(pool.into())
}

/// A pool that has this role.
async fn runtime(
    options: PgConnectOptions,
    max_connections: u32,
    role: &str,
) -> Result<DatabaseConnection, StoreError> {
    let bounded = options.clone().options([IDLE_IN_TRANSACTION]);
    match postgres(bounded, max_connections).await {
        // Migrations make the role; until then nobody can put it on.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(INVALID_PARAMETER_VALUE) => {
            Err(StoreError::PendingMigrations(vec![format!("role {role}")]))
        }
        other => other.map_err(|error| cannot_connect(&options, &error)),
    }
}

async fn postgres(
    options: PgConnectOptions,
    max_connections: u32,
) -> Result<DatabaseConnection, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .connect_with(options.clone())
        .await;
    match pool {
        Ok(pool) => Ok(pool.into()),
        // The pool tried until its time was over, and does not say why it was in vain.
        Err(sqlx::Error::PoolTimedOut) => {
            let alone = tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(&options)).await;
            match alone {
                Ok(Err(error)) => Err(error),
                _ => Err(sqlx::Error::PoolTimedOut),
            }
        }
        Err(error) => Err(error),
    }
}

/// Row security does not hold for superusers and those who may bypass it, an owner could switch it off,
/// and the platform's policy shows every row; so the user may be none of these, and none it can become.
async fn refuse_strong_role(
    connection: &DatabaseConnection,
    setting: &'static str,
    role: &str,
) -> Result<(), StoreError> {
    let strong = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT current_user::text AS role WHERE EXISTS (
            SELECT 1 FROM pg_roles r
            WHERE (r.rolsuper OR r.rolbypassrls OR (r.rolname = $1 AND $1 <> $2))
                AND pg_has_role(current_user, r.oid, 'MEMBER')
        ) OR EXISTS (
            SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND c.relkind = 'r'
                AND pg_has_role(current_user, c.relowner, 'MEMBER')
        )",
        [PLATFORM_ROLE.into(), role.into()],
    );
    match connection.query_one_raw(strong).await? {
        Some(row) => Err(StoreError::RoleTooStrong {
            setting,
            user: row.try_get("", "role")?,
        }),
        None => Ok(()),
    }
}

/// How many bytes the database takes.
pub(crate) async fn size(connection: &DatabaseConnection) -> Result<u64, StoreError> {
    let backend = connection.get_database_backend();
    let question = match backend {
        DbBackend::Postgres => "SELECT pg_database_size(current_database()) AS bytes",
        _ => "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
    };
    let Some(row) = connection
        .query_one_raw(Statement::from_string(backend, question))
        .await?
    else {
        return Ok(0);
    };
    let bytes: i64 = row.try_get("", "bytes")?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Empties SQLite's log, which still has what was deleted since it was begun; says whether nobody was in the way. On
/// PostgreSQL this is the server's own affair.
pub(crate) async fn empty_log(connection: &DatabaseConnection) -> Result<bool, StoreError> {
    if connection.get_database_backend() != DbBackend::Sqlite {
        return Ok(true);
    }
    let checkpoint = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
    let Some(row) = connection.query_one_raw(checkpoint).await? else {
        return Ok(true);
    };
    let is_busy: i64 = row.try_get("", "busy")?;
    Ok(is_busy == 0)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use wahana_testkit::database::{TestDatabase, run};

    use super::*;

    #[test]
    fn a_role_that_migrations_would_make_is_asked_for_by_their_command_on_postgres() {
        run(async {
            let db = TestDatabase::postgres().await;
            let settings = DatabaseSettings::new(db.settings().url.expose_secret().to_owned());
            let options = settings
                .postgres_owner()
                .unwrap()
                .options([("role", "wahana_absent")]);
            let error = runtime(options, 1, "wahana_absent").await.unwrap_err();
            assert!(matches!(error, StoreError::PendingMigrations(_)), "{error:?}");
            let words = error.to_string();
            assert!(
                words.contains("role wahana_absent") && words.contains("`wahana migrate`"),
                "{words}"
            );
        });
    }
}
