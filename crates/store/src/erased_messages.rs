//! Messages that were erased, so that what WAHA tells of them once more brings nothing back.
//!
//! WhatsApp's own key of a message is a random number, which says nothing of the chat, and what is kept is a hash of
//! it and of the session. It goes when WAHA has long given up telling of the message.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wahana_domain::SessionId;

use crate::{
    StoreError, TenantTx,
    entity::{
        erased_message::{ActiveModel, Column, Entity},
        message,
    },
};

/// Remembers that these messages were erased, as far as WhatsApp's keys of them are known.
pub(crate) async fn remember(tx: &TenantTx, rows: &[message::Model]) -> Result<(), StoreError> {
    let now = tx.now().as_micros();
    let keyed = rows.iter().filter_map(|row| {
        let key = row.message_key.as_deref()?;
        Some((row.session_id, hash(row.session_id, key)))
    });
    let keyed: Vec<_> = keyed.collect();
    // WAHA's answer may give a message that was just sent the key of one that was told of and erased before.
    let (sessions, hashes): (BTreeSet<_>, Vec<_>) = keyed.iter().cloned().unzip();
    // With the session, because the hashes are found by it.
    let known = Condition::all()
        .add(Column::SessionId.is_in(sessions))
        .add(Column::KeyHash.is_in(hashes));
    tx.delete::<Entity>(known).await?;
    let rows = keyed.into_iter().map(|(session, hash)| ActiveModel {
        session_id: Set(session),
        key_hash: Set(hash),
        erased_at: Set(now),
        ..Default::default()
    });
    tx.insert_many(rows.collect()).await
}

/// Those of these keys of a session that are of messages which were erased.
pub(crate) async fn among<'a>(
    tx: &TenantTx,
    session: SessionId,
    keys: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<String>, StoreError> {
    let session = session.as_uuid();
    let mut keys: Vec<_> = keys.into_iter().map(|key| (key, hash(session, key))).collect();
    if keys.is_empty() {
        return Ok(BTreeSet::new());
    }
    let found = tx
        .find::<Entity>()
        .filter(Column::SessionId.eq(session))
        .filter(Column::KeyHash.is_in(keys.iter().map(|(_, hash)| hash.clone())));
    let found: BTreeSet<_> = found.all().await?.into_iter().map(|row| row.key_hash).collect();
    keys.retain(|(_, hash)| found.contains(hash));
    Ok(keys.into_iter().map(|(key, _)| key.to_owned()).collect())
}

fn hash(session: Uuid, key: &str) -> Vec<u8> {
    Sha256::new()
        .chain_update(session.as_bytes())
        .chain_update(key)
        .finalize()
        .to_vec()
}
