//! Addresses to which organizations' events are delivered, the deliveries, and what came of each try.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, blob, blob_null, integer_null, string, text, text_null, uuid,
        uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [endpoints(), deliveries(), attempts()] {
            manager.create_table(table).await?;
        }
        // SeaQuery cannot write partial indexes for both databases; the statements are the same on both.
        for statement in INDEXES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const INDEXES: [&str; 5] = [
    "CREATE INDEX webhook_deliveries_list ON webhook_deliveries (endpoint_id, id)",
    // An event goes to an endpoint once under each of its names; asked for again, it is the same delivery. Tests have
    // no event.
    "CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries (endpoint_id, event_number, event_name)
        WHERE event_number > 0",
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at) WHERE state = 'waiting'",
    "CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (endpoint_id, id) WHERE state = 'failed'",
    // What is past its retention is looked for in all organizations at once.
    "CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (updated_at) WHERE state <> 'waiting'",
];

fn endpoints() -> TableCreateStatement {
    Table::create()
        .table("webhook_endpoints")
        .col(uuid("organization_id"))
        .col(uuid("id"))
        .col(text("url"))
        .col(text_null("description"))
        .col(string("style"))
        .col(text_null("events"))
        .col(text_null("sessions"))
        .col(text("header_names"))
        .col(blob_null("encrypted_headers"))
        .col(blob("encrypted_secret"))
        .col(blob_null("encrypted_previous_secret"))
        .col(big_integer_null("previous_secret_until"))
        .col(string("state"))
        .col(text_null("disabled_reason"))
        .col(big_integer_null("failing_since"))
        .col(big_integer_null("last_failed_at"))
        .col(big_integer("position"))
        .col(uuid_null("created_by"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .primary_key(Index::create().col("organization_id").col("id"))
        .foreign_key(
            ForeignKey::create()
                .from("webhook_endpoints", "organization_id")
                .to("organizations", "id"),
        )
        .take()
}

/// A reference to a row of the same organization, with which the referring rows go.
fn belongs_to(table: &'static str, column: &'static str, other: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_tbl(table)
        .from_col("organization_id")
        .from_col(column)
        .to_tbl(other)
        .to_col("organization_id")
        .to_col("id")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}

fn deliveries() -> TableCreateStatement {
    Table::create()
        .table("webhook_deliveries")
        .col(uuid("organization_id"))
        .col(uuid("id"))
        .col(uuid("endpoint_id"))
        .col(big_integer("event_number"))
        .col(uuid("event_id"))
        .col(uuid_null("session_id"))
        .col(string("event_name"))
        .col(string("state"))
        .col(big_integer("attempts"))
        .col(big_integer_null("due_at"))
        .col(big_integer("lease_epoch"))
        .col(integer_null("last_status"))
        .col(text_null("last_error"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .primary_key(Index::create().col("organization_id").col("id"))
        .foreign_key(&mut belongs_to(
            "webhook_deliveries",
            "endpoint_id",
            "webhook_endpoints",
        ))
        .take()
}

fn attempts() -> TableCreateStatement {
    Table::create()
        .table("webhook_attempts")
        .col(uuid("organization_id"))
        .col(uuid("delivery_id"))
        .col(uuid("id"))
        .col(big_integer("number"))
        .col(big_integer("started_at"))
        .col(big_integer("duration_ms"))
        .col(integer_null("status"))
        .col(text_null("error"))
        .col(text_null("answer"))
        .primary_key(
            Index::create()
                .col("organization_id")
                .col("delivery_id")
                .col("id"),
        )
        .foreign_key(&mut belongs_to(
            "webhook_attempts",
            "delivery_id",
            "webhook_deliveries",
        ))
        .take()
}
