//! What is needed to recognise a message of unknown outcome when WAHA tells of it.

use sea_orm_migration::{prelude::*, schema::boolean};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // With a default, so that the previous release still adds rows.
        let source = Table::alter()
            .table("messages")
            .add_column(boolean("is_from_api").default(false))
            .take();
        manager.alter_table(source).await?;
        // SeaQuery cannot write partial indexes for both databases; the statement is the same on both.
        let statement = "CREATE INDEX messages_unknown ON messages (session_id) WHERE status = 'unknown' AND \
                         message_key IS NULL";
        manager.get_connection().execute_unprepared(statement).await?;
        Ok(())
    }
}
