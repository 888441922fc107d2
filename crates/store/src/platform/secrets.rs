//! Everything that is encrypted at rest, and with which keys.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LockType},
};
use secrecy::ExposeSecret;
use uuid::Uuid;
use wahana_domain::ServerId;

use super::{PlatformTx, servers::api_key_of};
use crate::{StoreError, entity::waha_server, key_ring, transaction::within_database};

/// What came of encrypting some of the stored secrets anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reencrypted {
    /// How many were encrypted anew.
    pub changed: u64,
    /// How many cannot be decrypted with the key ring, and stay as they are.
    pub unreadable: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<ServerId>,
}

impl PlatformTx {
    /// How many stored secrets each key encrypted, by the number of the key: secrets belong to the platform.
    pub async fn keys_in_use(&self) -> Result<BTreeMap<u32, u64>, StoreError> {
        let stored: Vec<Vec<u8>> = waha_server::Entity::find()
            .select_only()
            .column(waha_server::Column::EncryptedApiKey)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let mut used = BTreeMap::new();
        for secret in stored {
            *used.entry(key_ring::key_of(&secret)?).or_default() += 1;
        }
        Ok(used)
    }

    /// Encrypts the next of the stored secrets with the present key, those that another key encrypted; secrets
    /// belong to the platform. Servers that were removed have theirs too.
    pub async fn reencrypt_secrets(
        &self,
        after: Option<ServerId>,
        limit: u64,
    ) -> Result<Reencrypted, StoreError> {
        let current = self.keys.current()?;
        let mut select = waha_server::Entity::find()
            .select_only()
            .column(waha_server::Column::Id)
            .column(waha_server::Column::EncryptedApiKey)
            .order_by_asc(waha_server::Column::Id)
            .limit(within_database(limit));
        if let Some(after) = after {
            select = select.filter(waha_server::Column::Id.gt(after.as_uuid()));
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
            outcome.next = Some(server);
            if key_ring::key_of(&stored)? == current {
                continue;
            }
            let Ok(secret) = self.keys.decrypt(&stored, api_key_of(server)) else {
                outcome.unreadable += 1;
                continue;
            };
            let encrypted = self.keys.encrypt(secret.expose_secret(), api_key_of(server))?;
            waha_server::Entity::update_many()
                .col_expr(waha_server::Column::EncryptedApiKey, Expr::value(encrypted))
                .filter(waha_server::Column::Id.eq(id))
                .exec(&self.transaction)
                .await?;
            outcome.changed += 1;
        }
        Ok(outcome)
    }
}
