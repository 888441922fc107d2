//! The wall in PostgreSQL, alone: statements as the runtime roles, without the store's filters.

use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};
use wahana_testkit::{database::TestDatabase, on_postgres};

use crate::world::{TestOrganization, World};

/// What the tenant role may read, with the column that says whose a row is.
const OWNED: [(&str, &str); 13] = [
    ("organizations", "id"),
    ("memberships", "organization_id"),
    ("invitations", "organization_id"),
    ("access_tokens", "organization_id"),
    ("access_token_sessions", "organization_id"),
    ("sessions", "organization_id"),
    ("messages", "organization_id"),
    ("audit_entries", "organization_id"),
    ("organization_events", "organization_id"),
    ("organization_event_counters", "organization_id"),
    ("webhook_endpoints", "organization_id"),
    ("webhook_deliveries", "organization_id"),
    ("webhook_attempts", "organization_id"),
];
/// What it may not even name.
const PLATFORM_ONLY: [&str; 8] = [
    "user_passwords",
    "platform_tokens",
    "sign_ins",
    "password_resets",
    "waha_servers",
    "organization_erasures",
    "erased_waha_names",
    "seaql_migrations",
];
const TENANT: &str = "wahana_tenant";
const PLATFORM: &str = "wahana_platform";

async fn filled(db: &TestDatabase) -> World {
    let world = World::new(db).await;
    world.fill(&world.a).await;
    world.fill(&world.b).await;
    for (table, _) in OWNED {
        let rows = db.texts_unguarded(&format!("SELECT 'row' FROM {table}")).await;
        assert!(rows.len() >= 2, "{table} is empty, so it proves nothing");
    }
    world
}

/// A connection as the store makes them.
async fn connect(db: &TestDatabase, role: &str) -> PgConnection {
    let settings = db.settings();
    let options: PgConnectOptions = settings.url.expose_secret().parse().unwrap();
    PgConnection::connect_with(&options.options([("role", role)]))
        .await
        .unwrap()
}

/// The same, with an organization named until the connection ends.
async fn connect_for(db: &TestDatabase, organization: &TestOrganization) -> PgConnection {
    let mut connection = connect(db, TENANT).await;
    name_organization(&mut connection, organization, false).await;
    connection
}

async fn name_organization(connection: &mut PgConnection, organization: &TestOrganization, is_local: bool) {
    sqlx::query("SELECT set_config('app.organization_id', $1, $2)")
        .bind(organization.id().to_string())
        .bind(is_local)
        .execute(connection)
        .await
        .unwrap();
}

async fn texts(connection: &mut PgConnection, query: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_all(connection)
        .await
        .unwrap()
}

/// How many rows a statement changed, or PostgreSQL's code for why it may not.
async fn change(connection: &mut PgConnection, statement: &str) -> Result<u64, String> {
    match sqlx::query(AssertSqlSafe(statement)).execute(connection).await {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) => Err(error.as_database_error().unwrap().code().unwrap().into_owned()),
    }
}

fn refused() -> Result<u64, String> {
    Err("42501".to_owned())
}

async fn without_an_organization_there_are_no_rows(db: &TestDatabase) {
    let _world = filled(db).await;
    let mut connection = connect(db, TENANT).await;
    for statement in ["SELECT 1", "SELECT set_config('app.organization_id', '', false)"] {
        change(&mut connection, statement).await.unwrap();
        for table in OWNED.map(|(table, _)| table).into_iter().chain(["users"]) {
            let rows = texts(&mut connection, &format!("SELECT 'row' FROM {table}")).await;
            assert!(rows.is_empty(), "{table}");
        }
        assert_eq!(change(&mut connection, "DELETE FROM sessions").await, Ok(0));
        assert_eq!(
            change(&mut connection, "UPDATE sessions SET status = 'x'").await,
            Ok(0)
        );
    }
}

async fn a_forgotten_filter_shows_the_organizations_own_rows(db: &TestDatabase) {
    let world = filled(db).await;
    for organization in [&world.a, &world.b] {
        let mut connection = connect_for(db, organization).await;
        for (table, column) in OWNED {
            let owners = texts(
                &mut connection,
                &format!("SELECT DISTINCT {column}::text FROM {table}"),
            )
            .await;
            assert_eq!(owners, [organization.id().to_string()], "{table}");
        }
        let users = texts(&mut connection, "SELECT id::text FROM users").await;
        assert_eq!(users, [organization.owner.to_string()]);
    }
}

async fn a_forgotten_filter_changes_the_organizations_own_rows(db: &TestDatabase) {
    let world = filled(db).await;
    let mut connection = connect_for(db, &world.a).await;
    for statement in [
        "UPDATE sessions SET status = 'error'",
        "UPDATE organizations SET name = 'Renamed'",
        "UPDATE memberships SET role = 'viewer'",
        "DELETE FROM messages",
        "DELETE FROM invitations",
    ] {
        assert_eq!(change(&mut connection, statement).await, Ok(1), "{statement}");
    }
    let left = db
        .texts_unguarded(
            "SELECT status FROM sessions WHERE status <> 'error'
            UNION ALL SELECT name FROM organizations WHERE name <> 'Renamed'
            UNION ALL SELECT role FROM memberships WHERE role <> 'viewer'
            UNION ALL SELECT status FROM messages UNION ALL SELECT email FROM invitations",
        )
        .await;
    assert_eq!(
        left,
        ["connecting", "Beta", "owner", "sending", "guest@example.com"]
    );
}

async fn a_row_cannot_be_given_to_another_organization(db: &TestDatabase) {
    let world = filled(db).await;
    let mut connection = connect_for(db, &world.a).await;
    let (a, b) = (world.a.id(), world.b.id());
    for (table, column) in OWNED {
        let moved = change(&mut connection, &format!("UPDATE {table} SET {column} = '{b}'")).await;
        assert_eq!(moved, refused(), "{table}");
        let copied = format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object('{column}', '{b}'))).* FROM {table} t"
        );
        assert_eq!(change(&mut connection, &copied).await, refused(), "{table}");
    }
    let orphan = format!(
        "INSERT INTO audit_entries SELECT (jsonb_populate_record(t, '{{\"organization_id\": null}}')).* FROM audit_entries t WHERE organization_id = '{a}'"
    );
    assert_eq!(change(&mut connection, &orphan).await, refused());
}

async fn a_row_cannot_refer_to_one_of_another_organization(db: &TestDatabase) {
    let world = filled(db).await;
    let theirs = db
        .texts_unguarded(&format!(
            "SELECT id::text FROM sessions WHERE organization_id = '{}'",
            world.b.id()
        ))
        .await;
    let mut connection = connect_for(db, &world.a).await;
    for table in ["messages", "access_token_sessions"] {
        let moved = format!("UPDATE {table} SET session_id = '{}'", theirs[0]);
        assert_eq!(
            change(&mut connection, &moved).await,
            Err("23503".to_owned()),
            "{table}"
        );
    }
}

async fn platform_tables_are_closed_to_the_tenant_role(db: &TestDatabase) {
    let world = filled(db).await;
    let mut connection = connect_for(db, &world.a).await;
    for table in PLATFORM_ONLY {
        for statement in [
            format!("SELECT 1 FROM {table}"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
        ] {
            assert_eq!(
                change(&mut connection, &statement).await,
                refused(),
                "{statement}"
            );
        }
    }
}

async fn what_is_the_platforms_to_set_is_closed_to_the_tenant_role(db: &TestDatabase) {
    let world = filled(db).await;
    let mut connection = connect_for(db, &world.a).await;
    let (a, stranger) = (world.a.id(), world.b.owner);
    for statement in [
        "UPDATE organizations SET session_limit = 1000".to_owned(),
        "UPDATE organizations SET state = 'active'".to_owned(),
        "DELETE FROM organizations".to_owned(),
        format!("INSERT INTO memberships VALUES ('{a}', '{stranger}', 'viewer', 0, 0)"),
        format!("UPDATE memberships SET user_id = '{stranger}'"),
        "UPDATE users SET is_platform_administrator = true".to_owned(),
        "DELETE FROM users".to_owned(),
        "ALTER TABLE sessions DISABLE ROW LEVEL SECURITY".to_owned(),
        "CREATE POLICY mine ON sessions USING (true)".to_owned(),
        "TRUNCATE sessions".to_owned(),
        "DROP TABLE messages".to_owned(),
    ] {
        assert_eq!(
            change(&mut connection, &statement).await,
            refused(),
            "{statement}"
        );
    }
}

async fn nobody_who_serves_requests_changes_the_audit_log(db: &TestDatabase) {
    let world = filled(db).await;
    let tenant = connect_for(db, &world.a).await;
    let platform = connect(db, PLATFORM).await;
    for mut connection in [tenant, platform] {
        for statement in [
            "UPDATE audit_entries SET outcome = 'success'",
            "UPDATE audit_entries SET created_at = 0",
            "TRUNCATE audit_entries",
        ] {
            assert_eq!(change(&mut connection, statement).await, refused(), "{statement}");
        }
    }
    let mut tenant = connect_for(db, &world.a).await;
    assert_eq!(change(&mut tenant, "DELETE FROM audit_entries").await, refused());
}

async fn audit_entries_are_deleted_by_the_platform_and_past_their_retention_alone(db: &TestDatabase) {
    let world = filled(db).await;
    let (a, b) = (world.a.id(), world.b.id());
    // The database's own clock decides.
    let aged = |owner: &str, days: u32| {
        format!(
            "INSERT INTO audit_entries (id, organization_id, actor, operation, outcome, created_at)
            VALUES (gen_random_uuid(), {owner}, 'system', '{days} days', 'success',
                (extract(epoch FROM now() - interval '{days} days' - interval '1 minute') * 1000000)::bigint);"
        )
    };
    let of_a = format!("'{a}'");
    let of_b = format!("'{b}'");
    let statements = [
        "UPDATE organizations SET audit_retention_days = NULL WHERE name = 'Beta';".to_owned(),
        aged(&of_a, 399),
        aged(&of_a, 400),
        aged(&of_b, 5000),
        aged("NULL", 89),
        aged("NULL", 90),
    ];
    db.execute_unguarded(&statements.concat()).await;
    let mut platform = connect(db, PLATFORM).await;
    assert_eq!(change(&mut platform, "DELETE FROM audit_entries").await, Ok(2));
    let mut left = db
        .texts_unguarded("SELECT operation FROM audit_entries WHERE operation LIKE '%days'")
        .await;
    left.sort();
    assert_eq!(left, ["399 days", "5000 days", "89 days"]);
}

async fn the_platform_role_sees_every_row_and_owns_nothing(db: &TestDatabase) {
    let world = filled(db).await;
    let mut connection = connect(db, PLATFORM).await;
    for (table, column) in OWNED {
        let mut owners = texts(
            &mut connection,
            &format!("SELECT DISTINCT {column}::text FROM {table}"),
        )
        .await;
        owners.sort();
        let mut both = [world.a.id().to_string(), world.b.id().to_string()];
        both.sort();
        assert_eq!(owners, both, "{table}");
    }
    for statement in [
        "ALTER TABLE sessions DISABLE ROW LEVEL SECURITY",
        "DROP TABLE messages",
        "TRUNCATE sessions",
        "DELETE FROM seaql_migrations",
    ] {
        assert_eq!(change(&mut connection, statement).await, refused(), "{statement}");
    }
}

async fn the_name_of_an_organization_ends_with_its_transaction(db: &TestDatabase) {
    let world = filled(db).await;
    let mut connection = connect(db, TENANT).await;
    for end in ["COMMIT", "ROLLBACK"] {
        change(&mut connection, "BEGIN").await.unwrap();
        name_organization(&mut connection, &world.a, true).await;
        assert_eq!(
            texts(&mut connection, "SELECT 'row' FROM sessions").await.len(),
            1
        );
        change(&mut connection, end).await.unwrap();
        assert!(
            texts(&mut connection, "SELECT 'row' FROM sessions")
                .await
                .is_empty(),
            "{end}"
        );
    }
}

on_postgres!(
    without_an_organization_there_are_no_rows,
    a_forgotten_filter_shows_the_organizations_own_rows,
    a_forgotten_filter_changes_the_organizations_own_rows,
    a_row_cannot_be_given_to_another_organization,
    a_row_cannot_refer_to_one_of_another_organization,
    platform_tables_are_closed_to_the_tenant_role,
    what_is_the_platforms_to_set_is_closed_to_the_tenant_role,
    nobody_who_serves_requests_changes_the_audit_log,
    audit_entries_are_deleted_by_the_platform_and_past_their_retention_alone,
    the_platform_role_sees_every_row_and_owns_nothing,
    the_name_of_an_organization_ends_with_its_transaction,
);
