//! Files that nobody waits for: kept until their turn comes, and sent then.

use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use waha_sim::{SentKind, WahaSim};
use wahana_domain::{Clock as _, DeliveryStatus};

use crate::{
    media::{field, form, png, reaching, site, to, upload},
    queued::{ASYNC, queued, with_clock},
    wahana::{Setup, Wahana},
};

fn picture(bytes: &[u8]) -> Value {
    json!({
        "to": "+6281234567890",
        "media": {"data": BASE64.encode(bytes), "mimetype": "image/png", "filename": "a.png"},
        "caption": "below",
    })
}

fn media_path(id: &Value) -> String {
    format!("/api/waha/messages/{}/media", id.as_str().unwrap())
}

#[tokio::test]
async fn a_file_waits_for_its_turn_among_texts() {
    let wahana = Wahana::start().await;
    let text = json!({"to": "+6281234567890", "text": "first"});
    queued(&wahana.post_with("send-text", &text, &ASYNC).await);
    let id = queued(&wahana.post_with("send-media", &picture(b"bytes"), &ASYNC).await);
    assert_eq!(wahana.sends(), 0, "nobody sends yet");
    assert_eq!(wahana.ask(&media_path(&id), &[]).await.text, "bytes");

    let _dispatching = wahana.dispatch();
    wahana.until(&id, DeliveryStatus::Accepted).await;
    let sent = wahana.sim.sent_messages();
    let kinds: Vec<_> = sent.iter().map(|sent| sent.kind).collect();
    assert_eq!(kinds, [SentKind::Text, SentKind::Image]);
    assert_eq!(sent[1].text.as_deref(), Some("below"));
    let file = sent[1].file.as_ref().unwrap();
    assert_eq!(
        (file.mimetype.as_str(), file.filename.as_deref(), file.bytes),
        ("image/png", Some("a.png"), Some(5))
    );
    assert_eq!(sent[1].request["file"]["data"], BASE64.encode(b"bytes"));
    assert_eq!(wahana.ask(&media_path(&id), &[]).await.text, "bytes");
    assert_eq!(wahana.counted().await, (2, 1));
}

#[tokio::test]
async fn a_form_may_say_when() {
    let (wahana, clock) = with_clock(Setup::default()).await;
    let _dispatching = wahana.dispatch();
    let at = clock.now().plus(Duration::from_hours(48));
    let send_at = field("name=\"send_at\"", "", &at.to_string());
    let body = form(&[to(), png("bytes"), send_at]);
    let id = queued(&upload(&wahana, body).await);
    assert_eq!(wahana.message(&id).await.due_at, at);
    clock.advance(Duration::from_hours(49));
    wahana.until(&id, DeliveryStatus::Accepted).await;
    assert_eq!(wahana.sim.sent_messages()[0].kind, SentKind::Image);

    let nonsense = form(&[to(), png("bytes"), field("name=\"send_at\"", "", "tomorrow")]);
    let refused = upload(&wahana, nonsense).await;
    assert_eq!(refused.refusal(), (422, "VALIDATION_ERROR".to_owned()));
    assert!(refused.text.contains("send_at"), "{}", refused.text);
}

#[tokio::test]
async fn what_is_at_an_address_is_fetched_when_it_is_handed_in() {
    let (address, site) = site().await;
    let wahana = Wahana::with(WahaSim::builder(), reaching(address)).await;
    let of = |path: &str| json!({"to": "+6281234567890", "media_url": format!("http://{address}/{path}")});
    let id = queued(&wahana.post_with("send-media", &of("a%20b.png"), &ASYNC).await);
    let missing = wahana.post_with("send-media", &of("missing"), &ASYNC).await;
    assert_eq!(missing.refusal().0, 422);
    site.abort();
    let _dispatching = wahana.dispatch();
    wahana.until(&id, DeliveryStatus::Accepted).await;
    let sent = wahana.sim.sent_messages();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].request["file"]["data"], BASE64.encode(b"picture"));
}

#[tokio::test]
async fn the_same_request_keeps_one_file_and_sends_one_message() {
    let wahana = Wahana::start().await;
    let headers = [ASYNC[0], ("idempotency-key", "order-17")];
    let first = wahana.post_with("send-media", &picture(b"bytes"), &headers).await;
    let again = wahana.post_with("send-media", &picture(b"bytes"), &headers).await;
    assert_eq!(again.text, first.text);
    let other = wahana.post_with("send-media", &picture(b"other"), &headers).await;
    assert_eq!(other.refusal(), (409, "IDEMPOTENCY_CONFLICT".to_owned()));
    let _dispatching = wahana.dispatch();
    wahana.until(&queued(&first), DeliveryStatus::Accepted).await;
    assert_eq!(wahana.sim.sent_messages().len(), 1);
    let files = wahana
        .database
        .texts_unguarded("SELECT state FROM media_files")
        .await;
    assert_eq!(files, ["stored"]);
}

#[tokio::test]
async fn files_that_wait_take_no_more_room_than_there_is() {
    let setup = Setup {
        media_bytes: Some(10),
        ..Setup::default()
    };
    let (wahana, clock) = with_clock(setup).await;
    let id = queued(&wahana.post_with("send-media", &picture(b"123456"), &ASYNC).await);
    let full = wahana.post_with("send-media", &picture(b"12345"), &ASYNC).await;
    assert_eq!(full.refusal(), (429, "QUOTA_EXCEEDED".to_owned()));
    let path = format!("messages/{}/cancel", id.as_str().unwrap());
    assert_eq!(wahana.call("POST", &path).await.data()["status"], "cancelled");
    clock.advance(Duration::from_hours(25));
    queued(&wahana.post_with("send-media", &picture(b"12345"), &ASYNC).await);
}

#[tokio::test]
async fn a_message_without_its_file_is_not_sent_and_says_so() {
    let wahana = Wahana::start().await;
    let id = queued(&wahana.post_with("send-media", &picture(b"bytes"), &ASYNC).await);
    wahana
        .database
        .execute_unguarded(
            "UPDATE media_files SET state = 'expired', storage_key = NULL, size = NULL, sha256 = NULL",
        )
        .await;
    let _dispatching = wahana.dispatch();
    let ended = wahana.until(&id, DeliveryStatus::Cancelled).await;
    assert!(ended.reason.unwrap().contains("not kept any more"));
    assert_eq!(wahana.sends(), 0);
}
