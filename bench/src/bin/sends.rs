//! An organization's program that sends texts through wahana.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use tokio::task::JoinSet;
use wahana_bench::{Connection, median_of};

/// Sends texts and prints one line of JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where wahana listens.
    #[arg(long)]
    address: SocketAddr,
    /// The file whose first line is a header with a token.
    #[arg(long)]
    headers: PathBuf,
    /// The path at which a session takes texts.
    #[arg(long)]
    path: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Texts to be sent much later, as fast as they are taken in.
    HandIn {
        /// For so many seconds.
        #[arg(long)]
        seconds: u64,
        /// How many are under way at a time.
        #[arg(long)]
        connections: u32,
    },
    /// One text after the other, each waited for.
    Wait {
        /// How many.
        #[arg(long)]
        count: u32,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let headers = std::fs::read_to_string(&arguments.headers)?;
    let token = headers.lines().next().context("there is no token")?;
    let text = r#"{"to":"+6281234567890","text":"Your parcel is on its way."}"#;
    match arguments.what {
        What::HandIn { seconds, connections } => {
            // Nothing is sent while it is measured how fast they are taken in.
            let later = text.replace('}', r#","send_at":"2099-01-01T00:00:00Z"}"#);
            let later = later.replace("2099-01-01T00:00:00Z", &in_a_month()?);
            let request = request(&arguments.address, &arguments.path, token, &later);
            hand_in(
                arguments.address,
                request,
                Duration::from_secs(seconds),
                connections,
            )
            .await
        }
        What::Wait { count } => {
            let request = request(&arguments.address, &arguments.path, token, text);
            wait(arguments.address, &request, count).await
        }
    }
}

fn in_a_month() -> anyhow::Result<String> {
    const MONTH: Duration = Duration::from_hours(24 * 30);
    let seconds = i64::try_from(MONTH.as_secs())? + wahana_bench::events::milliseconds() / 1000;
    Ok(wahana_domain::Timestamp::from_seconds(seconds).to_string())
}

fn request(address: &SocketAddr, path: &str, token: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\n{token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn hand_in(
    address: SocketAddr,
    request: String,
    length: Duration,
    connections: u32,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        let request = request.clone();
        senders.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut taken = 0_u32;
            while begun.elapsed() < length {
                let answer = connection.ask(&request).await?;
                ensure!(
                    answer.status == 202,
                    "a text is answered with {}: {}",
                    answer.status,
                    answer.body
                );
                taken += 1;
            }
            anyhow::Ok(taken)
        });
    }
    let mut taken = 0;
    while let Some(of_one) = senders.join_next().await {
        taken += of_one??;
    }
    let rate = f64::from(taken) / begun.elapsed().as_secs_f64();
    writeln!(stdout(), r#"{{"messages_per_second":{rate:.1}}}"#)?;
    Ok(())
}

async fn wait(address: SocketAddr, request: &str, count: u32) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut times = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        let answer = connection.ask(request).await?;
        ensure!(
            answer.status == 200,
            "a text is answered with {}: {}",
            answer.status,
            answer.body
        );
        times.push(begun.elapsed());
    }
    writeln!(stdout(), r#"{{"p50_us":{}}}"#, median_of(times).as_micros())?;
    Ok(())
}
