//! Finding work and what is due for deletion without reading whole tables.

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

const INDEXES: [&str; 4] = [
    // Each organization's oldest job, without passing over the others' jobs.
    "CREATE INDEX jobs_waiting_organization ON jobs (organization_id, run_at, id) WHERE state = 'waiting'",
    "CREATE INDEX jobs_dead ON jobs (kind) WHERE state = 'dead'",
    "CREATE INDEX session_transitions_happened ON session_transitions (happened_at)",
    "CREATE INDEX session_activity_slot ON session_activity (slot)",
];
