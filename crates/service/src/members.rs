//! The organization's members. Who manages whom is decided on what both are when it happens, under a
//! lock, so that two who act at once cannot leave an organization without an owner.

use wahana_domain::{Ability, Member, Role};
use wahana_store::{TenantTx, access_tokens, invitations, members, organizations};

use crate::{
    Context, Credential, ServiceError, Services,
    access::{BeMember, Granted, ManageMembers, Owned},
    audit,
};

/// A page of the members and how many there are.
pub async fn page(
    services: &Services,
    access: &Granted<ManageMembers>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Member>, u64), ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    Ok(members::page(&tx, offset, limit).await?)
}

/// Gives a member another role. Invitations that they made and could not make any more end.
pub async fn set_role(
    services: &Services,
    access: &Granted<ManageMembers>,
    member: &Owned<Member>,
    role: Role,
) -> Result<Member, ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    let member = lock_and_get(&tx, member).await?;
    let own = current_role(&tx, access.context()).await?;
    require_manages(own, member.role)?;
    require_manages(own, role)?;
    if role != Role::Owner {
        keep_an_owner(&tx, &member).await?;
    }
    members::set_role(&tx, member.user_id, role).await?;
    let beyond: Vec<_> = Role::ALL
        .into_iter()
        .filter(|other| !role.may_manage(*other))
        .collect();
    invitations::revoke_made_by(&tx, member.user_id, &beyond).await?;
    audit::record_success(&tx, access.context(), "members.update").await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(Member { role, ..member })
}

/// Takes a member out of the organization, and with them their tokens, the invitations they made, and
/// those to their address. A member of any role may leave.
pub async fn remove(
    services: &Services,
    access: &Granted<BeMember>,
    member: &Owned<Member>,
) -> Result<(), ServiceError> {
    let leaves = member.user_id == access.user_id();
    if leaves {
        may_leave(access)?;
    } else {
        Granted::<ManageMembers>::check(access.context().clone())?;
    }
    let tx = services.store.write(access.tenant()).await?;
    let member = lock_and_get(&tx, member).await?;
    if !leaves {
        require_manages(current_role(&tx, access.context()).await?, member.role)?;
    }
    keep_an_owner(&tx, &member).await?;
    access_tokens::revoke_of_user(&tx, member.user_id).await?;
    invitations::revoke_of_member(&tx, &member).await?;
    members::remove(&tx, member.user_id).await?;
    audit::record_success(&tx, access.context(), "members.remove").await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(())
}

/// A person may leave; a token of theirs only if it was made to manage members.
fn may_leave(access: &Granted<BeMember>) -> Result<(), ServiceError> {
    let is_token = !matches!(access.credential(), Credential::SignIn(_));
    let manages = access.abilities().contains(Ability::MembersManage) && access.sessions().is_none();
    if is_token && !manages {
        return Err(ServiceError::Forbidden(format!(
            "This token lacks the ability {}.",
            Ability::MembersManage
        )));
    }
    Ok(())
}

/// The member as they are now; until the transaction ends, no other changes the organization's
/// members.
async fn lock_and_get(tx: &TenantTx, member: &Member) -> Result<Member, ServiceError> {
    organizations::get_locked(tx).await?;
    members::get(tx, member.user_id)
        .await?
        .ok_or(ServiceError::NotFound("Member"))
}

/// What the caller is in the organization, now and until the transaction ends; it may be less than a
/// moment ago.
pub(crate) async fn current_role(tx: &TenantTx, context: &Context) -> Result<Role, ServiceError> {
    organizations::get_locked(tx).await?;
    let member = members::get(tx, context.caller.user_id()).await?;
    member
        .map(|member| member.role)
        .ok_or_else(|| ServiceError::Forbidden("You are not a member any more.".to_owned()))
}

/// Refuses what concerns a role that the caller may not give, change or take away.
pub(crate) fn require_manages(own: Role, other: Role) -> Result<(), ServiceError> {
    if own.may_manage(other) {
        return Ok(());
    }
    Err(ServiceError::Forbidden(format!(
        "Your role ({own}) does not manage the role {other}."
    )))
}

/// Refuses to take the last owner away.
async fn keep_an_owner(tx: &TenantTx, member: &Member) -> Result<(), ServiceError> {
    if member.role == Role::Owner && members::owner_count(tx).await? <= 1 {
        return Err(ServiceError::conflict(
            "An organization keeps an owner. Make another member an owner first.",
        ));
    }
    Ok(())
}
