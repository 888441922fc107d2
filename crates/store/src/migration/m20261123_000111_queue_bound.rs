//! How many messages of an organization may wait to be sent.

use sea_orm_migration::{prelude::*, schema::integer_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let limit = Table::alter()
            .table("organizations")
            .add_column(integer_null("queued_messages"))
            .take();
        manager.alter_table(limit).await?;
        // SeaQuery cannot write partial indexes for both databases; the statement is the same on both.
        let statement = "CREATE INDEX messages_queued_of_organization ON messages (organization_id) WHERE status = 'queued'";
        manager.get_connection().execute_unprepared(statement).await?;
        Ok(())
    }
}
