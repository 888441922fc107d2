//! Ports of the loopback interface that stay one's own while nobody listens at them.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A port that nobody else gets.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    /// Bound but never listening: it keeps the port while connections are refused.
    _reservation: TcpSocket,
}

impl ReservedPort {
    /// This port of an address, or a free one if it is 0.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let reservation = bind(address)?;
        Ok(Self {
            address: reservation.local_addr()?,
            _reservation: reservation,
        })
    }

    /// The address with its port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens at it. One listener at a time.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        bind(self.address)?.listen(BACKLOG)
    }
}

/// A new socket at the address, which another one may reserve meanwhile.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
