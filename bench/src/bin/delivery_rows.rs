//! The least that delivering can cost: a loop that posts bodies and writes the rows that wahana writes for that, in as
//! many transactions as are needed.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    time::Instant,
};

use anyhow::{Context, ensure};
use clap::Parser;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait,
    Value,
};
use tokio::task::JoinSet;
use uuid::Uuid;
use wahana_bench::{Connection, events::milliseconds};

/// Delivers what wahana has delivered into a SQLite database once more and prints one line of JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// The database.
    #[arg(long, env = "WAHANA_DATABASE__URL")]
    database_url: String,
    /// Where the receiver listens.
    #[arg(long)]
    receiver: SocketAddr,
}

/// As many as wahana takes at once, and sends at once.
const TAKEN: usize = 32;
const AT_ONCE: usize = 8;

const BODY: &str = r#"{"type":"message.status","timestamp":"2026-11-24T10:00:00.000000Z","data":{"id":"0198f2a4-5b6c-7d8e-9f00-112233445566","organization_id":"0198f2a4-5b6c-7d8e-9f00-112233445567","number":1234,"session_id":"0198f2a4-5b6c-7d8e-9f00-112233445568","session_name":"branch-0","message_id":"0198f2a4-5b6c-7d8e-9f00-112233445569","chat_id":"6281234567890@c.us","status":"queued"}}"#;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut options = ConnectOptions::new(arguments.database_url);
    options.max_connections(1).sqlx_logging(false);
    let database = Database::connect(options).await?;
    for statement in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"] {
        database.execute_unprepared(statement).await?;
    }
    let deliveries = deliveries(&database).await?;
    let mut connections = Vec::new();
    for _ in 0..AT_ONCE {
        connections.push(Connection::open(arguments.receiver).await?);
    }
    let begun = Instant::now();
    for some in deliveries.chunks(TAKEN) {
        claim(&database, some).await?;
        connections = post(connections, arguments.receiver, some.len()).await?;
        conclude(&database, some).await?;
    }
    let count = u32::try_from(deliveries.len())?;
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    writeln!(stdout(), r#"{{"deliveries_per_second":{rate:.1}}}"#)?;
    Ok(())
}

/// A delivery: its organization and its id.
type Delivery = (Uuid, Uuid);

async fn deliveries(database: &DatabaseConnection) -> anyhow::Result<Vec<Delivery>> {
    let all = "SELECT organization_id, id FROM webhook_deliveries ORDER BY id";
    let rows = database
        .query_all_raw(Statement::from_string(DbBackend::Sqlite, all))
        .await?;
    let found: Result<Vec<Delivery>, sea_orm::DbErr> = rows
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect();
    let found = found.context("the deliveries cannot be read")?;
    ensure!(!found.is_empty(), "there are no deliveries");
    Ok(found)
}

async fn claim(database: &DatabaseConnection, some: &[Delivery]) -> anyhow::Result<()> {
    let places = vec!["?"; some.len()].join(", ");
    let sql = format!(
        "UPDATE webhook_deliveries SET lease_epoch = lease_epoch + 1, state = 'waiting', due_at = ? \
         WHERE id IN ({places})"
    );
    let mut values: Vec<Value> = vec![(milliseconds() * 1000).into()];
    values.extend(some.iter().map(|(_, id)| Value::from(*id)));
    let transaction = database.begin().await?;
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    transaction.execute_raw(statement).await?;
    Ok(transaction.commit().await?)
}

/// Posts so many bodies over these connections.
async fn post(
    connections: Vec<Connection>,
    receiver: SocketAddr,
    count: usize,
) -> anyhow::Result<Vec<Connection>> {
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {receiver}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut posting = JoinSet::new();
    for (number, mut connection) in connections.into_iter().enumerate() {
        let own = (number..count).step_by(AT_ONCE).count();
        let request = request.clone();
        posting.spawn(async move {
            for _ in 0..own {
                let answer = connection.ask(&request).await?;
                ensure!(answer.status == 200, "the receiver answers {}", answer.status);
            }
            Ok(connection)
        });
    }
    posting.join_all().await.into_iter().collect()
}

async fn conclude(database: &DatabaseConnection, some: &[Delivery]) -> anyhow::Result<()> {
    const END: &str = "UPDATE webhook_deliveries SET state = 'delivered', due_at = NULL, attempts = 1, \
        last_status = 200, last_error = NULL, updated_at = ? WHERE organization_id = ? AND id = ?";
    const ATTEMPT: &str = "INSERT INTO webhook_attempts (organization_id, delivery_id, id, number, started_at, \
        duration_ms, status, error, answer) VALUES (?, ?, ?, 1, ?, 1, 200, NULL, '')";
    let transaction = database.begin().await?;
    for (organization, id) in some {
        let now = milliseconds() * 1000;
        let end = [now.into(), (*organization).into(), (*id).into()];
        let attempt = [
            (*organization).into(),
            (*id).into(),
            Uuid::now_v7().into(),
            now.into(),
        ];
        for statement in [
            Statement::from_sql_and_values(DbBackend::Sqlite, END, end),
            Statement::from_sql_and_values(DbBackend::Sqlite, ATTEMPT, attempt),
        ] {
            let outcome = transaction.execute_raw(statement).await?;
            ensure!(outcome.rows_affected() == 1, "no row was written");
        }
    }
    Ok(transaction.commit().await?)
}
