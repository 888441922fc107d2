//! Organizations, people, credentials, WAHA servers, sessions, messages and the audit log.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, blob, boolean, integer_null, string, string_null, text, text_null,
        uuid, uuid_null,
    },
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// On SQLite too, where it is not the default: half a schema could not be migrated any further.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for mut table in tables() {
            if let Some(TableRef::Table(name, _)) = table.get_table_name().cloned()
                && REFERENCED_WITHIN_ORGANIZATION.contains(&name.1.inner().as_ref())
            {
                table.index(Index::create().unique().col("id").col("organization_id"));
            }
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        // SeaQuery cannot write partial indexes for both databases; the statement is the same on both.
        for (name, table, columns, condition) in PARTIAL_UNIQUE_INDEXES {
            let statement = format!("CREATE UNIQUE INDEX {name} ON {table} ({columns}) WHERE {condition}");
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// Uniqueness holds over living rows only, so that a name is free again once its session is deleted.
const PARTIAL_UNIQUE_INDEXES: [(&str, &str, &str, &str); 4] = [
    (
        "sessions_name",
        "sessions",
        "organization_id, session_name",
        "deleted_at IS NULL",
    ),
    (
        "sessions_phone_number",
        "sessions",
        "organization_id, phone_number",
        "deleted_at IS NULL AND phone_number IS NOT NULL",
    ),
    ("waha_servers_name", "waha_servers", "name", "removed_at IS NULL"),
    (
        "waha_servers_base_url",
        "waha_servers",
        "base_url",
        "removed_at IS NULL",
    ),
];

fn table(name: &'static str, columns: impl IntoIterator<Item = ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    for column in columns {
        table.col(column);
    }
    table.take()
}

fn id(name: &'static str) -> ColumnDef {
    uuid(name).primary_key().take()
}

/// A reference to another table's `id`. Where both rows belong to an organization, it must be the same.
fn references(table: &mut TableCreateStatement, column: &'static str, other: &'static str) {
    let mut key = ForeignKey::create();
    if let Some(TableRef::Table(name, _)) = table.get_table_name().cloned() {
        key.from_tbl(name);
    }
    key.from_col(column).to(other, "id");
    if REFERENCED_WITHIN_ORGANIZATION.contains(&other) {
        key.from_col("organization_id").to_col("organization_id");
    }
    table.foreign_key(&mut key);
}

/// Tables whose rows are referred to by rows of the same organization only.
const REFERENCED_WITHIN_ORGANIZATION: [&str; 2] = ["sessions", "access_tokens"];

/// A table with references to others, each by its `id`.
fn table_with(
    name: &'static str,
    columns: impl IntoIterator<Item = ColumnDef>,
    others: &[(&'static str, &'static str)],
) -> TableCreateStatement {
    let mut table = table(name, columns);
    for (column, other) in others {
        references(&mut table, column, other);
    }
    table
}

const ORGANIZATION: (&str, &str) = ("organization_id", "organizations");
const USER: (&str, &str) = ("user_id", "users");
const SESSION: (&str, &str) = ("session_id", "sessions");

#[expect(clippy::too_many_lines, reason = "a list of tables reads best in one place")]
fn tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "organizations",
            [
                id("id"),
                string("name"),
                string("state"),
                string_null("country"),
                string("time_zone"),
                string("language"),
                integer_null("session_limit"),
                integer_null("message_retention_days"),
                integer_null("media_retention_days"),
                integer_null("audit_retention_days"),
                big_integer("created_at"),
                big_integer("updated_at"),
            ],
        ),
        table(
            "users",
            [
                id("id"),
                string("email"),
                string("canonical_email").unique_key().take(),
                string("display_name"),
                boolean("is_platform_administrator"),
                big_integer_null("disabled_at"),
                big_integer("created_at"),
                big_integer("updated_at"),
            ],
        ),
        table_with(
            "user_passwords",
            [id("user_id"), string("password_hash"), big_integer("updated_at")],
            &[USER],
        ),
        {
            let mut memberships = table_with(
                "memberships",
                [
                    uuid("organization_id"),
                    uuid("user_id"),
                    string("role"),
                    big_integer("created_at"),
                    big_integer("updated_at"),
                ],
                &[ORGANIZATION, USER],
            );
            memberships.primary_key(Index::create().col("organization_id").col("user_id"));
            memberships
        },
        table_with(
            "invitations",
            [
                id("id"),
                uuid("organization_id"),
                string("email"),
                string("canonical_email"),
                string("role"),
                blob("secret_hash"),
                uuid_null("invited_by"),
                big_integer("expires_at"),
                big_integer_null("accepted_at"),
                big_integer_null("revoked_at"),
                big_integer("created_at"),
            ],
            &[ORGANIZATION],
        ),
        table_with(
            "waha_servers",
            [
                id("id"),
                string("name"),
                string("base_url"),
                blob("encrypted_api_key"),
                integer_null("capacity"),
                big_integer_null("last_snapshot_at"),
                big_integer("created_at"),
                big_integer("updated_at"),
                big_integer_null("removed_at"),
            ],
            &[],
        ),
        table_with(
            "sessions",
            [
                id("id"),
                uuid("organization_id"),
                uuid("waha_server_id"),
                string("waha_name"),
                string("origin"),
                string("session_name"),
                string_null("display_name"),
                string_null("phone_number"),
                text("configuration"),
                string("status"),
                string_null("waha_status"),
                string("desired_status"),
                big_integer_null("observed_at"),
                big_integer("error_count"),
                text_null("last_error"),
                string_null("business_name"),
                text_null("business_description"),
                string_null("business_category"),
                string_null("business_website"),
                string_null("business_email"),
                big_integer("messages_sent"),
                big_integer("messages_received"),
                big_integer("media_sent"),
                big_integer("media_received"),
                big_integer_null("last_message_at"),
                big_integer("created_at"),
                big_integer("updated_at"),
                big_integer_null("deleted_at"),
            ],
            &[ORGANIZATION, ("waha_server_id", "waha_servers")],
        ),
        table_with(
            "access_tokens",
            [
                string("id").primary_key().take(),
                uuid("organization_id"),
                uuid("user_id"),
                string("name"),
                blob("secret_hash"),
                text("abilities"),
                boolean("is_limited_to_sessions"),
                big_integer_null("expires_at"),
                big_integer_null("last_used_at"),
                big_integer_null("revoked_at"),
                big_integer("created_at"),
            ],
            &[ORGANIZATION, USER],
        ),
        {
            let mut limits = table_with(
                "access_token_sessions",
                [string("token_id"), uuid("session_id"), uuid("organization_id")],
                &[("token_id", "access_tokens"), SESSION, ORGANIZATION],
            );
            limits.primary_key(Index::create().col("token_id").col("session_id"));
            limits
        },
        table_with(
            "platform_tokens",
            [
                string("id").primary_key().take(),
                uuid("user_id"),
                string("name"),
                blob("secret_hash"),
                big_integer_null("expires_at"),
                big_integer_null("last_used_at"),
                big_integer_null("revoked_at"),
                big_integer("created_at"),
            ],
            &[USER],
        ),
        table_with(
            "sign_ins",
            [
                id("id"),
                uuid("user_id"),
                blob("secret_hash"),
                big_integer("expires_at"),
                big_integer_null("revoked_at"),
                big_integer("created_at"),
            ],
            &[USER],
        ),
        table_with(
            "password_resets",
            [
                id("id"),
                uuid("user_id"),
                blob("secret_hash"),
                big_integer("expires_at"),
                big_integer_null("used_at"),
                big_integer("created_at"),
            ],
            &[USER],
        ),
        table_with(
            "messages",
            [
                id("id"),
                uuid("organization_id"),
                uuid("session_id"),
                string("chat_id"),
                string("direction"),
                string("kind"),
                string("status"),
                string_null("waha_message_id"),
                big_integer("created_at"),
                big_integer("updated_at"),
            ],
            &[ORGANIZATION, SESSION],
        ),
        table(
            "audit_entries",
            [
                id("id"),
                uuid_null("organization_id"),
                string("actor"),
                uuid_null("user_id"),
                string_null("token_id"),
                uuid_null("session_id"),
                string("operation"),
                string("outcome"),
                string_null("error_code"),
                string_null("source_address"),
                string_null("request_id"),
                big_integer("created_at"),
            ],
        ),
    ]
}

fn index(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index.take()
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        // Over deleted rows too: a name on a WAHA server is never used again.
        index("sessions_waha_name", "sessions", &["waha_server_id", "waha_name"])
            .unique()
            .take(),
        index(
            "sessions_list",
            "sessions",
            &["organization_id", "deleted_at", "created_at"],
        ),
        index("memberships_user", "memberships", &["user_id"]),
        index(
            "invitations_organization",
            "invitations",
            &["organization_id", "created_at"],
        ),
        index(
            "access_tokens_organization",
            "access_tokens",
            &["organization_id", "created_at"],
        ),
        index("access_tokens_user", "access_tokens", &["user_id"]),
        index("sign_ins_user", "sign_ins", &["user_id"]),
        index("platform_tokens_user", "platform_tokens", &["user_id"]),
        index(
            "messages_session",
            "messages",
            &["organization_id", "session_id", "created_at"],
        ),
        index(
            "audit_entries_organization",
            "audit_entries",
            &["organization_id", "created_at", "id"],
        ),
    ]
}
