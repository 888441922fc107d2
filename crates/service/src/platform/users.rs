//! People as operators see them: they make, list, disable and enable them and bring them into
//! organizations.

use std::sync::Arc;

use wahana_domain::{
    EmailAddress, Membership, NewPassword, Organization, OrganizationId, OrganizationState, Role, User,
    UserId,
};
use wahana_store::{NewUser as NewUserRow, PlatformTx, UserChange};

use super::organization;
use crate::{Operator, ServiceError, Services, audit::record_by_operator};

/// A person to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Their address.
    pub email: EmailAddress,
    /// Their name.
    pub display_name: String,
    /// Their password; without one they cannot sign in yet.
    pub password: Option<NewPassword>,
    /// The organization that they join at once, and what they are there.
    pub membership: Option<(OrganizationId, Role)>,
    /// Whether they operate the installation; only the command line may say so.
    pub is_platform_administrator: bool,
}

/// A person and where they belong.
#[derive(Clone, Debug)]
pub struct UserWithMemberships {
    /// The person.
    pub user: User,
    /// The organizations that are not closed, with the person's role in each.
    pub memberships: Vec<(Arc<Organization>, Role)>,
}

/// Makes a person.
pub async fn create(
    services: &Services,
    operator: &Operator,
    new: NewUser,
) -> Result<UserWithMemberships, ServiceError> {
    if new.is_platform_administrator {
        require_command_line(operator)?;
    }
    let password = match new.password {
        Some(password) => Some(services.passwords.hash(password).await?),
        None => None,
    };
    let tx = services.store.platform_write().await?;
    let id = UserId::new();
    tx.insert_user(&NewUserRow {
        id,
        email: new.email,
        display_name: new.display_name,
        is_platform_administrator: new.is_platform_administrator,
    })
    .await?;
    if let Some(password) = password {
        tx.set_password(id, password).await?;
    }
    if let Some((organization, role)) = new.membership {
        insert_membership(&tx, organization, id, role).await?;
    }
    let concerned = new.membership.map(|(organization, _)| organization);
    let operation = "platform.users.create";
    record_by_operator(&tx, operator, concerned, operation).await?;
    let created = with_memberships(&tx, id).await?;
    tx.commit().await?;
    Ok(created)
}

/// A page of everybody by address, and how many there are.
pub async fn page(
    services: &Services,
    _: &Operator,
    offset: u64,
    limit: u64,
) -> Result<(Vec<User>, u64), ServiceError> {
    let tx = services.store.platform_read().await?;
    let total = tx.user_count().await?;
    Ok((tx.users(offset, limit).await?, total))
}

/// One person and where they belong.
pub async fn get(services: &Services, _: &Operator, id: UserId) -> Result<UserWithMemberships, ServiceError> {
    let tx = services.store.platform_read().await?;
    with_memberships(&tx, id).await
}

/// The person with this address, whom somebody at the command line names.
pub async fn find(services: &Services, _: &Operator, email: &EmailAddress) -> Result<User, ServiceError> {
    let tx = services.store.platform_read().await?;
    tx.user_by_email(email)
        .await?
        .ok_or(ServiceError::NotFound("User"))
}

/// Disables a person: nothing of theirs is accepted any more, and their sign-ins end.
///
/// # Errors
///
/// [`ServiceError::Conflict`] if it is the administrator who asks.
pub async fn disable(services: &Services, operator: &Operator, id: UserId) -> Result<User, ServiceError> {
    if operator.actor().user == Some(id) {
        return Err(ServiceError::conflict(
            "You cannot disable yourself; another platform administrator can.",
        ));
    }
    let tx = services.store.platform_write().await?;
    let before = user(&tx, id).await?;
    let disabled_at = before.disabled_at.unwrap_or(tx.now());
    tx.revoke_sign_ins(id, None).await?;
    let change = UserChange {
        disabled_at: Some(Some(disabled_at)),
        ..UserChange::default()
    };
    change_user(services, operator, tx, id, "platform.users.disable", &change).await
}

/// Enables a disabled person again. Their tokens work again; they sign in anew.
pub async fn enable(services: &Services, operator: &Operator, id: UserId) -> Result<User, ServiceError> {
    let tx = services.store.platform_write().await?;
    let change = UserChange {
        disabled_at: Some(None),
        ..UserChange::default()
    };
    change_user(services, operator, tx, id, "platform.users.enable", &change).await
}

/// Makes a person an operator of the installation, or one no more; the latter takes their platform
/// tokens back.
///
/// # Errors
///
/// [`ServiceError::Forbidden`] unless the command line asks.
pub async fn set_platform_administrator(
    services: &Services,
    operator: &Operator,
    id: UserId,
    is_platform_administrator: bool,
) -> Result<User, ServiceError> {
    require_command_line(operator)?;
    let tx = services.store.platform_write().await?;
    if !is_platform_administrator {
        for token in tx.platform_tokens().await? {
            if token.user_id == id {
                tx.revoke_platform_token(&token.id).await?;
            }
        }
    }
    let operation = if is_platform_administrator {
        "platform.users.grant_platform_administrator"
    } else {
        "platform.users.revoke_platform_administrator"
    };
    let change = UserChange {
        is_platform_administrator: Some(is_platform_administrator),
        ..UserChange::default()
    };
    change_user(services, operator, tx, id, operation, &change).await
}

/// Makes a person a member of an organization.
///
/// # Errors
///
/// [`ServiceError::Forbidden`] if an administrator would let themself in.
pub async fn add_membership(
    services: &Services,
    operator: &Operator,
    id: UserId,
    organization: OrganizationId,
    role: Role,
) -> Result<UserWithMemberships, ServiceError> {
    if operator.actor().user == Some(id) {
        return Err(ServiceError::Forbidden(
            "Platform administrators cannot let themselves into an organization.".to_owned(),
        ));
    }
    let tx = services.store.platform_write().await?;
    user(&tx, id).await?;
    insert_membership(&tx, organization, id, role).await?;
    let operation = "platform.users.memberships.create";
    let concerned = Some(organization);
    record_by_operator(&tx, operator, concerned, operation).await?;
    let after = with_memberships(&tx, id).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(after)
}

/// Gives a person a new password and ends all their sign-ins.
///
/// # Errors
///
/// [`ServiceError::Forbidden`] if an administrator asks it for another one: the command line can.
pub async fn set_password(
    services: &Services,
    operator: &Operator,
    id: UserId,
    password: NewPassword,
) -> Result<(), ServiceError> {
    let password = services.passwords.hash(password).await?;
    let tx = services.store.platform_write().await?;
    let user = user(&tx, id).await?;
    let asks_for_themself = operator.actor().user == Some(id);
    if user.is_platform_administrator && !asks_for_themself {
        require_command_line(operator)?;
    }
    tx.set_password(id, password).await?;
    tx.revoke_sign_ins(id, None).await?;
    let operation = "platform.users.set_password";
    record_by_operator(&tx, operator, None, operation).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(())
}

async fn change_user(
    services: &Services,
    operator: &Operator,
    tx: PlatformTx,
    id: UserId,
    operation: &str,
    change: &UserChange,
) -> Result<User, ServiceError> {
    if !tx.update_user(id, change).await? {
        return Err(ServiceError::NotFound("User"));
    }
    record_by_operator(&tx, operator, None, operation).await?;
    let after = user(&tx, id).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(after)
}

async fn insert_membership(
    tx: &PlatformTx,
    id: OrganizationId,
    user_id: UserId,
    role: Role,
) -> Result<(), ServiceError> {
    if organization(tx, id).await?.state == OrganizationState::Closed {
        return Err(ServiceError::conflict("This organization is closed."));
    }
    let membership = Membership {
        organization_id: id,
        user_id,
        role,
        created_at: tx.now(),
    };
    Ok(tx.insert_membership(&membership).await?)
}

async fn user(tx: &PlatformTx, id: UserId) -> Result<User, ServiceError> {
    tx.user(id).await?.ok_or(ServiceError::NotFound("User"))
}

async fn with_memberships(tx: &PlatformTx, id: UserId) -> Result<UserWithMemberships, ServiceError> {
    Ok(UserWithMemberships {
        user: user(tx, id).await?,
        memberships: tx.memberships_of(id).await?,
    })
}

fn require_command_line(operator: &Operator) -> Result<(), ServiceError> {
    match operator {
        Operator::CommandLine => Ok(()),
        Operator::Administrator(..) => Err(ServiceError::Forbidden(
            "Only the command line may do this to platform administrators.".to_owned(),
        )),
    }
}
