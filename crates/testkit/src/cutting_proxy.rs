//! A TCP proxy whose connections fail on demand, to test what happens when a server goes away.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use crate::reserved_port::ReservedPort;

/// A proxy on a free port of the loopback interface, in front of one server.
///
/// It starts out passing everything on. Dropping it ends it and every connection through it. What a method
/// does has happened when it returns, so that a test needs no pauses.
#[derive(Debug)]
pub struct CuttingProxy {
    port: ReservedPort,
    upstream: SocketAddr,
    is_frozen: watch::Sender<bool>,
    connections: Arc<Mutex<JoinSet<()>>>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl CuttingProxy {
    /// A proxy in front of the server at this address.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn in_front_of(upstream: SocketAddr) -> io::Result<Self> {
        let proxy = Self {
            port: ReservedPort::at((Ipv4Addr::LOCALHOST, 0).into())?,
            upstream,
            is_frozen: watch::Sender::new(false),
            connections: Arc::default(),
            accepting: Mutex::default(),
        };
        proxy.resume()?;
        Ok(proxy)
    }

    /// A proxy in front of the server that this URL names, and the same URL leading through the proxy.
    ///
    /// The URL needs a port or a scheme that implies one; `postgres` implies 5432.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn in_front_of_url(url: &Url) -> io::Result<(Self, Url)> {
        let default_port = || matches!(url.scheme(), "postgres" | "postgresql").then_some(5432);
        let upstream = url.socket_addrs(default_port)?.into_iter().next();
        let proxy = Self::in_front_of(upstream.ok_or(io::ErrorKind::AddrNotAvailable)?)?;
        let mut through = url.clone();
        let changed = through.set_host(Some(&proxy.address().ip().to_string()));
        match (changed, through.set_port(Some(proxy.address().port()))) {
            (Ok(()), Ok(())) => Ok((proxy, through)),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "this kind of URL has no host and port",
            )),
        }
    }

    /// Where clients connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Resets every open connection, on both sides. New ones are treated as before, except that for an
    /// instant they may be refused.
    pub async fn cut(&self) -> io::Result<()> {
        // A connection that still waits to be accepted is open for its client, and ends with the listener.
        let was_accepting = self.stop_accepting().await;
        let mut open = mem::take(&mut *lock(&self.connections));
        if was_accepting {
            self.accept_connections()?;
        }
        open.shutdown().await;
        Ok(())
    }

    /// Resets every open connection and refuses new ones, like a server that is not running.
    pub async fn refuse(&self) {
        self.stop_accepting().await;
        let mut open = mem::take(&mut *lock(&self.connections));
        open.shutdown().await;
    }

    /// Passes nothing on any more, like a server that hangs or a network that loses everything. What is sent
    /// meanwhile, and the end of a connection, is kept until [`resume`](Self::resume). New connections are
    /// accepted, and then nothing happens on them.
    pub fn freeze(&self) {
        self.is_frozen.send_replace(true);
    }

    /// Ends what [`refuse`](Self::refuse) or [`freeze`](Self::freeze) began.
    pub fn resume(&self) -> io::Result<()> {
        self.is_frozen.send_replace(false);
        self.accept_connections()
    }

    fn accept_connections(&self) -> io::Result<()> {
        let mut accepting = lock(&self.accepting);
        if accepting.is_none() {
            let listener = self.port.listen()?;
            let (is_frozen, connections) = (self.is_frozen.subscribe(), Arc::clone(&self.connections));
            *accepting = Some(tokio::spawn(accept(
                listener,
                self.upstream,
                is_frozen,
                connections,
            )));
        }
        Ok(())
    }

    /// Closes the listening socket. Returns whether there was one.
    async fn stop_accepting(&self) -> bool {
        let Some(accepting) = lock(&self.accepting).take() else {
            return false;
        };
        accepting.abort();
        // The error only says that it was aborted.
        let _ = accepting.await;
        true
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        if let Some(accepting) = lock(&self.accepting).take() {
            accepting.abort();
        }
        lock(&self.connections).abort_all();
    }
}

/// Locks also after a panic, which has failed the test already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    is_frozen: watch::Receiver<bool>,
    connections: Arc<Mutex<JoinSet<()>>>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let mut connections = lock(&connections);
        while connections.try_join_next().is_some() {}
        connections.spawn(carry(Side::new(client), upstream, is_frozen.clone()));
    }
}

/// Carries one connection to its end.
async fn carry(mut client: Side, upstream: SocketAddr, mut is_frozen: watch::Receiver<bool>) {
    if is_frozen.wait_for(|is_frozen| !is_frozen).await.is_err() {
        return;
    }
    // Without a server the client gets a reset.
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let mut server = Side::new(server);

    let (from_client, to_client) = client.stream.split();
    let (from_server, to_server) = server.stream.split();
    let both = tokio::try_join!(
        pass_on(from_client, to_server, is_frozen.clone()),
        pass_on(from_server, to_client, is_frozen),
    );
    // An error on one side becomes a reset on the other.
    client.has_ended = both.is_ok();
    server.has_ended = both.is_ok();
}

async fn pass_on(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut is_frozen: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        // Asked after reading: whatever is read once the proxy is frozen waits here.
        is_frozen
            .wait_for(|is_frozen| !is_frozen)
            .await
            .map_err(io::Error::other)?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

/// One side's connection. It is reset when dropped before both sides have ended it.
struct Side {
    stream: TcpStream,
    has_ended: bool,
}

impl Side {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            has_ended: false,
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if !self.has_ended {
            // It fails where the connection is broken already.
            let _ = self.stream.set_zero_linger();
        }
    }
}
