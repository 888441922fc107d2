//! As much of HTTP as it takes to look at one answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Asks once, on a connection of its own. `header` is a whole line.
pub(super) fn get(address: SocketAddr, path: &str, header: Option<&str>) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let header = header.map_or_else(String::new, |header| format!("{header}\r\n"));
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}\r\n"
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let head_length = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let head_length = head_length.context("an answer without an end to its head")?;
    let head = str::from_utf8(&bytes[..head_length]).context("an answer with a strange head")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status
        .and_then(|status| status.parse().ok())
        .context("an answer without a status")?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Answer {
        status,
        headers,
        body: bytes.split_off(head_length + 4),
    })
}

/// The same; an error unless it is a success.
pub(super) fn get_ok(address: SocketAddr, path: &str, header: Option<&str>) -> anyhow::Result<Answer> {
    let answer = get(address, path, header)?;
    ensure!(
        answer.status == 200,
        "{path} is answered with {}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(answer)
}
