//! The organization's access tokens.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, Order};
use wahana_domain::{Abilities, AccessToken, SecretHash, SessionId, Timestamp, TokenId, UserId};

use crate::{
    StoreError, TenantTx,
    entity::{access_token, access_token_session},
};

/// Makes a token, by the hash of its secret.
pub async fn insert(tx: &TenantTx, new: &AccessToken, secret: &SecretHash) -> Result<(), StoreError> {
    let abilities = serde_json::to_string(&new.abilities.to_list())
        .map_err(|error| StoreError::Database(format!("abilities cannot be written: {error}")))?;
    tx.insert(access_token::ActiveModel {
        id: Set(new.id.as_str().to_owned()),
        user_id: Set(new.user_id.as_uuid()),
        name: Set(new.name.clone()),
        secret_hash: Set(secret.as_bytes().to_vec()),
        abilities: Set(abilities),
        is_limited_to_sessions: Set(new.sessions.is_some()),
        expires_at: Set(new.expires_at.map(Timestamp::as_micros)),
        last_used_at: Set(None),
        revoked_at: Set(None),
        created_at: Set(new.created_at.as_micros()),
        ..Default::default()
    })
    .await?;
    for session in new.sessions.iter().flatten() {
        tx.insert(access_token_session::ActiveModel {
            token_id: Set(new.id.as_str().to_owned()),
            session_id: Set(session.as_uuid()),
            ..Default::default()
        })
        .await?;
    }
    Ok(())
}

/// A page of those that were not revoked, newest first, and how many there are.
pub async fn page(tx: &TenantTx, offset: u64, limit: u64) -> Result<(Vec<AccessToken>, u64), StoreError> {
    let living = || {
        tx.find::<access_token::Entity>()
            .filter(access_token::Column::RevokedAt.is_null())
    };
    let total = living().count().await?;
    let rows = living()
        .order_by(access_token::Column::CreatedAt, Order::Desc)
        .order_by(access_token::Column::Id, Order::Desc)
        .offset(offset)
        .limit(limit)
        .all()
        .await?;
    Ok((with_sessions(tx, rows).await?, total))
}

/// A part of all tokens, also of those that were revoked, in the order of their ids, from behind `after`.
pub async fn every(
    tx: &TenantTx,
    after: Option<&TokenId>,
    limit: u64,
) -> Result<Vec<AccessToken>, StoreError> {
    let rows = tx
        .find::<access_token::Entity>()
        .filter(Condition::all().add_option(after.map(|id| access_token::Column::Id.gt(id.as_str()))))
        .order_by(access_token::Column::Id, Order::Asc)
        .limit(limit)
        .all()
        .await?;
    with_sessions(tx, rows).await
}

async fn with_sessions(
    tx: &TenantTx,
    rows: Vec<access_token::Model>,
) -> Result<Vec<AccessToken>, StoreError> {
    let ids = rows
        .iter()
        .filter(|row| row.is_limited_to_sessions)
        .map(|row| row.id.as_str());
    let limits = tx
        .find::<access_token_session::Entity>()
        .filter(access_token_session::Column::TokenId.is_in(ids))
        .order_by(access_token_session::Column::SessionId, Order::Asc)
        .all()
        .await?;
    rows.into_iter().map(|row| from_row(row, &limits)).collect()
}

/// One token that was not revoked.
pub async fn get(tx: &TenantTx, id: &TokenId) -> Result<Option<AccessToken>, StoreError> {
    let found = tx
        .find::<access_token::Entity>()
        .filter(access_token::Column::Id.eq(id.as_str()))
        .filter(access_token::Column::RevokedAt.is_null());
    let Some(row) = found.one().await? else {
        return Ok(None);
    };
    let limits = tx
        .find::<access_token_session::Entity>()
        .filter(access_token_session::Column::TokenId.eq(id.as_str()))
        .all()
        .await?;
    from_row(row, &limits).map(Some)
}

/// Takes a token back; says whether it was there.
pub async fn revoke(tx: &TenantTx, id: &TokenId) -> Result<bool, StoreError> {
    Ok(revoke_where(tx, Condition::all().add(access_token::Column::Id.eq(id.as_str()))).await? == 1)
}

/// Takes all tokens of a user back, because they are no member any more.
pub async fn revoke_of_user(tx: &TenantTx, user: UserId) -> Result<u64, StoreError> {
    revoke_where(
        tx,
        Condition::all().add(access_token::Column::UserId.eq(user.as_uuid())),
    )
    .await
}

async fn revoke_where(tx: &TenantTx, condition: Condition) -> Result<u64, StoreError> {
    tx.update::<access_token::Entity>()
        .set(access_token::Column::RevokedAt, tx.now().as_micros())
        .filter(condition)
        .filter(access_token::Column::RevokedAt.is_null())
        .run()
        .await
}

pub(crate) fn abilities(row: &access_token::Model) -> Result<Abilities, StoreError> {
    serde_json::from_str(&row.abilities).map_err(|_| StoreError::Inconsistent {
        table: "access_tokens",
        column: "abilities",
        row: row.id.clone(),
    })
}

fn from_row(
    row: access_token::Model,
    limits: &[access_token_session::Model],
) -> Result<AccessToken, StoreError> {
    let abilities = abilities(&row)?;
    let inconsistent = |_| StoreError::Inconsistent {
        table: "access_tokens",
        column: "id",
        row: row.id.clone(),
    };
    let sessions = row.is_limited_to_sessions.then(|| {
        let own = limits.iter().filter(|limit| limit.token_id == row.id);
        own.map(|limit| SessionId::from(limit.session_id)).collect()
    });
    Ok(AccessToken {
        id: TokenId::parse(&row.id).map_err(inconsistent)?,
        organization_id: row.organization_id.into(),
        user_id: row.user_id.into(),
        name: row.name,
        abilities,
        sessions,
        expires_at: row.expires_at.map(Timestamp::from_micros),
        last_used_at: row.last_used_at.map(Timestamp::from_micros),
        revoked_at: row.revoked_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
    })
}
