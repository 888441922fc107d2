//! Messages that wait for their turn, what they say, and the keys by which a request is recognized that is made
//! again.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, blob, boolean, integer_null, string, string_null, text_null, uuid,
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
        for (table, column) in new_columns() {
            let add = Table::alter().table(table).add_column(column).take();
            manager.alter_table(add).await?;
        }
        for table in [message_contents(), idempotency_keys()] {
            manager.create_table(table).await?;
        }
        // SeaQuery cannot write partial indexes for both databases; the statements are the same on both.
        for statement in INDEXES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const INDEXES: [&str; 8] = [
    "CREATE INDEX messages_queued ON messages (session_id, due_at, id) WHERE status = 'queued'",
    // Who is due, whosever it is.
    "CREATE INDEX messages_due ON messages (due_at) WHERE status = 'queued'",
    "CREATE INDEX messages_expiring ON messages (expires_at) WHERE status = 'queued'",
    "CREATE INDEX messages_unsettled ON messages (settle_at) WHERE settle_at IS NOT NULL",
    // A session hands over one message at a time, whichever process does it.
    "CREATE UNIQUE INDEX messages_lane ON messages (session_id, lane) WHERE lane IS NOT NULL",
    "CREATE INDEX messages_lease ON messages (lease_expires_at) WHERE lane IS NOT NULL",
    "CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at)",
    "CREATE INDEX idempotency_keys_message ON idempotency_keys (message_id)",
];

/// What earlier tables learn. Empty, or with a default, so that the previous release still adds rows.
fn new_columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("messages", big_integer_null("due_at")),
        ("messages", big_integer_null("expires_at")),
        ("messages", boolean("is_asynchronous").default(false).take()),
        ("messages", text_null("reason")),
        ("messages", big_integer("attempts").default(0).take()),
        ("messages", integer_null("lane")),
        ("messages", uuid_null("lease_owner")),
        ("messages", big_integer_null("lease_expires_at")),
        ("messages", big_integer_null("settle_at")),
        ("messages", uuid_null("user_id")),
        ("messages", string_null("token_id")),
        ("messages", string_null("request_id")),
        ("session_upkeep", big_integer_null("restricted_at")),
        (
            "organizations",
            boolean("resends_lost_messages").default(false).take(),
        ),
    ]
}

fn organization(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "organization_id")
        .to("organizations", "id")
        .take()
}

fn message(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "message_id")
        .to("messages", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}

fn message_contents() -> TableCreateStatement {
    Table::create()
        .table("message_contents")
        .col(uuid("message_id").primary_key())
        .col(uuid("organization_id"))
        .col(text_null("text"))
        .col(text_null("details"))
        .foreign_key(&mut organization("message_contents"))
        .foreign_key(&mut message("message_contents"))
        .take()
}

fn idempotency_keys() -> TableCreateStatement {
    Table::create()
        .table("idempotency_keys")
        .col(uuid("organization_id"))
        .col(string("key"))
        .col(blob("fingerprint"))
        .col(uuid("message_id"))
        .col(integer_null("status"))
        .col(text_null("body"))
        .col(big_integer("created_at"))
        .col(big_integer("expires_at"))
        .primary_key(Index::create().col("organization_id").col("key"))
        .foreign_key(&mut organization("idempotency_keys"))
        .foreign_key(&mut message("idempotency_keys"))
        .take()
}
