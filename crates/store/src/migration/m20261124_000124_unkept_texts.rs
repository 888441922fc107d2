//! Until when a text is there for whoever is told of it, in an organization that does not keep texts.

use sea_orm_migration::{prelude::*, schema::big_integer_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// SeaQuery cannot write partial indexes for both databases; the statement is the same on both.
const INDEX: &str =
    "CREATE INDEX message_contents_unkept ON message_contents (forget_after) WHERE forget_after IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Empty for what is kept, so that the previous release still adds rows.
        let add = Table::alter()
            .table("message_contents")
            .add_column(big_integer_null("forget_after"))
            .take();
        manager.alter_table(add).await?;
        manager.get_connection().execute_unprepared(INDEX).await?;
        Ok(())
    }
}
