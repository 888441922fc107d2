//! An organization that lets wahana deliver its events to a receiver once more.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::{Value, json};
use wahana_bench::{Connection, get};

/// Lets events be delivered and prints one line of JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where wahana listens.
    #[arg(long)]
    address: SocketAddr,
    /// The file whose first line is a header with a token.
    #[arg(long)]
    headers: PathBuf,
    /// Where the receiver listens.
    #[arg(long)]
    receiver: SocketAddr,
    /// The events from the first to this number.
    #[arg(long)]
    count: u64,
}

const WEBHOOKS: &str = "/api/waha/webhooks";
/// How often the receiver is asked how many it has.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let headers = std::fs::read_to_string(&arguments.headers)?;
    let mut wahana = Wahana {
        address: arguments.address,
        token: headers.lines().next().context("there is no token")?.to_owned(),
        connection: Connection::open(arguments.address).await?,
    };
    let webhook = wahana.webhook(arguments.receiver).await?;
    let before = taken(arguments.receiver).await?;
    let begun = Instant::now();
    let mut from = json!(1);
    while !from.is_null() {
        let range = json!({"from_number": from, "to_number": arguments.count});
        let path = format!("{WEBHOOKS}/{webhook}/replay");
        from = wahana.ask("POST", &path, &range.to_string()).await?["next_number"].take();
    }
    while taken(arguments.receiver).await? < before + arguments.count {
        ensure!(begun.elapsed() < Duration::from_mins(2), "not all events arrive");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let count = u32::try_from(arguments.count)?;
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    writeln!(stdout(), r#"{{"deliveries_per_second":{rate:.1}}}"#)?;
    Ok(())
}

async fn taken(receiver: SocketAddr) -> anyhow::Result<u64> {
    Ok(String::from_utf8(get(receiver, "/").await?)?.parse()?)
}

struct Wahana {
    address: SocketAddr,
    token: String,
    connection: Connection,
}

impl Wahana {
    /// The webhook of the organization, which is made if there is none.
    async fn webhook(&mut self, receiver: SocketAddr) -> anyhow::Result<String> {
        let present = self.ask("GET", WEBHOOKS, "").await?;
        let id = if let Some(webhook) = present.as_array().and_then(|all| all.first()) {
            webhook["id"].clone()
        } else {
            let new = json!({"url": format!("http://{receiver}/")}).to_string();
            self.ask("POST", WEBHOOKS, &new).await?["id"].take()
        };
        Ok(id.as_str().context("a webhook without an id")?.to_owned())
    }

    async fn ask(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        let answer = self.connection.ask(&request).await?;
        ensure!(
            (200..300).contains(&answer.status),
            "{path} is answered with {}: {}",
            answer.status,
            answer.body
        );
        let mut answer: Value = serde_json::from_str(&answer.body)?;
        Ok(answer["data"].take())
    }
}
