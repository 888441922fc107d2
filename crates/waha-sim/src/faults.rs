//! Faults on demand: the ways in which a WAHA can be away, slow or wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The answer comes this much later; milliseconds of real time, whatever the time scale.
    Slow(u64),
    /// The request is read and never answered.
    Hang,
    /// The request is not performed; WAHA's error body with this status answers it.
    Status(u16),
    /// The request is not performed; an HTML page with this status answers it, as from a proxy in between.
    Html(u16),
    /// The request is not performed; the status is 200 and the body is cut-off JSON.
    Garbage,
    /// The request is not performed; the connection is closed without an answer.
    CloseBefore,
    /// The request **is** performed; the connection is closed without an answer.
    CloseAfter,
    /// The request is performed and never answered.
    HangAfter,
    /// The request is performed; the connection is closed in the middle of the answer's body.
    CloseInBody,
}

/// A fault and the requests it hits. Of several that match, the one set first is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    kind: FaultKind,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    path_prefix: Option<String>,
    #[serde(default)]
    times: Option<u32>,
}

impl Fault {
    /// A fault that hits every request until it is cleared.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            method: None,
            path_prefix: None,
            times: None,
        }
    }

    /// The answer comes this much later.
    #[must_use]
    pub fn slow(delay: Duration) -> Self {
        Self::new(FaultKind::Slow(
            u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        ))
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Only requests whose path begins like this.
    #[must_use]
    pub fn on_path(mut self, prefix: &str) -> Self {
        self.path_prefix = Some(prefix.to_owned());
        self
    }

    /// Only the next so many of the matching requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn hits(&self, method: &str, path: &str) -> bool {
        self.times != Some(0)
            && self
                .method
                .as_deref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .path_prefix
                .as_deref()
                .is_none_or(|prefix| path.starts_with(prefix))
    }
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
}

impl Faults {
    pub(crate) fn set(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.faults
    }

    /// The fault for this request; uses up one of its times.
    pub(crate) fn take(&mut self, method: &str, path: &str) -> Option<FaultKind> {
        let fault = self.faults.iter_mut().find(|fault| fault.hits(method, path))?;
        let kind = fault.kind.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        self.faults.retain(|fault| fault.times != Some(0));
        Some(kind)
    }
}

/// Why WhatsApp refuses a session's sends. The first two were recorded; how WAHA reports the other two **was not**, so
/// their shape is a guess and a client must not be built on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendRefusal {
    /// The connection to WhatsApp is gone: WAHA answers 500 with the message `Connection Closed`.
    ConnectionClosed,
    /// WhatsApp says no: WAHA answers 500 with the message `not-authorized`.
    NotAuthorized,
    /// WhatsApp error 463, the number is locked for a time. Unverified shape.
    TimeLocked,
    /// WhatsApp error 475, the number has reached its cap. Unverified shape.
    Capped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_what_it_names_and_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults.set(
            Fault::new(FaultKind::Hang)
                .method("post")
                .on_path("/api/send")
                .times(2),
        );
        faults.set(Fault::new(FaultKind::Garbage).on_path("/api/sessions"));
        assert_eq!(faults.take("GET", "/api/sendText"), None);
        assert_eq!(faults.take("POST", "/api/sendText"), Some(FaultKind::Hang));
        assert_eq!(faults.take("POST", "/api/sendImage"), Some(FaultKind::Hang));
        assert_eq!(faults.take("POST", "/api/sendText"), None);
        assert_eq!(faults.take("GET", "/api/sessions/x"), Some(FaultKind::Garbage));
        assert_eq!(faults.list().len(), 1);
        faults.clear();
        assert_eq!(faults.take("GET", "/api/sessions/x"), None);
    }
}
