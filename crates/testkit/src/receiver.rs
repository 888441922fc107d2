//! A receiver of webhooks that records what it gets and answers as it is told.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha512};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::reserved_port::ReservedPort;

/// How the receiver answers a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The bytes that are sent.
    bytes: Vec<u8>,
    /// How long it waits before.
    delay: Duration,
    then: Then,
}

/// What comes after the bytes of an answer.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// The connection takes the next request.
    Next,
    /// Nothing, until the client ends the connection.
    Hang,
    /// More and more of them.
    Repeat(&'static [u8]),
    /// The end of the connection.
    Close,
}

impl Answer {
    /// A whole answer with this status and no body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::with_body(status, "")
    }

    /// A whole answer with this status and body.
    #[must_use]
    pub fn with_body(status: u16, body: &str) -> Self {
        Self::with_head(status, "", body)
    }

    /// A whole answer with this status, body, and lines of the head, each of which ends with `\r\n`.
    #[must_use]
    pub fn with_head(status: u16, lines: &str, body: &str) -> Self {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} X\r\n{lines}Content-Length: {length}\r\n\r\n{body}");
        Self::raw(answer.as_bytes(), Then::Next)
    }

    /// No answer at all; the connection stays open.
    #[must_use]
    pub fn hang() -> Self {
        Self::raw(b"", Then::Hang)
    }

    /// These bytes, and then nothing; the connection stays open.
    #[must_use]
    pub fn unfinished(bytes: &[u8]) -> Self {
        Self::raw(bytes, Then::Hang)
    }

    /// These bytes, and then these without an end.
    #[must_use]
    pub fn endless(bytes: &[u8], repeated: &'static [u8]) -> Self {
        Self::raw(bytes, Then::Repeat(repeated))
    }

    /// These bytes, and then the end of the connection.
    #[must_use]
    pub fn broken_off(bytes: &[u8]) -> Self {
        Self::raw(bytes, Then::Close)
    }

    /// The same answer, after some time.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    fn raw(bytes: &[u8], then: Then) -> Self {
        Self {
            bytes: bytes.to_vec(),
            delay: Duration::ZERO,
            then,
        }
    }
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedWebhook {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub target: String,
    /// Its headers in the order in which they came, with names in small letters.
    pub headers: Vec<(String, String)>,
    /// Its body, byte for byte.
    pub body: Vec<u8>,
}

impl ReceivedWebhook {
    /// The value of a header, by its name in small letters; `None` also if it came more than once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// Whether one of its signatures is that of a secret (`whsec_…`), as receivers check by the specification of
    /// Standard Webhooks. Its time is not looked at.
    #[must_use]
    pub fn is_signed_as_standard(&self, secret: &str) -> bool {
        self.standard_signatures_match(secret).unwrap_or(false)
    }

    /// Whether it is signed with a key as WAHA signs (seen on WAHA 2026.2.1).
    #[must_use]
    pub fn is_signed_as_waha(&self, key: &str) -> bool {
        self.waha_signature_matches(key).unwrap_or(false)
    }

    fn standard_signatures_match(&self, secret: &str) -> Option<bool> {
        let key = BASE64.decode(secret.strip_prefix("whsec_")?.as_bytes()).ok()?;
        let id = self.header("webhook-id")?;
        let timestamp = self.header("webhook-timestamp")?;
        let mac = Hmac::<Sha256>::new_from_slice(&key)
            .ok()?
            .chain_update(format!("{id}.{timestamp}."))
            .chain_update(&self.body);
        let mut signatures = self.header("webhook-signature")?.split(' ');
        Some(signatures.any(|signature| {
            let code = signature.strip_prefix("v1,").map(str::as_bytes);
            code.and_then(|code| BASE64.decode(code).ok())
                .is_some_and(|code| mac.clone().verify_slice(&code).is_ok())
        }))
    }

    fn waha_signature_matches(&self, key: &str) -> Option<bool> {
        let code = HEXLOWER.decode(self.header("x-webhook-hmac")?.as_bytes()).ok()?;
        let mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).ok()?;
        let is_right = mac.chain_update(&self.body).verify_slice(&code).is_ok();
        Some(is_right && self.header("x-webhook-hmac-algorithm")? == "sha512")
    }
}

/// A receiver of webhooks on a port of the loopback interface. Dropping it ends it.
///
/// It answers with status 200 until it is told otherwise, keeps connections open as servers do, and can be stopped
/// and started again at the same address.
#[derive(Debug)]
pub struct WebhookReceiver {
    port: ReservedPort,
    state: Arc<State>,
    accepting: Mutex<Option<JoinHandle<()>>>,
    /// Where connections wait while it is frozen.
    frozen: Mutex<Option<TcpListener>>,
    connections: Arc<Mutex<JoinSet<()>>>,
}

#[derive(Debug)]
struct State {
    received: Mutex<Vec<ReceivedWebhook>>,
    count: watch::Sender<usize>,
    connection_count: watch::Sender<usize>,
    answers: Mutex<Answers>,
}

#[derive(Debug)]
struct Answers {
    next: VecDeque<Answer>,
    otherwise: Answer,
}

impl WebhookReceiver {
    /// A receiver on a free port.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn start() -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// A receiver at this address of the loopback interface; on a free port if that is 0.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn start_at(address: SocketAddr) -> io::Result<Self> {
        let receiver = Self {
            port: ReservedPort::at(address)?,
            state: Arc::new(State {
                received: Mutex::default(),
                count: watch::Sender::new(0),
                connection_count: watch::Sender::new(0),
                answers: Mutex::new(Answers {
                    next: VecDeque::new(),
                    otherwise: Answer::status(200),
                }),
            }),
            accepting: Mutex::default(),
            frozen: Mutex::default(),
            connections: Arc::default(),
        };
        receiver.resume()?;
        Ok(receiver)
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The address of a path, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Gives the next requests these answers, one each, in the order in which they arrive.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.state.answers).next.extend(answers);
    }

    /// Gives this answer to every request for which there is no other.
    pub fn answer_otherwise(&self, answer: Answer) {
        lock(&self.state.answers).otherwise = answer;
    }

    /// Everything that arrived, in that order.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedWebhook> {
        lock(&self.state.received).clone()
    }

    /// How many connections there were.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        *self.state.connection_count.borrow()
    }

    /// Waits until so many requests have arrived, and gives all that did.
    pub async fn received(&self, count: usize) -> Vec<ReceivedWebhook> {
        let mut counted = self.state.count.subscribe();
        // The sender is ours, so this ends only when there are as many.
        let _ = counted.wait_for(|arrived| *arrived >= count).await;
        self.requests()
    }

    /// Ends every connection and refuses new ones, like a program that was stopped.
    pub async fn stop(&self) {
        let accepting = lock(&self.accepting).take();
        if let Some(accepting) = accepting {
            accepting.abort();
            // The error only says that it was aborted.
            let _ = accepting.await;
        }
        let mut open = mem::take(&mut *lock(&self.connections));
        open.shutdown().await;
    }

    /// Ends every connection and lets new ones wait, like a program that is frozen: what is sent to it does not arrive,
    /// also not when it takes requests again.
    pub async fn freeze(&self) -> io::Result<()> {
        self.stop().await;
        *lock(&self.frozen) = Some(self.port.listen()?);
        Ok(())
    }

    /// Takes requests again, at the same address.
    pub fn resume(&self) -> io::Result<()> {
        lock(&self.frozen).take();
        let mut accepting = lock(&self.accepting);
        if accepting.is_none() {
            let listener = self.port.listen()?;
            let (state, connections) = (self.state.clone(), self.connections.clone());
            *accepting = Some(tokio::spawn(accept(listener, state, connections)));
        }
        Ok(())
    }
}

impl Drop for WebhookReceiver {
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

async fn accept(listener: TcpListener, state: Arc<State>, connections: Arc<Mutex<JoinSet<()>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        state.connection_count.send_modify(|count| *count += 1);
        let state = state.clone();
        let mut connections = lock(&connections);
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            // A client that goes away is no fault of the receiver's.
            let _ = converse(stream, &state).await;
        });
    }
}

/// Takes the requests of one connection, one after the other.
async fn converse(stream: TcpStream, state: &State) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream).await? {
        let answer = {
            lock(&state.received).push(request);
            let mut answers = lock(&state.answers);
            let next = answers.next.pop_front();
            next.unwrap_or_else(|| answers.otherwise.clone())
        };
        state.count.send_modify(|count| *count += 1);
        tokio::time::sleep(answer.delay).await;
        stream.write_all(&answer.bytes).await?;
        stream.flush().await?;
        match answer.then {
            Then::Next => {}
            Then::Close => return stream.shutdown().await,
            Then::Hang => {
                // Until the client is gone, or says more, which it should not.
                stream.read_u8().await?;
            }
            Then::Repeat(bytes) => loop {
                stream.write_all(bytes).await?;
            },
        }
    }
    Ok(())
}

/// The next request; `None` at the end of the connection.
async fn read_request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<ReceivedWebhook>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(Ok(0), |(_, length)| length.parse());
    let mut body = vec![0; length.map_err(io::Error::other)?];
    stream.read_exact(&mut body).await?;
    Ok(Some(ReceivedWebhook {
        method,
        target,
        headers,
        body,
    }))
}
