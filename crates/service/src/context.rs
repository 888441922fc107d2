//! In which request something is done, and by whom.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use wahana_domain::{ActorKind, SignInId, TokenId, UserId};
use wahana_store::{Caller, Credential, Identity, PlatformAdministrator, messages::Requester};

use crate::{ServiceError, limits::Allowance};

/// Where a request came from.
#[derive(Clone, Debug, Default)]
pub struct RequestOrigin {
    /// Its id, as the caller gave it or as it was made.
    pub request_id: String,
    /// Whose address it came from.
    pub source_address: Option<IpAddr>,
    recorded: Arc<AtomicBool>,
    allowance: Arc<Mutex<Option<Allowance>>>,
}

impl RequestOrigin {
    /// A request.
    #[must_use]
    pub fn new(request_id: String, source_address: Option<IpAddr>) -> Self {
        Self {
            request_id,
            source_address,
            recorded: Arc::default(),
            allowance: Arc::default(),
        }
    }

    /// Whether the audit log already says how the request ended.
    #[must_use]
    pub fn outcome_is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire)
    }

    /// How much is left of the limit that is nearest to its end among those that the request kept.
    #[must_use]
    pub fn allowance(&self) -> Option<Allowance> {
        *self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_allowance(&self, noted: Allowance) {
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        if allowance.is_none_or(|before| noted.remaining < before.remaining) {
            *allowance = Some(noted);
        }
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

/// A user who was recognized, whatever their organizations, in a request.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who calls.
    pub identity: Arc<Identity>,
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
    pub(crate) origin: Option<&'a RequestOrigin>,
}

impl<'a> Actor<'a> {
    /// Who wanted something sent, when it is sent.
    pub(crate) const fn of_requester(requester: &'a Requester, origin: &'a RequestOrigin) -> Self {
        Self {
            kind: if requester.token.is_some() {
                ActorKind::Token
            } else {
                ActorKind::User
            },
            user: Some(requester.user),
            token: requester.token.as_ref(),
            origin: Some(origin),
        }
    }

    /// A person who shows who they are by a password or a link.
    pub(crate) const fn person(user: UserId, origin: &'a RequestOrigin) -> Self {
        Self {
            kind: ActorKind::User,
            user: Some(user),
            token: None,
            origin: Some(origin),
        }
    }

    fn with_credential(user: UserId, credential: &'a Credential, origin: &'a RequestOrigin) -> Self {
        let (kind, token) = match credential {
            Credential::Token(id) | Credential::PlatformToken(id) => (ActorKind::Token, Some(id)),
            Credential::SignIn(_) => (ActorKind::User, None),
        };
        Self {
            kind,
            token,
            ..Self::person(user, origin)
        }
    }
}

impl Context {
    /// Who calls, as it is kept with what is done later.
    pub(crate) fn requester(&self) -> Requester {
        let token = match self.caller.credential() {
            Credential::Token(id) | Credential::PlatformToken(id) => Some(id.clone()),
            Credential::SignIn(_) => None,
        };
        Requester {
            user: self.caller.user_id(),
            token,
            request_id: self.origin.request_id.clone(),
        }
    }

    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor::with_credential(self.caller.user_id(), self.caller.credential(), &self.origin)
    }
}

impl Person {
    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor::with_credential(self.identity.user().id, self.identity.credential(), &self.origin)
    }

    /// The sign-in by which they call; what concerns a person themself is not for tokens.
    pub fn sign_in(&self) -> Result<SignInId, ServiceError> {
        match self.identity.credential() {
            Credential::SignIn(id) => Ok(*id),
            Credential::Token(_) | Credential::PlatformToken(_) => Err(ServiceError::Forbidden(
                "This is for people who signed in with their password, not for tokens.".to_owned(),
            )),
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
                origin: Some(origin),
            },
            Self::CommandLine => Actor {
                kind: ActorKind::CommandLine,
                user: None,
                token: None,
                origin: None,
            },
        }
    }
}
