//! A transaction of either database that behaves alike on both.

use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::async_trait::async_trait;

use crate::{error::StoreError, open_transactions::OpenTransaction};

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
            inner: connection.begin_with_options(options).await?,
            has_failed: AtomicBool::new(false),
            _open: open,
        })
    }

    /// Makes the changes last.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        if self.has_failed.load(Ordering::Relaxed) {
            self.inner.rollback().await?;
            return Err(StoreError::TransactionFailed);
        }
        Ok(self.inner.commit().await?)
    }

    fn watch<T>(&self, outcome: Result<T, DbErr>) -> Result<T, DbErr> {
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
        self.watch(self.inner.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.watch(self.inner.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.watch(self.inner.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.watch(self.inner.query_all_raw(statement).await)
    }
}

/// A page's limit or offset that both databases can hold: the driver panics at numbers beyond.
pub(crate) fn within_database(number: u64) -> u64 {
    number.min(i64::MAX.unsigned_abs())
}
