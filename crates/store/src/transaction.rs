//! A transaction of either database that behaves alike on both.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::async_trait::async_trait;

use crate::{error::StoreError, open_transactions::OpenTransaction};

/// How long a statement may take on PostgreSQL. A server that hangs, a network that loses everything, and whoever
/// holds a lock and does not go on would else be waited for without end.
const LONGEST_STATEMENT: Duration = Duration::from_secs(20);

/// Whether a transaction writes. SQLite wants to know at its beginning: one that reads first and
/// writes later fails with "database is locked" when another wrote in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A transaction in which every statement works or nothing lasts. After a failed statement PostgreSQL
/// answers `COMMIT` with a rollback and no error, and SQLite keeps what the other statements did; here
/// both are an error and a rollback.
pub(crate) struct Transaction {
    inner: DatabaseTransaction,
    has_failed: AtomicBool,
    _open: OpenTransaction,
}

impl Transaction {
    /// Begins a transaction of the right kind for the database.
    pub(crate) async fn begin(connection: &DatabaseConnection, access: Access) -> Result<Self, StoreError> {
        let open = OpenTransaction::begin();
        let options = match connection.get_database_backend() {
            DbBackend::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(match access {
                    Access::Read => SqliteTransactionMode::Deferred,
                    Access::Write => SqliteTransactionMode::Immediate,
                }),
                ..Default::default()
            },
            _ => TransactionOptions {
                access_mode: (access == Access::Read).then_some(AccessMode::ReadOnly),
                ..Default::default()
            },
        };
        Ok(Self {
            inner: bounded(
                connection.get_database_backend(),
                connection.begin_with_options(options),
            )
            .await?,
            has_failed: AtomicBool::new(false),
            _open: open,
        })
    }

    /// Makes the changes last.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let backend = self.inner.get_database_backend();
        if self.has_failed() {
            bounded(backend, self.inner.rollback()).await?;
            return Err(StoreError::TransactionFailed);
        }
        Ok(bounded(backend, self.inner.commit()).await?)
    }

    /// Whether a statement failed, so that it cannot be committed.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    async fn watch<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let outcome = bounded(self.inner.get_database_backend(), statement).await;
        if outcome.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.watch(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.watch(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.watch(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.watch(self.inner.query_all_raw(statement)).await
    }
}

/// Waits for the database, but not without end.
async fn bounded<T>(
    backend: DbBackend,
    statement: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    if backend == DbBackend::Sqlite {
        // It waits for its only writer at most, which has a bound of its own.
        return statement.await;
    }
    let outcome = tokio::time::timeout(LONGEST_STATEMENT, statement).await;
    outcome.unwrap_or_else(|_| {
        let error = io::Error::new(io::ErrorKind::TimedOut, "it did not answer in time");
        Err(DbErr::Conn(RuntimeErr::SqlxError(sqlx::Error::Io(error).into())))
    })
}

/// A page's limit or offset that both databases can hold: the driver panics at numbers beyond.
pub(crate) fn within_database(number: u64) -> u64 {
    number.min(i64::MAX.unsigned_abs())
}
