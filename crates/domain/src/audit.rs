//! The audit log: who did what, and what came of it.

use std::net::IpAddr;

use crate::{AuditEntryId, OrganizationId, SessionId, Timestamp, TokenId, UserId, words::words};

/// What kind of actor did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A person who signed in.
    User,
    /// A program with an access token.
    Token,
    /// A platform administrator, by token or signed in.
    PlatformAdministrator,
    /// The command line.
    CommandLine,
    /// wahana itself.
    System,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It is about to be tried on WAHA; another entry says what came of it.
    Intent,
    /// It was done.
    Success,
    /// It was not, or nobody knows; with the error code that the caller got.
    Failure {
        /// The error code.
        error_code: String,
    },
}

/// One row of the audit log. Never holds message texts or secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditEntryId,
    /// The organization it concerns; `None` for the platform's own affairs.
    pub organization_id: Option<OrganizationId>,
    /// What kind of actor.
    pub actor: ActorKind,
    /// Which user, if one stands behind the act.
    pub user_id: Option<UserId>,
    /// Which token, if one was used.
    pub token_id: Option<TokenId>,
    /// Which session it concerns.
    pub session_id: Option<SessionId>,
    /// What was done, such as `sessions.start`.
    pub operation: String,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// From where; `None` for the command line and the system.
    pub source_address: Option<IpAddr>,
    /// In which request.
    pub request_id: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

words!(ActorKind {
    User => "user",
    Token => "token",
    PlatformAdministrator => "platform_administrator",
    CommandLine => "command_line",
    System => "system",
});

impl AuditOutcome {
    /// The outcome as it is written and stored.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Success => "success",
            Self::Failure { .. } => "failure",
        }
    }

    /// Why not, if it was not done.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        match self {
            Self::Failure { error_code } => Some(error_code),
            Self::Intent | Self::Success => None,
        }
    }
}
