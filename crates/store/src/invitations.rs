//! The organization's invitations.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, Order};
use wahana_domain::{Invitation, InvitationId, Member, Role, SecretHash, Timestamp, UserId};

use crate::{StoreError, TenantTx, entity::invitation, members};

/// Makes an invitation, by the hash of its secret.
pub async fn insert(tx: &TenantTx, new: &Invitation, secret: &SecretHash) -> Result<(), StoreError> {
    tx.insert(invitation::ActiveModel {
        id: Set(new.id.as_uuid()),
        email: Set(new.email.as_str().to_owned()),
        canonical_email: Set(new.email.canonical().to_owned()),
        role: Set(new.role.as_str().to_owned()),
        secret_hash: Set(secret.as_bytes().to_vec()),
        invited_by: Set(new.invited_by.map(UserId::as_uuid)),
        expires_at: Set(new.expires_at.as_micros()),
        accepted_at: Set(None),
        revoked_at: Set(None),
        created_at: Set(new.created_at.as_micros()),
        ..Default::default()
    })
    .await
}

/// A page of those that can still be used, newest first, and how many there are.
pub async fn open_page(tx: &TenantTx, offset: u64, limit: u64) -> Result<(Vec<Invitation>, u64), StoreError> {
    let open = || {
        tx.find::<invitation::Entity>()
            .filter(invitation::Column::AcceptedAt.is_null())
            .filter(invitation::Column::RevokedAt.is_null())
            .filter(invitation::Column::ExpiresAt.gt(tx.now().as_micros()))
    };
    let total = open().count().await?;
    let rows = open()
        .order_by(invitation::Column::CreatedAt, Order::Desc)
        .order_by(invitation::Column::Id, Order::Desc)
        .offset(offset)
        .limit(limit)
        .all()
        .await?;
    Ok((rows.iter().map(from_row).collect::<Result<_, _>>()?, total))
}

/// A part of all invitations, open or not, in the order of their ids, from behind `after`.
pub async fn every(
    tx: &TenantTx,
    after: Option<InvitationId>,
    limit: u64,
) -> Result<Vec<Invitation>, StoreError> {
    let rows = tx
        .find::<invitation::Entity>()
        .filter(Condition::all().add_option(after.map(|id| invitation::Column::Id.gt(id.as_uuid()))))
        .order_by(invitation::Column::Id, Order::Asc)
        .limit(limit)
        .all()
        .await?;
    rows.iter().map(from_row).collect()
}

/// One invitation, open or not.
pub async fn get(tx: &TenantTx, id: InvitationId) -> Result<Option<Invitation>, StoreError> {
    let found = tx
        .find::<invitation::Entity>()
        .filter(invitation::Column::Id.eq(id.as_uuid()));
    found.one().await?.as_ref().map(from_row).transpose()
}

/// Takes an invitation back; says whether it could still be used.
pub async fn revoke(tx: &TenantTx, id: InvitationId) -> Result<bool, StoreError> {
    let now = tx.now().as_micros();
    let revoked = tx
        .update::<invitation::Entity>()
        .set(invitation::Column::RevokedAt, now)
        .filter(invitation::Column::Id.eq(id.as_uuid()))
        .filter(invitation::Column::AcceptedAt.is_null())
        .filter(invitation::Column::RevokedAt.is_null())
        .filter(invitation::Column::ExpiresAt.gt(now))
        .run()
        .await?;
    Ok(revoked == 1)
}

/// Takes back what could outlive a member: the invitations they made, and those to their address.
pub async fn revoke_of_member(tx: &TenantTx, member: &Member) -> Result<(), StoreError> {
    let theirs = Condition::any()
        .add(invitation::Column::InvitedBy.eq(member.user_id.as_uuid()))
        .add(invitation::Column::CanonicalEmail.eq(member.email.canonical()));
    revoke_where(tx, theirs).await
}

/// Takes back the invitations that a member made for these roles.
pub async fn revoke_made_by(tx: &TenantTx, inviter: UserId, roles: &[Role]) -> Result<(), StoreError> {
    let made = Condition::all()
        .add(invitation::Column::InvitedBy.eq(inviter.as_uuid()))
        .add(invitation::Column::Role.is_in(roles.iter().map(|role| role.as_str())));
    revoke_where(tx, made).await
}

async fn revoke_where(tx: &TenantTx, condition: Condition) -> Result<(), StoreError> {
    tx.update::<invitation::Entity>()
        .set(invitation::Column::RevokedAt, tx.now().as_micros())
        .filter(condition)
        .filter(invitation::Column::AcceptedAt.is_null())
        .filter(invitation::Column::RevokedAt.is_null())
        .run()
        .await?;
    Ok(())
}

pub(crate) fn from_row(row: &invitation::Model) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        id: row.id.into(),
        organization_id: row.organization_id.into(),
        email: members::email("invitations", row.id.to_string(), &row.email)?,
        role: row.role.parse().map_err(|_| StoreError::Inconsistent {
            table: "invitations",
            column: "role",
            row: row.id.to_string(),
        })?,
        invited_by: row.invited_by.map(UserId::from),
        expires_at: Timestamp::from_micros(row.expires_at),
        accepted_at: row.accepted_at.map(Timestamp::from_micros),
        revoked_at: row.revoked_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
    })
}
