//! What finds the few messages of a session that are past their time, or whose outcome is asked for, among all that
//! it ever had.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SeaQuery cannot write partial indexes for both databases; the statements are the same on both.
        for statement in INDEXES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const INDEXES: [&str; 2] = [
    "CREATE INDEX messages_session_expiring ON messages (session_id, expires_at) WHERE status = 'queued'",
    "CREATE INDEX messages_session_unsettled ON messages (session_id, settle_at) WHERE settle_at IS NOT NULL",
];
