//! The organization's members.

use sea_orm::{ColumnTrait, Condition, Order};
use wahana_domain::{EmailAddress, Member, Membership, Role, Timestamp, User, UserId};

use crate::{
    StoreError, TenantTx,
    entity::{membership, user},
};

/// A page of the members, the oldest first, and how many there are.
pub async fn page(tx: &TenantTx, offset: u64, limit: u64) -> Result<(Vec<Member>, u64), StoreError> {
    let total = tx.find::<membership::Entity>().count().await?;
    let memberships = tx
        .find::<membership::Entity>()
        .order_by(membership::Column::CreatedAt, Order::Asc)
        .order_by(membership::Column::UserId, Order::Asc)
        .offset(offset)
        .limit(limit)
        .all()
        .await?;
    Ok((with_users(tx, &memberships).await?, total))
}

/// A part of all members, in the order of their ids, from behind `after`.
pub async fn every(tx: &TenantTx, after: Option<UserId>, limit: u64) -> Result<Vec<Member>, StoreError> {
    let memberships = tx
        .find::<membership::Entity>()
        .filter(Condition::all().add_option(after.map(|id| membership::Column::UserId.gt(id.as_uuid()))))
        .order_by(membership::Column::UserId, Order::Asc)
        .limit(limit)
        .all()
        .await?;
    with_users(tx, &memberships).await
}

/// One member.
pub async fn get(tx: &TenantTx, user_id: UserId) -> Result<Option<Member>, StoreError> {
    let found = tx
        .find::<membership::Entity>()
        .filter(membership::Column::UserId.eq(user_id.as_uuid()));
    let memberships: Vec<_> = found.one().await?.into_iter().collect();
    Ok(with_users(tx, &memberships).await?.pop())
}

/// How many members may manage the organization itself.
pub async fn owner_count(tx: &TenantTx) -> Result<u64, StoreError> {
    tx.find::<membership::Entity>()
        .filter(membership::Column::Role.eq(Role::Owner.as_str()))
        .count()
        .await
}

/// Gives a member another role; says whether there is such a member.
pub async fn set_role(tx: &TenantTx, user_id: UserId, role: Role) -> Result<bool, StoreError> {
    let updated = tx
        .update::<membership::Entity>()
        .set(membership::Column::Role, role.as_str())
        .set(membership::Column::UpdatedAt, tx.now().as_micros())
        .filter(membership::Column::UserId.eq(user_id.as_uuid()))
        .run()
        .await?;
    Ok(updated == 1)
}

/// Takes a member out of the organization; says whether there was such a member.
pub async fn remove(tx: &TenantTx, user_id: UserId) -> Result<bool, StoreError> {
    Ok(tx
        .delete::<membership::Entity>(membership::Column::UserId.eq(user_id.as_uuid()))
        .await?
        == 1)
}

async fn with_users(tx: &TenantTx, memberships: &[membership::Model]) -> Result<Vec<Member>, StoreError> {
    let ids = memberships.iter().map(|membership| membership.user_id);
    let users = tx
        .find::<user::Entity>()
        .filter(user::Column::Id.is_in(ids))
        .all()
        .await?;
    memberships
        .iter()
        .filter_map(|membership| {
            Some((
                membership,
                users.iter().find(|user| user.id == membership.user_id)?,
            ))
        })
        .map(|(membership, user)| {
            Ok(Member {
                user_id: user.id.into(),
                email: email("users", user.id.to_string(), &user.email)?,
                display_name: user.display_name.clone(),
                role: role(membership)?,
                is_disabled: user.disabled_at.is_some(),
                created_at: Timestamp::from_micros(membership.created_at),
            })
        })
        .collect()
}

pub(crate) fn role(row: &membership::Model) -> Result<Role, StoreError> {
    row.role.parse().map_err(|_| StoreError::Inconsistent {
        table: "memberships",
        column: "role",
        row: format!("{}/{}", row.organization_id, row.user_id),
    })
}

pub(crate) fn email(table: &'static str, row: String, text: &str) -> Result<EmailAddress, StoreError> {
    EmailAddress::parse(text).map_err(|_| StoreError::Inconsistent {
        table,
        column: "email",
        row,
    })
}

pub(crate) fn to_row(membership: &Membership) -> membership::Model {
    membership::Model {
        organization_id: membership.organization_id.as_uuid(),
        user_id: membership.user_id.as_uuid(),
        role: membership.role.as_str().to_owned(),
        created_at: membership.created_at.as_micros(),
        updated_at: membership.created_at.as_micros(),
    }
}

pub(crate) fn user_from_row(row: user::Model) -> Result<User, StoreError> {
    Ok(User {
        id: row.id.into(),
        email: email("users", row.id.to_string(), &row.email)?,
        display_name: row.display_name,
        is_platform_administrator: row.is_platform_administrator,
        disabled_at: row.disabled_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
