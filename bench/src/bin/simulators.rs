//! Simulated WAHA servers, many in one process.

use std::{net::Ipv4Addr, path::PathBuf};

use axum::{Router, body::Bytes, http::header, routing::get};
use clap::Parser;
use tokio::net::TcpListener;
use waha_sim::{SessionSeed, WahaSim};
use wahana_bench::{API_KEY, Spread, phone_digits, waha_name, write_whole};

/// Simulated WAHA servers, many in one process. They end with it.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    spread: Spread,
    /// The file that their addresses are written to, one a line, when all of them listen.
    #[arg(long)]
    addresses: PathBuf,
    /// Be whole simulators. Without it a server only knows its session list, which it made once: where
    /// many servers are simulated, the machine shall be busy with wahana.
    #[arg(long)]
    whole: bool,
    /// How many contacts each phone has, each with a chat.
    #[arg(long, default_value_t = 0)]
    contacts: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut addresses = String::new();
    let mut whole = Vec::new();
    for server in 0..arguments.spread.servers {
        let waha = WahaSim::builder()
            .api_key(API_KEY)
            .contacts_per_session(arguments.contacts)
            .start()
            .await?;
        for session in arguments.spread.sessions_on(server) {
            waha.add_session(SessionSeed::new(&waha_name(session)).phone(&phone_digits(session)));
        }
        if arguments.whole {
            addresses += &waha.base_url();
            whole.push(waha);
        } else {
            addresses += &list_alone(&waha).await?;
        }
        addresses.push('\n');
    }
    write_whole(&arguments.addresses, &addresses)?;
    std::future::pending().await
}

/// Serves what the simulator now says of its sessions, on a port of its own.
async fn list_alone(waha: &WahaSim) -> anyhow::Result<String> {
    let list = Bytes::from(wahana_bench::get(waha.address(), "/api/sessions?all=true").await?);
    let answer = move || async move { ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], list) };
    let router = Router::new().route("/api/sessions", get(answer));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}
