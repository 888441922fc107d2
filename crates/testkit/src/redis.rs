//! A Redis server of a test's own, which it may kill and start again.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the server may take to begin to listen. Long, because tests share the machine.
const LONGEST_START: Duration = Duration::from_secs(30);
/// Somebody else may take the free port before the server does.
const ATTEMPTS: usize = 3;

/// A Redis server on a port of the loopback interface. Dropping it ends it.
#[derive(Debug)]
pub struct TestRedis {
    address: SocketAddr,
    server: Option<Child>,
    folder: TempDir,
}

#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "only tests call this, and a test without its server has failed"
)]
impl TestRedis {
    /// A server without any keys.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("wahana-test-redis-")
            .tempdir()
            .expect("a temporary folder");
        for _ in 0..ATTEMPTS {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let address = listener.local_addr().expect("a bound port");
            drop(listener);
            if let Some(server) = spawn(address, &folder) {
                return Self {
                    address,
                    server: Some(server),
                    folder,
                };
            }
        }
        panic!("redis-server does not start");
    }

    /// Where it listens, as wahana wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Kills it, as if its machine were lost: nothing it kept remains.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("a server that can be killed");
            server.wait().expect("a server that ends");
        }
    }

    /// Stops it from answering, or lets it go on, without closing any connection.
    pub fn freeze(&self, is_frozen: bool) {
        let signal = if is_frozen { "-STOP" } else { "-CONT" };
        let server = self.server.as_ref().expect("a server that runs");
        let status = Command::new("kill")
            .args([signal, &server.id().to_string()])
            .status()
            .expect("the program kill");
        assert!(status.success(), "the server is not there");
    }

    /// Starts it again at the same address.
    pub fn restart(&mut self) {
        self.kill();
        let server = spawn(self.address, &self.folder);
        self.server = Some(server.expect("the port is still free"));
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Starts the server and waits until it listens; `None` if it ends instead.
#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "only tests call this, and a test without its server has failed"
)]
fn spawn(address: SocketAddr, folder: &TempDir) -> Option<Child> {
    let mut server = Command::new("redis-server")
        .args(["--bind", &address.ip().to_string()])
        .args(["--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test needs redis-server: run it with `cargo xtask test`, or install Redis");
    let start = Instant::now();
    while start.elapsed() < LONGEST_START {
        if server.try_wait().expect("a server to ask").is_some() {
            return None;
        }
        if std::net::TcpStream::connect(address).is_ok() {
            return Some(server);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = server.kill();
    let _ = server.wait();
    panic!("redis-server does not listen");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_listens_and_is_gone_when_killed_and_comes_back() {
        let mut redis = TestRedis::start();
        let listens = |redis: &TestRedis| std::net::TcpStream::connect(redis.address).is_ok();
        assert!(listens(&redis));
        redis.kill();
        assert!(!listens(&redis));
        redis.restart();
        assert!(listens(&redis));
    }
}
