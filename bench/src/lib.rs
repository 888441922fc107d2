//! What the programs of the benchmark agree on, so that the sessions in the database are the sessions
//! on the simulated WAHA servers.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::ensure;

pub use connection::{Answer, Connection};

mod connection;
pub mod events;

/// The sessions that are spread over the servers, one after the other.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Spread {
    /// How many organizations.
    #[arg(long)]
    pub organizations: u32,
    /// How many sessions each of them has.
    #[arg(long)]
    pub sessions_each: u32,
    /// Over how many WAHA servers they are spread.
    #[arg(long)]
    pub servers: u32,
}

impl Spread {
    /// The numbers of an organization's sessions.
    pub fn sessions_of(self, organization: u32) -> impl Iterator<Item = u32> {
        let first = organization * self.sessions_each;
        first..first + self.sessions_each
    }

    /// The numbers of a server's sessions.
    pub fn sessions_on(self, server: u32) -> impl Iterator<Item = u32> {
        let all = self.organizations * self.sessions_each;
        (server..all).step_by(usize::try_from(self.servers).unwrap_or(usize::MAX))
    }

    /// The number of a session's server.
    #[must_use]
    pub const fn server_of(self, session: u32) -> u32 {
        session % self.servers
    }
}

/// A session's name on its WAHA server.
#[must_use]
pub fn waha_name(session: u32) -> String {
    format!("w_bench_{session:06}")
}

/// The number of a session's phone, in digits.
#[must_use]
pub fn phone_digits(session: u32) -> String {
    format!("62812{:08}", 10_000_000 + session)
}

/// The key of every simulated WAHA server. Nothing is behind it.
pub const API_KEY: &str = "key-of-the-simulated-servers";

/// Asks a server on this machine, and gives back the body of its answer.
///
/// # Errors
///
/// When it does not answer, or not with 200.
pub async fn get(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut connection = Connection::open(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nX-Api-Key: {API_KEY}\r\n\r\n");
    let answer = connection.ask(&request).await?;
    ensure!(answer.status == 200, "{path} is not answered with 200");
    Ok(answer.body.into_bytes())
}

/// The time that half of these do not exceed; nothing of none.
#[must_use]
pub fn median_of(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Writes a file at once, so that whoever waits for it finds it whole.
///
/// # Errors
///
/// When the folder cannot be written to.
pub fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, path)?;
    Ok(())
}
