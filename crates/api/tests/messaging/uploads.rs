//! Files on their way in: they go into the media store while they come, and nothing stays of those that are refused.

use std::{convert::Infallible, time::Duration};

use axum::body::{Body, Bytes};
use data_encoding::BASE64;
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use waha_sim::WahaSim;
use wahana_api::UploadLimits;
use wahana_domain::{DeliveryStatus, OrganizationLimits};

use crate::{
    media::{field, form, png, reaching, site, to, upload},
    queued::{ASYNC, queued},
    wahana::{Answer, Setup, Wahana},
};

const FORM: &str = "multipart/form-data; boundary=edge";
const HEAD: &str = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: image/png\r\n\r\n";
const KIB: usize = 1024;

/// As many bytes, in which no part looks like another.
fn bytes(size: usize) -> Vec<u8> {
    let noise = |at: u64| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0];
    (0..).take(size).map(noise).collect()
}

fn form_of(file: &[u8]) -> Vec<u8> {
    [
        HEAD.as_bytes(),
        file,
        format!("\r\n{}--edge--\r\n", to()).as_bytes(),
    ]
    .concat()
}

fn json_of(file: &[u8], mimetype: &str) -> Value {
    json!({"to": "+6281234567890", "media": {"data": BASE64.encode(file), "mimetype": mimetype}})
}

/// A body that comes as a test lets it, a piece at a time.
fn body() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let pieces = stream::unfold(receiver, async |mut receiver| {
        let piece: Bytes = receiver.recv().await?;
        Some((Ok::<_, Infallible>(piece), receiver))
    });
    (sender, Body::from_stream(pieces))
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

/// Whether as much of a file was written that is still to come to its end.
fn is_being_written(wahana: &Wahana, size: usize) -> bool {
    let kept = wahana.kept();
    kept.iter()
        .any(|(name, written)| name.ends_with(".unfinished") && *written >= size as u64)
}

fn sent_file(wahana: &Wahana) -> String {
    let sent = wahana.sim.sent_messages().pop().unwrap();
    sent.request["file"]["data"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_size_arrives_to_the_byte_however_it_comes() {
    let setup = Setup {
        send_timeout: Some(Duration::from_secs(20)),
        limits: OrganizationLimits {
            media_per_minute: Some(1000),
            ..OrganizationLimits::default()
        },
        ..Setup::default()
    };
    let wahana = Wahana::with(WahaSim::builder(), setup).await;
    for size in [
        1,
        2,
        3,
        57,
        64 * KIB - 1,
        64 * KIB,
        64 * KIB + 1,
        3 * KIB * KIB + 1,
    ] {
        let file = bytes(size);
        let encoded = BASE64.encode(&file);
        upload(&wahana, form_of(&file)).await.data();
        assert!(sent_file(&wahana) == encoded, "{size} bytes in a form");
        wahana
            .post("send-media", &json_of(&file, "image/png"))
            .await
            .data();
        assert!(sent_file(&wahana) == encoded, "{size} bytes in JSON");
        // As PHP and .NET write it.
        let escaped = json_of(&file, "image/png").to_string();
        let escaped = escaped
            .replace('/', "\\/")
            .replace("+6", "\\u002B6")
            .replace('+', "\\u002b");
        let request = wahana.posting("send-media", "application/json", escaped);
        wahana.request(request).await.data();
        assert!(sent_file(&wahana) == encoded, "{size} bytes in JSON with escapes");
    }
    let kept = wahana.kept();
    assert_eq!(kept.len(), 24, "{kept:?}");
    assert_eq!(upload(&wahana, form_of(b"")).await.faults(), ["media"]);
    assert_eq!(wahana.kept(), kept);
}

#[tokio::test]
async fn what_was_sent_while_its_caller_waited_is_kept_like_what_waited() {
    let wahana = Wahana::start().await;
    let sent = upload(&wahana, form_of(b"bytes")).await.data();
    let path = format!(
        "/api/waha/messages/{}/media",
        sent["message_id"].as_str().unwrap()
    );
    assert_eq!(wahana.ask(&path, &[]).await.text, "bytes");
}

#[tokio::test]
async fn a_file_is_written_while_it_comes() {
    let wahana = Wahana::patient().await;
    let (sender, body) = body();
    let answer = tokio::spawn(wahana.request(wahana.posting("send-media", FORM, body)));
    sender.send(HEAD.into()).await.unwrap();
    let piece = Bytes::from(bytes(64 * KIB));
    for _ in 0..16 {
        sender.send(piece.clone()).await.unwrap();
    }
    eventually("it is written before its end", || {
        is_being_written(&wahana, 512 * KIB)
    })
    .await;
    assert_eq!(wahana.sends(), 0);
    sender
        .send(format!("\r\n{}--edge--\r\n", to()).into())
        .await
        .unwrap();
    drop(sender);
    answer.await.unwrap().data();
    assert_eq!(sent_file(&wahana), BASE64.encode(&piece.repeat(16)));
}

#[tokio::test]
async fn nothing_stays_when_the_caller_hangs_up() {
    let wahana = Wahana::start().await;
    let (sender, body) = body();
    let request = tokio::spawn(wahana.request(wahana.posting("send-media", FORM, body)));
    sender.send(HEAD.into()).await.unwrap();
    sender.send(bytes(KIB * KIB).into()).await.unwrap();
    eventually("it is written", || is_being_written(&wahana, 512 * KIB)).await;
    request.abort();
    eventually("nothing of it is there", || wahana.kept().is_empty()).await;
}

#[tokio::test]
async fn nothing_stays_of_what_is_refused() {
    let wahana = Wahana::start().await;
    let large = format!("{HEAD}{}", "x".repeat(33 * KIB * KIB));
    for (body, status) in [
        (form(&[png("bytes")]), 422),
        (
            form(&[png("bytes"), to(), field("name=\"send_at\"", "", "soon")]),
            422,
        ),
        (form(&[png("bytes"), to(), png("again")]), 422),
        (format!("{HEAD}bytes"), 400),
        (large, 413),
    ] {
        assert_eq!(upload(&wahana, body).await.status.as_u16(), status);
        assert_eq!(wahana.kept(), []);
    }
    for (data, mimetype) in [
        ("YQ", "image/png"),
        ("YWJj\u{e4}===", "image/png"),
        ("YQ==", "png"),
    ] {
        let body = json!({"to": "+6281234567890", "media": {"data": data, "mimetype": mimetype}});
        assert_eq!(
            wahana.post("send-media", &body).await.status.as_u16(),
            422,
            "{data}"
        );
        assert_eq!(wahana.kept(), []);
    }
    wahana.sim.go_away().await;
    assert_eq!(upload(&wahana, form_of(b"bytes")).await.status.as_u16(), 503);
    let query = "SELECT state FROM media_files WHERE state = 'stored'";
    let needed = wahana.database.texts_unguarded(query).await;
    assert_eq!(needed, [""; 0]);
}

#[tokio::test]
async fn the_file_of_a_message_that_is_taken_back_ends() {
    let wahana = Wahana::start().await;
    let body = json_of(b"bytes", "image/png");
    let id = queued(&wahana.post_with("send-media", &body, &ASYNC).await);
    let id = id.as_str().unwrap();
    let media = format!("/api/waha/messages/{id}/media");
    assert_eq!(wahana.ask(&media, &[]).await.text, "bytes");
    let cancelled = wahana.call("POST", &format!("messages/{id}/cancel")).await;
    assert_eq!(cancelled.data()["status"], "cancelled");
    assert_eq!(wahana.ask(&media, &[]).await.status.as_u16(), 404);
}

#[tokio::test]
async fn an_upload_that_is_made_again_is_recognized_by_its_bytes() {
    let wahana = Wahana::start().await;
    let file = bytes(100 * KIB);
    let mut other = file.clone();
    other[99 * KIB] ^= 1;
    for (key, asynchronous, answered) in [("order-1", false, 200), ("order-2", true, 202)] {
        let ask = async |file: &[u8]| -> Answer {
            let mut request = wahana.posting("send-media", FORM, form_of(file));
            let headers = request.headers_mut();
            headers.insert("idempotency-key", key.parse().unwrap());
            if asynchronous {
                headers.insert("prefer", "respond-async".parse().unwrap());
            }
            wahana.request(request).await
        };
        let first = ask(&file).await;
        assert_eq!(first.status.as_u16(), answered, "{}", first.text);
        let kept = wahana.kept();
        let again = ask(&file).await;
        assert_eq!(again.text, first.text);
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(
            ask(&other).await.refusal(),
            (409, "IDEMPOTENCY_CONFLICT".to_owned())
        );
        assert_eq!(wahana.kept(), kept);
    }
    let _dispatching = wahana.dispatch();
    eventually("both were sent", || wahana.sim.sent_messages().len() == 2).await;
}

/// What never comes to its end, in pieces after pauses.
fn dripping(start: &str) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    let start = Bytes::from(start.to_owned());
    let drops = stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some((Bytes::from_static(b"x"), ()))
    });
    stream::once(async { start }).chain(drops).map(Ok)
}

#[tokio::test]
async fn what_does_not_come_in_time_is_ended_and_says_so() {
    let hour = Duration::from_hours(1);
    let moment = Duration::from_millis(100);
    for (silence, whole, says) in [
        (moment, hour, "stopped coming"),
        (hour, moment, "did not come to its end"),
    ] {
        let setup = Setup {
            uploads: UploadLimits {
                silence,
                whole,
                ..UploadLimits::default()
            },
            ..Setup::default()
        };
        let wahana = Wahana::with(WahaSim::builder(), setup).await;
        for (content_type, start) in [(FORM, HEAD), ("application/json", "{\"to\": \"")] {
            let body = if silence == moment {
                let start = stream::once(async move { Ok::<_, Infallible>(Bytes::from(start)) });
                Body::from_stream(start.chain(stream::pending()))
            } else {
                Body::from_stream(dripping(start))
            };
            let answer = wahana
                .request(wahana.posting("send-media", content_type, body))
                .await;
            assert_eq!(answer.refusal(), (400, "BAD_REQUEST".to_owned()));
            assert!(answer.text.contains(says), "{}", answer.text);
        }
        assert_eq!(wahana.kept(), []);
    }
}

#[tokio::test]
async fn types_that_may_not_be_sent_are_refused_before_they_are_read() {
    let (address, _site) = site().await;
    let setup = Setup {
        allowed_types: vec!["image/*", "application/pdf"],
        ..reaching(address)
    };
    let wahana = Wahana::with(WahaSim::builder(), setup).await;
    let refused = (415, "UNSUPPORTED_MEDIA_TYPE".to_owned());
    let sound = HEAD.replace("image/png", "audio/ogg");
    let without_end = stream::once(async move { Ok::<_, Infallible>(Bytes::from(sound)) });
    let without_end = Body::from_stream(without_end.chain(stream::pending()));
    let url = |path: &str| json!({"to": "+6281234567890", "media_url": format!("http://{address}/{path}")});
    for answer in [
        upload(&wahana, without_end).await,
        wahana.post("send-media", &json_of(b"a", "audio/ogg")).await,
        wahana.post("send-media", &url("voice")).await,
        // It has no type.
        wahana.post("send-media", &url("empty")).await,
    ] {
        assert_eq!(answer.refusal(), refused, "{}", answer.text);
        assert!(
            answer.text.contains("image/*, application/pdf"),
            "{}",
            answer.text
        );
    }
    assert_eq!(wahana.kept(), []);
    upload(&wahana, form_of(b"a")).await.data();
    wahana
        .post("send-media", &json_of(b"a", "Application/PDF"))
        .await
        .data();
    wahana.post("send-media", &url("a%20b.png")).await.data();
    assert_eq!(wahana.sends(), 3);
}

#[tokio::test]
async fn files_in_json_share_memory_and_forms_need_none() {
    let setup = Setup {
        uploads: UploadLimits {
            memory: 1000,
            memory_wait: Duration::from_millis(100),
            ..UploadLimits::default()
        },
        ..Setup::default()
    };
    let wahana = Wahana::with(WahaSim::builder(), setup).await;
    let (sender, body) = body();
    let mut request = wahana.posting("send-media", "application/json", body);
    request
        .headers_mut()
        .insert("content-length", "600".parse().unwrap());
    let whole = json_of(b"first", "image/png").to_string();
    let slow = tokio::spawn(wahana.request(request));
    sender.send(Bytes::from(whole[..10].to_owned())).await.unwrap();
    eventually("its beginning was read", || sender.capacity() == 1).await;

    let mut request = wahana.posting(
        "send-media",
        "application/json",
        json_of(b"second", "image/png").to_string(),
    );
    request
        .headers_mut()
        .insert("content-length", "450".parse().unwrap());
    let refused = wahana.request(request).await;
    assert_eq!(refused.refusal(), (503, "SERVICE_UNAVAILABLE".to_owned()));
    assert!(refused.headers.contains_key("retry-after"));
    // Far more than the memory that there is.
    let file = bytes(300 * KIB);
    upload(&wahana, form_of(&file)).await.data();
    assert_eq!(sent_file(&wahana), BASE64.encode(&file));

    sender.send(Bytes::from(whole[10..].to_owned())).await.unwrap();
    drop(sender);
    slow.await.unwrap().data();
    wahana
        .post("send-media", &json_of(b"third", "image/png"))
        .await
        .data();
    assert_eq!(wahana.sends(), 3);
}

#[tokio::test]
async fn a_file_that_waits_is_read_when_it_is_sent() {
    let wahana = Wahana::patient().await;
    let file = bytes(2 * KIB * KIB);
    let mut request = wahana.posting("send-media", FORM, form_of(&file));
    request
        .headers_mut()
        .insert("prefer", "respond-async".parse().unwrap());
    let id = queued(&wahana.request(request).await);
    let _dispatching = wahana.dispatch_elsewhere();
    wahana.until(&id, DeliveryStatus::Accepted).await;
    assert_eq!(sent_file(&wahana), BASE64.encode(&file));
}
