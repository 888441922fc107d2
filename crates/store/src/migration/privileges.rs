//! What the two runtime roles of PostgreSQL may do: the second wall between organizations.
//!
//! `wahana_tenant` sees rows of the organization that its transaction named, and of no other; without
//! a name it sees none. `wahana_platform` sees all rows. Neither owns a table, and no setting widens
//! a policy. Applying this twice changes nothing.

use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::error::StoreError;

/// The role of transactions that belong to an organization.
pub(crate) const TENANT_ROLE: &str = "wahana_tenant";
/// The role of what happens before an organization is known.
pub(crate) const PLATFORM_ROLE: &str = "wahana_platform";

/// The organization that the transaction named; a pooled connection may hold an empty text.
const CURRENT_ORGANIZATION: &str = "NULLIF(current_setting('app.organization_id', true), '')::uuid";

/// Who may do what with a table.
pub(crate) struct TablePrivileges {
    /// The table.
    pub(crate) table: &'static str,
    /// Which of its rows belong to the organization that the transaction named, and what the tenant
    /// role may do with those; `None` if it may not touch the table.
    pub(crate) tenant: Option<(Rows, &'static str)>,
    /// What the platform role may do.
    pub(crate) platform: &'static str,
    /// The condition for rows that the platform role may delete, if not all.
    pub(crate) deletable: Option<&'static str>,
}

/// Audit entries whose organization does not keep them any longer, by the database's own clock. Those that
/// belong to no organization are kept for ninety days at least.
const PAST_RETENTION: &str = "created_at < (extract(epoch FROM now()) * 1000000)::bigint
    - 86400000000 * CASE WHEN organization_id IS NULL THEN 90
        ELSE (SELECT o.audit_retention_days FROM organizations o WHERE o.id = audit_entries.organization_id) END";

/// Which rows of a table are an organization's.
pub(crate) enum Rows {
    /// Those with its id in this column.
    OwnedBy(&'static str),
    /// Those for which this condition holds.
    Where(&'static str),
}

const ALL: &str = "SELECT, INSERT, UPDATE, DELETE";
/// Rows are added and read: nobody who serves requests can change what was logged.
const APPEND: &str = "SELECT, INSERT";

const fn tenant_owned(table: &'static str) -> TablePrivileges {
    TablePrivileges {
        table,
        tenant: Some((Rows::OwnedBy("organization_id"), ALL)),
        platform: ALL,
        deletable: None,
    }
}

const fn platform_only(table: &'static str) -> TablePrivileges {
    TablePrivileges {
        table,
        tenant: None,
        platform: ALL,
        deletable: None,
    }
}

/// Every table of wahana's.
pub(crate) const TABLES: [TablePrivileges; 36] = [
    TablePrivileges {
        table: "organizations",
        // Not its state nor its limits, which are the platform's to set.
        tenant: Some((
            Rows::OwnedBy("id"),
            "SELECT, UPDATE (name, country, time_zone, language, message_retention_days, media_retention_days, audit_retention_days, restarts_silent_sessions, resends_lost_messages, keeps_message_texts, updated_at)",
        )),
        platform: ALL,
        deletable: None,
    },
    TablePrivileges {
        table: "memberships",
        // Who made anybody a member could read any user, so only the platform does.
        tenant: Some((
            Rows::OwnedBy("organization_id"),
            "SELECT, UPDATE (role, updated_at), DELETE",
        )),
        platform: ALL,
        deletable: None,
    },
    tenant_owned("invitations"),
    tenant_owned("access_tokens"),
    tenant_owned("access_token_sessions"),
    tenant_owned("sessions"),
    tenant_owned("messages"),
    tenant_owned("message_contents"),
    TablePrivileges {
        table: "erasures",
        // Asked for with the job that does it, which runs as the platform's.
        tenant: Some((Rows::OwnedBy("organization_id"), APPEND)),
        platform: ALL,
        deletable: None,
    },
    tenant_owned("exports"),
    TablePrivileges {
        table: "erased_messages",
        // Whoever applies events looks into it; the job that erases writes it, as the platform's.
        tenant: Some((Rows::OwnedBy("organization_id"), "SELECT")),
        platform: ALL,
        deletable: None,
    },
    tenant_owned("idempotency_keys"),
    TablePrivileges {
        table: "audit_entries",
        tenant: Some((Rows::OwnedBy("organization_id"), APPEND)),
        platform: "SELECT, INSERT, DELETE",
        deletable: Some(PAST_RETENTION),
    },
    TablePrivileges {
        table: "users",
        // Row security holds for `memberships` in here too, so these are the organization's members.
        tenant: Some((
            Rows::Where("EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)"),
            "SELECT",
        )),
        platform: ALL,
        deletable: None,
    },
    TablePrivileges {
        table: "jobs",
        // Written with the change that causes it; claiming and ending it is the platform's.
        tenant: Some((Rows::OwnedBy("organization_id"), APPEND)),
        platform: ALL,
        deletable: None,
    },
    tenant_owned("waha_events"),
    tenant_owned("session_transitions"),
    tenant_owned("session_activity"),
    tenant_owned("message_usage"),
    tenant_owned("media_files"),
    tenant_owned("session_upkeep"),
    tenant_owned("session_leftovers"),
    TablePrivileges {
        table: "organization_events",
        // A message may turn out to be another; what was told of it stays as it was told.
        tenant: Some((
            Rows::OwnedBy("organization_id"),
            "SELECT, INSERT, UPDATE (message_id)",
        )),
        platform: ALL,
        deletable: None,
    },
    TablePrivileges {
        table: "organization_event_counters",
        tenant: Some((
            Rows::OwnedBy("organization_id"),
            "SELECT, INSERT, UPDATE (last_number)",
        )),
        platform: ALL,
        deletable: None,
    },
    tenant_owned("webhook_endpoints"),
    tenant_owned("webhook_deliveries"),
    tenant_owned("webhook_attempts"),
    platform_only("leases"),
    platform_only("processes"),
    platform_only("user_passwords"),
    platform_only("platform_tokens"),
    platform_only("sign_ins"),
    platform_only("password_resets"),
    platform_only("waha_servers"),
    platform_only("organization_erasures"),
    platform_only("erased_waha_names"),
];

/// Makes the roles where they are absent, and sets privileges and policies anew.
pub(crate) async fn grant(connection: &DatabaseConnection) -> Result<(), StoreError> {
    for role in [TENANT_ROLE, PLATFORM_ROLE] {
        connection
            .execute_unprepared(&make_role(role))
            .await
            .map_err(|error| match StoreError::from(error) {
                StoreError::PermissionDenied => StoreError::RolesMissing,
                other => other,
            })?;
    }
    for table in &TABLES {
        connection.execute_unprepared(&statements(table)).await?;
    }
    connection
        .execute_unprepared(&format!("GRANT SELECT ON seaql_migrations TO {PLATFORM_ROLE}"))
        .await?;
    Ok(())
}

/// Roles belong to the whole PostgreSQL server, so another database's migration may make the same
/// ones at this moment.
fn make_role(role: &str) -> String {
    format!(
        "DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS;
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$;
        DO $$ BEGIN
            -- Since PostgreSQL 16 a role's maker is its member and may not put it on.
            IF NOT pg_has_role(current_user, '{role}',
                CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
                EXECUTE format('GRANT {role} TO %I', current_user);
            END IF;
        EXCEPTION WHEN unique_violation THEN NULL;
        END $$;
        DO $$ BEGIN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema());
        END $$;"
    )
}

fn statements(privileges: &TablePrivileges) -> String {
    let TablePrivileges {
        table,
        tenant,
        platform,
        deletable,
    } = privileges;
    let mut sql = format!(
        "REVOKE ALL ON {table} FROM PUBLIC, {TENANT_ROLE}, {PLATFORM_ROLE};
        GRANT {platform} ON {table} TO {PLATFORM_ROLE};
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        DROP POLICY IF EXISTS platform_access ON {table};
        CREATE POLICY platform_access ON {table} TO {PLATFORM_ROLE} USING (true) WITH CHECK (true);
        DROP POLICY IF EXISTS platform_deletion ON {table};
        DROP POLICY IF EXISTS tenant_isolation ON {table};"
    );
    if let Some(condition) = deletable {
        let restriction = format!(
            "CREATE POLICY platform_deletion ON {table} AS RESTRICTIVE FOR DELETE TO {PLATFORM_ROLE}
                USING ({condition});"
        );
        sql.push_str(&restriction);
    }
    if let Some((rows, verbs)) = tenant {
        let condition = match rows {
            Rows::OwnedBy(column) => format!("{column} = {CURRENT_ORGANIZATION}"),
            Rows::Where(condition) => (*condition).to_owned(),
        };
        let grant = format!(
            "GRANT {verbs} ON {table} TO {TENANT_ROLE};
            CREATE POLICY tenant_isolation ON {table} TO {TENANT_ROLE}
                USING ({condition}) WITH CHECK ({condition});"
        );
        sql.push_str(&grant);
    }
    sql
}
