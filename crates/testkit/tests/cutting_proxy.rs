//! The cutting proxy in front of a server that sends everything back.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use url::Url;
use wahana_testkit::cutting_proxy::CuttingProxy;

/// Long enough for bytes to arrive on the loopback interface if they are sent at all.
const SILENCE: Duration = Duration::from_millis(200);

async fn start_echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                // The tests break connections on purpose.
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    address
}

async fn start_proxy() -> CuttingProxy {
    CuttingProxy::in_front_of(start_echo().await).unwrap()
}

async fn connect(proxy: &CuttingProxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

async fn expect(stream: &mut TcpStream, text: &str) {
    let mut received = vec![0; text.len()];
    stream.read_exact(&mut received).await.unwrap();
    assert_eq!(String::from_utf8(received).unwrap(), text);
}

async fn expect_echo(stream: &mut TcpStream, text: &str) {
    send(stream, text).await;
    expect(stream, text).await;
}

async fn expect_reset(mut stream: TcpStream) {
    let error = stream.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn passes_on_both_ways_until_both_sides_have_ended() {
    let proxy = start_proxy().await;
    let (mut from, mut to) = connect(&proxy).await.into_split();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let expected = sent.clone();
    let sending = tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    });

    let mut received = Vec::new();
    from.read_to_end(&mut received).await.unwrap();
    sending.await.unwrap();
    assert!(
        received == expected,
        "{} of {} bytes, or others",
        received.len(),
        expected.len()
    );
}

#[tokio::test]
async fn cut_resets_open_connections_and_serves_new_ones() {
    let proxy = start_proxy().await;
    let (mut one, mut other) = (connect(&proxy).await, connect(&proxy).await);
    expect_echo(&mut one, "one").await;
    expect_echo(&mut other, "other").await;

    proxy.cut().await.unwrap();
    expect_reset(one).await;
    expect_reset(other).await;
    expect_echo(&mut connect(&proxy).await, "new").await;
}

#[tokio::test]
async fn cut_resets_a_connection_that_was_only_just_made() {
    let proxy = start_proxy().await;
    let just_made = connect(&proxy).await;
    proxy.cut().await.unwrap();
    expect_reset(just_made).await;
}

#[tokio::test]
async fn cut_resets_the_server_side_too() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = CuttingProxy::in_front_of(listener.local_addr().unwrap()).unwrap();
    let mut client = connect(&proxy).await;
    let (mut server, _) = listener.accept().await.unwrap();
    send(&mut client, "request").await;
    expect(&mut server, "request").await;

    proxy.cut().await.unwrap();
    expect_reset(server).await;
}

#[tokio::test]
async fn refuse_resets_open_connections_and_refuses_new_ones_until_resumed() {
    let proxy = start_proxy().await;
    let mut open = connect(&proxy).await;
    expect_echo(&mut open, "open").await;

    proxy.refuse().await;
    expect_reset(open).await;
    for _ in 0..3 {
        let error = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    // Nobody else gets the port meanwhile.
    let taken = TcpSocket::new_v4().unwrap().bind(proxy.address()).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);

    proxy.resume().unwrap();
    expect_echo(&mut connect(&proxy).await, "again").await;
}

#[tokio::test]
async fn cut_while_refusing_goes_on_refusing() {
    let proxy = start_proxy().await;
    proxy.refuse().await;
    proxy.cut().await.unwrap();
    let error = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn freeze_keeps_everything_back_until_resumed() {
    let proxy = start_proxy().await;
    let mut open = connect(&proxy).await;
    expect_echo(&mut open, "before").await;

    proxy.freeze();
    send(&mut open, "meanwhile").await;
    let mut new = connect(&proxy).await;
    send(&mut new, "new").await;
    timeout(SILENCE, open.read(&mut [0; 1])).await.unwrap_err();
    timeout(SILENCE, new.read(&mut [0; 1])).await.unwrap_err();

    proxy.resume().unwrap();
    expect(&mut open, "meanwhile").await;
    expect(&mut new, "new").await;
}

#[tokio::test]
async fn frozen_connections_can_be_cut() {
    let proxy = start_proxy().await;
    let mut open = connect(&proxy).await;
    expect_echo(&mut open, "before").await;
    proxy.freeze();
    proxy.cut().await.unwrap();
    expect_reset(open).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_reset() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = CuttingProxy::in_front_of(listener.local_addr().unwrap()).unwrap();
    drop(listener);
    expect_reset(connect(&proxy).await).await;
}

#[tokio::test]
async fn dropping_the_proxy_ends_its_connections() {
    let proxy = start_proxy().await;
    let mut open = connect(&proxy).await;
    expect_echo(&mut open, "open").await;
    drop(proxy);
    expect_reset(open).await;
}

#[tokio::test]
async fn a_url_leads_through_the_proxy_with_everything_else_kept() {
    let server = start_echo().await;
    let url = Url::parse(&format!("postgres://user:secret@{server}/name?option=1")).unwrap();
    let (proxy, through) = CuttingProxy::in_front_of_url(&url).unwrap();

    let expected = format!("postgres://user:secret@{}/name?option=1", proxy.address());
    assert_eq!(through.as_str(), expected);
    expect_echo(&mut connect(&proxy).await, "hello").await;
}

#[tokio::test]
async fn a_url_without_a_port_is_no_server() {
    let url = Url::parse("sqlite:file").unwrap();
    CuttingProxy::in_front_of_url(&url).unwrap_err();
}
