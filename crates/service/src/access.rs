//! Permissions, as proof: a function that needs one takes it as an argument, and only a caller who has
//! it can make it.

use std::{marker::PhantomData, ops::Deref, sync::Arc};

use wahana_domain::{Ability, AccessToken, Invitation, InvitationId, Member, Session, TokenId, UserId};
use wahana_store::{
    Caller, access_tokens, invitations, members,
    sessions::{SessionNamed, SessionReference},
};

use crate::{Context, ServiceError, Services};

/// Something that a caller may be allowed to do in their organization.
pub trait Permission: Send + Sync + 'static {
    /// The ability that their credential needs and that their role must reach; `None` if every member
    /// may.
    const ABILITY: Option<Ability>;
    /// Whether it concerns the whole organization, so that a token which sees only some sessions may
    /// not.
    const WHOLE_ORGANIZATION: bool;
}

macro_rules! permissions {
    ($($(#[$doc:meta])+ $name:ident: $ability:expr, $whole:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl Permission for $name {
            const ABILITY: Option<Ability> = $ability;
            const WHOLE_ORGANIZATION: bool = $whole;
        }
    )+};
}

permissions! {
    /// To be a member at all.
    BeMember: None, false;
    /// To see sessions.
    ReadSessions: Some(Ability::SessionsRead), false;
    /// To start, stop, pair, change and delete sessions.
    ManageSessions: Some(Ability::SessionsManage), false;
    /// To create sessions.
    CreateSessions: Some(Ability::SessionsManage), true;
    /// To read messages and chats.
    ReadMessages: Some(Ability::MessagesRead), false;
    /// To send messages.
    SendMessages: Some(Ability::MessagesSend), false;
    /// To read contacts and groups.
    ReadContacts: Some(Ability::ContactsRead), false;
    /// To see and manage members and invitations.
    ManageMembers: Some(Ability::MembersManage), true;
    /// To see and manage access tokens.
    ManageTokens: Some(Ability::TokensManage), true;
    /// To change the organization itself.
    ManageOrganization: Some(Ability::OrganizationManage), true;
    /// To read the audit log.
    ReadAudit: Some(Ability::AuditRead), true;
}

/// A caller who has the permission `P`.
#[derive(Debug)]
pub struct Granted<P> {
    context: Context,
    permission: PhantomData<P>,
}

impl<P: Permission> Granted<P> {
    /// Checks role, abilities and session limit.
    pub fn check(context: Context) -> Result<Self, ServiceError> {
        let caller = &context.caller;
        if let Some(ability) = P::ABILITY
            && !caller.may(ability)
        {
            return Err(ServiceError::Forbidden(why_not(caller, ability)));
        }
        if P::WHOLE_ORGANIZATION && caller.sessions().is_some() {
            return Err(ServiceError::Forbidden(
                "This token is limited to some sessions and cannot do what concerns the whole organization."
                    .to_owned(),
            ));
        }
        Ok(Self {
            context,
            permission: PhantomData,
        })
    }

    /// The caller and the request.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }
}

impl<P> Deref for Granted<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.context.caller
    }
}

fn why_not(caller: &Caller, ability: Ability) -> String {
    if caller.role() < ability.minimum_role() {
        format!(
            "Your role ({}) does not allow this; it takes {}.",
            caller.role(),
            ability.minimum_role()
        )
    } else {
        format!("This token lacks the ability {ability}.")
    }
}

/// Something that exists in the caller's organization and that the caller may see. What is done to a
/// thing takes this, never an id.
#[derive(Debug)]
pub struct Owned<T>(Arc<T>);

impl<T> Clone for Owned<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl Owned<Session> {
    /// Finds the session that a path or body names, by name or id, as it was a moment ago at most.
    ///
    /// # Errors
    ///
    /// [`ServiceError::SessionNotFound`] alike, and after the same work, whether it does not exist or
    /// is another's.
    pub async fn find(services: &Services, caller: &Caller, named: &str) -> Result<Self, ServiceError> {
        let reference = SessionReference::parse(named).ok_or(ServiceError::SessionNotFound)?;
        let read = SessionNamed {
            reference,
            only: caller.session_limit(),
        };
        let found = services.session_by_name.get(caller, &read).await?;
        found.map(Self).ok_or(ServiceError::SessionNotFound)
    }
}

impl Owned<AccessToken> {
    /// Finds the token with this id; [`ServiceError::NotFound`] if it is another organization's too.
    pub async fn find(services: &Services, caller: &Caller, id: &str) -> Result<Self, ServiceError> {
        let not_found = || ServiceError::NotFound("Token");
        let id = TokenId::parse(id).map_err(|_| not_found())?;
        let tx = services.store.read(caller.tenant()).await?;
        access_tokens::get(&tx, &id)
            .await?
            .map(|token| Self(Arc::new(token)))
            .ok_or_else(not_found)
    }
}

impl Owned<Member> {
    /// Finds the member who is this user; [`ServiceError::NotFound`] if they are only another
    /// organization's.
    pub async fn find(services: &Services, caller: &Caller, id: &str) -> Result<Self, ServiceError> {
        let not_found = || ServiceError::NotFound("Member");
        let id: UserId = id.parse().map_err(|_| not_found())?;
        let tx = services.store.read(caller.tenant()).await?;
        members::get(&tx, id)
            .await?
            .map(|member| Self(Arc::new(member)))
            .ok_or_else(not_found)
    }
}

impl Owned<Invitation> {
    /// Finds the open invitation with this id; [`ServiceError::NotFound`] if it is another
    /// organization's, or was used, taken back, or has ended.
    pub async fn find(services: &Services, caller: &Caller, id: &str) -> Result<Self, ServiceError> {
        let not_found = || ServiceError::NotFound("Invitation");
        let id: InvitationId = id.parse().map_err(|_| not_found())?;
        let tx = services.store.read(caller.tenant()).await?;
        let found = invitations::get(&tx, id).await?;
        found
            .filter(|invitation| invitation.is_open(tx.now()))
            .map(|invitation| Self(Arc::new(invitation)))
            .ok_or_else(not_found)
    }
}
