//! Erasing everything that is kept of a closed organization, on WAHA too, as background work.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wahana_domain::{OrganizationErasure, OrganizationId, OrganizationState, Timestamp};
use wahana_store::{PlatformTx, Tenant, sessions};

use super::{moving, organization};
use crate::{
    FieldErrors, Operator, ServiceError, Services,
    audit::record_by_operator,
    erasures::LOG_IN_USE,
    jobs::{Ended, JobError, JobKind, Running},
};

/// How many rows one transaction reads or changes.
const BATCH: u64 = 500;
/// How long others have the database between two batches.
const PAUSE: Duration = Duration::from_millis(50);
/// When it is looked again whether what kept the end up is over.
const LOOK_AGAIN: Duration = Duration::from_mins(1);
/// After that nobody acts for it any more who was let in before it was closed, but for requests that take very long.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// When it is looked for what those left.
const ONCE_MORE_AFTER: Duration = Duration::from_hours(1);
const NOT_SETTLED: &str = "whoever was let in before the organization was closed may still act for it";
const SENDING: &str = "a message of the organization is being sent";
const WAHA_AWAY: &str =
    "sessions of the organization could not be deleted on WAHA yet; everything else is erased";
const CAME_IN: &str = "something of the organization came in meanwhile";
const FAILED: &str = "it failed, and is tried again; its job says why";
const ONCE_MORE: &str = "the organization is erased, and looked through once more";
/// What an erased organization is called.
const NAME: &str = "(erased)";

/// What the job knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) organization: OrganizationId,
}

/// Asks for everything of a closed organization to be erased; who asks says its name, so that it is the right one.
/// Asked for again, it is the same erasure.
pub async fn create(
    services: &Services,
    operator: &Operator,
    id: OrganizationId,
    name: &str,
) -> Result<OrganizationErasure, ServiceError> {
    let tx = services.store.platform_write().await?;
    let found = organization(&tx, id).await?;
    let before = tx.organization_erasure(id).await?;
    if let Some(before) = before.filter(|before| before.finished_at.is_some()) {
        return Ok(before);
    }
    if found.name != name {
        let mut errors = FieldErrors::default();
        errors.add(
            "name",
            "must be the name of the organization, so that the right one is erased",
        );
        return Err(errors.into());
    }
    if found.state != OrganizationState::Closed {
        return Err(ServiceError::conflict(
            "This organization is not closed; close it first. What was erased does not come back.",
        ));
    }
    tx.begin_organization_erasure(id).await?;
    // One that was given up is begun anew.
    tx.enqueue(&JobKind::erase_organization(id, tx.now())).await?;
    record_by_operator(&tx, operator, Some(id), "platform.organizations.erase").await?;
    let erasure = erasure_in(&tx, id).await?;
    tx.commit().await?;
    services.wake_workers();
    Ok(erasure)
}

/// How far the erasure of an organization came.
pub async fn get(
    services: &Services,
    _: &Operator,
    id: OrganizationId,
) -> Result<OrganizationErasure, ServiceError> {
    let tx = services.store.platform_read().await?;
    erasure_in(&tx, id).await
}

async fn erasure_in(tx: &PlatformTx, id: OrganizationId) -> Result<OrganizationErasure, ServiceError> {
    let found = tx.organization_erasure(id).await?;
    found.ok_or(ServiceError::NotFound("Erasure"))
}

/// Erases an organization. Each step may be done again, and all of them are once more after the end: a request that
/// took long may have left something.
pub(crate) async fn erase(services: &Services, job: &Running) -> Result<Ended, JobError> {
    let Payload { organization } = serde_json::from_str(job.payload()).map_err(|error| {
        ServiceError::Internal(format!("a job to erase an organization names none: {error}"))
    })?;
    let tx = services.store.platform_read().await?;
    let tenant = tx.tenant(organization).await?;
    let erasure = tx.organization_erasure(organization).await?;
    drop(tx);
    let (Some(tenant), Some(erasure)) = (tenant, erasure) else {
        return Ok(Ended::Done);
    };
    let work = Work {
        services,
        job,
        tenant,
        organization,
    };
    let ended = work.erase(&erasure).await;
    if let Err(JobError::Failed(_)) = &ended {
        work.wait_until(services.now(), FAILED).await?;
    }
    ended
}

/// The erasure of an organization, batch by batch.
struct Work<'a> {
    services: &'a Services,
    job: &'a Running,
    tenant: Tenant,
    organization: OrganizationId,
}

impl Work<'_> {
    async fn erase(&self, erasure: &OrganizationErasure) -> Result<Ended, JobError> {
        let settled_at = erasure.created_at.plus(SETTLED_AFTER);
        if settled_at > self.services.now() {
            return self.wait_until(settled_at, NOT_SETTLED).await;
        }
        if !self.end_sessions().await? {
            return Ok(Ended::Interrupted);
        }
        let tx = self.services.store.platform_read().await?;
        let is_sending = tx.is_organization_sending(self.organization).await?;
        drop(tx);
        if is_sending {
            return self.wait(SENDING).await;
        }
        // What WAHA has to do comes after all else: it may be away.
        if !self.end_files().await? || !self.delete_rows().await? || !self.leave_waha().await? {
            return Ok(Ended::Interrupted);
        }
        let tx = self.services.store.platform_read().await?;
        let has_leftovers = tx.has_leftovers(self.organization).await?;
        drop(tx);
        if has_leftovers {
            return self.wait(WAHA_AWAY).await;
        }
        if !self.delete_rows().await? {
            return Ok(Ended::Interrupted);
        }
        self.finish(erasure).await
    }

    async fn finish(&self, erasure: &OrganizationErasure) -> Result<Ended, JobError> {
        let tx = self.job.write().await?;
        tx.forget_organization(self.organization, NAME).await?;
        tx.commit().await?;
        self.services.callers.forget();
        if !self.services.store.empty_log().await? {
            return self.wait(LOG_IN_USE).await;
        }
        let tx = self.job.write().await?;
        if !tx.finish_organization_erasure(self.organization).await? {
            drop(tx);
            return self.wait(CAME_IN).await;
        }
        tx.commit().await?;
        if erasure.finished_at.is_some() {
            return Ok(Ended::Done);
        }
        Ok(Ended::Later {
            at: self.services.now().plus(ONCE_MORE_AFTER),
            why: ONCE_MORE,
        })
    }

    async fn wait(&self, why: &'static str) -> Result<Ended, JobError> {
        self.wait_until(self.services.now().plus(LOOK_AGAIN), why).await
    }

    /// Lets operators know what it waits for.
    async fn wait_until(&self, at: Timestamp, why: &'static str) -> Result<Ended, JobError> {
        let tx = self.job.write().await?;
        tx.set_organization_erasure_wait(self.organization, why).await?;
        tx.commit().await?;
        Ok(Ended::Later { at, why })
    }

    /// Ends the organization's sessions, which are to be deleted on WAHA; says whether it came to that before the process
    /// was told to stop.
    async fn end_sessions(&self) -> Result<bool, JobError> {
        let mut after = None;
        loop {
            if self.job.is_stopping() {
                return Ok(false);
            }
            let tx = self.services.store.read(self.tenant).await?;
            let found = sessions::every(&tx, after, BATCH).await?;
            drop(tx);
            let Some(last) = found.last() else {
                return Ok(true);
            };
            after = Some(last.session.id);
            for living in found.iter().filter(|found| found.deleted_at.is_none()) {
                let tx = self.job.write_of(self.tenant).await?;
                let Some(session) = sessions::lock(&tx, living.session.id).await? else {
                    continue;
                };
                sessions::insert_leftover(&tx, session.id, &session.waha, tx.now()).await?;
                sessions::delete(&tx, session.id).await?;
                tx.commit().await?;
            }
        }
    }

    /// Deletes on WAHA what is left there, as far as it is there.
    async fn leave_waha(&self) -> Result<bool, JobError> {
        while !self.job.is_stopping() && moving::delete_leftovers(self.services).await? > 0 {}
        Ok(!self.job.is_stopping())
    }

    /// Ends its files, and deletes their bytes, also those that no row names.
    async fn end_files(&self) -> Result<bool, JobError> {
        loop {
            if self.job.is_stopping() {
                return Ok(false);
            }
            let tx = self.job.write().await?;
            let ended = tx.end_media_of_organization(self.organization, BATCH).await?;
            tx.commit().await?;
            if ended == 0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let store = &self.services.settings.media.store;
        let deleted = store.delete_all_of(self.organization).await;
        deleted.map_err(ServiceError::from)?;
        Ok(!self.job.is_stopping())
    }

    async fn delete_rows(&self) -> Result<bool, JobError> {
        while !self.job.is_stopping() {
            let tx = self.job.write().await?;
            let deleted = tx.delete_of_organization(self.organization, BATCH).await?;
            if deleted == 0 {
                return Ok(true);
            }
            tx.count_erased_rows(self.organization, deleted).await?;
            tx.commit().await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }
}
