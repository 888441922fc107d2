//! A receiver of webhooks that takes everything and counts it.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::{Router, routing::post};
use clap::Parser;
use tokio::net::TcpListener;
use wahana_bench::write_whole;

/// Takes webhooks until it is ended; asked, it says how many it took.
#[derive(Debug, Parser)]
struct Arguments {
    /// The file that its address is written to when it listens.
    #[arg(long)]
    address: PathBuf,
}

static TAKEN: AtomicU64 = AtomicU64::new(0);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    write_whole(&arguments.address, &listener.local_addr()?.to_string())?;
    let take = async |_: axum::body::Bytes| {
        TAKEN.fetch_add(1, Ordering::Relaxed);
    };
    let count = async || TAKEN.load(Ordering::Relaxed).to_string();
    let router = Router::new().route("/", post(take).get(count));
    Ok(axum::serve(listener, router).await?)
}
