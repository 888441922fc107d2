//! Seeing quickly whether any session of a WAHA server changed.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SeaQuery cannot write partial indexes for both databases; the statement is the same on both.
        let statement =
            "CREATE INDEX sessions_changes ON sessions (waha_server_id, updated_at) WHERE deleted_at IS NULL";
        manager.get_connection().execute_unprepared(statement).await?;
        Ok(())
    }
}
