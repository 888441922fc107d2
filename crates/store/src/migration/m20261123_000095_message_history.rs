//! Messages as a history: what they answer, in which order they are read, and whether it is kept what they say.

use sea_orm_migration::{
    prelude::*,
    schema::{boolean, string_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// SeaQuery cannot write indexes of expressions for both databases; the statements are the same on both. What is
/// known by an acknowledgement alone has neither time, and is not read.
const INDEXES: [&str; 2] = [
    "CREATE INDEX messages_history ON messages (organization_id, COALESCE(happened_at, due_at), id) WHERE \
     COALESCE(happened_at, due_at) IS NOT NULL",
    "CREATE INDEX messages_session_history ON messages (session_id, COALESCE(happened_at, due_at), id) WHERE \
     COALESCE(happened_at, due_at) IS NOT NULL",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Empty, or with a default, so that the previous release still adds rows.
        for (table, column) in [
            ("messages", string_null("reply_to")),
            (
                "organizations",
                boolean("keeps_message_texts").default(true).take(),
            ),
        ] {
            let add = Table::alter().table(table).add_column(column).take();
            manager.alter_table(add).await?;
        }
        for statement in INDEXES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
