//! Permissions, as proof: a function that needs one takes it as an argument, and only a caller who has
//! it can make it.

use std::{marker::PhantomData, ops::Deref, sync::Arc};

use wahana_domain::{
    Ability, AccessToken, Erasure, ErasureId, Export, ExportId, Invitation, InvitationId, Member, MessageId,
    OutgoingMessage, Session, SessionId, TokenId, UserId, WebhookDelivery, WebhookEndpoint,
};
use wahana_store::{
    Caller, PresentedCredential, TenantTx, access_tokens, erasures, exports, invitations, members,
    messages::{self, KnownMessage, Requester},
    sessions::{SessionNamed, SessionReference},
    webhooks,
};

use crate::{Context, ServiceError, Services};

/// Something that a caller may be allowed to do in their organization.
pub trait Permission: Send + Sync + 'static {
    /// The abilities that their credential needs and that their role must reach; none if every member may.
    const ABILITIES: &'static [Ability];
    /// Whether it concerns the whole organization, so that a token which sees only some sessions may
    /// not.
    const WHOLE_ORGANIZATION: bool;
}

macro_rules! permissions {
    ($($(#[$doc:meta])+ $name:ident: [$($ability:ident),*], $whole:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl Permission for $name {
            const ABILITIES: &'static [Ability] = &[$(Ability::$ability),*];
            const WHOLE_ORGANIZATION: bool = $whole;
        }
    )+};
}

permissions! {
    /// To be a member at all.
    BeMember: [], false;
    /// To see sessions.
    ReadSessions: [SessionsRead], false;
    /// To start, stop, pair, change and delete sessions.
    ManageSessions: [SessionsManage], false;
    /// To create sessions.
    CreateSessions: [SessionsManage], true;
    /// To read messages and chats.
    ReadMessages: [MessagesRead], false;
    /// To send messages.
    SendMessages: [MessagesSend], false;
    /// To read contacts and groups.
    ReadContacts: [ContactsRead], false;
    /// To see and manage members and invitations.
    ManageMembers: [MembersManage], true;
    /// To see and manage access tokens.
    ManageTokens: [TokensManage], true;
    /// To see and manage webhooks, those of the sessions that one sees.
    ManageWebhooks: [WebhooksManage], false;
    /// To change the organization itself.
    ManageOrganization: [OrganizationManage], true;
    /// To export the organization: whoever does reads everything that is in the export.
    ExportOrganization: [OrganizationManage, MembersManage, SessionsRead, MessagesRead, AuditRead], true;
    /// To read the audit log.
    ReadAudit: [AuditRead], true;
}

/// Whether somebody may still do what they asked for earlier, in a session; why not, if not.
pub(crate) async fn may_still<P: Permission>(
    tx: &TenantTx,
    requester: &Requester,
    session: SessionId,
) -> Result<Result<(), &'static str>, ServiceError> {
    let member = members::get(tx, requester.user).await?;
    let Some(member) = member.filter(|member| !member.is_disabled) else {
        return Ok(Err("Who asked for it is no member of the organization any more."));
    };
    if P::ABILITIES
        .iter()
        .any(|ability| member.role < ability.minimum_role())
    {
        return Ok(Err("The role of who asked for it does not allow it any more."));
    }
    let Some(id) = &requester.token else {
        return Ok(Ok(()));
    };
    let token = access_tokens::get(tx, id).await?;
    let is_sound = token.is_some_and(|token| {
        token.user_id == requester.user
            && token.expires_at.is_none_or(|at| at > tx.now())
            && P::ABILITIES
                .iter()
                .all(|ability| token.abilities.contains(*ability))
            && token.sessions.is_none_or(|sessions| sessions.contains(&session))
    });
    Ok(if is_sound {
        Ok(())
    } else {
        Err("The token with which it was asked for was revoked, has ended, or does not allow it any more.")
    })
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
        if let Some(lacking) = P::ABILITIES.iter().find(|ability| !caller.may(**ability)) {
            return Err(ServiceError::Forbidden(why_not(caller, *lacking)));
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

/// Whether a caller who was let in would be let in now, with the same role, abilities and sessions: for what goes on
/// for long.
pub async fn still_holds(
    services: &Services,
    presented: &PresentedCredential,
    caller: &Caller,
) -> Result<bool, ServiceError> {
    let Some(identity) = services.callers.identify(presented).await? else {
        return Ok(false);
    };
    let present = identity.caller(Some(caller.organization().id));
    Ok(present.is_ok_and(|present| {
        present.role() == caller.role()
            && present.abilities() == caller.abilities()
            && present.sessions() == caller.sessions()
    }))
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

impl<T> Owned<T> {
    /// The thing itself, shared.
    pub(crate) fn shared(&self) -> Arc<T> {
        self.0.clone()
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

impl Owned<KnownMessage> {
    /// Finds the message with this id, sent or received; [`ServiceError::NotFound`] alike, and after the same
    /// work, if it is another organization's or of a session that the caller may not see.
    pub async fn find(services: &Services, caller: &Caller, id: &str) -> Result<Self, ServiceError> {
        let not_found = || ServiceError::NotFound("Message");
        let id: MessageId = id.parse().map_err(|_| not_found())?;
        let tx = services.store.read(caller.tenant()).await?;
        messages::find(&tx, id, caller.session_limit().as_deref())
            .await?
            .map(|message| Self(Arc::new(message)))
            .ok_or_else(not_found)
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

impl Owned<WebhookEndpoint> {
    /// Finds the endpoint with this id; [`ServiceError::NotFound`] alike if it is another organization's, or is told
    /// of sessions that the caller may not see.
    pub async fn find(services: &Services, caller: &Caller, id: &str) -> Result<Self, ServiceError> {
        let not_found = || ServiceError::NotFound("Webhook");
        let id = id.parse().map_err(|_| not_found())?;
        let tx = services.store.read(caller.tenant()).await?;
        let endpoint = webhooks::endpoint(&tx, id).await?;
        endpoint
            .filter(|endpoint| endpoint.is_within(caller.sessions()))
            .map(|endpoint| Self(Arc::new(endpoint)))
            .ok_or_else(not_found)
    }
}

impl Owned<WebhookDelivery> {
    /// Finds the delivery with this id; [`ServiceError::NotFound`] alike if it is another organization's, or its
    /// endpoint is one that the caller may not see, or of a session that they may not see: the endpoint was told of it
    /// before.
    pub async fn find(services: &Services, caller: &Caller, id: &str) -> Result<Self, ServiceError> {
        let not_found = || ServiceError::NotFound("Delivery");
        let id = id.parse().map_err(|_| not_found())?;
        let tx = services.store.read(caller.tenant()).await?;
        let delivery = webhooks::delivery(&tx, id).await?.ok_or_else(not_found)?;
        let endpoint = webhooks::endpoint(&tx, delivery.endpoint_id).await?;
        endpoint
            .filter(|endpoint| endpoint.is_within(caller.sessions()))
            .filter(|_| delivery.is_test() || delivery.is_within(caller.sessions()))
            .map(|_| Self(Arc::new(delivery)))
            .ok_or_else(not_found)
    }
}

impl Owned<OutgoingMessage> {
    /// Finds the message that was handed to wahana with this id; [`ServiceError::NotFound`] alike if it is
    /// another organization's, or of a session that the caller may not see.
    pub async fn find(services: &Services, caller: &Caller, id: &str) -> Result<Self, ServiceError> {
        let not_found = || ServiceError::NotFound("Message");
        let id = id.parse().map_err(|_| not_found())?;
        let tx = services.store.read(caller.tenant()).await?;
        let message = messages::get(&tx, id).await?;
        message
            .filter(|message| caller.sees(message.session_id))
            .map(|message| Self(Arc::new(message)))
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

impl Owned<Erasure> {
    /// Finds the erasure with this id; [`ServiceError::NotFound`] if it is another organization's too.
    pub async fn find(services: &Services, caller: &Caller, id: &str) -> Result<Self, ServiceError> {
        let not_found = || ServiceError::NotFound("Erasure");
        let id: ErasureId = id.parse().map_err(|_| not_found())?;
        let tx = services.store.read(caller.tenant()).await?;
        erasures::get(&tx, id)
            .await?
            .map(|erasure| Self(Arc::new(erasure)))
            .ok_or_else(not_found)
    }
}

impl Owned<Export> {
    /// Finds the export with this id; [`ServiceError::NotFound`] if it is another organization's too.
    pub async fn find(services: &Services, caller: &Caller, id: &str) -> Result<Self, ServiceError> {
        let not_found = || ServiceError::NotFound("Export");
        let id: ExportId = id.parse().map_err(|_| not_found())?;
        let tx = services.store.read(caller.tenant()).await?;
        exports::get(&tx, id)
            .await?
            .map(|export| Self(Arc::new(export)))
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
