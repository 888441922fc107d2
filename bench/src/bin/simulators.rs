//! Simulated WAHA servers, many in one process.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use clap::Parser;
use tokio::net::TcpListener;
use waha_sim::{SessionSeed, WahaSim};
use wahana_bench::{API_KEY, Spread, phone_digits, waha_name, write_whole};

/// Simulated WAHA servers, many in one process. They end with it. What a server answers it made once:
/// the machine shall be busy with wahana and its yardsticks, not with simulating.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    spread: Spread,
    /// The file that their addresses are written to, one a line, when all of them listen.
    #[arg(long)]
    addresses: PathBuf,
    /// How many contacts each phone has, each with a chat. With some, the chats of each server's first
    /// session can be asked for.
    #[arg(long, default_value_t = 0)]
    contacts: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut addresses = String::new();
    for server in 0..arguments.spread.servers {
        let waha = WahaSim::builder()
            .api_key(API_KEY)
            .contacts_per_session(arguments.contacts)
            .start()
            .await?;
        let mut answers = vec![
            ("/api/sessions".to_owned(), "all=true"),
            ("/api/server/version".to_owned(), ""),
        ];
        for session in arguments.spread.sessions_on(server) {
            let name = waha_name(session);
            waha.add_session(SessionSeed::new(&name).phone(&phone_digits(session)));
            if arguments.contacts > 0 && answers.len() == 2 {
                answers.push((format!("/api/{name}/chats/overview"), "limit=21&offset=0"));
            }
        }
        addresses += &frozen(&waha, &answers).await?;
        addresses.push('\n');
    }
    write_whole(&arguments.addresses, &addresses)?;
    std::future::pending().await
}

/// Serves what the simulator now answers, on a port of its own.
async fn frozen(waha: &WahaSim, answers: &[(String, &str)]) -> anyhow::Result<String> {
    let mut router = Router::new();
    for (path, query) in answers {
        let body = wahana_bench::get(waha.address(), &format!("{path}?{query}")).await?;
        let body = Bytes::from(body);
        let answer =
            move || async move { ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body) };
        router = router.route(path, get(answer));
    }
    router = router.route("/api/sendText", post(send_text));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// As NOWEB answers, with a key of its own for each message.
async fn send_text() -> impl IntoResponse {
    static SENT: AtomicU64 = AtomicU64::new(0);
    let number = SENT.fetch_add(1, Ordering::Relaxed);
    let body = format!(
        r#"{{"key":{{"remoteJid":"6281234567890@s.whatsapp.net","fromMe":true,"id":"3EB0{number:018}"}},"messageTimestamp":"1800000000","status":"PENDING"}}"#
    );
    let json = (header::CONTENT_TYPE, "application/json; charset=utf-8");
    (StatusCode::CREATED, [json], body)
}
