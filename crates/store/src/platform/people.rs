//! People, their passwords and sign-ins: a person belongs to no organization, or to several.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use wahana_domain::{
    EmailAddress, Invitation, InvitationId, PasswordResetId, SecretHash, SignInId, Timestamp, User, UserId,
};

use super::{PlatformTx, stored_hash};
use crate::{
    StoreError,
    entity::{invitation, password_reset, sign_in, user, user_password},
    invitations, members,
    transaction::within_database,
};

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Their id.
    pub id: UserId,
    /// Their address.
    pub email: EmailAddress,
    /// Their name.
    pub display_name: String,
    /// Whether they operate the installation.
    pub is_platform_administrator: bool,
}

/// What to change of a user; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Whether they operate the installation.
    pub is_platform_administrator: Option<bool>,
    /// Since when they are disabled; `Some(None)` enables them.
    pub disabled_at: Option<Option<Timestamp>>,
}

/// A password's hash, in PHC form.
#[derive(Clone)]
pub struct StoredPassword(pub String);

impl PlatformTx {
    /// A person by id: they exist beside organizations.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let row = user::Entity::find_by_id(id.as_uuid())
            .one(&self.transaction)
            .await?;
        row.map(members::user_from_row).transpose()
    }

    /// A person by e-mail address, as they sign in or are named by operators.
    pub async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        let found = user::Entity::find().filter(user::Column::CanonicalEmail.eq(email.canonical()));
        found
            .one(&self.transaction)
            .await?
            .map(members::user_from_row)
            .transpose()
    }

    /// Everybody, by address, for operators.
    pub async fn users(&self, offset: u64, limit: u64) -> Result<Vec<User>, StoreError> {
        let rows = user::Entity::find()
            .order_by_asc(user::Column::CanonicalEmail)
            .offset(within_database(offset))
            .limit(within_database(limit))
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(members::user_from_row).collect()
    }

    /// How many people there are.
    pub async fn user_count(&self) -> Result<u64, StoreError> {
        Ok(user::Entity::find().count(&self.transaction).await?)
    }

    /// Makes a person.
    pub async fn insert_user(&self, new: &NewUser) -> Result<(), StoreError> {
        let now = self.now().as_micros();
        self.insert(user::ActiveModel {
            id: Set(new.id.as_uuid()),
            email: Set(new.email.as_str().to_owned()),
            canonical_email: Set(new.email.canonical().to_owned()),
            display_name: Set(new.display_name.clone()),
            is_platform_administrator: Set(new.is_platform_administrator),
            disabled_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        })
        .await
    }

    /// Changes a person; says whether they exist.
    pub async fn update_user(&self, id: UserId, change: &UserChange) -> Result<bool, StoreError> {
        let mut update = user::Entity::update_many()
            .col_expr(user::Column::UpdatedAt, Expr::value(self.now().as_micros()))
            .filter(user::Column::Id.eq(id.as_uuid()));
        if let Some(is_administrator) = change.is_platform_administrator {
            update = update.col_expr(
                user::Column::IsPlatformAdministrator,
                Expr::value(is_administrator),
            );
        }
        if let Some(disabled_at) = change.disabled_at {
            update = update.col_expr(
                user::Column::DisabledAt,
                Expr::value(disabled_at.map(Timestamp::as_micros)),
            );
        }
        Ok(update.exec(&self.transaction).await?.rows_affected == 1)
    }

    /// A person's password: no organization may read it.
    pub async fn password(&self, user: UserId) -> Result<Option<StoredPassword>, StoreError> {
        let row = user_password::Entity::find_by_id(user.as_uuid())
            .one(&self.transaction)
            .await?;
        Ok(row.map(|row| StoredPassword(row.password_hash)))
    }

    /// Sets a person's password. Every open link to choose one ends with it.
    pub async fn set_password(&self, user: UserId, password: StoredPassword) -> Result<(), StoreError> {
        let row = user_password::ActiveModel {
            user_id: Set(user.as_uuid()),
            password_hash: Set(password.0),
            updated_at: Set(self.now().as_micros()),
        };
        let replace = OnConflict::column(user_password::Column::UserId)
            .update_columns([
                user_password::Column::PasswordHash,
                user_password::Column::UpdatedAt,
            ])
            .to_owned();
        user_password::Entity::insert(row)
            .on_conflict(replace)
            .exec_without_returning(&self.transaction)
            .await?;
        password_reset::Entity::update_many()
            .col_expr(
                password_reset::Column::UsedAt,
                Expr::value(self.now().as_micros()),
            )
            .filter(password_reset::Column::UserId.eq(user.as_uuid()))
            .filter(password_reset::Column::UsedAt.is_null())
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Keeps a sign-in, by the hash of the cookie's secret.
    pub async fn insert_sign_in(
        &self,
        id: SignInId,
        user: UserId,
        secret: &SecretHash,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.insert(sign_in::ActiveModel {
            id: Set(id.as_uuid()),
            user_id: Set(user.as_uuid()),
            secret_hash: Set(secret.as_bytes().to_vec()),
            expires_at: Set(expires_at.as_micros()),
            revoked_at: Set(None),
            created_at: Set(self.now().as_micros()),
        })
        .await
    }

    /// Ends a sign-in.
    pub async fn revoke_sign_in(&self, id: SignInId) -> Result<(), StoreError> {
        self.revoke_sign_ins_where(sign_in::Column::Id.eq(id.as_uuid()))
            .await
    }

    /// Ends every sign-in of a person, but the one that is kept: after a change of password.
    pub async fn revoke_sign_ins(&self, user: UserId, kept: Option<SignInId>) -> Result<(), StoreError> {
        let mut condition = sign_in::Column::UserId.eq(user.as_uuid());
        if let Some(kept) = kept {
            condition = condition.and(sign_in::Column::Id.ne(kept.as_uuid()));
        }
        self.revoke_sign_ins_where(condition).await
    }

    async fn revoke_sign_ins_where(
        &self,
        condition: sea_orm::sea_query::SimpleExpr,
    ) -> Result<(), StoreError> {
        sign_in::Entity::update_many()
            .col_expr(sign_in::Column::RevokedAt, Expr::value(self.now().as_micros()))
            .filter(sign_in::Column::RevokedAt.is_null())
            .filter(condition)
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// An invitation and the hash of its secret: whoever follows the link is not a member yet.
    pub async fn invitation(&self, id: InvitationId) -> Result<Option<(Invitation, SecretHash)>, StoreError> {
        let Some(row) = invitation::Entity::find_by_id(id.as_uuid())
            .one(&self.transaction)
            .await?
        else {
            return Ok(None);
        };
        let secret = stored_hash("invitations", &row.id.to_string(), &row.secret_hash)?;
        Ok(Some((invitations::from_row(&row)?, secret)))
    }

    /// Uses an invitation up; says whether it was still open. Two who come at once do not both get in.
    pub async fn use_invitation(&self, id: InvitationId) -> Result<bool, StoreError> {
        let now = self.now().as_micros();
        let used = invitation::Entity::update_many()
            .col_expr(invitation::Column::AcceptedAt, Expr::value(now))
            .filter(invitation::Column::Id.eq(id.as_uuid()))
            .filter(invitation::Column::AcceptedAt.is_null())
            .filter(invitation::Column::RevokedAt.is_null())
            .filter(invitation::Column::ExpiresAt.gt(now))
            .exec(&self.transaction)
            .await?;
        Ok(used.rows_affected == 1)
    }

    /// Keeps a link to choose a new password, by the hash of its secret.
    pub async fn insert_password_reset(
        &self,
        id: PasswordResetId,
        user: UserId,
        secret: &SecretHash,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.insert(password_reset::ActiveModel {
            id: Set(id.as_uuid()),
            user_id: Set(user.as_uuid()),
            secret_hash: Set(secret.as_bytes().to_vec()),
            expires_at: Set(expires_at.as_micros()),
            used_at: Set(None),
            created_at: Set(self.now().as_micros()),
        })
        .await
    }

    /// Uses a link up if its secret is right and it is still open; says whose it is.
    pub async fn use_password_reset(
        &self,
        id: PasswordResetId,
        secret: &SecretHash,
    ) -> Result<Option<UserId>, StoreError> {
        let now = self.now().as_micros();
        let Some(row) = password_reset::Entity::find_by_id(id.as_uuid())
            .one(&self.transaction)
            .await?
        else {
            return Ok(None);
        };
        if stored_hash("password_resets", &row.id.to_string(), &row.secret_hash)? != *secret {
            return Ok(None);
        }
        let used = password_reset::Entity::update_many()
            .col_expr(password_reset::Column::UsedAt, Expr::value(now))
            .filter(password_reset::Column::Id.eq(id.as_uuid()))
            .filter(password_reset::Column::UsedAt.is_null())
            .filter(password_reset::Column::ExpiresAt.gt(now))
            .exec(&self.transaction)
            .await?;
        if used.rows_affected == 0 {
            return Ok(None);
        }
        Ok(Some(row.user_id.into()))
    }
}
