//! Files that are read while they are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use data_encoding::BASE64;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use waha_client::{FileContent, FileToSend, MediaToSend, Outcome, WahaError};

use crate::fake::{FakeWaha, client, fixture, misbehaving};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn media(content: FileContent) -> MediaToSend<'static> {
    MediaToSend {
        chat_id: "15550001111@c.us",
        file: FileToSend {
            mimetype: "image/png",
            filename: Some("\"a\".png"),
            content,
        },
        caption: Some("cap"),
        reply_to: None,
        convert: false,
    }
}

/// As many bytes, in which no part looks like another.
fn bytes(size: usize) -> Vec<u8> {
    let noise = |at: u64| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0];
    (0..).take(size).map(noise).collect()
}

/// Bytes in pieces of a size.
fn pieces(bytes: &[u8], size: usize) -> FileContent {
    let pieces: Vec<_> = bytes
        .chunks(size)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    FileContent::streamed(bytes.len() as u64, stream::iter(pieces))
}

#[tokio::test]
async fn every_size_in_pieces_of_every_size_arrives_whole() {
    for size in [
        1,
        2,
        3,
        4,
        57,
        48 * KIB,
        64 * KIB - 1,
        64 * KIB,
        64 * KIB + 1,
        3 * MIB + 2,
    ] {
        for piece in [1, 2, 3, 1000, 64 * KIB, 4 * MIB] {
            // Millions of pieces of a byte say no more than thousands.
            if size / piece > 100_000 {
                continue;
            }
            let bytes = bytes(size);
            let waha = FakeWaha::with_fixture(201, "sends/noweb-image.json").await;
            let sent = waha.client.send_image("main", media(pieces(&bytes, piece))).await;
            assert_eq!(sent.unwrap().key, "3EB092B47680CDB9092EB8");
            let request = waha.request();
            let length = request.headers["content-length"].to_str().unwrap();
            assert_eq!(length, request.body.len().to_string());
            assert!(!request.headers.contains_key("transfer-encoding"));
            let expected = json!({
                "session": "main",
                "chatId": "15550001111@c.us",
                "caption": "cap",
                "file": {"mimetype": "image/png", "filename": "\"a\".png", "data": BASE64.encode(&bytes)},
            });
            assert!(request.json() == expected, "{size} bytes in pieces of {piece}");
        }
    }
}

#[tokio::test]
async fn no_more_of_a_file_is_read_than_its_server_takes() {
    let (go_on, told) = oneshot::channel::<()>();
    let (tell_asked, asked) = oneshot::channel::<()>();
    let url = misbehaving(|mut connection| async move {
        tell_asked.send(()).unwrap();
        told.await.unwrap();
        let mut all = vec![0; MIB];
        let mut end = Vec::new();
        while !end.ends_with(b"}}") {
            let count = connection.read(&mut all).await.unwrap();
            end = all[count.saturating_sub(2)..count].to_vec();
        }
        let answer = fixture("sends/noweb-image.json");
        let head = format!(
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&answer).await.unwrap();
    })
    .await;
    // More than the buffers of both ends can hold.
    let count = 36 * MIB / (64 * KIB);
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let file = stream::repeat(Bytes::from(vec![0; 64 * KIB]))
        .take(count)
        .map(move |piece| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(piece)
        });
    let file = FileContent::streamed((count * 64 * KIB) as u64, file);
    let client = client(&url);
    let sending = tokio::spawn(async move { client.send_image("main", media(file)).await });
    asked.await.unwrap();
    // The server has the beginning of the request and reads no further.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let before = read.load(Ordering::SeqCst);
    assert!(before < count, "the whole file was read at once");
    go_on.send(()).unwrap();
    assert!(sending.await.unwrap().is_ok());
    assert_eq!(read.load(Ordering::SeqCst), count);
}

#[tokio::test]
async fn a_file_that_is_not_what_was_said_is_not_sent() {
    let broken = || {
        let pieces = [
            Ok(Bytes::from_static(b"abc")),
            Err(std::io::Error::other("the disk is dead")),
        ];
        FileContent::streamed(6, stream::iter(pieces))
    };
    let of = |size| {
        let pieces = [Ok::<_, std::io::Error>(Bytes::from_static(b"abcdef"))];
        FileContent::streamed(size, stream::iter(pieces))
    };
    for content in [broken(), of(5), of(7), of(1)] {
        let waha = FakeWaha::with_fixture(201, "sends/noweb-image.json").await;
        let error = waha.client.send_image("main", media(content)).await.unwrap_err();
        assert_eq!(
            error,
            WahaError::NotSendable {
                what: "the file cannot be read to its end"
            }
        );
        assert_eq!(error.outcome(), Outcome::NotHandedOver);
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_for_waha_is_not_begun() {
    let waha = FakeWaha::with_fixture(201, "sends/noweb-image.json").await;
    let file = FileContent::streamed(
        38 * MIB as u64,
        stream::poll_fn(|_| -> std::task::Poll<Option<std::io::Result<Bytes>>> { panic!("it was read") }),
    );
    let error = waha.client.send_image("main", media(file)).await.unwrap_err();
    assert_eq!(error.kind(), "not_sendable");
    assert_eq!(waha.count(), 0);
}
