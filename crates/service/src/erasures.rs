//! Erasing everything that an organization keeps of a chat, as background work.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wahana_domain::{ChatId, Erasure, ErasureId, Month};
use wahana_store::{Tenant, erasures, exports, jobs, organizations};

use crate::{
    ServiceError, Services,
    access::{Granted, ManageOrganization},
    audit,
    jobs::{Ended, JobError, JobKind, Running},
    limits::MonthlyQuota,
    media,
};

/// How many rows one transaction reads or changes.
const BATCH: u64 = 500;
/// How long others have the database between two batches.
const PAUSE: Duration = Duration::from_millis(50);
/// When it is looked again whether what kept the end up is over.
const LOOK_AGAIN: Duration = Duration::from_mins(1);
const NOT_YET: &str = "a message of the chat is being sent, or events of WAHA are not applied yet";
/// What keeps the end of an erasure up when nothing else does.
pub(crate) const LOG_IN_USE: &str = "the database's log still has what was deleted, and is in use";

/// What the job knows. The chat is in the erasure alone, which forgets it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) erasure: ErasureId,
}

/// Asks for everything of a chat to be erased.
pub async fn create(
    services: &Services,
    access: &Granted<ManageOrganization>,
    chat: ChatId,
) -> Result<Erasure, ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    let erasure = Erasure {
        id: ErasureId::new(),
        chat_id: Some(chat),
        messages: 0,
        events: 0,
        created_at: tx.now(),
        finished_at: None,
    };
    // Whoever ends an export looks for erasures, and locks this, too.
    organizations::get_locked(&tx).await?;
    erasures::insert(&tx, &erasure).await?;
    jobs::enqueue(&tx, &JobKind::erase(erasure.id, tx.now())).await?;
    audit::record_success(&tx, access.context(), "erasures.create").await?;
    tx.commit().await?;
    services.wake_workers();
    Ok(erasure)
}

/// Erases a chat. Each step may be done again.
pub(crate) async fn erase(services: &Services, job: &Running) -> Result<Ended, JobError> {
    let Payload { erasure } = serde_json::from_str(job.payload()).map_err(|error| {
        ServiceError::Internal(format!("a job to erase a chat names no erasure: {error}"))
    })?;
    let Some(tenant) = job.tenant().await? else {
        return Ok(Ended::Done);
    };
    let tx = services.store.read(tenant).await?;
    let found = erasures::get(&tx, erasure).await?;
    drop(tx);
    let Some(Erasure {
        chat_id,
        created_at,
        finished_at: None,
        ..
    }) = found
    else {
        return Ok(Ended::Done);
    };
    let Some(chat) = chat_id else {
        return end(services, job, tenant, erasure).await;
    };
    // What is applied meanwhile may come behind the place that was looked at.
    let tx = services.store.read(tenant).await?;
    let is_last_round = !erasures::awaits_events(&tx, created_at).await?;
    drop(tx);
    let work = Work {
        services,
        job,
        tenant,
        erasure,
        chat: &chat,
    };
    if !work.erase_messages().await? || !work.erase_from_events().await? {
        return Ok(Ended::Interrupted);
    }
    // What was exported before has the chat in it; what is being exported is begun anew.
    let tx = job.write_of(tenant).await?;
    exports::end_files(&tx).await?;
    tx.commit().await?;
    let own = Some(tenant.organization_id());
    media::retention::delete_ended(services, own, || job.is_stopping()).await?;
    if job.is_stopping() {
        return Ok(Ended::Interrupted);
    }
    let tx = job.write_of(tenant).await?;
    if !is_last_round || erasures::has_messages(&tx, &chat).await? {
        return Ok(Ended::Later {
            at: tx.now().plus(LOOK_AGAIN),
            why: NOT_YET,
        });
    }
    erasures::forget_chat(&tx, erasure).await?;
    tx.commit().await?;
    end(services, job, tenant, erasure).await
}

/// Ends an erasure of which nothing is left but that it was.
async fn end(
    services: &Services,
    job: &Running,
    tenant: Tenant,
    erasure: ErasureId,
) -> Result<Ended, JobError> {
    if !services.store.empty_log().await? {
        return Ok(Ended::Later {
            at: services.now().plus(LOOK_AGAIN),
            why: LOG_IN_USE,
        });
    }
    let tx = job.write_of(tenant).await?;
    erasures::finish(&tx, erasure).await?;
    tx.commit().await?;
    Ok(Ended::Done)
}

/// The erasure of a chat, batch by batch.
struct Work<'a> {
    services: &'a Services,
    job: &'a Running,
    tenant: Tenant,
    erasure: ErasureId,
    chat: &'a ChatId,
}

impl Work<'_> {
    /// Erases the messages of the chat; says whether it came to that before the process was told to stop.
    async fn erase_messages(&self) -> Result<bool, JobError> {
        while !self.job.is_stopping() {
            // They are looked for before the transaction that erases them, which keeps others waiting.
            let tx = self.services.store.read(self.tenant).await?;
            let these = erasures::messages_of(&tx, self.chat, BATCH).await?;
            drop(tx);
            if these.is_empty() {
                return Ok(true);
            }
            let tx = self.job.write_of(self.tenant).await?;
            let erased = erasures::erase_messages(&tx, self.erasure, &these).await?;
            for handed_in in erased.cancelled {
                MonthlyQuota::of(Month::of(handed_in)).take_back(&tx).await?;
            }
            tx.commit().await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }

    /// Takes the chat out of events; says whether it came to that before the process was told to stop.
    async fn erase_from_events(&self) -> Result<bool, JobError> {
        let mut after = 0;
        while !self.job.is_stopping() {
            let tx = self.services.store.read(self.tenant).await?;
            let found = erasures::events_of(&tx, self.chat, after, BATCH).await?;
            drop(tx);
            if !found.naming.is_empty() {
                let tx = self.job.write_of(self.tenant).await?;
                erasures::erase_from_events(&tx, self.erasure, self.chat, &found.naming).await?;
                tx.commit().await?;
                tokio::time::sleep(PAUSE).await;
            }
            let Some(last) = found.last else {
                return Ok(true);
            };
            after = last;
        }
        Ok(false)
    }
}
