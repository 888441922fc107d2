//! Files: as what they are sent, where they come from, and how large they may be.

use std::{convert::Infallible, net::SocketAddr};

use axum::{Router, body::Body, http::header, routing::get};
use data_encoding::BASE64;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use waha_sim::{SentKind, WahaSim};
use wahana_service::AllowedNetwork;

use crate::wahana::{Answer, Setup, Wahana};

const TO: &str = "+6281234567890";
const FORM: &str = "multipart/form-data; boundary=edge";

fn media(mimetype: &str, filename: Option<&str>, bytes: &[u8]) -> Value {
    json!({"to": TO, "media": {"data": BASE64.encode(bytes), "mimetype": mimetype, "filename": filename}})
}

/// A field of a form: the rest of its disposition, its headers, and its value.
pub(crate) fn field(disposition: &str, headers: &str, value: &str) -> String {
    format!("--edge\r\nContent-Disposition: form-data; {disposition}\r\n{headers}\r\n{value}\r\n")
}

pub(crate) fn form(fields: &[String]) -> String {
    format!("{}--edge--\r\n", fields.concat())
}

pub(crate) fn to() -> String {
    field("name=\"to\"", "", TO)
}

pub(crate) fn png(bytes: &str) -> String {
    field(
        "name=\"file\"; filename=\"../a.png\"",
        "Content-Type: image/png\r\n",
        bytes,
    )
}

pub(crate) async fn upload(wahana: &Wahana, body: impl Into<Body>) -> Answer {
    wahana.request(wahana.posting("send-media", FORM, body)).await
}

/// A server that gives files.
pub(crate) async fn site() -> (SocketAddr, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route(
            "/a%20b.png",
            get(async || ([(header::CONTENT_TYPE, "image/png")], "picture")),
        )
        .route(
            "/voice",
            get(async || ([(header::CONTENT_TYPE, "audio/ogg")], "sound")),
        )
        .route("/empty", get(async || ""))
        .route("/large", get(async || "x".repeat(101)));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    (address, serving)
}

/// That a site may be reached although it is a private one.
pub(crate) fn reaching(address: SocketAddr) -> Setup {
    Setup {
        media_limit: Some(100),
        media_allow: vec![AllowedNetwork {
            network: address.ip().into(),
            port: Some(address.port()),
        }],
        ..Setup::default()
    }
}

#[tokio::test]
async fn the_type_decides_as_what_a_file_is_sent() {
    let wahana = Wahana::start().await;
    let mut count = 0;
    for (mimetype, kind, sent_as, convert) in [
        ("image/png", SentKind::Image, "image/png", Value::Null),
        ("IMAGE/JPEG; q=1", SentKind::Image, "image/jpeg", Value::Null),
        ("video/mp4", SentKind::Video, "video/mp4", json!(false)),
        ("video/quicktime", SentKind::Video, "video/quicktime", json!(true)),
        (
            "audio/ogg; codecs=opus",
            SentKind::Voice,
            "audio/ogg; codecs=opus",
            json!(false),
        ),
        ("audio/mpeg", SentKind::Voice, "audio/mpeg", json!(true)),
        ("application/pdf", SentKind::File, "application/pdf", Value::Null),
        ("text/html", SentKind::File, "text/html", Value::Null),
    ] {
        let body = media(mimetype, Some("folder/na\u{202E}me.bin"), b"bytes");
        let sent = wahana.post("send-media", &body).await.data();
        count += 1;
        assert_eq!(sent["status"], "accepted");
        let upstream = wahana.sim.sent_messages().pop().unwrap();
        assert_eq!(upstream.kind, kind, "{mimetype}");
        let file = upstream.file.unwrap();
        assert_eq!(
            (file.mimetype.as_str(), file.bytes),
            (sent_as, Some(5)),
            "{mimetype}"
        );
        assert_eq!(file.filename.as_deref(), Some("name.bin"), "{mimetype}");
        assert_eq!(file.url, None, "{mimetype}");
        assert_eq!(upstream.request["convert"], convert, "{mimetype}");
        assert_eq!(wahana.counted().await, (count, count));
    }
    assert_eq!(wahana.sends(), 8);
    assert_eq!(
        wahana.outcomes().await[..2],
        ["messages.send_media intent", "messages.send_media success"]
    );
}

#[tokio::test]
async fn an_upload_is_sent_like_a_file_in_json() {
    let wahana = Wahana::start().await;
    let body = form(&[to(), png("bytes"), field("name=\"caption\"", "", "Look: ü")]);
    upload(&wahana, body).await.data();
    let upstream = wahana.sim.sent_messages().remove(0);
    assert_eq!(
        (upstream.kind, upstream.text.as_deref()),
        (SentKind::Image, Some("Look: ü"))
    );
    let file = upstream.file.unwrap();
    assert_eq!((file.filename.as_deref(), file.bytes), (Some("a.png"), Some(5)));
    // Browsers send what nobody filled in; and a file without a type is a document.
    let untyped = field("name=\"file\"; filename=\"x\"", "", "bytes");
    let body = form(&[untyped, field("name=\"caption\"", "", ""), to()]);
    upload(&wahana, body).await.data();
    let upstream = wahana.sim.sent_messages().remove(1);
    assert_eq!((upstream.kind, upstream.text), (SentKind::File, None));
}

#[tokio::test]
async fn faulty_uploads_are_refused_with_the_field_or_as_broken() {
    let wahana = Wahana::start().await;
    let caption = |text: &str| field("name=\"caption\"", "", text);
    for (body, fields) in [
        (form(&[png("a")]), vec!["to"]),
        (form(&[to()]), vec!["file"]),
        (form(&[]), vec!["file", "to"]),
        (form(&[to(), png("a"), to()]), vec!["to"]),
        (form(&[to(), png("a"), png("b")]), vec!["file"]),
        (
            form(&[to(), png("a"), field("name=\"session\"", "", "x")]),
            vec!["session"],
        ),
        (
            form(&[to(), png("a"), caption(&"x".repeat(1025))]),
            vec!["caption"],
        ),
        (
            form(&[to(), png("a"), caption(&"x".repeat(20_000))]),
            vec!["caption"],
        ),
        (form(&[field("name=\"to\"", "", "0812"), png("a")]), vec!["to"]),
        (form(&[to(), png("")]), vec!["media"]),
        (
            form(&[
                to(),
                field(
                    "name=\"file\"; filename=\"a\"",
                    "Content-Type: audio/ogg\r\n",
                    "a",
                ),
                caption("b"),
            ]),
            vec!["caption"],
        ),
    ] {
        assert_eq!(upload(&wahana, body.clone()).await.faults(), fields, "{body}");
    }
    let whole = form(&[to(), png("bytes")]);
    for broken in ["", "nonsense", &whole[..whole.len() - 12], &whole[..20]] {
        let answer = upload(&wahana, broken.to_owned()).await;
        assert_eq!(answer.refusal(), (400, "BAD_REQUEST".to_owned()), "{broken}");
    }
    let without_boundary = wahana.posting("send-media", "multipart/form-data", whole.clone());
    let answer = wahana.request(without_boundary).await;
    assert_eq!(answer.refusal(), (400, "BAD_REQUEST".to_owned()));
    let other = wahana.posting("send-media", "application/x-www-form-urlencoded", "to=1");
    assert_eq!(wahana.request(other).await.refusal().0, 415);
    assert_eq!(wahana.sends(), 0);
}

#[tokio::test]
async fn faulty_json_is_refused_with_the_field() {
    let wahana = Wahana::start().await;
    let caption = |caption: &str| {
        let mut body = media("image/png", None, b"a");
        body["caption"] = caption.into();
        body
    };
    wahana
        .post("send-media", &caption(&"ü".repeat(1024)))
        .await
        .data();
    for (body, fields) in [
        (json!({"to": TO}), vec!["media"]),
        (
            json!({"to": TO, "media_url": "http://example.com/", "media": media("a/b", None, b"a")["media"]}),
            vec!["media"],
        ),
        (
            json!({"to": TO, "media": {"mimetype": "image/png"}}),
            vec!["media.data"],
        ),
        (
            json!({"to": TO, "media": {"data": "YQ==", "mimetype": "png"}}),
            vec!["media.mimetype"],
        ),
        (
            json!({"to": TO, "media": {"data": "Y Q", "mimetype": "image/png"}}),
            vec!["media.data"],
        ),
        (
            json!({"to": TO, "media": {"data": "data:image/png;base64,YQ==", "mimetype": "image/png"}}),
            vec!["media.data"],
        ),
        (
            json!({"to": TO, "media": {"data": "", "mimetype": "image/png"}}),
            vec!["media"],
        ),
        (
            json!({"to": TO, "media": {"data": "YQ==", "mimetype": "image/png", "url": "http://x/"}}),
            vec!["media.url"],
        ),
        (json!({"to": TO, "file": {"url": "http://x/"}}), vec!["file"]),
        (caption(&"ü".repeat(1025)), vec!["caption"]),
    ] {
        assert_eq!(wahana.post("send-media", &body).await.faults(), fields, "{body}");
    }
    assert_eq!(wahana.sends(), 1);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_however_it_comes() {
    let (site, _serving) = site().await;
    let wahana = Wahana::with(WahaSim::builder(), reaching(site)).await;
    let too_large = (413, "PAYLOAD_TOO_LARGE".to_owned());

    wahana
        .post("send-media", &media("image/png", None, &[0; 100]))
        .await
        .data();
    let answer = wahana
        .post("send-media", &media("image/png", None, &[0; 101]))
        .await;
    assert_eq!(answer.refusal(), too_large);
    let answer = wahana
        .post("send-media", &media("image/png", None, &vec![0; 100_000]))
        .await;
    assert_eq!(answer.refusal(), too_large);

    upload(&wahana, form(&[to(), png(&"x".repeat(100))])).await.data();
    let answer = upload(&wahana, form(&[to(), png(&"x".repeat(101))])).await;
    assert_eq!(answer.refusal(), too_large);
    // Announced, and not announced but endless.
    let mut announced = wahana.posting("send-media", FORM, "--edge");
    announced
        .headers_mut()
        .insert(header::CONTENT_LENGTH, "100000000".parse().unwrap());
    assert_eq!(wahana.request(announced).await.refusal(), too_large);
    let file_without_end =
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".to_owned();
    for start in [file_without_end, "no edge".to_owned()] {
        assert_eq!(upload(&wahana, endless(start)).await.refusal(), too_large);
    }

    let url = format!("http://{site}/large");
    let answer = wahana
        .post("send-media", &json!({"to": TO, "media_url": url}))
        .await;
    assert_eq!(answer.refusal(), too_large);
    assert_eq!(wahana.sends(), 2);
}

/// What begins with something and never ends.
fn endless(start: String) -> Body {
    let pieces = stream::once(async { start }).chain(stream::repeat_with(|| "x".repeat(1000)));
    Body::from_stream(pieces.map(Ok::<_, Infallible>))
}

#[tokio::test]
async fn wahana_fetches_what_is_named_and_waha_gets_the_bytes() {
    let (site, _serving) = site().await;
    let wahana = Wahana::with(WahaSim::builder(), reaching(site)).await;
    let body = json!({"to": TO, "media_url": format!("http://{site}/a%20b.png"), "caption": "Look"});
    wahana.post("send-media", &body).await.data();
    let upstream = wahana.sim.sent_messages().remove(0);
    assert_eq!(
        (upstream.kind, upstream.text.as_deref()),
        (SentKind::Image, Some("Look"))
    );
    let file = upstream.file.unwrap();
    assert_eq!(file.filename.as_deref(), Some("a b.png"));
    assert_eq!((file.bytes, file.url), (Some(7), None));
    assert!(!upstream.request.to_string().contains(&site.to_string()));
    for path in ["voice", "empty", "missing"] {
        let body = json!({"to": TO, "media_url": format!("http://{site}/{path}"), "caption": "Look"});
        let answer = wahana.post("send-media", &body).await;
        let field = if path == "voice" { "caption" } else { "media_url" };
        assert_eq!(answer.faults(), [field], "{path}");
    }
    assert_eq!(wahana.sends(), 1);
}

#[tokio::test]
async fn what_is_inside_cannot_be_told_from_what_is_not_there() {
    let wahana = Wahana::start().await;
    let (site, _serving) = site().await;
    let mut answers = Vec::new();
    for url in [
        "http://127.0.0.1/a.png",
        "http://localhost/a.png",
        "http://0x7f.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.255.255.1/",
        "http://nothing-has-this-name.invalid/",
    ] {
        let answer = wahana
            .post("send-media", &json!({"to": TO, "media_url": url}))
            .await;
        assert_eq!(answer.faults(), ["media_url"], "{url}");
        answers.push(answer.json()["errors"].to_string());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // The simulated WAHA itself, and another port of this machine.
    for url in [wahana.sim.base_url(), format!("http://{site}/a%20b.png")] {
        let answer = wahana
            .post("send-media", &json!({"to": TO, "media_url": url}))
            .await;
        assert_eq!(answer.faults(), ["media_url"], "{url}");
    }
    assert_eq!(wahana.sends(), 0);
    assert!(
        wahana
            .outcomes()
            .await
            .iter()
            .all(|row| row == "messages.send_media VALIDATION_ERROR")
    );
}
