//! Downloads of files.

use axum::body::Body;
use axum::http::Response;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use waha_client::{FileDownload, FilePath, LostAnswer, WahaError};

use crate::fake::{FakeWaha, client, impatient_client, misbehaving};

fn path() -> FilePath {
    FilePath::from_url("http://elsewhere.example:3000/api/files/main/true_1@c.us_3EB0%20a.png").unwrap()
}

/// The bytes that came, and the error that ended them.
async fn collect(mut download: FileDownload) -> (Bytes, Option<WahaError>) {
    let mut bytes = BytesMut::new();
    while let Some(piece) = download.bytes.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => {
                assert!(download.bytes.next().await.is_none());
                return (bytes.freeze(), Some(error));
            }
        }
    }
    (bytes.freeze(), None)
}

#[tokio::test]
async fn a_file_comes_from_this_server_with_type_and_length() {
    let file = vec![7_u8; 200_000];
    let waha = FakeWaha::responding({
        let file = file.clone();
        move || {
            Response::builder()
                .header("Content-Type", "image/png")
                .body(Body::from(file.clone()))
                .unwrap()
        }
    })
    .await;
    let download = waha.client.download_file(&path()).await.unwrap();
    assert_eq!(
        (download.content_type.as_deref(), download.length),
        (Some("image/png"), Some(200_000))
    );
    assert_eq!(collect(download).await, (file.into(), None));
    let request = waha.request();
    assert_eq!(request.target, "/api/files/main/true_1@c.us_3EB0%20a.png");
    assert!(request.headers.contains_key("x-api-key"));
}

#[tokio::test]
async fn a_file_that_is_gone_is_not_found() {
    let waha = FakeWaha::with_fixture(404, "errors/file-missing.json").await;
    assert_eq!(
        waha.client.download_file(&path()).await.unwrap_err(),
        WahaError::NotFound
    );
}

const HALF_A_FILE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ";

#[tokio::test]
async fn a_file_that_breaks_off_ends_in_an_error() {
    let url =
        misbehaving(|mut connection| async move { connection.write_all(HALF_A_FILE).await.unwrap() }).await;
    let download = client(&url).download_file(&path()).await.unwrap();
    let cut = WahaError::OutcomeUnknown {
        cause: LostAnswer::BodyCut,
    };
    assert_eq!(collect(download).await, (Bytes::from_static(b"half "), Some(cut)));
}

#[tokio::test]
async fn a_file_that_stalls_ends_in_an_error() {
    let url = misbehaving(|mut connection| async move {
        connection.write_all(HALF_A_FILE).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let download = impatient_client(&url).download_file(&path()).await.unwrap();
    let stalled = WahaError::OutcomeUnknown {
        cause: LostAnswer::TimedOut,
    };
    assert_eq!(
        collect(download).await,
        (Bytes::from_static(b"half "), Some(stalled))
    );
}
