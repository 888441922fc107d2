//! As much of HTTP/1.1 as it takes to ask a server again and again on one connection.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that stays open between questions.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

impl Connection {
    /// Opens one.
    ///
    /// # Errors
    ///
    /// When nobody listens there.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    /// Sends a whole request and reads the answer, which must name its length.
    ///
    /// # Errors
    ///
    /// When the connection breaks, or the answer is not understood.
    pub async fn ask(&mut self, request: &str) -> anyhow::Result<Answer> {
        self.stream.write_all(request.as_bytes()).await?;
        let head_end = loop {
            match self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.receive().await?,
            }
        };
        let head = str::from_utf8(&self.received[..head_end])?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("an answer without a status")?;
        let length: usize = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, length)| length.trim().parse().ok())
            .context("an answer that does not name its length")?;
        while self.received.len() < head_end + length {
            self.receive().await?;
        }
        let rest = self.received.split_off(head_end + length);
        let body = std::mem::replace(&mut self.received, rest).split_off(head_end);
        Ok(Answer {
            status,
            body: String::from_utf8(body)?,
        })
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.received).await?;
        ensure!(read > 0, "a server closed the connection");
        Ok(())
    }
}
