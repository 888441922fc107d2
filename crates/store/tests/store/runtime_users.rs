//! Whom the runtime connections may belong to, and what they can become.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};
use wahana_domain::SystemClock;
use wahana_store::{DatabaseSettings, Store, StoreError, migrate, sessions};
use wahana_testkit::{database::TestDatabase, on_postgres};

use crate::world::World;

async fn open(db: &TestDatabase, settings: &DatabaseSettings) -> Result<Store, StoreError> {
    Store::open(settings, db.keys(), Arc::new(SystemClock)).await
}

async fn own_logins_serve_as_well_as_roles_that_are_put_on(db: &TestDatabase) {
    let world = World::new(db).await;
    world.fill(&world.a).await;
    world.fill(&world.b).await;
    let mut settings = db.settings();
    settings.tenant_url = Some(db.login(&["wahana_tenant"]).await);
    settings.platform_url = Some(db.login(&["wahana_platform"]).await);
    // The owner's address is not needed to serve.
    settings.url = "postgres://nobody@127.0.0.1:1/nothing".to_owned().into();
    let store = open(db, &settings).await.unwrap();
    for organization in [&world.a, &world.b] {
        let tx = store.read(organization.tenant).await.unwrap();
        assert_eq!(sessions::count(&tx).await.unwrap(), 1);
    }
    let tx = store.platform_read().await.unwrap();
    assert_eq!(tx.organization_count().await.unwrap(), 2);
}

async fn a_user_who_could_look_past_the_wall_is_refused(db: &TestDatabase) {
    let bypassing = db.login(&["wahana_tenant"]).await;
    let name = url_user(&bypassing);
    db.execute_unguarded(&format!("ALTER ROLE {name} BYPASSRLS"))
        .await;
    for too_strong in [
        db.superuser_url(),
        db.settings().url,
        bypassing,
        db.login(&["wahana_tenant", "wahana_platform"]).await,
        db.login(&["wahana_owner"]).await,
    ] {
        let mut settings = db.settings();
        settings.tenant_url = Some(too_strong.clone());
        let error = open(db, &settings).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::RoleTooStrong { setting: "database.tenant_url", user } if *user == url_user(&too_strong)),
            "{error:?}"
        );
    }
    for too_strong in [db.superuser_url(), db.settings().url] {
        let mut settings = db.settings();
        settings.platform_url = Some(too_strong);
        assert!(matches!(
            open(db, &settings).await,
            Err(StoreError::RoleTooStrong {
                setting: "database.platform_url",
                ..
            })
        ));
    }
}

fn url_user(url: &SecretString) -> String {
    let options: PgConnectOptions = url.expose_secret().parse().unwrap();
    options.get_username().to_owned()
}

async fn a_user_without_the_role_lacks_a_privilege(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut settings = db.settings();
    settings.tenant_url = Some(db.login(&[]).await);
    let store = open(db, &settings).await.unwrap();
    let tx = store.read(world.a.tenant).await.unwrap();
    assert!(matches!(
        sessions::count(&tx).await,
        Err(StoreError::PermissionDenied)
    ));
}

async fn a_user_who_may_not_make_roles_can_migrate_once_they_are_there(db: &TestDatabase) {
    // The roles are there, because every database of the server shares them.
    let plain = db
        .login(&["wahana_owner", "wahana_tenant", "wahana_platform"])
        .await;
    let settings = DatabaseSettings::new(plain);
    assert!(migrate(&settings).await.unwrap().is_empty());
    let stranger = DatabaseSettings::new(db.login(&[]).await);
    assert!(migrate(&stranger).await.is_err());
}

/// Tries to become somebody else, and counts the rows that can be seen then.
async fn rows_after(connection: &mut PgConnection, statement: &str) -> Result<usize, String> {
    let code = |error: sqlx::Error| error.as_database_error().unwrap().code().unwrap().into_owned();
    sqlx::query(AssertSqlSafe(statement))
        .execute(&mut *connection)
        .await
        .map_err(code)?;
    let rows: Vec<i32> = sqlx::query_scalar("SELECT 1 FROM sessions")
        .fetch_all(connection)
        .await
        .map_err(code)?;
    Ok(rows.len())
}

async fn a_login_of_its_own_cannot_become_anything_else(db: &TestDatabase) {
    let world = World::new(db).await;
    world.fill(&world.a).await;
    let url = db.login(&["wahana_tenant"]).await;
    let mut connection = PgConnection::connect(url.expose_secret()).await.unwrap();
    for statement in [
        "RESET ROLE",
        "SET ROLE NONE",
        "SET ROLE wahana_tenant",
        "RESET SESSION AUTHORIZATION",
        "SELECT set_config('role', 'none', false)",
    ] {
        assert_eq!(rows_after(&mut connection, statement).await, Ok(0), "{statement}");
    }
    for statement in [
        "SET ROLE wahana_platform",
        "SET ROLE wahana_owner",
        "SELECT set_config('role', 'wahana_platform', false)",
        "SET SESSION AUTHORIZATION wahana_owner",
        "SET row_security = off",
    ] {
        let outcome = rows_after(&mut connection, statement).await;
        assert_eq!(outcome, Err("42501".to_owned()), "{statement}");
    }
}

/// Why an installation that is shared with strangers should give the tenant connections a login of
/// their own: whoever could run a statement of their choice in them could take the role off.
async fn a_role_that_was_put_on_can_be_taken_off(db: &TestDatabase) {
    let world = World::new(db).await;
    world.fill(&world.a).await;
    let settings = db.settings();
    let options: PgConnectOptions = settings.url.expose_secret().parse().unwrap();
    let options = options.options([("role", "wahana_tenant")]);
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    assert_eq!(
        rows_after(&mut connection, "RESET ROLE").await,
        Ok(0),
        "it is put on anew"
    );
    assert_eq!(rows_after(&mut connection, "SET ROLE NONE").await, Ok(1));
    assert_eq!(
        rows_after(&mut connection, "SET ROLE wahana_platform").await,
        Ok(1)
    );
}

on_postgres!(
    own_logins_serve_as_well_as_roles_that_are_put_on,
    a_user_who_could_look_past_the_wall_is_refused,
    a_user_without_the_role_lacks_a_privilege,
    a_user_who_may_not_make_roles_can_migrate_once_they_are_there,
    a_login_of_its_own_cannot_become_anything_else,
    a_role_that_was_put_on_can_be_taken_off,
);
