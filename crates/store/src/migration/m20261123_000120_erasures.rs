//! Erasures of chats, how far they came, by what an erased message is known that WAHA tells of once more, and which
//! deliveries are about a message.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, blob, string_null, uuid, uuid_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// SeaQuery cannot write partial indexes for both databases; the statements are the same on both.
const INDEXES: [&str; 5] = [
    // What is past its retention is looked for in all organizations at once.
    "CREATE INDEX erasures_finished ON erasures (finished_at)",
    "CREATE INDEX erased_messages_erased ON erased_messages (erased_at)",
    // The messages of a chat, and those of whoever has its id in other chats, a batch at a time.
    "CREATE INDEX messages_chat ON messages (organization_id, chat_id, id)",
    "CREATE INDEX messages_sender ON messages (organization_id, sender, id) WHERE sender IS NOT NULL",
    "CREATE INDEX webhook_deliveries_message ON webhook_deliveries (organization_id, message_id)
        WHERE message_id IS NOT NULL",
];

/// Which message a delivery is about outlives the event that said so.
const MESSAGES_OF_DELIVERIES: &str = "UPDATE webhook_deliveries SET message_id = (
    SELECT message_id FROM organization_events
    WHERE organization_events.organization_id = webhook_deliveries.organization_id
        AND organization_events.number = webhook_deliveries.event_number)
    WHERE event_number > 0";

fn organization(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "organization_id")
        .to("organizations", "id")
        .take()
}

fn erasures() -> TableCreateStatement {
    Table::create()
        .table("erasures")
        .col(uuid("id").primary_key())
        .col(uuid("organization_id"))
        .col(string_null("chat_id"))
        .col(big_integer("messages"))
        .col(big_integer("events"))
        .col(big_integer("created_at"))
        .col(big_integer_null("finished_at"))
        .foreign_key(&mut organization("erasures"))
        .take()
}

fn erased_messages() -> TableCreateStatement {
    Table::create()
        .table("erased_messages")
        .col(uuid("session_id"))
        .col(blob("key_hash"))
        .col(uuid("organization_id"))
        .col(big_integer("erased_at"))
        .primary_key(Index::create().col("session_id").col("key_hash"))
        .foreign_key(&mut organization("erased_messages"))
        .take()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [erasures(), erased_messages()] {
            manager.create_table(table).await?;
        }
        let message = Table::alter()
            .table("webhook_deliveries")
            .add_column(uuid_null("message_id"))
            .take();
        manager.alter_table(message).await?;
        manager
            .get_connection()
            .execute_unprepared(MESSAGES_OF_DELIVERIES)
            .await?;
        for statement in INDEXES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
