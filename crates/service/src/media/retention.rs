//! The end of files: those that are older than their organization keeps them, those that are more than the
//! platform allows, and those that nobody needs.
//!
//! A file ends in three steps, each of which may be the last before a crash: its row says so, its bytes are
//! deleted, and its row says that, or goes too.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use wahana_domain::{Organization, OrganizationId, StorageKey};

use super::store::FoundName;
use crate::{
    ServiceError, Services,
    jobs::{JobError, Running},
    limits::Allowance,
};

/// How many rows one transaction changes.
const BATCH: u64 = 500;
/// How long others have the database between two batches.
const PAUSE: Duration = Duration::from_millis(50);
const DAY: Duration = Duration::from_hours(24);
/// How long a file is waited for: longer than its job is tried.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// How old bytes are that nobody is about to write down.
const ORPHAN_AGE: Duration = Duration::from_hours(24);
/// When to come back while too many files wait to be sent.
const FULL_RETRY: Duration = Duration::from_mins(1);
/// How many of the folders of an organization are looked through in an hour, so that all are in a day.
const SHARDS_AN_HOUR: i64 = 11;
const SHARDS: i64 = 256;
/// An organization's files are counted again when so many times as much as this came in is what it may have.
const COUNTS_A_LIMIT: u64 = 16;

/// How much each organization's files grew since they were last counted, as far as this process knows.
#[derive(Debug, Default)]
pub(crate) struct Growth(Mutex<HashMap<OrganizationId, u64>>);

impl Growth {
    /// Notes that an organization has so many bytes more; says whether its files should be counted.
    fn note(&self, organization: OrganizationId, bytes: u64, limit: u64) -> bool {
        let mut growth = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = growth.entry(organization).or_default();
        *grown = grown.saturating_add(bytes);
        let is_much = *grown >= limit / COUNTS_A_LIMIT;
        if is_much {
            growth.remove(&organization);
        }
        is_much
    }
}

/// Notes that an organization has so many bytes more, and keeps it within its limit: within an hour it could
/// take all the room that there is. What fails here is done by the next round.
pub(super) async fn note_growth(services: &Services, organization: OrganizationId, bytes: u64) {
    let limit = services.settings.media.organization_bytes;
    if !services.media_growth.note(organization, bytes, limit) {
        return;
    }
    let kept = async {
        if keep_within_limit(services, organization, || false).await? {
            delete_ended(services, Some(organization), || false).await?;
        }
        Ok::<_, ServiceError>(())
    };
    if let Err(error) = kept.await {
        tracing::warn!(organization.id = %organization, error = %error, "files beyond an organization's limit could not be deleted yet");
    }
}

/// Makes sure that an organization may have so many bytes more of files that are to be sent; what it keeps of others
/// gives way to them.
pub(crate) async fn check_room(
    services: &Services,
    organization: OrganizationId,
    bytes: u64,
) -> Result<(), ServiceError> {
    let limit = services.settings.media.organization_bytes;
    let tx = services.store.platform_read().await?;
    let waiting = tx.waiting_media_bytes(organization).await?;
    if waiting.saturating_add(bytes) <= limit {
        return Ok(());
    }
    Err(ServiceError::QuotaExceeded {
        message: format!(
            "The files of the organization that wait to be sent may have {limit} bytes together. Send this one when \
             others were sent, or cancel some."
        ),
        allowance: Allowance {
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            remaining: u32::try_from(limit.saturating_sub(waiting)).unwrap_or(u32::MAX),
            reset_after: FULL_RETRY,
        },
    })
}

/// Ends what an organization does not keep any longer, and what is more than it may have; says whether it came to
/// its end before the process was told to stop.
pub(crate) async fn end(
    services: &Services,
    job: &Running,
    organization: &Organization,
) -> Result<bool, JobError> {
    let days = organization.retention.media_days;
    if let Some(days) = days.and_then(|days| u32::try_from(days).ok()) {
        loop {
            if job.is_stopping() {
                return Ok(false);
            }
            let tx = job.write().await?;
            let before = tx.now().minus(DAY * days);
            let ended = tx.end_old_media(organization.id, before, BATCH).await?;
            tx.commit().await?;
            if ended < BATCH {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    keep_within_limit(services, organization.id, || job.is_stopping()).await?;
    Ok(!job.is_stopping())
}

/// Ends what nobody will use, and deletes the bytes of all that has ended; says whether it came to its end.
pub(crate) async fn delete(services: &Services, job: &Running) -> Result<bool, JobError> {
    loop {
        if job.is_stopping() {
            return Ok(false);
        }
        let tx = job.write().await?;
        let expected_before = tx.now().minus(LONGEST_WAIT);
        let ended = tx.end_abandoned_media(expected_before, BATCH).await?;
        tx.commit().await?;
        if ended < BATCH {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    delete_ended(services, None, || job.is_stopping()).await?;
    Ok(!job.is_stopping())
}

/// Ends an organization's oldest files until it has no more than the platform allows; says whether there were
/// any.
async fn keep_within_limit(
    services: &Services,
    organization: OrganizationId,
    is_stopping: impl Fn() -> bool,
) -> Result<bool, ServiceError> {
    let limit = services.settings.media.organization_bytes;
    let mut has_ended = false;
    while !is_stopping() {
        let tx = services.store.platform_write().await?;
        let bytes = tx.media_bytes(organization).await?;
        if bytes <= limit {
            return Ok(has_ended);
        }
        let ended = tx.end_oldest_media(organization, bytes - limit, BATCH).await?;
        tx.commit().await?;
        if ended == 0 {
            // All that is left waits to be sent.
            return Ok(has_ended);
        }
        tracing::info!(
            organization.id = %organization,
            media.files = ended,
            "an organization has more files than the platform allows; its oldest are deleted"
        );
        has_ended = true;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(has_ended)
}

/// Deletes the bytes of files that have ended, of an organization, or of all. One that cannot be deleted keeps up no
/// other; that there was one is said at the end.
pub(crate) async fn delete_ended(
    services: &Services,
    organization: Option<OrganizationId>,
    is_stopping: impl Fn() -> bool,
) -> Result<(), ServiceError> {
    let (mut after, mut failure) = (None, None);
    while !is_stopping() {
        let tx = services.store.platform_read().await?;
        let ended = tx.ended_media(organization, after, BATCH).await?;
        drop(tx);
        let Some(last) = ended.last() else {
            break;
        };
        after = Some(last.id);
        let mut deleted = Vec::new();
        for file in &ended {
            let outcome = match &file.key {
                Some(key) => services.settings.media.store.delete(key).await,
                None => Ok(()),
            };
            match outcome {
                Ok(()) => deleted.push(file.id),
                Err(error) => failure = Some(error),
            }
        }
        if !deleted.is_empty() {
            let tx = services.store.platform_write().await?;
            tx.forget_ended_media(&deleted).await?;
            tx.commit().await?;
        }
        if ended.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}

/// Deletes bytes of an organization that no row names: a process died between writing them and writing them
/// down. A part of the folders is looked through each time.
pub(crate) async fn delete_orphans(
    services: &Services,
    organization: OrganizationId,
) -> Result<(), ServiceError> {
    let store = &services.settings.media.store;
    let now = services.now();
    let hour = now.as_seconds().div_euclid(3600);
    for shard in (0..SHARDS_AN_HOUR).map(|part| (hour * SHARDS_AN_HOUR + part).rem_euclid(SHARDS)) {
        let shard = u8::try_from(shard).unwrap_or(0);
        let mut found = store.list(organization, shard).await?;
        found.retain(|found| now.since(found.modified_at) > ORPHAN_AGE);
        let mut keys: Vec<StorageKey> = Vec::new();
        for found in found {
            match found.name {
                FoundName::Key(key) => keys.push(key),
                FoundName::Unfinished(key) => store.delete_unfinished(&key).await?,
            }
        }
        for keys in keys.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
            let tx = services.store.platform_read().await?;
            let known = tx.known_storage_keys(keys).await?;
            drop(tx);
            for key in keys
                .iter()
                .filter(|key| !known.iter().any(|known| known == key.as_str()))
            {
                store.delete(key).await?;
            }
        }
    }
    Ok(())
}
