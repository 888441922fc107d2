use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};
use wahana_api::UploadLimits;
use wahana_service::organization_events::StreamLimits;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);
const CHUNK: &[u8] = &[b'.'; 16 * 1024];

/// Says that it was let go.
struct Held(mpsc::UnboundedSender<()>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Serves answers without an end. Says when one was let go.
async fn serving(write_timeout: Duration) -> (SocketAddr, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (let_go, ended) = mpsc::unbounded_channel();
    let endless = get(move || {
        let held = Held(let_go.clone());
        std::future::ready(Body::from_stream(stream::repeat_with(move || {
            let _ = &held;
            Ok::<_, Infallible>(Bytes::from_static(CHUNK))
        })))
    });
    let limits = Limits {
        body_bytes: 1024,
        event_bytes: 1024,
        media_bytes: 1024,
        header_bytes: 8 * 1024,
        header_timeout: PATIENCE,
        write_timeout,
        uploads: UploadLimits::default(),
        event_streams: StreamLimits::default(),
        shutdown_timeout: PATIENCE,
    };
    let router = Router::new().route("/", endless);
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, router, limits, stop, TaskTracker::new()));
    (address, ended)
}

async fn ask(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    client
}

#[tokio::test]
async fn an_answer_ends_that_its_client_does_not_take() {
    let (address, mut ended) = serving(Duration::from_millis(200)).await;
    let stalled = ask(address).await;
    tokio::time::timeout(PATIENCE, ended.recv()).await.unwrap();
    drop(stalled);
}

#[tokio::test]
async fn an_answer_goes_on_that_its_client_takes() {
    let (address, mut ended) = serving(PATIENCE).await;
    let mut client = ask(address).await;
    let mut taken = vec![0; CHUNK.len()];
    for _ in 0..100 {
        client.read_exact(&mut taken).await.unwrap();
    }
    assert!(ended.try_recv().is_err());
}
