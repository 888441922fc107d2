//! Many who listen to their organization's events, and to whom nothing happens.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    path::PathBuf,
};

use anyhow::ensure;
use clap::Parser;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Opens streams of events with the tokens of a file in turn, prints a line when all are open, and holds them until it is
/// ended.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where wahana listens.
    #[arg(long)]
    address: SocketAddr,
    /// The file with headers that show a token, one a line.
    #[arg(long)]
    headers: PathBuf,
    /// How many.
    #[arg(long)]
    count: usize,
    /// The file that is written when all are open.
    #[arg(long)]
    opened: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let headers = std::fs::read_to_string(&arguments.headers)?;
    let mut streams = Vec::new();
    for token in headers.lines().cycle().take(arguments.count) {
        streams.push(open(arguments.address, token).await?);
    }
    writeln!(stdout(), "{} streams are open", streams.len())?;
    wahana_bench::write_whole(&arguments.opened, "")?;
    std::future::pending().await
}

async fn open(address: SocketAddr, token: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /api/waha/events HTTP/1.1\r\nHost: {address}\r\n{token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        ensure!(stream.read_buf(&mut head).await? > 0, "a stream was closed");
    }
    let head = String::from_utf8_lossy(&head);
    ensure!(
        head.starts_with("HTTP/1.1 200"),
        "a stream is answered with {head}"
    );
    Ok(stream)
}
