//! What the upkeep of a session remembers.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, text_null, uuid},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("session_upkeep")
            .col(uuid("session_id").primary_key())
            .col(uuid("organization_id"))
            .col(big_integer("attempts"))
            .col(big_integer_null("next_attempt_at"))
            .col(big_integer_null("halted_at"))
            .col(text_null("halted_reason"))
            .col(text_null("drift"))
            .col(big_integer_null("repaired_at"))
            .col(text_null("restriction"))
            .col(big_integer_null("restricted_until"))
            .col(big_integer("hook_version"))
            .col(big_integer_null("hook_applied_version"))
            .col(big_integer_null("last_event_at"))
            .col(big_integer_null("probe_failed_at"))
            .col(big_integer_null("silent_restart_at"))
            .col(big_integer("updated_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("session_upkeep", "organization_id")
                    .to("organizations", "id"),
            )
            .foreign_key(
                ForeignKey::create()
                    .from_tbl("session_upkeep")
                    .from_col("session_id")
                    .from_col("organization_id")
                    .to_tbl("sessions")
                    .to_col("id")
                    .to_col("organization_id"),
            )
            .take();
        manager.create_table(table).await
    }
}
