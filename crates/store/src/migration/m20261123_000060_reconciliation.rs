//! Finding the sessions that are not as wanted, and saying why one is not to be trusted.

use sea_orm_migration::{prelude::*, schema::text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Beside the status, because health is judged and filtered from a session's own row.
        let warning = Table::alter()
            .table("sessions")
            .add_column(text_null("warning"))
            .take();
        manager.alter_table(warning).await?;
        // SeaQuery cannot write partial indexes for both databases; the statements are the same on both.
        for statement in INDEXES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const INDEXES: [&str; 4] = [
    "CREATE INDEX sessions_wish ON sessions (waha_server_id, desired_status, status) WHERE deleted_at IS NULL",
    "CREATE INDEX sessions_warning ON sessions (waha_server_id) WHERE warning IS NOT NULL AND deleted_at IS NULL",
    "CREATE INDEX session_upkeep_attempts ON session_upkeep (next_attempt_at) WHERE next_attempt_at IS NOT NULL",
    "CREATE INDEX session_upkeep_drift ON session_upkeep (session_id) WHERE drift IS NOT NULL",
];
