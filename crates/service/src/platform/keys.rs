//! The keys that encrypt secrets at rest: which are in use, and changing to another.

use std::collections::BTreeMap;

use wahana_store::Reencrypted;

use crate::{Operator, ServiceError, Services, audit::record_by_operator};

/// How many secrets are encrypted anew in one transaction.
const BATCH: u64 = 100;

/// How many stored secrets each key encrypted, by the number of the key.
pub async fn in_use(services: &Services, _: &Operator) -> Result<BTreeMap<u32, u64>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.keys_in_use().await?)
}

/// Encrypts every stored secret with the first key of the ring, in short transactions, so that it can be broken
/// off and done again. Says how many were encrypted anew, and how many could not be read.
pub async fn reencrypt(services: &Services, operator: &Operator) -> Result<Reencrypted, ServiceError> {
    let mut whole = Reencrypted::default();
    loop {
        let tx = services.store.platform_write().await?;
        let batch = tx.reencrypt_secrets(whole.next, BATCH).await?;
        whole.next = batch.next;
        whole.changed += batch.changed;
        whole.unreadable += batch.unreadable;
        if batch.changed > 0 {
            record_by_operator(&tx, operator, None, "platform.keys.reencrypt").await?;
        }
        tx.commit().await?;
        if whole.next.is_none() {
            return Ok(whole);
        }
    }
}
