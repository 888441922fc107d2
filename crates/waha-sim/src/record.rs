//! What the simulator was asked, so that tests can say exactly what arrived.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

/// How many requests with their headers, and changes of typing, are remembered.
const REQUESTS: usize = 512;
/// How many sent messages are remembered; enough for any test, and a bound for a simulator that runs for weeks.
const SENT: usize = 200_000;

/// How often the simulator was asked what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All requests, also those that were refused or hit by a fault.
    pub total: u64,
    /// Per method and route template, such as `POST /api/sendText` or `GET /api/{session}/chats`. Requests that match
    /// no route count as `(no route)`.
    pub by_route: BTreeMap<String, u64>,
    /// Per session name found in path, query or body, whether or not there is such a session.
    pub by_session: BTreeMap<String, u64>,
}

impl Counts {
    /// The requests to one route, such as `POST /api/sendText`.
    #[must_use]
    pub fn route(&self, route: &str) -> u64 {
        self.by_route.get(route).copied().unwrap_or_default()
    }

    /// The requests that named one session.
    #[must_use]
    pub fn session(&self, session: &str) -> u64 {
        self.by_session.get(session).copied().unwrap_or_default()
    }
}

/// One request as it arrived. It holds every header with its value, the API key too: this is for tests that prove what a
/// client sends, and belongs in no log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceivedRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The query as it was sent, without its question mark; empty if there was none.
    pub query: String,
    /// The route template it matched.
    pub route: String,
    /// The session it named.
    pub session: Option<String>,
    /// Header names in lower case with their values, in the order of arrival.
    pub headers: Vec<(String, String)>,
}

impl ReceivedRequest {
    /// The first value of a header, looked up without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What kind of message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the names are WAHA's own words for its send operations"
)]
pub enum SentKind {
    Text,
    Image,
    File,
    Voice,
    Video,
    Location,
    Poll,
    Contact,
    Reaction,
}

/// The file of a sent message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentFile {
    /// As given.
    pub mimetype: String,
    /// As given.
    pub filename: Option<String>,
    /// The address it was given by; the simulator never fetches it.
    pub url: Option<String>,
    /// The decoded length when the file was given as base64.
    pub bytes: Option<usize>,
}

/// A message that went out: WhatsApp has it, whatever the caller was told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SentMessage {
    /// The session it was sent by.
    pub session: String,
    /// The chat, in WAHA's outward form (`…@c.us`).
    pub chat_id: String,
    /// WhatsApp's id of the message, without WAHA's prefix.
    pub message_id: String,
    /// What it is.
    pub kind: SentKind,
    /// The text, caption or reaction.
    pub text: Option<String>,
    /// The file.
    pub file: Option<SentFile>,
    /// The body of the request that sent it, as it was parsed.
    pub request: Value,
}

/// A change of whether a session is seen to be typing in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypingChange {
    /// The session.
    pub session: String,
    /// The chat, in WAHA's outward form (`…@c.us`).
    pub chat_id: String,
    /// Whether it types from now on.
    pub is_typing: bool,
    /// How many messages had gone out before.
    pub messages_before: usize,
}

/// The simulator's memory of what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) counts: Counts,
    requests: VecDeque<ReceivedRequest>,
    sent: VecDeque<SentMessage>,
    typing: VecDeque<TypingChange>,
}

impl Record {
    pub(crate) fn request(&mut self, request: ReceivedRequest) {
        self.counts.total += 1;
        *self.counts.by_route.entry(request.route.clone()).or_default() += 1;
        if let Some(session) = &request.session {
            *self.counts.by_session.entry(session.clone()).or_default() += 1;
        }
        if self.requests.len() == REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    pub(crate) fn sent(&mut self, message: SentMessage) {
        if self.sent.len() == SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(message);
    }

    pub(crate) fn typing(&mut self, session: String, chat_id: String, is_typing: bool) {
        if self.typing.len() == REQUESTS {
            self.typing.pop_front();
        }
        self.typing.push_back(TypingChange {
            session,
            chat_id,
            is_typing,
            messages_before: self.sent.len(),
        });
    }

    pub(crate) fn typing_changes(&self) -> Vec<TypingChange> {
        self.typing.iter().cloned().collect()
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn sent_messages(&self) -> Vec<SentMessage> {
        self.sent.iter().cloned().collect()
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}
