//! The databases that tests get.

use std::path::Path;

use secrecy::ExposeSecret;
use sqlx::{Connection as _, PgConnection};
use wahana_testkit::database::{TestDatabase, run};

const TABLES: &str = "SELECT version FROM seaql_migrations";

fn url(database: &TestDatabase) -> String {
    database.settings().url.expose_secret().to_owned()
}

#[test]
fn sqlite_databases_are_migrated_apart_and_removed() {
    run(async {
        let (one, other) = (TestDatabase::sqlite().await, TestDatabase::sqlite().await);
        assert!(!one.texts_unguarded(TABLES).await.is_empty());
        one.execute_unguarded("DELETE FROM seaql_migrations").await;
        assert!(!other.texts_unguarded(TABLES).await.is_empty());
        let path = url(&one);
        let path = Path::new(path.trim_start_matches("sqlite://"));
        assert!(path.exists());
        drop(one);
        assert!(!path.exists());
    });
}

#[test]
fn postgres_databases_are_migrated_apart_and_removed_with_their_logins() {
    run(async {
        let (one, other) = (TestDatabase::postgres().await, TestDatabase::postgres().await);
        assert!(!one.texts_unguarded(TABLES).await.is_empty());
        one.execute_unguarded("DELETE FROM seaql_migrations").await;
        assert!(!other.texts_unguarded(TABLES).await.is_empty());
        let login = one.login(&["wahana_tenant"]).await;
        PgConnection::connect(login.expose_secret()).await.unwrap();
        let owner = url(&one);
        drop(one);
        assert!(PgConnection::connect(&owner).await.is_err());
        assert!(PgConnection::connect(login.expose_secret()).await.is_err());
        PgConnection::connect(&url(&other)).await.unwrap();
    });
}

#[test]
fn the_owner_of_a_postgres_database_is_no_superuser() {
    run(async {
        let database = TestDatabase::empty_postgres().await;
        let found = database
            .texts_unguarded(
                "SELECT r.rolname || ' ' || r.rolsuper || ' ' || r.rolbypassrls
                FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = current_database()",
            )
            .await;
        assert_eq!(found, ["wahana_owner false false"]);
        let owner: url::Url = url(&database).parse().unwrap();
        assert_eq!(owner.username(), "wahana_owner");
    });
}
