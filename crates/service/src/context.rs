//! In which request something is done, and by whom.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use wahana_domain::{ActorKind, OrganizationId, TokenId, UserId};
use wahana_store::{Caller, Credential, PlatformAdministrator};

/// Where a request came from.
#[derive(Clone, Debug, Default)]
pub struct RequestOrigin {
    /// Its id, as the caller gave it or as it was made.
    pub request_id: String,
    /// Whose address it came from.
    pub source_address: Option<IpAddr>,
    recorded: Arc<AtomicBool>,
}

impl RequestOrigin {
    /// A request.
    #[must_use]
    pub fn new(request_id: String, source_address: Option<IpAddr>) -> Self {
        Self {
            request_id,
            source_address,
            recorded: Arc::default(),
        }
    }

    /// Whether the audit log already says how the request ended.
    #[must_use]
    pub fn outcome_is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire)
    }

    pub(crate) fn set_outcome_recorded(&self) {
        self.recorded.store(true, Ordering::Release);
    }
}

/// A caller of an organization, in a request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who calls.
    pub caller: Caller,
    /// In which request.
    pub origin: RequestOrigin,
}

/// Somebody who operates the installation, in a request or on the command line.
#[derive(Clone, Debug)]
pub enum Operator {
    /// A platform administrator who called the platform API.
    Administrator(PlatformAdministrator, RequestOrigin),
    /// Somebody at the command line, which works on the database itself.
    CommandLine,
}

/// Who did something, as the audit log wants it.
pub(crate) struct Actor<'a> {
    pub(crate) kind: ActorKind,
    pub(crate) user: Option<UserId>,
    pub(crate) token: Option<&'a TokenId>,
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) origin: Option<&'a RequestOrigin>,
}

impl Context {
    pub(crate) fn actor(&self) -> Actor<'_> {
        let (kind, token) = match self.caller.credential() {
            Credential::Token(id) | Credential::PlatformToken(id) => (ActorKind::Token, Some(id)),
            Credential::SignIn(_) => (ActorKind::User, None),
        };
        Actor {
            kind,
            user: Some(self.caller.user_id()),
            token,
            organization: Some(self.caller.tenant().organization_id()),
            origin: Some(&self.origin),
        }
    }
}

impl Operator {
    pub(crate) fn actor(&self) -> Actor<'_> {
        match self {
            Self::Administrator(administrator, origin) => Actor {
                kind: ActorKind::PlatformAdministrator,
                user: Some(administrator.user_id()),
                token: match administrator.credential() {
                    Credential::Token(id) | Credential::PlatformToken(id) => Some(id),
                    Credential::SignIn(_) => None,
                },
                organization: None,
                origin: Some(origin),
            },
            Self::CommandLine => Actor {
                kind: ActorKind::CommandLine,
                user: None,
                token: None,
                organization: None,
                origin: None,
            },
        }
    }
}
