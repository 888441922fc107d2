//! Everything that is encrypted at rest, and with which keys.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LockType},
};
use secrecy::ExposeSecret;
use uuid::Uuid;
use wahana_domain::{OrganizationId, ServerId, WebhookEndpointId};

use super::{PlatformTx, servers::api_key_of};
use crate::{
    Belonging, StoreError,
    entity::{waha_server, webhook_endpoint},
    key_ring,
    transaction::within_database,
    webhooks::{HEADERS, SECRET, belonging},
};

/// Whose secrets were looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// A WAHA server's. They come first.
    Server(ServerId),
    /// A webhook endpoint's.
    Endpoint(WebhookEndpointId),
}

/// What came of encrypting some of the stored secrets anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reencrypted {
    /// How many were encrypted anew.
    pub changed: u64,
    /// How many cannot be decrypted with the key ring, and stay as they are.
    pub unreadable: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<SecretPlace>,
}

impl PlatformTx {
    /// How many stored secrets each key encrypted, by the number of the key: which keys there are is the platform's.
    pub async fn keys_in_use(&self) -> Result<BTreeMap<u32, u64>, StoreError> {
        use webhook_endpoint::{Column, Entity};
        let mut stored: Vec<Vec<u8>> = waha_server::Entity::find()
            .select_only()
            .column(waha_server::Column::EncryptedApiKey)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        for column in [
            Column::EncryptedSecret,
            Column::EncryptedPreviousSecret,
            Column::EncryptedHeaders,
        ] {
            let of_endpoints: Vec<Vec<u8>> = Entity::find()
                .select_only()
                .column(column)
                .filter(column.is_not_null())
                .into_tuple()
                .all(&self.transaction)
                .await?;
            stored.extend(of_endpoints);
        }
        let mut used = BTreeMap::new();
        for secret in stored {
            *used.entry(key_ring::key_of(&secret)?).or_default() += 1;
        }
        Ok(used)
    }

    /// Encrypts the secrets of the next servers or endpoints with the present key, those that another key encrypted;
    /// which keys there are is the platform's. Servers that were removed have theirs too.
    pub async fn reencrypt_secrets(
        &self,
        after: Option<SecretPlace>,
        limit: u64,
    ) -> Result<Reencrypted, StoreError> {
        let after_server = match after {
            Some(SecretPlace::Endpoint(id)) => return self.reencrypt_endpoints(Some(id), limit).await,
            Some(SecretPlace::Server(id)) => Some(id),
            None => None,
        };
        let servers = self.reencrypt_servers(after_server, limit).await?;
        if servers.next.is_some() {
            return Ok(servers);
        }
        self.reencrypt_endpoints(None, limit).await
    }

    async fn reencrypt_servers(
        &self,
        after: Option<ServerId>,
        limit: u64,
    ) -> Result<Reencrypted, StoreError> {
        use waha_server::{Column, Entity};
        let mut select = Entity::find()
            .select_only()
            .column(Column::Id)
            .column(Column::EncryptedApiKey)
            .order_by_asc(Column::Id)
            .limit(within_database(limit));
        if let Some(after) = after {
            select = select.filter(Column::Id.gt(after.as_uuid()));
        }
        // Whoever changes the key of a server at this moment is waited for.
        let rows: Vec<(Uuid, Vec<u8>)> = select
            .lock(LockType::NoKeyUpdate)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let mut outcome = Reencrypted::default();
        for (id, stored) in rows {
            let server = ServerId::from(id);
            outcome.next = Some(SecretPlace::Server(server));
            let Some(encrypted) = self.encrypted_anew(&stored, api_key_of(server), &mut outcome)? else {
                continue;
            };
            Entity::update_many()
                .col_expr(Column::EncryptedApiKey, Expr::value(encrypted))
                .filter(Column::Id.eq(id))
                .exec(&self.transaction)
                .await?;
        }
        Ok(outcome)
    }

    async fn reencrypt_endpoints(
        &self,
        after: Option<WebhookEndpointId>,
        limit: u64,
    ) -> Result<Reencrypted, StoreError> {
        use webhook_endpoint::{Column, Entity};
        let mut select = Entity::find()
            .order_by_asc(Column::Id)
            .limit(within_database(limit));
        if let Some(after) = after {
            select = select.filter(Column::Id.gt(after.as_uuid()));
        }
        let rows = select.lock(LockType::NoKeyUpdate).all(&self.transaction).await?;
        let mut outcome = Reencrypted::default();
        for row in rows {
            outcome.next = Some(SecretPlace::Endpoint(row.id.into()));
            for (column, purpose, stored) in [
                (Column::EncryptedSecret, SECRET, Some(row.encrypted_secret)),
                (
                    Column::EncryptedPreviousSecret,
                    SECRET,
                    row.encrypted_previous_secret,
                ),
                (Column::EncryptedHeaders, HEADERS, row.encrypted_headers),
            ] {
                let Some(stored) = stored else { continue };
                let place = belonging(purpose, OrganizationId::from(row.organization_id), row.id);
                let Some(encrypted) = self.encrypted_anew(&stored, place, &mut outcome)? else {
                    continue;
                };
                Entity::update_many()
                    .col_expr(column, Expr::value(encrypted))
                    .filter(Column::Id.eq(row.id))
                    .exec(&self.transaction)
                    .await?;
            }
        }
        Ok(outcome)
    }

    /// A secret, encrypted with the present key; `None` if it is already, or cannot be read.
    fn encrypted_anew(
        &self,
        stored: &[u8],
        belonging: Belonging,
        outcome: &mut Reencrypted,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if key_ring::key_of(stored)? == self.keys.current()? {
            return Ok(None);
        }
        let Ok(secret) = self.keys.decrypt(stored, belonging) else {
            outcome.unreadable += 1;
            return Ok(None);
        };
        outcome.changed += 1;
        Ok(Some(self.keys.encrypt(secret.expose_secret(), belonging)?))
    }
}
