//! What happened in organizations, to be told to them by streams and webhooks.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, string, text, uuid, uuid_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A row of its own, because whoever writes events holds its lock until the commit.
        let counters = Table::create()
            .table("organization_event_counters")
            .col(uuid("organization_id").primary_key())
            .col(big_integer("last_number"))
            .foreign_key(
                ForeignKey::create()
                    .from("organization_event_counters", "organization_id")
                    .to("organizations", "id"),
            )
            .take();
        manager.create_table(counters).await?;
        // It refers to no session and no message. Who writes an event holds the counter, and must not wait for
        // somebody who holds a session and waits for the counter; and an event outlives what it tells of.
        let events = Table::create()
            .table("organization_events")
            .col(uuid("organization_id"))
            .col(big_integer("number"))
            .col(uuid("id"))
            .col(string("type"))
            .col(uuid_null("session_id"))
            .col(uuid_null("message_id"))
            .col(text("data"))
            .col(big_integer("happened_at"))
            .col(big_integer("created_at"))
            .primary_key(Index::create().col("organization_id").col("number"))
            .foreign_key(
                ForeignKey::create()
                    .from("organization_events", "organization_id")
                    .to("organization_event_counters", "organization_id"),
            )
            .take();
        manager.create_table(events).await?;
        // What is past its retention is looked for in all organizations at once.
        let index = Index::create()
            .name("organization_events_created")
            .table("organization_events")
            .col("created_at")
            .take();
        manager.create_index(index).await
    }
}
