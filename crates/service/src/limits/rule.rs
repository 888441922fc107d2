//! What is limited, for whom, and to how much.

use std::fmt;

use wahana_domain::{OrganizationLimits, SessionId, SignInId, TokenId};
use wahana_store::{Caller, Credential};

use super::window::Period;

/// The limits of organizations that have none of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitDefaults {
    /// Messages, media included, that one session sends in a minute.
    pub messages_per_minute: u32,
    /// Messages, media included, that one session sends in an hour.
    pub messages_per_hour: u32,
    /// Media that one session sends in a minute.
    pub media_per_minute: u32,
    /// Media that one session sends in an hour.
    pub media_per_hour: u32,
    /// Requests with one token, or of one sign-in, in a minute.
    pub requests_per_minute: u32,
    /// Messages that wait to be sent, of all sessions of an organization together.
    pub queued_messages: u32,
}

impl Default for LimitDefaults {
    fn default() -> Self {
        Self {
            messages_per_minute: 60,
            messages_per_hour: 1000,
            media_per_minute: 10,
            media_per_hour: 100,
            requests_per_minute: 1000,
            queued_messages: 10_000,
        }
    }
}

/// The limits that hold for an organization: its own, else the defaults. `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `OrganizationLimits`")]
pub struct EffectiveLimits {
    pub sessions: Option<u32>,
    pub messages_per_minute: u32,
    pub messages_per_hour: u32,
    pub media_per_minute: u32,
    pub media_per_hour: u32,
    pub requests_per_minute: u32,
    pub organization_messages_per_minute: Option<u32>,
    pub organization_messages_per_hour: Option<u32>,
    pub monthly_messages: Option<u32>,
    pub queued_messages: u32,
}

impl LimitDefaults {
    /// What holds for an organization with these limits of its own.
    #[must_use]
    pub fn effective(&self, own: &OrganizationLimits) -> EffectiveLimits {
        // The database keeps no negative limit; one would allow nothing.
        let optional = |limit: Option<i32>| limit.map(|limit| u32::try_from(limit).unwrap_or(0));
        let or = |limit: Option<i32>, default: u32| optional(limit).unwrap_or(default);
        EffectiveLimits {
            sessions: optional(own.sessions),
            messages_per_minute: or(own.messages_per_minute, self.messages_per_minute),
            messages_per_hour: or(own.messages_per_hour, self.messages_per_hour),
            media_per_minute: or(own.media_per_minute, self.media_per_minute),
            media_per_hour: or(own.media_per_hour, self.media_per_hour),
            requests_per_minute: or(own.requests_per_minute, self.requests_per_minute),
            organization_messages_per_minute: optional(own.organization_messages_per_minute),
            organization_messages_per_hour: optional(own.organization_messages_per_hour),
            monthly_messages: optional(own.monthly_messages),
            queued_messages: or(own.queued_messages, self.queued_messages),
        }
    }
}

/// Whose units are counted, inside an organization.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Token(TokenId),
    SignIn(SignInId),
    Session(SessionId),
    /// All of the organization together.
    Organization,
    /// Those for whom there is no more room: they share a limit.
    Others,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Counted {
    Requests,
    Messages,
    Media,
}

/// What is counted for whom over how long, inside an organization.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) counted: Counted,
    pub(super) period: Period,
    pub(super) subject: Subject,
}

/// A limit that an act must keep.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) key: Key,
    pub(super) limit: u32,
}

impl Rule {
    const fn new(counted: Counted, period: Period, subject: Subject, limit: u32) -> Self {
        let key = Key {
            counted,
            period,
            subject,
        };
        Self { key, limit }
    }

    /// The limit of a request.
    pub(super) fn of_request(caller: &Caller, limits: &EffectiveLimits) -> Self {
        let subject = match caller.credential() {
            Credential::Token(id) | Credential::PlatformToken(id) => Subject::Token(id.clone()),
            Credential::SignIn(id) => Subject::SignIn(*id),
        };
        Self::new(
            Counted::Requests,
            Period::Minute,
            subject,
            limits.requests_per_minute,
        )
    }

    /// The limits of a message.
    pub(super) fn of_message(session: SessionId, is_media: bool, limits: &EffectiveLimits) -> Vec<Self> {
        use Counted::{Media, Messages};
        use Period::{Hour, Minute};
        let own = || Subject::Session(session);
        let mut rules = vec![
            Self::new(Messages, Minute, own(), limits.messages_per_minute),
            Self::new(Messages, Hour, own(), limits.messages_per_hour),
        ];
        if is_media {
            rules.push(Self::new(Media, Minute, own(), limits.media_per_minute));
            rules.push(Self::new(Media, Hour, own(), limits.media_per_hour));
        }
        for (period, limit) in [
            (Minute, limits.organization_messages_per_minute),
            (Hour, limits.organization_messages_per_hour),
        ] {
            if let Some(limit) = limit {
                rules.push(Self::new(Messages, period, Subject::Organization, limit));
            }
        }
        rules
    }

    /// Why it refuses, in words.
    pub(super) fn refusal(&self, seconds: u64) -> String {
        let who = match self.key.subject {
            Subject::Token(_) => "one token",
            Subject::SignIn(_) => "one sign-in",
            Subject::Session(_) => "one session",
            Subject::Organization => "the organization",
            Subject::Others => "so many at once",
        };
        let what = match self.key.counted {
            Counted::Requests => "requests",
            Counted::Messages => "messages",
            Counted::Media => "media",
        };
        let period = self.key.period.as_str();
        format!(
            "At most {} {what} of {who} are allowed in a {period}. Try again in {seconds} s.",
            self.limit
        )
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = match self.counted {
            Counted::Requests => "requests",
            Counted::Messages => "messages",
            Counted::Media => "media",
        };
        write!(f, "{counted}:{}:", self.period.as_str())?;
        match &self.subject {
            Subject::Token(id) => write!(f, "token:{id}"),
            Subject::SignIn(id) => write!(f, "sign-in:{id}"),
            Subject::Session(id) => write!(f, "session:{id}"),
            Subject::Organization => f.write_str("organization"),
            Subject::Others => f.write_str("others"),
        }
    }
}
