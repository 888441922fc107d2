//! Who presented a credential: its organization is not known before it was looked up.

use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use wahana_domain::{
    Abilities, Organization, OrganizationState, Role, SessionId, SignInId, Timestamp, TokenId, User, UserId,
};

use super::{PlatformTx, stored_hash};
use crate::{
    Credential, Identity, StoreError, access_tokens, entity::access_token, entity::access_token_session,
    entity::membership, entity::organization, entity::platform_token, entity::sign_in, members,
    organizations,
};

impl PlatformTx {
    /// The identity behind an access token: the token names its organization, so the look-up comes
    /// before it. `None` if the token is unknown or revoked, or its user disabled.
    pub async fn identity_of_access_token(&self, id: &TokenId) -> Result<Option<Identity>, StoreError> {
        let Some(row) = access_token::Entity::find_by_id(id.as_str())
            .filter(access_token::Column::RevokedAt.is_null())
            .one(&self.transaction)
            .await?
        else {
            return Ok(None);
        };
        let Some(user) = self.enabled_user(row.user_id.into()).await? else {
            return Ok(None);
        };
        let sessions = if row.is_limited_to_sessions {
            let limits = access_token_session::Entity::find()
                .filter(access_token_session::Column::TokenId.eq(id.as_str()))
                .all(&self.transaction)
                .await?;
            Some(
                limits
                    .iter()
                    .map(|limit| SessionId::from(limit.session_id))
                    .collect::<Arc<[_]>>(),
            )
        } else {
            None
        };
        let mut memberships = self.memberships_of(user.id).await?;
        memberships.retain(|(organization, _)| organization.id.as_uuid() == row.organization_id);
        Ok(Some(Identity {
            secret: stored_hash("access_tokens", &row.id, &row.secret_hash)?,
            expires_at: row.expires_at.map(Timestamp::from_micros),
            abilities: access_tokens::abilities(&row)?,
            credential: Credential::Token(id.clone()),
            user,
            sessions,
            memberships,
        }))
    }

    /// The identity behind a platform administrator's token, which belongs to no organization.
    pub async fn identity_of_platform_token(&self, id: &TokenId) -> Result<Option<Identity>, StoreError> {
        let Some(row) = platform_token::Entity::find_by_id(id.as_str())
            .filter(platform_token::Column::RevokedAt.is_null())
            .one(&self.transaction)
            .await?
        else {
            return Ok(None);
        };
        let Some(user) = self.enabled_user(row.user_id.into()).await? else {
            return Ok(None);
        };
        Ok(Some(Identity {
            secret: stored_hash("platform_tokens", &row.id, &row.secret_hash)?,
            expires_at: row.expires_at.map(Timestamp::from_micros),
            abilities: Abilities::Some(0),
            credential: Credential::PlatformToken(id.clone()),
            user,
            sessions: None,
            memberships: Vec::new(),
        }))
    }

    /// The identity behind a cookie: a person may belong to several organizations.
    pub async fn identity_of_sign_in(&self, id: SignInId) -> Result<Option<Identity>, StoreError> {
        let Some(row) = sign_in::Entity::find_by_id(id.as_uuid())
            .filter(sign_in::Column::RevokedAt.is_null())
            .one(&self.transaction)
            .await?
        else {
            return Ok(None);
        };
        let Some(user) = self.enabled_user(row.user_id.into()).await? else {
            return Ok(None);
        };
        Ok(Some(Identity {
            secret: stored_hash("sign_ins", &row.id.to_string(), &row.secret_hash)?,
            expires_at: Some(Timestamp::from_micros(row.expires_at)),
            abilities: Abilities::All,
            credential: Credential::SignIn(id),
            memberships: self.memberships_of(user.id).await?,
            user,
            sessions: None,
        }))
    }

    async fn enabled_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.user(id).await?.filter(|user| user.disabled_at.is_none()))
    }

    /// The organizations that a person belongs to and that are not closed, the oldest membership
    /// first: the person is known before an organization is.
    pub async fn memberships_of(&self, user: UserId) -> Result<Vec<(Arc<Organization>, Role)>, StoreError> {
        let memberships = membership::Entity::find()
            .filter(membership::Column::UserId.eq(user.as_uuid()))
            .order_by_asc(membership::Column::CreatedAt)
            .order_by_asc(membership::Column::OrganizationId)
            .all(&self.transaction)
            .await?;
        let ids = memberships.iter().map(|membership| membership.organization_id);
        let organizations = organization::Entity::find()
            .filter(organization::Column::Id.is_in(ids))
            .filter(organization::Column::State.ne(OrganizationState::Closed.as_str()))
            .all(&self.transaction)
            .await?;
        memberships
            .iter()
            .filter_map(|membership| {
                let organization = organizations
                    .iter()
                    .find(|o| o.id == membership.organization_id)?;
                Some((membership, organization.clone()))
            })
            .map(|(membership, organization)| {
                Ok((
                    Arc::new(organizations::from_row(organization)?),
                    members::role(membership)?,
                ))
            })
            .collect()
    }
}
