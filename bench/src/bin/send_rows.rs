//! The least that sending can cost: loops that write the rows that wahana wrote for a message, in as many transactions.
//!
//! The rows are copies of those that wahana wrote for the first message in the database, with ids of their own.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait, Value,
};
use uuid::Uuid;
use wahana_bench::{API_KEY, Connection, median_of, waha_name};

/// Writes the rows of messages into a SQLite database and prints one line of JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// The database.
    #[arg(long, env = "WAHANA_DATABASE__URL")]
    database_url: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Messages that wait, one a transaction.
    HandIn {
        /// For so many seconds.
        #[arg(long)]
        seconds: u64,
    },
    /// Messages that are sent: a transaction, WAHA's call, and another transaction.
    Wait {
        /// Where WAHA listens.
        #[arg(long)]
        waha: SocketAddr,
        /// How many.
        #[arg(long)]
        count: u32,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut options = ConnectOptions::new(arguments.database_url);
    options.max_connections(1).sqlx_logging(false);
    let database = Database::connect(options).await?;
    for statement in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"] {
        database.execute_unprepared(statement).await?;
    }
    let rows = Rows::of(&database).await?;
    match arguments.what {
        What::HandIn { seconds } => hand_in(&database, &rows, Duration::from_secs(seconds)).await,
        What::Wait { waha, count } => wait(&database, &rows, waha, count).await,
    }
}

/// The statements that copy the rows of a message.
struct Rows {
    message: Uuid,
    organization: Uuid,
    copies: Vec<String>,
    audit: String,
    event: String,
}

impl Rows {
    async fn of(database: &DatabaseConnection) -> anyhow::Result<Self> {
        let first = "SELECT id, organization_id FROM messages LIMIT 1";
        let first = Statement::from_string(DbBackend::Sqlite, first);
        let first = database
            .query_one_raw(first)
            .await?
            .context("there is no message")?;
        let copy =
            async |table: &str, id: &str, condition: &str| copy(database, table, &[id], condition).await;
        Ok(Self {
            message: first.try_get_by_index(0)?,
            organization: first.try_get_by_index(1)?,
            copies: vec![
                copy("messages", "id", "id = ?").await?,
                copy("message_contents", "message_id", "message_id = ?").await?,
            ],
            audit: copy(
                "audit_entries",
                "id",
                "operation = 'messages.send_text' AND ? IS NOT NULL LIMIT 1",
            )
            .await?,
            event: copy_event(database).await?,
        })
    }

    /// What is written before WAHA is called.
    async fn intend(&self, transaction: &DatabaseTransaction) -> anyhow::Result<Uuid> {
        let message = Uuid::now_v7();
        for copy in &self.copies {
            run(transaction, copy, [message.into(), self.message.into()]).await?;
        }
        let usage = "UPDATE message_usage SET messages = messages + 1 WHERE organization_id = ?";
        run(transaction, usage, [self.organization.into()]).await?;
        self.audit_and_tell(transaction).await?;
        Ok(message)
    }

    /// What is written after WAHA has answered.
    async fn conclude(
        &self,
        transaction: &DatabaseTransaction,
        message: Uuid,
        answer: &str,
    ) -> anyhow::Result<()> {
        let outcome =
            "UPDATE messages SET status = 'accepted', waha_message_id = ?, message_key = ? WHERE id = ?";
        let key = message.to_string();
        run(transaction, outcome, [answer.into(), key.into(), message.into()]).await?;
        let counted = "UPDATE sessions SET messages_sent = messages_sent + 1 WHERE organization_id = ? AND session_name = 'branch-0'";
        run(transaction, counted, [self.organization.into()]).await?;
        self.audit_and_tell(transaction).await
    }

    async fn audit_and_tell(&self, transaction: &DatabaseTransaction) -> anyhow::Result<()> {
        run(
            transaction,
            &self.audit,
            [Uuid::now_v7().into(), self.message.into()],
        )
        .await?;
        let raise = "UPDATE organization_event_counters SET last_number = last_number + 1 WHERE organization_id = ? \
                     RETURNING last_number";
        let raise = Statement::from_sql_and_values(DbBackend::Sqlite, raise, [self.organization.into()]);
        let raised = transaction
            .query_one_raw(raise)
            .await?
            .context("there is no counter")?;
        let number: i64 = raised.try_get_by_index(0)?;
        let event = [number.into(), Uuid::now_v7().into(), self.organization.into()];
        run(transaction, &self.event, event).await
    }
}

/// A statement that copies the rows that meet a condition, with values of its own in some columns.
async fn copy(
    database: &DatabaseConnection,
    table: &str,
    own: &[&str],
    condition: &str,
) -> anyhow::Result<String> {
    let columns = format!("SELECT name FROM pragma_table_info('{table}')");
    let columns = database
        .query_all_raw(Statement::from_string(DbBackend::Sqlite, columns))
        .await?;
    let columns = columns.iter().map(|row| row.try_get_by_index(0));
    let columns: Vec<String> = columns.collect::<Result<_, _>>()?;
    ensure!(!columns.is_empty(), "there is no table {table}");
    // Only one message of a session is on its way at a time.
    let values = columns.iter().map(|column| match column.as_str() {
        name if own.contains(&name) => "?",
        "lane" | "lease_owner" | "lease_expires_at" | "message_key" => "NULL",
        name => name,
    });
    Ok(format!(
        "INSERT INTO {table} ({}) SELECT {} FROM {table} WHERE {condition}",
        columns.join(", "),
        values.collect::<Vec<_>>().join(", ")
    ))
}

async fn copy_event(database: &DatabaseConnection) -> anyhow::Result<String> {
    copy(
        database,
        "organization_events",
        &["number", "id"],
        "organization_id = ? LIMIT 1",
    )
    .await
}

async fn run<const N: usize>(
    transaction: &DatabaseTransaction,
    sql: &str,
    values: [Value; N],
) -> anyhow::Result<()> {
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    let outcome = transaction.execute_raw(statement).await?;
    ensure!(outcome.rows_affected() == 1, "no row was written by: {sql}");
    Ok(())
}

async fn hand_in(database: &DatabaseConnection, rows: &Rows, length: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut written = 0_u32;
    while begun.elapsed() < length {
        let transaction = database.begin().await?;
        rows.intend(&transaction).await?;
        transaction.commit().await?;
        written += 1;
    }
    let rate = f64::from(written) / begun.elapsed().as_secs_f64();
    writeln!(stdout(), r#"{{"messages_per_second":{rate:.1}}}"#)?;
    Ok(())
}

async fn wait(
    database: &DatabaseConnection,
    rows: &Rows,
    waha: SocketAddr,
    count: u32,
) -> anyhow::Result<()> {
    let mut connection = Connection::open(waha).await?;
    let body = format!(
        r#"{{"session":"{}","chatId":"6281234567890@c.us","text":"Your parcel is on its way."}}"#,
        waha_name(0)
    );
    let request = format!(
        "POST /api/sendText HTTP/1.1\r\nHost: {waha}\r\nX-Api-Key: {API_KEY}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut times = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        let transaction = database.begin().await?;
        let message = rows.intend(&transaction).await?;
        transaction.commit().await?;
        let answer = connection.ask(&request).await?;
        ensure!(answer.status == 201, "a text is answered with {}", answer.status);
        let transaction = database.begin().await?;
        rows.conclude(&transaction, message, &message.to_string()).await?;
        transaction.commit().await?;
        times.push(begun.elapsed());
    }
    writeln!(stdout(), r#"{{"p50_us":{}}}"#, median_of(times).as_micros())?;
    Ok(())
}
