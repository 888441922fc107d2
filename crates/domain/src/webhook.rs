//! Addresses to which an organization's events are delivered, and the deliveries.

use std::{fmt, time::Duration};

use data_encoding::BASE64;
use rand::Rng as _;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    EventId, OrganizationId, SessionId, Timestamp, UserId, WebhookAttemptId, WebhookDeliveryId,
    WebhookEndpointId, words::words,
};

/// How long is waited after each attempt that failed. After the last the delivery has failed.
pub const DELIVERY_RETRIES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];

/// For how long a receiver may ask to be left alone.
pub const LONGEST_PAUSE: Duration = Duration::from_hours(10);

/// Longer than any delivery waits for its next attempt, which may come a little later than by the schedule. What waits
/// longer was written by a clock that was wrong.
pub const LONGEST_DELIVERY_WAIT: Duration = Duration::from_hours(12);

/// For how long nothing may have been delivered to an endpoint before it is disabled.
pub const ENDPOINT_PATIENCE: Duration = Duration::from_hours(5 * 24);

/// Failures of an endpoint that are further apart say nothing about the time between them: nothing was tried then. More
/// than the longest wait between attempts.
pub const OUTAGE_GAP: Duration = Duration::from_hours(48);

/// How long a secret signs beside the one that took its place.
pub const SECRET_OVERLAP: Duration = Duration::from_hours(24);

/// In which way deliveries are written and signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookStyle {
    /// wahana's own bodies, signed as the Standard Webhooks specification says.
    Standard,
    /// The bodies and headers of WAHA's webhooks, so that receivers which were made for WAHA work.
    Waha,
}

/// Whether events are delivered to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// They are.
    Enabled,
    /// They are not, because somebody switched it off or nothing could be delivered for too long.
    Disabled,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be tried, or to be tried again.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It was tried as often as it is, and the receiver did not take it.
    Failed,
}

words!(WebhookStyle { Standard => "standard", Waha => "waha", });
words!(EndpointState { Enabled => "enabled", Disabled => "disabled", });
words!(DeliveryState { Waiting => "waiting", Delivered => "delivered", Failed => "failed", });

/// A header that an organization wants to have in its deliveries. Its value may be a credential, and is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomHeader {
    /// In lower case.
    pub name: String,
    /// What it says.
    pub value: String,
}

impl fmt::Debug for CustomHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomHeader")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The header cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// Its name is none.
    #[error("must have a name of letters, digits and -, at most 64 characters long")]
    Name,
    /// wahana or HTTP itself sets it.
    #[error("is a header that cannot be chosen")]
    Reserved,
    /// Its value could be taken for something else.
    #[error("must have a value of printable ASCII characters, at most 1024 of them")]
    Value,
}

/// What wahana and HTTP set themselves.
const RESERVED: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
/// What begins like this is wahana's, too.
const RESERVED_PREFIXES: [&str; 3] = ["webhook-", "x-webhook-", "proxy-"];

impl CustomHeader {
    /// Checks a header.
    pub fn parse(name: &str, value: &str) -> Result<Self, InvalidHeader> {
        let name = name.to_ascii_lowercase();
        let is_name = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name {
            return Err(InvalidHeader::Name);
        }
        let has_reserved_prefix = RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if RESERVED.contains(&name.as_str()) || has_reserved_prefix {
            return Err(InvalidHeader::Reserved);
        }
        // No line breaks above all.
        let is_value = value.len() <= 1024 && value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !is_value {
            return Err(InvalidHeader::Value);
        }
        Ok(Self {
            name,
            value: value.to_owned(),
        })
    }
}

/// The secret that signs deliveries.
#[derive(Clone)]
pub struct WebhookSecret(SecretString);

/// The secret cannot sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhookSecret {
    /// Standard Webhooks says what it looks like.
    #[error("must be whsec_ and 24 to 64 bytes in Base64")]
    Standard,
    /// WAHA's are texts.
    #[error("must be 8 to 256 printable ASCII characters")]
    Waha,
}

/// What Standard Webhooks' secrets begin with.
const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

impl WebhookSecret {
    /// A new one, which is good for both styles.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; SECRET_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self(format!("{PREFIX}{}", BASE64.encode(&bytes)).into())
    }

    /// Checks one that somebody has already.
    pub fn parse(text: &str, style: WebhookStyle) -> Result<Self, InvalidWebhookSecret> {
        let secret = Self(text.to_owned().into());
        match style {
            WebhookStyle::Standard => {
                let length = secret.standard_key().map(|key| key.len());
                if length.is_none_or(|length| !(24..=64).contains(&length)) {
                    return Err(InvalidWebhookSecret::Standard);
                }
            }
            WebhookStyle::Waha => {
                let is_text = text.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
                if !is_text || !(8..=256).contains(&text.len()) {
                    return Err(InvalidWebhookSecret::Waha);
                }
            }
        }
        Ok(secret)
    }

    /// As it was stored.
    #[must_use]
    pub const fn stored(text: SecretString) -> Self {
        Self(text)
    }

    /// The secret itself, to be shown once or stored encrypted.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The bytes that sign in a style.
    #[must_use]
    pub fn key(&self, style: WebhookStyle) -> Vec<u8> {
        let text = self.expose().as_bytes();
        match style {
            WebhookStyle::Standard => self.standard_key().unwrap_or_else(|| text.to_vec()),
            WebhookStyle::Waha => text.to_vec(),
        }
    }

    fn standard_key(&self) -> Option<Vec<u8>> {
        let encoded = self.expose().strip_prefix(PREFIX)?;
        BASE64.decode(encoded.as_bytes()).ok()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

/// An address to which events are delivered, without its secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Its id.
    pub id: WebhookEndpointId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// The address.
    pub url: String,
    /// What it is for, for people.
    pub description: Option<String>,
    /// In which way deliveries are written.
    pub style: WebhookStyle,
    /// The names of the events that are delivered, by which its style tells them; `None` for all.
    pub events: Option<Vec<String>>,
    /// The sessions of which events are delivered; `None` for all and for the organization itself.
    pub sessions: Option<Vec<SessionId>>,
    /// The names of its custom headers.
    pub header_names: Vec<String>,
    /// Whether events are delivered.
    pub state: EndpointState,
    /// Why not, in words.
    pub disabled_reason: Option<String>,
    /// Since when nothing could be delivered; `None` if the last attempt succeeded.
    pub failing_since: Option<Timestamp>,
    /// When an attempt failed last, of those that made `failing_since`.
    pub last_failed_at: Option<Timestamp>,
    /// The number up to which events became deliveries, or are none of its events.
    pub position: i64,
    /// Until when the secret before the present one signs, too.
    pub previous_secret_until: Option<Timestamp>,
    /// Who made it; `None` if the operator did.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed by people.
    pub updated_at: Timestamp,
}

/// Addresses often hold a credential.
impl fmt::Debug for WebhookEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookEndpoint")
            .field("id", &self.id)
            .field("organization_id", &self.organization_id)
            .field("style", &self.style)
            .field("state", &self.state)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl WebhookEndpoint {
    /// Whether an event of this name, about this session, is one of the endpoint's.
    #[must_use]
    pub fn wants(&self, event_name: &str, session: Option<SessionId>) -> bool {
        let is_named = self
            .events
            .as_deref()
            .is_none_or(|events| events.iter().any(|wanted| wanted == event_name));
        let is_of_session = match (self.sessions.as_deref(), session) {
            (None, _) => true,
            (Some(sessions), Some(session)) => sessions.contains(&session),
            (Some(_), None) => false,
        };
        is_named && is_of_session
    }

    /// Whether somebody who sees these sessions alone (`None`: all, and the organization itself) sees everything that
    /// is delivered to it.
    #[must_use]
    pub fn is_within(&self, sessions: Option<&[SessionId]>) -> bool {
        match (self.sessions.as_deref(), sessions) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(seen)) => own.iter().all(|session| seen.contains(session)),
        }
    }
}

/// An event on its way to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// Where it goes.
    pub endpoint_id: WebhookEndpointId,
    /// The event's number; 0 for a test.
    pub event_number: i64,
    /// The name under which the receiver gets it, which a newer release may have written.
    pub event_name: String,
    /// The event's id.
    pub event_id: EventId,
    /// The session that the event is about; `None` for what concerns the organization, and for a test.
    pub session_id: Option<SessionId>,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried since it was last asked for.
    pub attempts: i64,
    /// When it is tried next; while it is being tried, when it is tried again if nobody comes back from that.
    pub next_attempt_at: Option<Timestamp>,
    /// The status of the receiver's last answer, if it answered.
    pub last_status: Option<u16>,
    /// Why the last attempt failed, in words.
    pub last_error: Option<String>,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it was last tried, or asked for again.
    pub updated_at: Timestamp,
}

impl WebhookDelivery {
    /// Whether it is of no event.
    #[must_use]
    pub const fn is_test(&self) -> bool {
        self.event_number == 0
    }

    /// Whether somebody who sees these sessions alone (`None`: all, and the organization itself) sees its event.
    #[must_use]
    pub fn is_within(&self, sessions: Option<&[SessionId]>) -> bool {
        sessions.is_none_or(|seen| self.session_id.is_some_and(|own| seen.contains(&own)))
    }

    /// How long is waited after so many attempts that failed; `None` if that was the last.
    #[must_use]
    pub fn retry_after(attempts: i64) -> Option<Duration> {
        let failed = usize::try_from(attempts.max(1)).unwrap_or(usize::MAX);
        DELIVERY_RETRIES.get(failed - 1).copied()
    }
}

/// One try to deliver. What the receiver answered is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookAttempt {
    /// Its id.
    pub id: WebhookAttemptId,
    /// Of which delivery.
    pub delivery_id: WebhookDeliveryId,
    /// The how manyeth it was since the delivery was last asked for, from 1.
    pub number: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The status of the receiver's answer, if it answered.
    pub status: Option<u16>,
    /// Why it failed, in words.
    pub error: Option<String>,
    /// The beginning of the receiver's answer.
    pub answer: Option<String>,
}

impl fmt::Debug for WebhookAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookAttempt")
            .field("delivery_id", &self.delivery_id)
            .field("number", &self.number)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_eight_times_in_more_than_a_day() {
        assert_eq!(WebhookDelivery::retry_after(1), Some(Duration::from_secs(5)));
        assert_eq!(WebhookDelivery::retry_after(7), Some(Duration::from_hours(10)));
        for attempts in [8, 9, i64::MAX] {
            assert_eq!(WebhookDelivery::retry_after(attempts), None);
        }
        assert!(DELIVERY_RETRIES.iter().sum::<Duration>() > Duration::from_hours(24));
        assert!(DELIVERY_RETRIES.iter().all(|wait| *wait < OUTAGE_GAP / 2));
    }

    fn endpoint(events: Option<Vec<String>>, sessions: Option<Vec<SessionId>>) -> WebhookEndpoint {
        let now = Timestamp::from_seconds(1_800_000_000);
        WebhookEndpoint {
            id: WebhookEndpointId::new(),
            organization_id: OrganizationId::new(),
            url: "https://receiver.example/hook".to_owned(),
            description: None,
            style: WebhookStyle::Standard,
            events,
            sessions,
            header_names: Vec::new(),
            state: EndpointState::Enabled,
            disabled_reason: None,
            failing_since: None,
            last_failed_at: None,
            position: 0,
            previous_secret_until: None,
            created_by: None,
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn an_endpoint_gets_what_it_asked_for_and_no_more() {
        let (own, other) = (SessionId::new(), SessionId::new());
        let all = endpoint(None, None);
        assert!(all.wants("session.qr", Some(own)) && all.wants("webhook.endpoint_disabled", None));
        // What a newer release tells of is told to those who want everything.
        assert!(all.wants("session.teleported", Some(own)));
        let some = endpoint(Some(vec!["session.qr".to_owned()]), Some(vec![own]));
        assert!(some.wants("session.qr", Some(own)));
        for (event_type, session) in [
            ("session.status", Some(own)),
            ("session.qr", Some(other)),
            ("session.qr", None),
        ] {
            assert!(!some.wants(event_type, session), "{event_type}");
        }
    }

    #[test]
    fn who_sees_some_sessions_sees_the_endpoints_of_those_alone() {
        let (own, other) = (SessionId::new(), SessionId::new());
        for (sessions, seen, expected) in [
            (None, None, true),
            (None, Some(vec![own]), false),
            (Some(vec![own]), None, true),
            (Some(vec![own]), Some(vec![own, other]), true),
            (Some(vec![own, other]), Some(vec![own]), false),
            (Some(Vec::new()), Some(vec![own]), true),
        ] {
            let endpoint = endpoint(None, sessions);
            assert_eq!(endpoint.is_within(seen.as_deref()), expected);
        }
    }

    #[test]
    fn headers_cannot_be_ours_and_have_no_line_breaks() {
        let header = CustomHeader::parse("X-Api-Key", "abc def").unwrap();
        assert_eq!(
            (header.name.as_str(), header.value.as_str()),
            ("x-api-key", "abc def")
        );
        assert!(!format!("{header:?}").contains("abc"));
        for (name, value, expected) in [
            ("", "a", InvalidHeader::Name),
            ("x y", "a", InvalidHeader::Name),
            ("x:y", "a", InvalidHeader::Name),
            ("x\r\ny", "a", InvalidHeader::Name),
            ("Host", "a", InvalidHeader::Reserved),
            ("webhook-id", "a", InvalidHeader::Reserved),
            ("X-Webhook-Hmac", "a", InvalidHeader::Reserved),
            ("Transfer-Encoding", "a", InvalidHeader::Reserved),
            ("Proxy-Authorization", "a", InvalidHeader::Reserved),
            ("x-a", "a\r\nx-b: c", InvalidHeader::Value),
            ("x-a", "a\u{0}", InvalidHeader::Value),
            ("x-a", "ü", InvalidHeader::Value),
        ] {
            assert_eq!(CustomHeader::parse(name, value), Err(expected), "{name}: {value}");
        }
        assert!(CustomHeader::parse("x-a", &"a".repeat(1025)).is_err());
    }

    #[test]
    fn a_generated_secret_is_one_in_both_styles_and_is_not_printed() {
        let secret = WebhookSecret::generate();
        for style in WebhookStyle::ALL {
            assert!(WebhookSecret::parse(secret.expose(), style).is_ok());
        }
        assert_eq!(secret.key(WebhookStyle::Standard).len(), SECRET_BYTES);
        assert_eq!(secret.key(WebhookStyle::Waha), secret.expose().as_bytes());
        assert_eq!(format!("{secret:?}"), "WebhookSecret");
        assert_ne!(secret.expose(), WebhookSecret::generate().expose());
    }

    #[test]
    fn secrets_that_cannot_sign_are_refused() {
        for text in ["", "whsec_", "whsec_!!!!", "whsec_AAAA", "abcdefgh"] {
            assert!(
                WebhookSecret::parse(text, WebhookStyle::Standard).is_err(),
                "{text}"
            );
        }
        for text in ["", "short", "with a space", "über-long"] {
            assert!(WebhookSecret::parse(text, WebhookStyle::Waha).is_err(), "{text}");
        }
        assert!(WebhookSecret::parse("a-key-of-waha", WebhookStyle::Waha).is_ok());
    }
}
