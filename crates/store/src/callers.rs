//! Who is calling: from a presented credential to an identity, and from an identity to a caller in
//! one organization.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use wahana_domain::{
    Abilities, Ability, Organization, OrganizationId, OrganizationState, Role, SecretHash, SessionId,
    SignInId, Timestamp, TokenId, User, UserId,
};

use crate::{Store, StoreError, tenant::Tenant};

/// How long an identity is believed without asking the database again. What is revoked, removed or
/// changed anywhere takes effect within five seconds.
const MAX_AGE: Duration = Duration::from_secs(4);
/// How many identities are remembered.
const CAPACITY: u64 = 20_000;

/// What a request brought to show who it is from.
#[derive(Clone, Debug)]
pub enum PresentedCredential {
    /// `Authorization: Bearer <id>|<secret>`.
    Token {
        /// The part before the `|`.
        id: TokenId,
        /// The hash of the part behind it.
        secret: SecretHash,
    },
    /// The cookie of a signed-in person.
    SignIn {
        /// Which sign-in.
        id: SignInId,
        /// The hash of its secret.
        secret: SecretHash,
    },
}

/// Which credential an identity was proven with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token of an organization.
    Token(TokenId),
    /// A platform administrator's token.
    PlatformToken(TokenId),
    /// A sign-in with e-mail and password.
    SignIn(SignInId),
}

/// A user whose credential was accepted, and where they belong.
#[derive(Debug)]
pub struct Identity {
    pub(crate) credential: Credential,
    pub(crate) secret: SecretHash,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) user: User,
    pub(crate) abilities: Abilities,
    pub(crate) sessions: Option<Arc<[SessionId]>>,
    /// The organizations that the credential reaches and that are not closed.
    pub(crate) memberships: Vec<(Arc<Organization>, Role)>,
}

/// Why an identity is nobody in the organization it asked for.
#[derive(Debug)]
pub enum NoCaller {
    /// It belongs to none, or not to that one, or that one is closed.
    NoOrganization,
    /// The platform suspended the organization. The caller is given for the audit log.
    Suspended(Box<Caller>),
}

/// A user in an organization: what every call of the organization API is made by.
#[derive(Clone, Debug)]
pub struct Caller {
    tenant: Tenant,
    organization: Arc<Organization>,
    role: Role,
    user_id: UserId,
    credential: Credential,
    expires_at: Option<Timestamp>,
    abilities: Abilities,
    sessions: Option<Arc<[SessionId]>>,
}

/// A user who operates the installation.
#[derive(Clone, Debug)]
pub struct PlatformAdministrator {
    user_id: UserId,
    credential: Credential,
}

impl Identity {
    /// The user.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// The credential.
    #[must_use]
    pub const fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The organizations it reaches, with the user's role in each.
    #[must_use]
    pub fn memberships(&self) -> &[(Arc<Organization>, Role)] {
        &self.memberships
    }

    /// The caller in the organization that was asked for; without one, in the only one there is.
    pub fn caller(&self, wanted: Option<OrganizationId>) -> Result<Caller, NoCaller> {
        let membership = match wanted {
            Some(id) => self
                .memberships
                .iter()
                .find(|(organization, _)| organization.id == id),
            None => self.memberships.first().filter(|_| self.memberships.len() == 1),
        };
        let (organization, role) = membership.ok_or(NoCaller::NoOrganization)?;
        let caller = Caller {
            tenant: Tenant::of(organization.id),
            organization: organization.clone(),
            role: *role,
            user_id: self.user.id,
            credential: self.credential.clone(),
            expires_at: self.expires_at,
            abilities: self.abilities,
            sessions: self.sessions.clone(),
        };
        match organization.state {
            OrganizationState::Active => Ok(caller),
            OrganizationState::Suspended => Err(NoCaller::Suspended(Box::new(caller))),
            OrganizationState::Closed => Err(NoCaller::NoOrganization),
        }
    }

    /// The identity as an operator of the installation, if it is one. An access token of an
    /// organization never is, whoever its user.
    #[must_use]
    pub fn platform_administrator(&self) -> Option<PlatformAdministrator> {
        let is_operators = !matches!(self.credential, Credential::Token(_));
        (is_operators && self.user.is_platform_administrator).then(|| PlatformAdministrator {
            user_id: self.user.id,
            credential: self.credential.clone(),
        })
    }
}

impl Caller {
    /// The right to open transactions of the caller's organization.
    #[must_use]
    pub const fn tenant(&self) -> Tenant {
        self.tenant
    }

    /// The organization.
    #[must_use]
    pub fn organization(&self) -> &Organization {
        &self.organization
    }

    /// The user's role in it.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The user.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    /// The credential.
    #[must_use]
    pub const fn credential(&self) -> &Credential {
        &self.credential
    }

    /// When the credential ends; `None` if never.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// The credential's abilities, which the role may narrow further.
    #[must_use]
    pub const fn abilities(&self) -> Abilities {
        self.abilities
    }

    /// The only sessions there are for the caller; `None` for all of the organization's.
    #[must_use]
    pub fn sessions(&self) -> Option<&[SessionId]> {
        self.sessions.as_deref()
    }

    /// Whether the credential sees a session of the organization.
    #[must_use]
    pub fn sees(&self, session: SessionId) -> bool {
        self.sessions().is_none_or(|sessions| sessions.contains(&session))
    }

    /// The same, shared, as a part of what is asked of the store.
    #[must_use]
    pub fn session_limit(&self) -> Option<Arc<[SessionId]>> {
        self.sessions.clone()
    }

    /// Whether the credential's abilities and the user's role both allow it.
    #[must_use]
    pub fn may(&self, ability: Ability) -> bool {
        self.abilities.contains(ability) && self.role >= ability.minimum_role()
    }
}

impl PlatformAdministrator {
    /// The user.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    /// The credential.
    #[must_use]
    pub const fn credential(&self) -> &Credential {
        &self.credential
    }
}

/// Recognizes callers, without a look into the database for those who called a moment ago.
#[derive(Clone, Debug)]
pub struct Callers {
    store: Store,
    identities: Cache<String, Option<Arc<Identity>>>,
}

impl Callers {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            identities: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(MAX_AGE)
                .build(),
        }
    }

    /// Whose credential this is; `None` if it is unknown, wrong, revoked, expired, or of a disabled
    /// user. Found by its id, compared by hash in constant time.
    pub async fn identify(
        &self,
        presented: &PresentedCredential,
    ) -> Result<Option<Arc<Identity>>, StoreError> {
        let (key, secret) = match presented {
            PresentedCredential::Token { id, secret } => (id.as_str().to_owned(), secret),
            PresentedCredential::SignIn { id, secret } => (format!("sign-in:{id}"), secret),
        };
        let identity = match self.identities.get(&key).await {
            Some(identity) => identity,
            None => self
                .identities
                .try_get_with(key, self.load(presented))
                .await
                .map_err(|error: Arc<StoreError>| (*error).clone())?,
        };
        let now = self.store.clock().now();
        Ok(identity.filter(|identity| {
            identity.secret == *secret && identity.expires_at.is_none_or(|expires_at| now < expires_at)
        }))
    }

    /// Forgets everybody, because a credential, a membership or an organization changed.
    pub fn forget(&self) {
        self.identities.invalidate_all();
    }

    async fn load(&self, presented: &PresentedCredential) -> Result<Option<Arc<Identity>>, StoreError> {
        let tx = self.store.platform_read().await?;
        let identity = match presented {
            PresentedCredential::Token { id, .. } if id.is_platform() => {
                tx.identity_of_platform_token(id).await?
            }
            PresentedCredential::Token { id, .. } => tx.identity_of_access_token(id).await?,
            PresentedCredential::SignIn { id, .. } => tx.identity_of_sign_in(*id).await?,
        };
        Ok(identity.map(Arc::new))
    }
}
