//! Background work, events from WAHA and what they change, and the upkeep of servers.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, boolean, integer_null, string, string_null, text, text_null, uuid,
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
        for table in tables() {
            manager.create_table(table).await?;
        }
        for (table, column) in new_columns() {
            let add = Table::alter().table(table).add_column(column).take();
            manager.alter_table(add).await?;
        }
        // SeaQuery cannot write partial indexes for both databases; the statements are the same on both.
        for statement in INDEXES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const INDEXES: [&str; 9] = [
    "CREATE INDEX jobs_due ON jobs (run_at) WHERE state = 'waiting'",
    "CREATE INDEX jobs_running ON jobs (lease_expires_at) WHERE state = 'running'",
    "CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL",
    // While one waits, another of its kind for the same thing would be the same work.
    "CREATE UNIQUE INDEX jobs_waiting_subject ON jobs (kind, subject) WHERE state = 'waiting' AND subject IS NOT NULL",
    "CREATE UNIQUE INDEX waha_events_event ON waha_events (waha_server_id, event_id)",
    "CREATE INDEX waha_events_waiting ON waha_events (session_id, happened_at) WHERE state = 'waiting'",
    "CREATE INDEX waha_events_received ON waha_events (received_at)",
    "CREATE INDEX session_transitions_session ON session_transitions (organization_id, session_id, happened_at)",
    // One row a message, whichever of WAHA's events speaks of it first.
    "CREATE UNIQUE INDEX messages_key ON messages (session_id, message_key) WHERE message_key IS NOT NULL",
];

const ORGANIZATION: (&str, &str) = ("organization_id", "organizations");
const SESSION: (&str, &str) = ("session_id", "sessions");
const SERVER: (&str, &str) = ("waha_server_id", "waha_servers");

/// A table with references to others, each by its `id`; a session's must be of the same organization.
fn table(
    name: &'static str,
    columns: impl IntoIterator<Item = ColumnDef>,
    references: &[(&'static str, &'static str)],
    key: Option<(&'static str, &'static str)>,
) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    for column in columns {
        table.col(column);
    }
    for reference in references {
        let mut foreign = ForeignKey::create();
        foreign.from_tbl(name).from_col(reference.0).to(reference.1, "id");
        if *reference == SESSION {
            foreign.from_col("organization_id").to_col("organization_id");
        }
        table.foreign_key(&mut foreign);
    }
    if let Some((first, second)) = key {
        table.primary_key(Index::create().col(first).col(second));
    }
    table.take()
}

fn tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "jobs",
            [
                uuid("id").primary_key().take(),
                string("kind"),
                uuid_null("organization_id"),
                string_null("subject"),
                text("payload"),
                string("state"),
                big_integer("run_at"),
                big_integer("attempts"),
                uuid_null("lease_owner"),
                big_integer("lease_epoch"),
                big_integer_null("lease_expires_at"),
                text_null("last_error"),
                big_integer("created_at"),
                big_integer_null("finished_at"),
            ],
            &[ORGANIZATION],
            None,
        ),
        table(
            "leases",
            [
                string("name").primary_key().take(),
                uuid("owner"),
                big_integer("epoch"),
                big_integer("expires_at"),
            ],
            &[],
            None,
        ),
        table(
            "processes",
            [
                uuid("id").primary_key().take(),
                string("name"),
                string("role"),
                big_integer("started_at"),
                big_integer("seen_at"),
            ],
            &[],
            None,
        ),
        table(
            "waha_events",
            [
                uuid("id").primary_key().take(),
                uuid("organization_id"),
                uuid("session_id"),
                uuid("waha_server_id"),
                string("event_id"),
                string("kind"),
                string("state"),
                text_null("payload"),
                big_integer("happened_at"),
                big_integer("received_at"),
                big_integer_null("applied_at"),
            ],
            &[ORGANIZATION, SESSION, SERVER],
            None,
        ),
        table(
            "session_transitions",
            [
                uuid("id").primary_key().take(),
                uuid("organization_id"),
                uuid("session_id"),
                string("subject"),
                string_null("old_value"),
                string("new_value"),
                text_null("reason"),
                big_integer("happened_at"),
            ],
            &[ORGANIZATION, SESSION],
            None,
        ),
        table(
            "session_activity",
            [
                uuid("session_id"),
                big_integer("slot"),
                uuid("organization_id"),
                big_integer("messages_sent"),
                big_integer("messages_received"),
                big_integer("media_sent"),
                big_integer("media_received"),
                big_integer("messages_delivered"),
                big_integer("messages_read"),
                big_integer("messages_failed"),
                big_integer("calls"),
                big_integer("group_changes"),
            ],
            &[ORGANIZATION, SESSION],
            Some(("session_id", "slot")),
        ),
    ]
}

/// What earlier tables learn. Empty, or with a default, so that the previous release still adds rows.
fn new_columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("messages", string_null("message_key")),
        ("messages", string_null("sender")),
        ("messages", big_integer_null("happened_at")),
        ("waha_servers", big_integer_null("paused_at")),
        ("waha_servers", big_integer_null("draining_at")),
        ("waha_servers", uuid_null("organization_id")),
        ("waha_servers", integer_null("concurrency")),
        ("waha_servers", integer_null("requests_per_second")),
        ("waha_servers", big_integer_null("last_event_at")),
        ("waha_servers", big_integer("hook_version").default(1).take()),
        ("organizations", integer_null("messages_per_minute")),
        ("organizations", integer_null("messages_per_hour")),
        ("organizations", integer_null("media_per_minute")),
        ("organizations", integer_null("media_per_hour")),
        ("organizations", integer_null("requests_per_minute")),
        ("organizations", integer_null("organization_messages_per_minute")),
        ("organizations", integer_null("organization_messages_per_hour")),
        ("organizations", integer_null("monthly_messages")),
        (
            "organizations",
            boolean("restarts_silent_sessions").default(false).take(),
        ),
    ]
}
