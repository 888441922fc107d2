//! Invitations: how people come into an organization.

use std::time::Duration;

use secrecy::SecretString;
use wahana_domain::{
    EmailAddress, Invitation, InvitationId, Membership, NewPassword, Organization, OrganizationState, Role,
    Secret, Text, User, UserId,
};
use wahana_store::{NewUser, PlatformTx, StoredPassword, Uniqueness, invitations};

use crate::{
    FieldErrors, RequestOrigin, ServiceError, Services,
    access::{Granted, ManageMembers, Owned},
    audit,
    context::{Actor, Person},
    links::{Page, PresentedLink, link},
    members,
};

/// How long an invitation can be used.
pub const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// Whom to invite.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Their address.
    pub email: EmailAddress,
    /// What they will be.
    pub role: Role,
}

/// An invitation that was just made.
#[derive(Debug)]
pub struct CreatedInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// Its link, which is shown this once, to whoever invited.
    pub link: SecretString,
}

/// An open invitation, as whoever has its link sees it.
#[derive(Debug)]
pub struct Opened {
    /// The invitation.
    pub invitation: Invitation,
    /// The organization that invites.
    pub organization: Organization,
}

/// What somebody who is no user yet says about themself.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Their name.
    pub display_name: Text<100>,
    /// Their password.
    pub password: NewPassword,
}

/// A page of those that can still be used and how many there are.
pub async fn page(
    services: &Services,
    access: &Granted<ManageMembers>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Invitation>, u64), ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    Ok(invitations::open_page(&tx, offset, limit).await?)
}

/// Invites somebody.
pub async fn create(
    services: &Services,
    access: &Granted<ManageMembers>,
    new: NewInvitation,
) -> Result<CreatedInvitation, ServiceError> {
    let organization = access.tenant().organization_id();
    let is_member = {
        let tx = services.store.platform_read().await?;
        tx.is_member(organization, &new.email).await?
    };
    let tx = services.store.write(access.tenant()).await?;
    let role = members::current_role(&tx, access.context()).await?;
    members::require_manages(role, new.role)?;
    if is_member {
        return Err(Uniqueness::Membership.into());
    }
    let secret = Secret::generate();
    let invitation = Invitation {
        id: InvitationId::new(),
        organization_id: organization,
        email: new.email,
        role: new.role,
        invited_by: Some(access.user_id()),
        expires_at: tx.now().plus(LIFETIME),
        accepted_at: None,
        revoked_at: None,
        created_at: tx.now(),
    };
    invitations::insert(&tx, &invitation, &secret.hash()).await?;
    audit::record_success(&tx, access.context(), "invitations.create").await?;
    tx.commit().await?;
    Ok(CreatedInvitation {
        link: link(
            &services.settings.public_url,
            Page::Invitation,
            invitation.id,
            &secret,
        ),
        invitation,
    })
}

/// Takes an invitation back.
pub async fn revoke(
    services: &Services,
    access: &Granted<ManageMembers>,
    invitation: &Owned<Invitation>,
) -> Result<(), ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    let role = members::current_role(&tx, access.context()).await?;
    members::require_manages(role, invitation.role)?;
    if !invitations::revoke(&tx, invitation.id).await? {
        return Err(ServiceError::NotFound("Invitation"));
    }
    audit::record_success(&tx, access.context(), "invitations.revoke").await?;
    Ok(tx.commit().await?)
}

/// What a link invites to. It does not say whether its address has an account.
pub async fn open(
    services: &Services,
    origin: &RequestOrigin,
    presented: Option<PresentedLink<InvitationId>>,
) -> Result<Opened, ServiceError> {
    let attempt = services.attempts.on_link(origin.source_address)?;
    let presented = presented.ok_or(ServiceError::LinkInvalid)?;
    let tx = services.store.platform_read().await?;
    let opened = look_up(&tx, &presented).await?;
    attempt.succeeded();
    Ok(opened)
}

/// Makes whoever has the link a member: the person who is signed in, if the invitation is to their
/// address, or, if nobody has that address yet, a new user.
pub async fn accept(
    services: &Services,
    origin: &RequestOrigin,
    person: Option<&Person>,
    presented: Option<PresentedLink<InvitationId>>,
    account: Result<NewAccount, FieldErrors>,
) -> Result<Opened, ServiceError> {
    let attempt = services.attempts.on_link(origin.source_address)?;
    let presented = presented.ok_or(ServiceError::LinkInvalid)?;
    let (opened, user) = {
        let tx = services.store.platform_read().await?;
        let opened = look_up(&tx, &presented).await?;
        let user = tx.user_by_email(&opened.invitation.email).await?;
        (opened, user)
    };
    attempt.succeeded();
    if opened.organization.state == OrganizationState::Suspended {
        return Err(ServiceError::Forbidden(
            "This organization is suspended. Please contact the platform's operator.".to_owned(),
        ));
    }
    let joining = who_joins(services, user.as_ref(), person, account).await?;

    let tx = services.store.platform_write().await?;
    if !tx.use_invitation(opened.invitation.id).await? {
        return Err(ServiceError::LinkInvalid);
    }
    let user_id = match joining {
        Joining::User(id) => id,
        Joining::Stranger(display_name, password) => {
            insert_user(&tx, &opened.invitation.email, display_name, password).await?
        }
    };
    tx.insert_membership(&Membership {
        organization_id: opened.organization.id,
        user_id,
        role: opened.invitation.role,
        created_at: tx.now(),
    })
    .await?;
    audit::record_on_platform(
        &tx,
        &Actor::person(user_id, origin),
        Some(opened.organization.id),
        "invitations.accept",
    )
    .await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(opened)
}

/// The open invitation behind a link, of an organization that is not closed.
async fn look_up(tx: &PlatformTx, presented: &PresentedLink<InvitationId>) -> Result<Opened, ServiceError> {
    let found = tx.invitation(presented.id).await?;
    let (invitation, _) = found
        .filter(|(invitation, secret)| *secret == presented.secret && invitation.is_open(tx.now()))
        .ok_or(ServiceError::LinkInvalid)?;
    let organization = tx
        .organization(invitation.organization_id)
        .await?
        .filter(|organization| organization.state != OrganizationState::Closed)
        .ok_or(ServiceError::LinkInvalid)?;
    Ok(Opened {
        invitation,
        organization,
    })
}

/// Who becomes a member.
enum Joining {
    User(UserId),
    Stranger(Text<100>, StoredPassword),
}

async fn who_joins(
    services: &Services,
    invited: Option<&User>,
    person: Option<&Person>,
    account: Result<NewAccount, FieldErrors>,
) -> Result<Joining, ServiceError> {
    let forbidden = |why: &str| Err(ServiceError::Forbidden(why.to_owned()));
    match (invited, person) {
        (Some(invited), Some(person)) if invited.id == person.identity.user().id => {
            // A token is for one organization and does not bring its user into another.
            person.sign_in()?;
            Ok(Joining::User(invited.id))
        }
        (_, Some(_)) => forbidden(
            "This invitation is for another e-mail address than the one you are signed in with. Sign out first.",
        ),
        (Some(_), None) => forbidden("Sign in with the invited e-mail address, and open the link again."),
        (None, None) => {
            let account = account?;
            let password = services.passwords.hash(account.password).await?;
            Ok(Joining::Stranger(account.display_name, password))
        }
    }
}

async fn insert_user(
    tx: &PlatformTx,
    email: &EmailAddress,
    display_name: Text<100>,
    password: StoredPassword,
) -> Result<UserId, ServiceError> {
    let new = NewUser {
        id: UserId::new(),
        email: email.clone(),
        display_name: display_name.into_string(),
        is_platform_administrator: false,
    };
    tx.insert_user(&new).await?;
    tx.set_password(new.id, password).await?;
    Ok(new.id)
}
