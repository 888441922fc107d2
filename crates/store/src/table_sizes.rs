//! How large the tables are.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::{error::StoreError, migration::privileges::TABLES};

/// How large a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// The table.
    pub table: &'static str,
    /// Its rows; on PostgreSQL as many as its statistics believe.
    pub rows: u64,
    /// What it takes on the disk with its indexes, in bytes.
    pub bytes: u64,
}

/// The sizes of all tables, by name. On SQLite this reads the whole database.
pub(crate) async fn read(connection: &DatabaseConnection) -> Result<Vec<TableSize>, StoreError> {
    let mut sizes = Vec::new();
    for table in TABLES.map(|privileges| privileges.table) {
        let backend = connection.get_database_backend();
        let question = match backend {
            DbBackend::Postgres => format!(
                "SELECT n_live_tup AS counted, pg_total_relation_size(relid) AS bytes
                FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = '{table}'"
            ),
            // Indexes have pages of their own.
            _ => format!(
                "SELECT (SELECT count(*) FROM {table}) AS counted, coalesce(sum(pages.pgsize), 0) AS bytes
                FROM sqlite_master AS part JOIN dbstat AS pages ON pages.name = part.name AND pages.aggregate = 1
                WHERE part.tbl_name = '{table}'"
            ),
        };
        let answer = connection.query_one_raw(Statement::from_string(backend, question));
        let Some(row) = answer.await? else {
            continue;
        };
        let number = |column| Ok::<_, StoreError>(row.try_get::<i64>("", column)?);
        sizes.push(TableSize {
            table,
            rows: u64::try_from(number("counted")?).unwrap_or(0),
            bytes: u64::try_from(number("bytes")?).unwrap_or(0),
        });
    }
    sizes.sort_unstable_by_key(|size| size.table);
    Ok(sizes)
}
