//! Databases with wahana's schema, a fresh one for each test, of both kinds.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use url::Url;
use uuid::Uuid;
use wahana_domain::Clock;
use wahana_store::{DatabaseSettings, KeyRing, Store, migrate};

use crate::postgres::admin_url;
use crate::sqlite::{TemporaryFile, temporary_file};

/// The user that owns the tables. It is no superuser, because the database of an installation has none
/// to spare either.
const OWNER: &str = "wahana_owner";
/// Held while the template is made; any number that nobody else uses in the maintenance database.
const TEMPLATE_LOCK: i64 = 0x7761_6874_6d70;

/// A database that is removed when dropped.
pub struct TestDatabase {
    place: Place,
    settings: DatabaseSettings,
    keys: KeyRing,
}

enum Place {
    Sqlite(TemporaryFile),
    Postgres(PostgresDatabase),
}

/// A database of the test server and the logins that were made for it.
struct PostgresDatabase {
    name: String,
    logins: Mutex<Vec<String>>,
}

#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call this, and a test without its database has failed"
)]
impl TestDatabase {
    /// A migrated SQLite database.
    pub async fn sqlite() -> Self {
        let database = Self::empty_sqlite();
        migrate(&database.settings)
            .await
            .expect("the database can be migrated");
        database
    }

    /// A SQLite database of which there is only the name yet.
    #[must_use]
    pub fn empty_sqlite() -> Self {
        let file = temporary_file().expect("there is room for a temporary file");
        let settings = DatabaseSettings::new(format!("sqlite://{}", file.path().display()));
        Self {
            place: Place::Sqlite(file),
            settings,
            keys: KeyRing::generate(),
        }
    }

    /// A migrated PostgreSQL database: a copy of one that the first test of a run migrates.
    pub async fn postgres() -> Self {
        Self::make_postgres(&template().await).await
    }

    /// A PostgreSQL database without tables.
    pub async fn empty_postgres() -> Self {
        let mut admin = connect(&admin_url()).await;
        make_owner(&mut admin).await;
        Self::make_postgres("template0").await
    }

    async fn make_postgres(template: &str) -> Self {
        let name = format!("wahana_test_{}", Uuid::new_v4().simple());
        let mut admin = connect(&admin_url()).await;
        execute(
            &mut admin,
            format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}"),
        )
        .await;
        let mut settings = DatabaseSettings::new(owner_url(&name).to_string());
        // Many tests share the server's connections.
        settings.max_connections = 4;
        let logins = Mutex::default();
        Self {
            place: Place::Postgres(PostgresDatabase { name, logins }),
            settings,
            keys: KeyRing::generate(),
        }
    }

    /// How to reach the database.
    #[must_use]
    pub fn settings(&self) -> DatabaseSettings {
        self.settings.clone()
    }

    /// The keys of every store that [`store`](Self::store) opens.
    #[must_use]
    pub fn keys(&self) -> KeyRing {
        self.keys.clone()
    }

    /// Whether it is PostgreSQL.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Postgres(_))
    }

    /// An id as it is written in a query of this database.
    #[must_use]
    pub fn id_literal(&self, id: Uuid) -> String {
        if self.is_postgres() {
            format!("'{id}'")
        } else {
            format!("x'{}'", id.simple())
        }
    }

    /// A store on the database.
    pub async fn store(&self, clock: Arc<dyn Clock>) -> Store {
        Store::open(&self.settings, self.keys(), clock)
            .await
            .expect("a migrated database can be opened")
    }

    /// A new PostgreSQL login that is a member of these roles, by the address it connects with.
    ///
    /// # Panics
    ///
    /// On SQLite, which has no roles.
    pub async fn login(&self, roles: &[&str]) -> SecretString {
        let database = self.postgres_database().expect("roles are PostgreSQL's");
        let login = format!("login_{}", Uuid::new_v4().simple());
        let mut admin = connect(&admin_url()).await;
        let password = literal(admin_url().password().unwrap_or_default());
        execute(
            &mut admin,
            format!("CREATE ROLE {login} LOGIN PASSWORD {password}"),
        )
        .await;
        for role in roles {
            execute(&mut admin, format!("GRANT {role} TO {login}")).await;
        }
        let url = url_of(&login, &database.name);
        let mut logins = database.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.push(login);
        url.to_string().into()
    }

    /// The address of the database for a superuser, whom no wall holds.
    ///
    /// # Panics
    ///
    /// On SQLite, which has no users.
    #[must_use]
    pub fn superuser_url(&self) -> SecretString {
        let database = self.postgres_database().expect("superusers are PostgreSQL's");
        let mut url = admin_url();
        url.set_path(&database.name);
        url.to_string().into()
    }

    /// Runs statements past every wall.
    pub async fn execute_unguarded(&self, statements: &str) {
        match &self.place {
            Place::Sqlite(file) => {
                let mut connection = open(file.path()).await;
                sqlx::raw_sql(AssertSqlSafe(statements))
                    .execute(&mut connection)
                    .await
                    .expect("the statements are sound");
            }
            Place::Postgres(_) => {
                let mut connection = self.superuser().await;
                execute(&mut connection, statements.to_owned()).await;
            }
        }
    }

    /// The first column of what a query finds past every wall; it must be text.
    pub async fn texts_unguarded(&self, query: &str) -> Vec<String> {
        let found = match &self.place {
            Place::Sqlite(file) => {
                let mut connection = open(file.path()).await;
                sqlx::query_scalar(AssertSqlSafe(query))
                    .fetch_all(&mut connection)
                    .await
            }
            Place::Postgres(_) => {
                let mut connection = self.superuser().await;
                sqlx::query_scalar(AssertSqlSafe(query))
                    .fetch_all(&mut connection)
                    .await
            }
        };
        found.expect("the query is sound")
    }

    async fn superuser(&self) -> PgConnection {
        PgConnection::connect(self.superuser_url().expose_secret())
            .await
            .expect("the test server answers")
    }

    fn postgres_database(&self) -> Option<&PostgresDatabase> {
        match &self.place {
            Place::Sqlite(_) => None,
            Place::Postgres(database) => Some(database),
        }
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let logins = self.logins.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut statements = vec![format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)];
        statements.extend(logins.iter().map(|login| format!("DROP ROLE IF EXISTS {login}")));
        // Not on the runtime of the test, which cannot be waited for here. What is left behind goes with
        // the server.
        let removal = thread::spawn(move || {
            run(async {
                let mut admin = connect(&admin_url()).await;
                for statement in statements {
                    execute(&mut admin, statement).await;
                }
            });
        });
        let _ = removal.join();
    }
}

/// The name of the migrated database that the others are copies of; made if it is not there.
#[expect(clippy::expect_used, reason = "only tests call this")]
async fn template() -> String {
    let name = format!("wahana_template_{:016x}", schema_fingerprint());
    let mut admin = connect(&admin_url()).await;
    if exists(&mut admin, &name).await {
        return name;
    }
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut admin)
        .await
        .expect("the test server answers");
    if !exists(&mut admin, &name).await {
        make_owner(&mut admin).await;
        // Under another name until it is whole, so that nobody copies half of it.
        let unfinished = format!("wahana_unfinished_{}", Uuid::new_v4().simple());
        execute(&mut admin, format!("CREATE DATABASE {unfinished} OWNER {OWNER}")).await;
        migrate(&DatabaseSettings::new(owner_url(&unfinished).to_string()))
            .await
            .expect("the database can be migrated");
        execute(
            &mut admin,
            format!("ALTER DATABASE {unfinished} RENAME TO {name}"),
        )
        .await;
    }
    // The lock ends with the connection.
    name
}

/// Changes with everything that makes the schema, so that a server that outlives a run gives nobody an
/// old one.
#[expect(clippy::expect_used, reason = "only tests call this")]
fn schema_fingerprint() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/src/migration");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the tests run beside the source")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    let mut hasher = DefaultHasher::new();
    for path in paths {
        fs::read(path).expect("the source can be read").hash(&mut hasher);
    }
    hasher.finish()
}

/// Makes the owner. Two tests may do so at once.
async fn make_owner(admin: &mut PgConnection) {
    let password = literal(admin_url().password().unwrap_or_default());
    execute(
        admin,
        format!(
            "DO $make$ BEGIN
                CREATE ROLE {OWNER} LOGIN NOSUPERUSER CREATEROLE PASSWORD {password};
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $make$"
        ),
    )
    .await;
}

fn owner_url(database: &str) -> Url {
    url_of(OWNER, database)
}

/// The address of a database for a user, who has the superuser's password.
#[expect(clippy::expect_used, reason = "only tests call this")]
fn url_of(user: &str, database: &str) -> Url {
    let mut url = admin_url();
    url.set_username(user).expect("the address has a host");
    url.set_path(database);
    url
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[expect(clippy::expect_used, reason = "only tests call this")]
async fn connect(url: &Url) -> PgConnection {
    PgConnection::connect(url.as_str())
        .await
        .expect("the test server answers")
}

#[expect(clippy::expect_used, reason = "only tests call this")]
async fn open(path: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path))
        .await
        .expect("the database can be opened")
}

#[expect(clippy::expect_used, reason = "only tests call this")]
async fn execute(connection: &mut PgConnection, statements: String) {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(connection)
        .await
        .expect("the statements are sound");
}

#[expect(clippy::expect_used, reason = "only tests call this")]
async fn exists(admin: &mut PgConnection, database: &str) -> bool {
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(database)
        .fetch_optional(admin)
        .await
        .expect("the test server answers");
    found.is_some()
}

/// Runs a test's body to its end.
///
/// # Panics
///
/// When the machine has no threads left.
#[expect(clippy::expect_used, reason = "only tests call this")]
pub fn run<R>(body: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("there is room for a runtime")
        .block_on(body)
}

/// Makes two tests of each `async fn(&TestDatabase)`: `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[test]
            fn sqlite() {
                $crate::database::run(async {
                    super::$test(&$crate::database::TestDatabase::sqlite().await).await;
                });
            }

            #[test]
            fn postgres() {
                $crate::database::run(async {
                    super::$test(&$crate::database::TestDatabase::postgres().await).await;
                });
            }
        }
    )+};
}

/// Makes a test of each `async fn(&TestDatabase)` that PostgreSQL alone can run: `name::postgres`.
#[macro_export]
macro_rules! on_postgres {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[test]
            fn postgres() {
                $crate::database::run(async {
                    super::$test(&$crate::database::TestDatabase::postgres().await).await;
                });
            }
        }
    )+};
}
