//! A WAHA server that tells of its sessions: it signs events and sends them to wahana's hook.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::{Parser, Subcommand};
use secrecy::SecretString;
use tokio::task::JoinSet;
use waha_client::events::{SIGNATURE_HEADER, sign};
use wahana_bench::{
    Connection,
    events::{message, milliseconds, status},
    waha_name,
};

/// Sends events to a WAHA server's hook and prints one line of JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where wahana listens.
    #[arg(long)]
    address: SocketAddr,
    /// The hook's path.
    #[arg(long)]
    path: String,
    /// The key that signs. From the environment, because others may read what programs were started with.
    #[arg(long, env = "HOOK_KEY", hide_env_values = true)]
    key: SecretString,
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Messages of all sessions in turn, as fast as they are answered.
    Messages {
        /// For so many seconds.
        #[arg(long)]
        seconds: u64,
        /// How many are under way at a time.
        #[arg(long)]
        connections: u32,
        /// Of how many sessions they are.
        #[arg(long)]
        sessions: u32,
    },
    /// One change of the first session's status after the other, each waited for in the API.
    Statuses {
        /// How many.
        #[arg(long)]
        changes: u32,
        /// The file whose first line is a header with the token of the session's organization.
        #[arg(long)]
        headers: PathBuf,
        /// The path at which the API gives the session.
        #[arg(long)]
        session: String,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let hook = Hook {
        address: arguments.address,
        path: arguments.path,
        key: arguments.key,
    };
    match arguments.what {
        What::Messages {
            seconds,
            connections,
            sessions,
        } => send_messages(&hook, Duration::from_secs(seconds), connections, sessions).await,
        What::Statuses {
            changes,
            headers,
            session,
        } => {
            let headers = std::fs::read_to_string(headers)?;
            let token = headers.lines().next().context("there is no token")?;
            follow_statuses(&hook, changes, token, &session).await
        }
    }
}

/// Where events go to.
#[derive(Clone, Debug)]
struct Hook {
    address: SocketAddr,
    path: String,
    key: SecretString,
}

impl Hook {
    /// Sends one event and waits until it is stored.
    async fn send(&self, connection: &mut Connection, event: &str) -> anyhow::Result<()> {
        let signature = sign(&self.key, event.as_bytes())?;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{SIGNATURE_HEADER}: {signature}\r\n\
             Content-Length: {}\r\n\r\n",
            self.path,
            self.address,
            event.len()
        );
        let answer = connection.ask(&(head + event)).await?;
        ensure!(
            answer.status == 200,
            "an event is answered with {}: {}",
            answer.status,
            answer.body
        );
        Ok(())
    }
}

async fn send_messages(hook: &Hook, length: Duration, connections: u32, sessions: u32) -> anyhow::Result<()> {
    let begun = Instant::now();
    let run = milliseconds();
    let mut senders = JoinSet::new();
    for sender in 0..connections {
        let hook = hook.clone();
        senders.spawn(async move {
            let mut connection = Connection::open(hook.address).await?;
            let mut sent = 0_u32;
            while begun.elapsed() < length {
                let session = (sender + sent * connections) % sessions;
                let event = message(&format!("{run}{sender:04}{sent:010}"), &waha_name(session));
                hook.send(&mut connection, &event).await?;
                sent += 1;
            }
            anyhow::Ok(sent)
        });
    }
    let mut sent = 0;
    while let Some(of_one) = senders.join_next().await {
        sent += of_one??;
    }
    let rate = f64::from(sent) / begun.elapsed().as_secs_f64();
    writeln!(stdout(), r#"{{"events_per_second":{rate:.1},"events":{sent}}}"#)?;
    Ok(())
}

async fn follow_statuses(hook: &Hook, changes: u32, token: &str, session: &str) -> anyhow::Result<()> {
    /// Between two changes: they happen when it is quiet.
    const REST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(1);

    let mut to_hook = Connection::open(hook.address).await?;
    let mut to_api = Connection::open(hook.address).await?;
    let question = format!(
        "GET {session} HTTP/1.1\r\nHost: {}\r\n{token}\r\n\r\n",
        hook.address
    );
    let mut times = Vec::new();
    // The simulator's list says that the session works, whatever the events say: a list that is fetched between an
    // event and the question is the newer observation. Such an event is told once more, as WAHA would.
    let mut overtaken = 0;
    'changes: for change in 0..changes {
        let (said, shown) = if change % 2 == 0 {
            ("STARTING", r#""status":"connecting""#)
        } else {
            ("WORKING", r#""status":"working""#)
        };
        loop {
            let event = status(&format!("{}{change}", milliseconds()), &waha_name(0), said);
            let begun = Instant::now();
            hook.send(&mut to_hook, &event).await?;
            while begun.elapsed() < LONGEST {
                if to_api.ask(&question).await?.body.contains(shown) {
                    times.push(begun.elapsed());
                    tokio::time::sleep(REST).await;
                    continue 'changes;
                }
            }
            overtaken += 1;
            if overtaken > changes / 20 {
                bail!("the API does not show {said}");
            }
        }
    }
    times.sort_unstable();
    let of = |part: usize| {
        let time = times.get((times.len() * part / 100).min(times.len().saturating_sub(1)));
        time.map_or(0, Duration::as_micros)
    };
    writeln!(
        stdout(),
        r#"{{"p50_us":{},"p99_us":{},"changes":{changes}}}"#,
        of(50),
        of(99)
    )?;
    Ok(())
}
