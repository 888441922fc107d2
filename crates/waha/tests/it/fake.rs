//! Servers on a free port of this machine, and clients for them.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use waha_client::{
    HttpClient, HttpOptions, TextToSend, TimeLimit, Timeouts, WahaClient, WahaConfig, WahaError,
};

/// The key that every client here uses; no error may show it.
pub(crate) const KEY: &str = "key-that-must-stay-hidden";

/// A request as the server received it.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    /// Path and query as they came over the wire.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A server that answers every request in the same way and remembers the requests.
pub(crate) struct FakeWaha {
    pub(crate) client: WahaClient,
    url: Url,
    received: Arc<Mutex<Vec<Received>>>,
}

impl FakeWaha {
    /// Answers with this status and JSON body.
    pub(crate) async fn answering(status: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let json = "application/json; charset=utf-8";
        Self::responding(move || {
            Response::builder()
                .status(status)
                .header("Content-Type", json)
                .body(Body::from(body.clone()))
                .unwrap()
        })
        .await
    }

    /// Answers with a recorded answer.
    pub(crate) async fn with_fixture(status: u16, name: &str) -> Self {
        Self::answering(status, fixture(name)).await
    }

    pub(crate) async fn responding(
        respond: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&received);
        let router = Router::new().fallback(move |request: Request| {
            let (requests, respond) = (Arc::clone(&requests), respond.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                requests.lock().unwrap().push(Received {
                    method: head.method.to_string(),
                    target: head.uri.to_string(),
                    headers: head.headers,
                    body,
                });
                respond()
            }
        });
        let (listener, url) = listen().await;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            client: client(&url),
            url,
            received,
        }
    }

    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }

    /// The only request so far.
    pub(crate) fn request(&self) -> Received {
        let received = self.received.lock().unwrap();
        assert_eq!(received.len(), 1);
        received[0].clone()
    }

    /// How many requests came so far.
    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

/// A server that reads one request's beginning and then does what it is told with the connection.
pub(crate) async fn misbehaving<F, Done>(act: F) -> Url
where
    F: FnOnce(TcpStream) -> Done + Send + 'static,
    Done: Future<Output = ()> + Send,
{
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let (mut connection, _peer) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let read = connection.read(&mut request).await.unwrap();
        assert!(read > 0);
        act(connection).await;
    });
    url
}

pub(crate) async fn listen() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    (listener, url)
}

/// A client with the default limits.
pub(crate) fn client(url: &Url) -> WahaClient {
    WahaClient::new(&http(), config(url)).unwrap()
}

/// A client that does not wait long.
pub(crate) fn impatient_client(url: &Url) -> WahaClient {
    let short = TimeLimit {
        idle: Duration::from_millis(100),
        total: Some(Duration::from_mins(1)),
    };
    let timeouts = Timeouts {
        quick: short,
        send: short,
        file: short,
        ..Timeouts::default()
    };
    WahaClient::new(
        &http(),
        WahaConfig {
            timeouts,
            ..config(url)
        },
    )
    .unwrap()
}

pub(crate) fn config(url: &Url) -> WahaConfig {
    WahaConfig::new(url.clone(), KEY.to_owned().into())
}

pub(crate) fn http() -> HttpClient {
    install_tls_provider();
    HttpClient::new(&HttpOptions::default()).unwrap()
}

pub(crate) fn install_tls_provider() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .unwrap();
    });
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name),
    )
    .unwrap()
}

/// A text that no error may show.
pub(crate) const TEXT: TextToSend<'static> = TextToSend {
    chat_id: "15550001111@c.us",
    text: "private words",
    reply_to: None,
    mentions: &[],
    link_preview: None,
    key: None,
};

#[track_caller]
pub(crate) fn shows_nothing_private(error: &WahaError) {
    let shown = format!("{error} {error:?}");
    for private in [KEY, "private words", "1555000", "5000000", "/api/", "activity.js"] {
        assert!(!shown.contains(private), "{private:?} in {shown}");
    }
}
