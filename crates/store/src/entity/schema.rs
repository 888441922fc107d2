//! The entities say what the migrations made, on both databases.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, Iterable, Statement,
};
use secrecy::ExposeSecret;
use wahana_testkit::database::{TestDatabase, run};

use super::*;
use crate::{connection, migration::privileges::TABLES, settings::DatabaseSettings};

/// Tables by name; of each the columns by name, with their class and whether they may be empty.
type Schema = BTreeMap<String, BTreeMap<String, (Class, bool)>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Uuid,
    Text,
    Integer,
    BigInteger,
    Boolean,
    Bytes,
}

fn class_of_entity(kind: &ColumnType) -> Class {
    match kind {
        ColumnType::Uuid => Class::Uuid,
        ColumnType::String(_) | ColumnType::Text => Class::Text,
        ColumnType::Integer => Class::Integer,
        ColumnType::BigInteger => Class::BigInteger,
        ColumnType::Boolean => Class::Boolean,
        ColumnType::VarBinary(_) | ColumnType::Binary(_) | ColumnType::Blob => Class::Bytes,
        other => panic!("no class is known for {other:?}"),
    }
}

fn class_of_column(kind: &str) -> Class {
    match kind.to_lowercase().as_str() {
        "uuid" | "uuid_text" => Class::Uuid,
        "varchar" | "character varying" | "text" => Class::Text,
        "integer" => Class::Integer,
        "bigint" => Class::BigInteger,
        "boolean" => Class::Boolean,
        "bytea" | "blob" => Class::Bytes,
        other => panic!("no class is known for {other:?}"),
    }
}

fn add_entity<E: EntityTrait + Default>(schema: &mut Schema) {
    let columns = E::Column::iter().map(|column| {
        let definition = column.def();
        let class = class_of_entity(definition.get_column_type());
        (
            sea_orm::IdenStatic::as_str(&column).to_owned(),
            (class, definition.is_null()),
        )
    });
    schema.insert(E::default().table_name().to_owned(), columns.collect());
}

fn of_entities() -> Schema {
    let mut schema = Schema::new();
    add_entity::<access_token::Entity>(&mut schema);
    add_entity::<access_token_session::Entity>(&mut schema);
    add_entity::<audit_entry::Entity>(&mut schema);
    add_entity::<erased_message::Entity>(&mut schema);
    add_entity::<erased_waha_name::Entity>(&mut schema);
    add_entity::<erasure::Entity>(&mut schema);
    add_entity::<export::Entity>(&mut schema);
    add_entity::<organization_erasure::Entity>(&mut schema);
    add_entity::<idempotency_key::Entity>(&mut schema);
    add_entity::<invitation::Entity>(&mut schema);
    add_entity::<job::Entity>(&mut schema);
    add_entity::<lease::Entity>(&mut schema);
    add_entity::<media_file::Entity>(&mut schema);
    add_entity::<membership::Entity>(&mut schema);
    add_entity::<message::Entity>(&mut schema);
    add_entity::<message_content::Entity>(&mut schema);
    add_entity::<message_usage::Entity>(&mut schema);
    add_entity::<organization::Entity>(&mut schema);
    add_entity::<organization_event::Entity>(&mut schema);
    add_entity::<organization_event_counter::Entity>(&mut schema);
    add_entity::<password_reset::Entity>(&mut schema);
    add_entity::<platform_token::Entity>(&mut schema);
    add_entity::<process::Entity>(&mut schema);
    add_entity::<session::Entity>(&mut schema);
    add_entity::<session_activity::Entity>(&mut schema);
    add_entity::<session_leftover::Entity>(&mut schema);
    add_entity::<session_transition::Entity>(&mut schema);
    add_entity::<session_upkeep::Entity>(&mut schema);
    add_entity::<sign_in::Entity>(&mut schema);
    add_entity::<user::Entity>(&mut schema);
    add_entity::<user_password::Entity>(&mut schema);
    add_entity::<waha_event::Entity>(&mut schema);
    add_entity::<waha_server::Entity>(&mut schema);
    add_entity::<webhook_attempt::Entity>(&mut schema);
    add_entity::<webhook_delivery::Entity>(&mut schema);
    add_entity::<webhook_endpoint::Entity>(&mut schema);
    schema
}

async fn of_database(db: &TestDatabase) -> Schema {
    let connection = open(db).await;
    let query = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name::text AS table_name, column_name::text AS column_name, data_type::text AS kind,
                is_nullable = 'YES' AS may_be_empty
            FROM information_schema.columns WHERE table_schema = current_schema()"
        }
        _ => {
            "SELECT t.name AS table_name, c.name AS column_name, c.type AS kind, c.\"notnull\" = 0 AS may_be_empty
            FROM sqlite_master t, pragma_table_info(t.name) c
            WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
        }
    };
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let mut schema = Schema::new();
    for row in connection.query_all_raw(statement).await.unwrap() {
        let text = |column: &str| row.try_get::<String>("", column).unwrap();
        let may_be_empty = row.try_get("", "may_be_empty").unwrap();
        schema.entry(text("table_name")).or_default().insert(
            text("column_name"),
            (class_of_column(&text("kind")), may_be_empty),
        );
    }
    // SeaORM's own.
    schema.remove("seaql_migrations");
    schema
}

async fn open(db: &TestDatabase) -> DatabaseConnection {
    let settings = DatabaseSettings::new(db.settings().url.expose_secret().to_owned());
    connection::open_for_migration(&settings).await.unwrap()
}

#[test]
fn the_entities_are_the_tables_of_sqlite() {
    run(async {
        let mut entities = of_entities();
        // SQLite has one kind of integer, of 64 bits.
        for (class, _) in entities.values_mut().flat_map(BTreeMap::values_mut) {
            if *class == Class::BigInteger {
                *class = Class::Integer;
            }
        }
        assert_eq!(of_database(&TestDatabase::sqlite().await).await, entities);
    });
}

#[test]
fn the_entities_are_the_tables_of_postgres() {
    run(async { assert_eq!(of_database(&TestDatabase::postgres().await).await, of_entities()) });
}

#[test]
fn sqlite_and_postgres_have_the_same_indexes() {
    run(async {
        let (sqlite, postgres) = (TestDatabase::sqlite().await, TestDatabase::postgres().await);
        let sqlite = sqlite
            .texts_unguarded(
                "SELECT name || ' ' || (sql LIKE 'CREATE UNIQUE%') || ' ' || (sql LIKE '% WHERE %')
                FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
            )
            .await;
        let postgres = postgres
            .texts_unguarded(
                "SELECT c.relname || ' ' || i.indisunique::int || ' ' || (i.indpred IS NOT NULL)::int
                FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'public'
                    AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype <> 'f')
                ORDER BY c.relname COLLATE \"C\"",
            )
            .await;
        assert_eq!(sqlite, postgres);
        assert!(sqlite.contains(&"sessions_name 1 1".to_owned()), "{sqlite:?}");
    });
}

#[test]
fn every_table_has_its_privileges_and_a_policy_that_holds_its_owner_too_on_postgres() {
    run(async {
        let db = TestDatabase::postgres().await;
        let mut expected: Vec<String> = TABLES
            .iter()
            .map(|privileges| format!("{} wahana_owner true true", privileges.table))
            .collect();
        expected.sort();
        let found = db
            .texts_unguarded(
                "SELECT c.relname || ' ' || r.rolname || ' ' || c.relrowsecurity || ' ' || c.relforcerowsecurity
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
                WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                    AND c.relname <> 'seaql_migrations'
                ORDER BY c.relname COLLATE \"C\"",
            )
            .await;
        assert_eq!(found, expected);
        let tables: Vec<_> = of_entities().into_keys().collect();
        let mut privileges = TABLES.map(|privileges| privileges.table);
        privileges.sort_unstable();
        assert_eq!(tables, privileges);
    });
}

#[test]
fn nobody_but_the_two_roles_has_a_policy_or_a_privilege_on_postgres() {
    run(async {
        let db = TestDatabase::postgres().await;
        let policies = db
            .texts_unguarded(
                "SELECT DISTINCT lower(permissive) || ' ' || policyname || ' to ' || array_to_string(roles, ',') FROM pg_policies ORDER BY 1",
            )
            .await;
        assert_eq!(
            policies,
            [
                "permissive platform_access to wahana_platform",
                "permissive tenant_isolation to wahana_tenant",
                "restrictive platform_deletion to wahana_platform",
            ]
        );
        let grantees = db
            .texts_unguarded(
                "SELECT DISTINCT grantee::text FROM information_schema.role_table_grants
                WHERE table_schema = 'public' ORDER BY 1",
            )
            .await;
        assert_eq!(grantees, ["wahana_owner", "wahana_platform", "wahana_tenant"]);
    });
}
