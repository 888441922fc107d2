use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};
use wahana_domain::ManualClock;
use wahana_testkit::receiver::{Answer, ReceivedWebhook, WebhookReceiver};

use super::*;
use crate::outgoing::{LookUp, NameServers};

const NEWEST: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const PREVIOUS: &str = "whsec_ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";
/// When it is, and when what is sent happened.
const NOW: Timestamp = Timestamp::from_seconds(1_795_412_500);
const HAPPENED: Timestamp = Timestamp::from_micros(1_795_412_436_789_012);

/// A bound for receivers that never answer, which need not be waited for.
const SHORT: Duration = Duration::from_millis(300);
const UNREACHABLE: &str = "The address does not lead to a public address that can be reached.";
const NOT_ALLOWED: &str =
    "The address is not allowed: it must be an https address at port 443, without user name and password.";

fn sender(allowed: &[AllowedNetwork], look_up: impl LookUp, total_timeout: Duration) -> Sender {
    // Every test may be the first of its process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let look_up: Arc<dyn LookUp> = Arc::new(look_up);
    Sender(Arc::new(Shared {
        egress: Egress::with_look_up(allowed, &look_up),
        clock: Arc::new(ManualClock::at(NOW)),
        total_timeout,
    }))
}

fn only(receiver: &WebhookReceiver) -> [AllowedNetwork; 1] {
    [receiver.address().to_string().parse().unwrap()]
}

/// One that may send to this receiver and to the internet.
fn sender_to(receiver: &WebhookReceiver) -> Sender {
    sender(&only(receiver), NameServers, TOTAL_TIMEOUT)
}

fn sending(url: &str) -> Sending {
    Sending {
        url: url.to_owned(),
        style: WebhookStyle::Standard,
        secrets: vec![secret(NEWEST)],
        attempt: 1,
        headers: Vec::new(),
        id: "01972f4e-8a10-7c31-9b52-0d6e11aa1000".to_owned(),
        body: br#"{"type": "session.qr"}"#.to_vec(),
        happened_at: HAPPENED,
    }
}

fn secret(text: &str) -> WebhookSecret {
    WebhookSecret::parse(text, WebhookStyle::Standard).unwrap()
}

/// What came of sending something to a receiver that answers so.
async fn answered(answer: Answer) -> Attempted {
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(answer);
    sender_to(&receiver).send(&sending(&receiver.url("/hook"))).await
}

async fn sole_request(receiver: &WebhookReceiver) -> ReceivedWebhook {
    let mut requests = receiver.received(1).await;
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

fn refused(error: &str) -> Attempted {
    Attempted {
        status: None,
        error: Some(error.to_owned()),
        answer: None,
        retry_after: None,
        duration: Duration::ZERO,
    }
}

#[tokio::test]
async fn a_delivery_is_signed_with_each_valid_secret_at_the_time_of_the_attempt() {
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_otherwise(Answer::with_body(202, "thank you"));
    let mut sending = sending(&receiver.url("/hook?x=1"));
    sending.secrets.push(secret(PREVIOUS));
    let attempted = sender_to(&receiver).send(&sending).await;
    assert!(attempted.is_delivered());
    assert_eq!((attempted.status, attempted.error), (Some(202), None));
    assert_eq!(attempted.answer.as_deref(), Some("thank you"));
    let request = sole_request(&receiver).await;
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/hook?x=1")
    );
    assert_eq!(request.body, sending.body);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("webhook-id"), Some(sending.id.as_str()));
    assert_eq!(request.header("webhook-timestamp"), Some("1795412500"));
    assert!(request.is_signed_as_standard(NEWEST) && request.is_signed_as_standard(PREVIOUS));
    assert!(request.header("x-webhook-hmac").is_none());
    assert!(request.header("user-agent").unwrap().starts_with("wahana/"));
}

#[tokio::test]
async fn a_receiver_made_for_waha_finds_wahas_headers() {
    let receiver = WebhookReceiver::start().unwrap();
    let mut sending = sending(&receiver.url("/"));
    sending.style = WebhookStyle::Waha;
    sending.secrets.push(secret(PREVIOUS));
    assert!(sender_to(&receiver).send(&sending).await.is_delivered());
    let request = sole_request(&receiver).await;
    assert!(request.is_signed_as_waha(NEWEST));
    assert_eq!(request.header("x-webhook-request-id"), Some(sending.id.as_str()));
    assert_eq!(request.header("x-webhook-timestamp"), Some("1795412436789"));
    assert!(request.header("webhook-signature").is_none());
}

#[tokio::test]
async fn custom_headers_come_along_and_are_never_in_the_place_of_ours() {
    let receiver = WebhookReceiver::start().unwrap();
    let header = |name: &str, value: &str| CustomHeader {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let mut sending = sending(&receiver.url("/"));
    sending.headers = vec![
        header("authorization", "Bearer of the receiver"),
        header("webhook-id", "forged"),
        header("content-type", "text/html"),
    ];
    assert!(sender_to(&receiver).send(&sending).await.is_delivered());
    let request = sole_request(&receiver).await;
    assert_eq!(request.header("authorization"), Some("Bearer of the receiver"));
    assert_eq!(request.header("webhook-id"), Some(sending.id.as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(request.header("cookie").is_none() && request.header("referer").is_none());

    sending.headers = vec![header("x-a", "b\r\nx-c: d")];
    let attempted = sender_to(&receiver).send(&sending).await;
    assert_eq!(
        attempted,
        refused("The endpoint has a header that cannot be sent.")
    );
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_in_every_spelling_and_told_alike() {
    let sender = sender(&[], NameServers, TOTAL_TIMEOUT);
    for address in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f000001/",
        "https://127.0.0.1./",
        "https://%31%32%37.0.0.1/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://192.168.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1]/",
        "https://[fd00:ec2::254]/",
        "https://localhost/",
        "https://localhost./",
        "https://name-that-is-not-there.invalid/",
    ] {
        let attempted = sender.send(&sending(address)).await;
        assert_eq!(attempted, refused(UNREACHABLE), "{address}");
    }
    let long = format!("https://example.com/{}", "x".repeat(2048));
    for address in [
        "",
        "example.com/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://example.com/",
        "http://example.com:443/",
        "http://127.0.0.1/",
        "https://example.com:8443/",
        "https://example.com:22/",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://127.0.0.1:6379/",
        &long,
    ] {
        let attempted = sender.send(&sending(address)).await;
        assert_eq!(attempted, refused(NOT_ALLOWED), "{address}");
        assert_eq!(sender.check(address), Err(InvalidAddress), "{address}");
    }
    assert!(sender.check("https://example.com/hook?x=1").is_ok());
    assert!(sender.check("https://10.0.0.1/").is_err());
}

#[tokio::test]
async fn unencrypted_goes_only_where_the_list_says() {
    let receiver = WebhookReceiver::start().unwrap();
    let listed = sender_to(&receiver);
    assert!(listed.check(&receiver.url("/")).is_ok());
    assert!(
        listed
            .check(&format!("http://localhost:{}/", receiver.address().port()))
            .is_ok()
    );
    // The list opens this network and not the internet at its port.
    let public = AlwaysAt(Ipv4Addr::new(93, 184, 215, 14).into());
    let sender = sender(&only(&receiver), public, TOTAL_TIMEOUT);
    for scheme in ["http", "https"] {
        let address = format!("{scheme}://public.example:{}/", receiver.address().port());
        assert_eq!(sender.send(&sending(&address)).await, refused(UNREACHABLE));
    }
    assert!(receiver.requests().is_empty());
}

/// Gives every name this address.
#[derive(Debug)]
struct AlwaysAt(IpAddr);

impl LookUp for AlwaysAt {
    fn addresses(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let address = self.0;
        Box::pin(async move { Ok(vec![address]) })
    }
}

/// Gives the next of its answers each time it is asked, and the last one for ever.
#[derive(Debug)]
struct Changing {
    answers: Vec<Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

impl LookUp for Changing {
    fn addresses(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[number.min(self.answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    }
}

/// Never answers for names that begin so, and gives every other the address of this machine.
#[derive(Debug)]
struct SlowFor(&'static str, Arc<AtomicUsize>);

impl LookUp for SlowFor {
    fn addresses(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        if name.starts_with(self.0) {
            self.1.fetch_add(1, Ordering::SeqCst);
            return Box::pin(std::future::pending());
        }
        Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })
    }
}

#[tokio::test]
async fn names_that_are_not_answered_delay_no_other() {
    const MANY: usize = 600;
    let receiver = WebhookReceiver::start().unwrap();
    let port = receiver.address().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let look_up = SlowFor("slow", asked.clone());
    let sender = sender(&only(&receiver), look_up, TOTAL_TIMEOUT);
    let mut hanging = JoinSet::new();
    for number in 0..MANY {
        let sender = sender.clone();
        let address = format!("http://slow-{number}.example:{port}/");
        hanging.spawn(async move { sender.send(&sending(&address)).await });
    }
    while asked.load(Ordering::SeqCst) < MANY {
        tokio::task::yield_now().await;
    }
    let address = format!("http://quick.example:{port}/");
    assert!(sender.send(&sending(&address)).await.is_delivered());
    hanging.shutdown().await;
}

#[tokio::test]
async fn a_name_that_changes_its_address_reaches_nothing_private() {
    let inside = WebhookReceiver::start().unwrap();
    let port = inside.address().port();
    let outside_ip = Ipv4Addr::new(127, 0, 0, 2);
    let outside = WebhookReceiver::start_at((outside_ip, port).into()).unwrap();
    // Its connection is not kept, so that the name is asked for each time.
    outside.answer_otherwise(Answer::with_head(200, "Connection: close\r\n", ""));
    let asked = Arc::new(AtomicUsize::new(0));
    let look_up = Changing {
        answers: vec![
            vec![outside_ip.into()],
            vec![inside.address().ip()],
            vec![outside_ip.into(), inside.address().ip()],
            Vec::new(),
        ],
        asked: asked.clone(),
    };
    let sender = sender(&only(&outside), look_up, TOTAL_TIMEOUT);
    let sending = sending(&format!("http://rebinding.example:{port}/"));
    assert!(sender.send(&sending).await.is_delivered());
    // Checked and connected to: one answer of the resolver serves for both.
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    for _ in 0..3 {
        assert_eq!(sender.send(&sending).await, refused(UNREACHABLE));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert!(inside.requests().is_empty());
    assert_eq!(outside.requests().len(), 1);
}

#[tokio::test]
async fn redirects_are_failures_and_not_followed() {
    let other = WebhookReceiver::start().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}\r\n", other.url("/"));
        let attempted = answered(Answer::with_head(status, &location, "over there")).await;
        assert_eq!(attempted.status, Some(status));
        assert_eq!(
            attempted.error.unwrap(),
            format!("The receiver answered with a redirect (status {status}), which is not followed.")
        );
        assert_eq!(attempted.answer.as_deref(), Some("over there"));
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn statuses_say_whether_it_was_taken() {
    for status in [200, 201, 204] {
        assert!(answered(Answer::status(status)).await.is_delivered(), "{status}");
    }
    for status in [400, 401, 404, 410, 429, 500, 503] {
        let attempted = answered(Answer::with_body(status, "why")).await;
        assert!(!attempted.is_delivered());
        assert_eq!(
            (attempted.status, attempted.answer.as_deref()),
            (Some(status), Some("why"))
        );
        let error = format!("The receiver answered with status {status}.");
        assert_eq!(attempted.error, Some(error));
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_not_waited_for() {
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_next([
        Answer::hang(),
        Answer::unfinished(b"HTTP/1.1 200 OK\r\nX-A: b\r\n"),
        Answer::endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"b"),
    ]);
    let sender = sender(&only(&receiver), NameServers, SHORT);
    for _ in 0..3 {
        let attempted = sender.send(&sending(&receiver.url("/"))).await;
        assert_eq!((attempted.status, attempted.answer), (None, None));
        assert!(attempted.error.is_some());
    }
    assert_eq!(
        Failure::Slow(TOTAL_TIMEOUT).to_string(),
        "The receiver did not answer within 15 seconds."
    );
}

#[tokio::test]
async fn a_connection_that_ends_too_early_is_a_failure() {
    for answer in [
        Answer::broken_off(b""),
        Answer::broken_off(b"HTTP/1.1 20"),
        Answer::broken_off(b"this is not HTTP\r\n\r\n"),
    ] {
        let attempted = answered(answer).await;
        assert_eq!(
            attempted,
            refused("The connection ended before the receiver had answered.")
        );
    }
    let receiver = WebhookReceiver::start().unwrap();
    let (sender, sending) = (sender_to(&receiver), sending(&receiver.url("/")));
    receiver.stop().await;
    assert_eq!(sender.send(&sending).await, refused(UNREACHABLE));
    receiver.resume().unwrap();
    assert!(sender.send(&sending).await.is_delivered());
}

#[tokio::test]
async fn a_receiver_without_tls_is_told_apart() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        // Until the other side is gone.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let sender = sender(
        &[address.to_string().parse().unwrap()],
        NameServers,
        TOTAL_TIMEOUT,
    );
    let attempted = sender.send(&sending(&format!("https://{address}/"))).await;
    assert_eq!(
        attempted,
        refused("No secure connection could be made: the receiver's certificate may not be valid.")
    );
}

#[tokio::test]
async fn of_an_answer_the_beginning_is_kept() {
    let big = answered(Answer::with_body(200, &"x".repeat(100_000))).await;
    assert!(big.is_delivered());
    assert_eq!(big.answer.unwrap(), "x".repeat(4096));

    let endless = answered(Answer::endless(b"HTTP/1.1 200 OK\r\n\r\n", b"yyyyyyyy")).await;
    assert!(endless.is_delivered());
    assert_eq!(endless.answer.unwrap(), "y".repeat(4096));

    let strange = answered(Answer::with_body(500, "a\u{1b}[2Jb\r\nc\0d\u{202e}e")).await;
    assert_eq!(strange.answer.unwrap(), "a[2Jb  cde");

    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    let broken_off = answered(Answer::broken_off(cut)).await;
    assert!(broken_off.is_delivered());
    assert_eq!(broken_off.answer.as_deref(), Some("abc"));
}

#[tokio::test]
async fn an_answer_without_an_end_is_an_answer() {
    let receiver = WebhookReceiver::start().unwrap();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    receiver.answer_otherwise(Answer::unfinished(head));
    // Long enough for the head to arrive, however slow the machine.
    let sender = sender(&only(&receiver), NameServers, Duration::from_secs(3));
    let attempted = sender.send(&sending(&receiver.url("/"))).await;
    assert!(attempted.is_delivered());
    assert_eq!(
        (attempted.status, attempted.answer.as_deref()),
        (Some(200), Some("abc"))
    );
}

#[tokio::test]
async fn a_connection_serves_many_deliveries() {
    let receiver = WebhookReceiver::start().unwrap();
    let sender = sender_to(&receiver);
    for _ in 0..10 {
        assert!(sender.send(&sending(&receiver.url("/"))).await.is_delivered());
    }
    // A connection may not be back yet when the next delivery begins.
    assert_eq!(receiver.requests().len(), 10);
    assert!(receiver.connection_count() < 10);
}

#[test]
fn nothing_secret_is_printed() {
    let mut sending = sending("https://receiver.example/secret-path");
    sending.body = b"secret-text".to_vec();
    let attempted = Attempted {
        answer: Some("secret-answer".to_owned()),
        ..refused("It failed.")
    };
    let printed = format!("{sending:?} {attempted:?}");
    assert!(
        !printed.contains("secret-") && !printed.contains("whsec_"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_receiver_may_ask_for_time_when_it_has_too_much_to_do() {
    let receiver = WebhookReceiver::start().unwrap();
    let sender = sender_to(&receiver);
    let date = |later| {
        let at = Duration::from_secs(u64::try_from(NOW.as_seconds()).unwrap() + later);
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + at)
    };
    for (status, asks, expected) in [
        (429, "Retry-After: 120\r\n", Some(120)),
        (503, "retry-after: 7\r\n", Some(7)),
        (503, &format!("Retry-After: {}\r\n", date(90)), Some(90)),
        (429, &format!("Retry-After: {}\r\n", date(0)), None),
        (503, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", None),
        (503, "Retry-After: Wed, 21 Oct 2026\r\n", None),
        (429, "Retry-After: 0\r\n", None),
        (429, "Retry-After: -1\r\n", None),
        (429, "", None),
        (500, "Retry-After: 120\r\n", None),
        (200, "Retry-After: 120\r\n", None),
    ] {
        receiver.answer_next([Answer::with_head(status, asks, "")]);
        let attempted = sender.send(&sending(&receiver.url("/hook"))).await;
        assert_eq!(attempted.status, Some(status));
        let expected = expected.map(Duration::from_secs);
        assert_eq!(attempted.retry_after, expected, "{status} {asks}");
    }
}
