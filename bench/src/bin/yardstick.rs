//! The least that answering a list over HTTP can cost: one axum route that gives the same bytes with the
//! same headers every time.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue},
    routing::get,
};
use clap::Parser;
use tokio::net::TcpListener;

/// Answers every request for one path with the bytes of a file.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// The path that is answered.
    #[arg(long)]
    path: String,
    /// The file with the answer's body.
    #[arg(long)]
    body: PathBuf,
    /// A header of the answer; may be repeated.
    #[arg(long = "header", value_name = "NAME:VALUE")]
    headers: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let body = Bytes::from(fs::read(&arguments.body).context("cannot read the body")?);
    let mut headers = HeaderMap::new();
    for header in &arguments.headers {
        let (name, value) = header.split_once(':').context("a header needs a colon")?;
        headers.append(
            HeaderName::try_from(name.trim())?,
            HeaderValue::try_from(value.trim())?,
        );
    }
    let answer = move || async move { (headers, body) };
    let router = Router::new().route(&arguments.path, get(answer));
    let listener = TcpListener::bind(arguments.listen).await?;
    axum::serve(listener, router).await?;
    Ok(())
}
