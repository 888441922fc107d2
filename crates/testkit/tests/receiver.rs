//! The receiver of webhooks.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wahana_testkit::receiver::{Answer, WebhookReceiver};

/// Sends a request and reads what is answered until the receiver ends the connection.
async fn post(receiver: &WebhookReceiver, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    let length = body.len();
    let request =
        format!("POST /hook?a=1 HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn requests_are_recorded_and_answered_as_told() {
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_next([
        Answer::with_body(500, "no"),
        Answer::status(204).after(Duration::from_millis(1)),
        Answer::broken_off(b"HTTP/1.1"),
    ]);
    receiver.answer_otherwise(Answer::with_head(302, "Location: /x\r\n", ""));
    let mut answers = Vec::new();
    for body in ["1", "2", "3", "4"] {
        answers.push(post(&receiver, "X-A:  b c \r\n", body).await);
    }
    assert_eq!(answers[0], "HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nno");
    assert!(answers[1].starts_with("HTTP/1.1 204 "));
    assert_eq!(answers[2], "HTTP/1.1");
    assert!(answers[3].contains("\r\nLocation: /x\r\n"));
    let requests = receiver.received(4).await;
    let bodies: Vec<_> = requests.iter().map(|request| request.body.as_slice()).collect();
    assert_eq!(bodies, [b"1", b"2", b"3", b"4"]);
    assert_eq!(
        (requests[0].method.as_str(), requests[0].target.as_str()),
        ("POST", "/hook?a=1")
    );
    assert_eq!(requests[0].header("x-a"), Some("b c"));
    assert_eq!(receiver.connection_count(), 4);
}

#[tokio::test]
async fn it_can_be_stopped_and_started_again() {
    let receiver = WebhookReceiver::start().unwrap();
    receiver.answer_next([Answer::hang()]);
    let mut waiting = TcpStream::connect(receiver.address()).await.unwrap();
    let request = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    waiting.write_all(request).await.unwrap();
    receiver.received(1).await;
    receiver.stop().await;
    assert_eq!(waiting.read(&mut [0; 1]).await.unwrap_or(0), 0);
    let refused = TcpStream::connect(receiver.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    receiver.resume().unwrap();
    assert!(post(&receiver, "", "again").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn what_is_sent_to_a_frozen_one_does_not_arrive() {
    let receiver = WebhookReceiver::start().unwrap();
    receiver.freeze().await.unwrap();
    let mut waiting = TcpStream::connect(receiver.address()).await.unwrap();
    let request = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    waiting.write_all(request).await.unwrap();
    receiver.resume().unwrap();
    assert_eq!(waiting.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(post(&receiver, "", "later").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(receiver.requests().len(), 1);
}

/// Codes were made with Python's `hmac`, those of Standard Webhooks from the specification's example.
#[tokio::test]
async fn signatures_of_both_styles_are_known() {
    const BODY: &str = r#"{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z","data":{"id":"1f81eb52-5198-4599-803e-771906343485"}}"#;
    const STANDARD: &str = "webhook-id: msg_2KWPBgLlAfxdpx2AI54pPJ85f4W\r\nwebhook-timestamp: 1674087231\r\n\
        webhook-signature: v1,AAAA v1,bnfqQXzkPtogECe8BII3IenCf1DvYyVJVRar/58N00c=\r\n";
    const WAHA: &str = "X-Webhook-Hmac-Algorithm: sha512\r\n\
        X-Webhook-Hmac: 81e4bbc93752983ba10cc36ef1f0fe775f3eca17ab680ab848ef01c1ac678b6c\
        9145a8420dafec7d4bb7b9104c47fe4e7b7818f79a54a1bdf2114a28c56fbd7c\r\n";
    let receiver = WebhookReceiver::start().unwrap();
    post(&receiver, STANDARD, BODY).await;
    post(&receiver, WAHA, BODY).await;
    post(&receiver, &[STANDARD, WAHA].concat(), "another body").await;
    let requests = receiver.requests();
    let (secret, key) = (
        "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
        "a-key-of-waha",
    );
    let is_signed = |secret, key| {
        let of = |index: usize| {
            let request = &requests[index];
            (
                request.is_signed_as_standard(secret),
                request.is_signed_as_waha(key),
            )
        };
        [of(0), of(1), of(2)]
    };
    assert_eq!(
        is_signed(secret, key),
        [(true, false), (false, true), (false, false)]
    );
    let others = is_signed("whsec_ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=", "another");
    assert_eq!(others, [(false, false); 3]);
}
