//! Tokens of platform administrators, and when tokens were used.

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use wahana_domain::{PlatformToken, SecretHash, Timestamp, TokenId, UserId};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{access_token, platform_token},
};

/// A token of a platform administrator, to be made.
#[derive(Clone, Debug)]
pub struct NewPlatformToken {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is called.
    pub name: String,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl PlatformTx {
    /// Makes a token of a platform administrator: it is for no organization.
    pub async fn insert_platform_token(&self, new: &NewPlatformToken) -> Result<(), StoreError> {
        self.insert(platform_token::ActiveModel {
            id: Set(new.id.as_str().to_owned()),
            user_id: Set(new.user_id.as_uuid()),
            name: Set(new.name.clone()),
            secret_hash: Set(new.secret.as_bytes().to_vec()),
            expires_at: Set(new.expires_at.map(Timestamp::as_micros)),
            last_used_at: Set(None),
            revoked_at: Set(None),
            created_at: Set(self.now().as_micros()),
        })
        .await
    }

    /// The tokens of platform administrators that were not revoked, newest first.
    pub async fn platform_tokens(&self) -> Result<Vec<PlatformToken>, StoreError> {
        let rows = platform_token::Entity::find()
            .filter(platform_token::Column::RevokedAt.is_null())
            .order_by_desc(platform_token::Column::CreatedAt)
            .all(&self.transaction)
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok(PlatformToken {
                    id: TokenId::parse(&row.id).map_err(|_| StoreError::Inconsistent {
                        table: "platform_tokens",
                        column: "id",
                        row: row.id.clone(),
                    })?,
                    user_id: row.user_id.into(),
                    name: row.name,
                    expires_at: row.expires_at.map(Timestamp::from_micros),
                    last_used_at: row.last_used_at.map(Timestamp::from_micros),
                    revoked_at: row.revoked_at.map(Timestamp::from_micros),
                    created_at: Timestamp::from_micros(row.created_at),
                })
            })
            .collect()
    }

    /// Ends a token of a platform administrator; says whether it was open.
    pub async fn revoke_platform_token(&self, id: &TokenId) -> Result<bool, StoreError> {
        let revoked = platform_token::Entity::update_many()
            .col_expr(
                platform_token::Column::RevokedAt,
                Expr::value(self.now().as_micros()),
            )
            .filter(platform_token::Column::Id.eq(id.as_str()))
            .filter(platform_token::Column::RevokedAt.is_null())
            .exec(&self.transaction)
            .await?;
        Ok(revoked.rows_affected == 1)
    }

    /// Writes down when tokens were last used: once a minute for all that were, of every organization,
    /// so that a request costs no write.
    pub async fn touch_tokens(&self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        for (id, at) in used {
            if id.is_platform() {
                platform_token::Entity::update_many()
                    .col_expr(platform_token::Column::LastUsedAt, Expr::value(at.as_micros()))
                    .filter(platform_token::Column::Id.eq(id.as_str()))
                    .exec(&self.transaction)
                    .await?;
            } else {
                access_token::Entity::update_many()
                    .col_expr(access_token::Column::LastUsedAt, Expr::value(at.as_micros()))
                    .filter(access_token::Column::Id.eq(id.as_str()))
                    .exec(&self.transaction)
                    .await?;
            }
        }
        Ok(())
    }
}
