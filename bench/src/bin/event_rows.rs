//! The least that storing events can cost: a loop that writes the rows that wahana writes, so many a transaction.

use std::{
    io::{Write, stdout},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::Parser;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait,
    Value,
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use wahana_bench::{
    events::{message, milliseconds},
    waha_name,
};

/// Writes events into a filled database and prints one line of JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// The database. From the environment, because it may hold a password.
    #[arg(long, env = "WAHANA_DATABASE__URL", hide_env_values = true)]
    database_url: SecretString,
    /// For so many seconds.
    #[arg(long)]
    seconds: u64,
    /// How many rows a transaction writes.
    #[arg(long)]
    batch: u32,
}

const COLUMNS: [&str; 11] = [
    "id",
    "organization_id",
    "session_id",
    "waha_server_id",
    "event_id",
    "kind",
    "state",
    "payload",
    "happened_at",
    "received_at",
    "applied_at",
];

/// A session whose events are written.
struct Target {
    organization: Uuid,
    session: Uuid,
    server: Uuid,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut options = ConnectOptions::new(arguments.database_url.expose_secret());
    options.max_connections(1).sqlx_logging(false);
    let database = Database::connect(options).await?;
    prepare(&database).await?;
    let targets = targets(&database).await?;
    let sql = insertion(database.get_database_backend(), arguments.batch);

    let (begun, run) = (Instant::now(), milliseconds());
    let length = Duration::from_secs(arguments.seconds);
    let mut written = 0_u32;
    while begun.elapsed() < length {
        let mut values = Vec::new();
        for target in targets.iter().cycle().take(usize::try_from(arguments.batch)?) {
            values.extend(row(target, &format!("{run}{written:010}")));
            written += 1;
        }
        let transaction = database.begin().await?;
        let statement = Statement::from_sql_and_values(database.get_database_backend(), &sql, values);
        transaction.execute_raw(statement).await?;
        transaction.commit().await?;
    }
    let rate = f64::from(written) / begun.elapsed().as_secs_f64();
    writeln!(
        stdout(),
        r#"{{"events_per_second":{rate:.1},"events":{written}}}"#
    )?;
    Ok(())
}

/// What wahana's own connections are like.
async fn prepare(database: &DatabaseConnection) -> anyhow::Result<()> {
    let statements: &[&str] = match database.get_database_backend() {
        DbBackend::Sqlite => &["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"],
        _ => &["SET ROLE wahana_platform"],
    };
    for statement in statements {
        database.execute_unprepared(statement).await?;
    }
    Ok(())
}

async fn targets(database: &DatabaseConnection) -> anyhow::Result<Vec<Target>> {
    let statement = Statement::from_string(
        database.get_database_backend(),
        "SELECT organization_id, id, waha_server_id FROM sessions",
    );
    let rows = database.query_all_raw(statement).await?;
    let targets: Result<Vec<Target>, sea_orm::DbErr> = rows
        .iter()
        .map(|row| {
            Ok(Target {
                organization: row.try_get_by_index(0)?,
                session: row.try_get_by_index(1)?,
                server: row.try_get_by_index(2)?,
            })
        })
        .collect();
    let targets = targets.context("the sessions cannot be read")?;
    ensure!(!targets.is_empty(), "there are no sessions");
    Ok(targets)
}

fn insertion(backend: DbBackend, batch: u32) -> String {
    let mut number = 0;
    let mut rows = Vec::new();
    for _ in 0..batch {
        let places: Vec<String> = COLUMNS
            .iter()
            .map(|_| {
                number += 1;
                match backend {
                    DbBackend::Sqlite => "?".to_owned(),
                    _ => format!("${number}"),
                }
            })
            .collect();
        rows.push(format!("({})", places.join(", ")));
    }
    format!(
        "INSERT INTO waha_events ({}) VALUES {} ON CONFLICT (waha_server_id, event_id) DO NOTHING",
        COLUMNS.join(", "),
        rows.join(", ")
    )
}

fn row(target: &Target, id: &str) -> [Value; COLUMNS.len()] {
    let now = milliseconds() * 1000;
    [
        Uuid::now_v7().into(),
        target.organization.into(),
        target.session.into(),
        target.server.into(),
        format!("evt_{id}").into(),
        "message".into(),
        "waiting".into(),
        message(id, &waha_name(0)).into(),
        now.into(),
        now.into(),
        None::<i64>.into(),
    ]
}
