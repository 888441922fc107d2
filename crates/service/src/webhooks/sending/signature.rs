//! The headers by which a receiver knows who sent something, and that it is whole.

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderName;
use sha2::{Sha256, Sha512};
use wahana_domain::{Timestamp, WebhookStyle};

use super::Sending;

const STANDARD_ID: HeaderName = HeaderName::from_static("webhook-id");
const STANDARD_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const STANDARD_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

const WAHA_ID: HeaderName = HeaderName::from_static("x-webhook-request-id");
const WAHA_TIMESTAMP: HeaderName = HeaderName::from_static("x-webhook-timestamp");
const WAHA_SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-hmac");
const WAHA_ALGORITHM: HeaderName = HeaderName::from_static("x-webhook-hmac-algorithm");

/// The headers of a delivery that is sent at `now`.
pub(super) fn headers(sending: &Sending, now: Timestamp) -> Vec<(HeaderName, String)> {
    match sending.style {
        WebhookStyle::Standard => standard(sending, now),
        WebhookStyle::Waha => waha(sending),
    }
}

/// As the specification of Standard Webhooks says (1.0.0): HMAC-SHA256 over id, time of the attempt and body, once
/// with each secret. Receivers refuse what was sent long ago, so each attempt has its own time.
fn standard(sending: &Sending, now: Timestamp) -> Vec<(HeaderName, String)> {
    let seconds = now.as_seconds().to_string();
    let signatures: Vec<_> = sending
        .secrets
        .iter()
        .map(|secret| {
            let parts = [
                sending.id.as_bytes(),
                b".",
                seconds.as_bytes(),
                b".",
                &sending.body,
            ];
            let mac = mac::<Hmac<Sha256>>(&secret.key(WebhookStyle::Standard), &parts);
            format!("v1,{}", BASE64.encode(&mac))
        })
        .collect();
    vec![
        (STANDARD_ID, sending.id.clone()),
        (STANDARD_TIMESTAMP, seconds),
        (STANDARD_SIGNATURE, signatures.join(" ")),
    ]
}

/// As WAHA does (seen on 2026.2.1): HMAC-SHA512 over the body; id and time are the same for each attempt, and the
/// time, in milliseconds, is that of the event. While two secrets are valid, the newest signs each first attempt and the
/// other each second one, so that a receiver that has either of them takes one of two.
fn waha(sending: &Sending) -> Vec<(HeaderName, String)> {
    let mut headers = vec![
        (WAHA_ID, sending.id.clone()),
        (
            WAHA_TIMESTAMP,
            (sending.happened_at.as_micros() / 1000).to_string(),
        ),
    ];
    let is_first_of_two = sending.attempt % 2 != 0;
    let previous = sending.secrets.get(1).filter(|_| !is_first_of_two);
    if let Some(secret) = previous.or(sending.secrets.first()) {
        let mac = mac::<Hmac<Sha512>>(&secret.key(WebhookStyle::Waha), &[&sending.body]);
        headers.push((WAHA_SIGNATURE, HEXLOWER.encode(&mac)));
        headers.push((WAHA_ALGORITHM, "sha512".to_owned()));
    }
    headers
}

/// The code of these parts, one after the other.
fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("any key length is fine");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use wahana_domain::WebhookSecret;

    use super::*;

    /// The example of the specification, with secrets of our own; the codes were made with Python's `hmac`.
    const BODY: &str = r#"{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z","data":{"id":"1f81eb52-5198-4599-803e-771906343485"}}"#;
    const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
    const NEWEST: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
    const PREVIOUS: &str = "whsec_ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";

    fn sending(style: WebhookStyle, secrets: &[&str]) -> Sending {
        Sending {
            url: String::new(),
            style,
            secrets: secrets
                .iter()
                .map(|secret| WebhookSecret::parse(secret, style).unwrap())
                .collect(),
            attempt: 1,
            headers: Vec::new(),
            id: ID.to_owned(),
            body: BODY.as_bytes().to_vec(),
            happened_at: Timestamp::from_micros(1_667_507_170_344_522),
        }
    }

    fn shown(sending: &Sending) -> Vec<String> {
        headers(sending, Timestamp::from_seconds(1_674_087_231))
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    }

    #[test]
    fn the_specifications_example_is_signed_as_it_says() {
        let newest = "v1,bnfqQXzkPtogECe8BII3IenCf1DvYyVJVRar/58N00c=";
        let previous = "v1,B7HyEZeWRXjro54kdXF5+vEZZ+iwKHr11KV9WDSwimE=";
        let head = |signatures: &str| {
            [
                format!("webhook-id: {ID}"),
                "webhook-timestamp: 1674087231".to_owned(),
                format!("webhook-signature: {signatures}"),
            ]
        };
        let one = sending(WebhookStyle::Standard, &[NEWEST]);
        assert_eq!(shown(&one), head(newest));
        let two = sending(WebhookStyle::Standard, &[NEWEST, PREVIOUS]);
        assert_eq!(shown(&two), head(&format!("{newest} {previous}")));
    }

    #[test]
    fn two_secrets_take_turns_where_there_is_room_for_one_signature() {
        let signature = |secrets: &[&str], attempt| {
            let sending = Sending {
                attempt,
                ..sending(WebhookStyle::Waha, secrets)
            };
            shown(&sending).remove(2)
        };
        let newest = signature(&["a-key-of-waha"], 1);
        let previous = signature(&["the-key-before"], 1);
        assert_ne!(newest, previous);
        for (attempt, expected) in [(1, &newest), (2, &previous), (3, &newest), (8, &previous)] {
            assert_eq!(
                signature(&["a-key-of-waha", "the-key-before"], attempt),
                *expected
            );
            assert_eq!(signature(&["a-key-of-waha"], attempt), newest);
        }
    }

    #[test]
    fn wahas_headers_are_the_same_for_each_attempt_with_a_secret() {
        let sending = sending(WebhookStyle::Waha, &["a-key-of-waha", "the-key-before"]);
        let expected = [
            format!("x-webhook-request-id: {ID}"),
            "x-webhook-timestamp: 1667507170344".to_owned(),
            "x-webhook-hmac: 81e4bbc93752983ba10cc36ef1f0fe775f3eca17ab680ab848ef01c1ac678b6c\
             9145a8420dafec7d4bb7b9104c47fe4e7b7818f79a54a1bdf2114a28c56fbd7c"
                .to_owned(),
            "x-webhook-hmac-algorithm: sha512".to_owned(),
        ];
        assert_eq!(shown(&sending), expected);
    }
}
