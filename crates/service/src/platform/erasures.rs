//! Erasing everything that is kept of a closed organization, on WAHA too, as background work.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wahana_domain::{OrganizationErasure, OrganizationId, OrganizationState};
use wahana_store::{PlatformTx, Tenant, sessions};

use super::{moving, organization};
use crate::{
    FieldErrors, Operator, ServiceError, Services,
    audit::record_by_operator,
    jobs::{Ended, JobError, JobKind, Running},
    media,
};

/// How many rows one transaction reads or changes.
const BATCH: u64 = 500;
/// How long others have the database between two batches.
const PAUSE: Duration = Duration::from_millis(50);
/// When it is looked again whether what kept the end up is over.
const LOOK_AGAIN: Duration = Duration::from_mins(1);
const NOT_YET: &str =
    "a message of the organization is being sent, or a session of it is not deleted on WAHA yet";
const FILES_LEFT: &str = "a file of the organization came in meanwhile";
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

/// Erases an organization. Each step may be done again.
pub(crate) async fn erase(services: &Services, job: &Running) -> Result<Ended, JobError> {
    let Payload { organization } = serde_json::from_str(job.payload()).map_err(|error| {
        ServiceError::Internal(format!("a job to erase an organization names none: {error}"))
    })?;
    let tx = services.store.platform_read().await?;
    let tenant = tx.tenant(organization).await?;
    drop(tx);
    let Some(tenant) = tenant else {
        return Ok(Ended::Done);
    };
    if !leave_waha(services, job, tenant).await? {
        return Ok(Ended::Interrupted);
    }
    let tx = services.store.platform_read().await?;
    let is_busy = tx.is_organization_busy(organization).await?;
    drop(tx);
    if is_busy {
        return Ok(Ended::Later {
            at: services.now().plus(LOOK_AGAIN),
            why: NOT_YET,
        });
    }
    if !end_files(services, job, organization).await? || !delete_rows(job, organization).await? {
        return Ok(Ended::Interrupted);
    }
    let tx = job.write().await?;
    if !tx.finish_organization_erasure(organization, NAME).await? {
        return Ok(Ended::Later {
            at: tx.now().plus(LOOK_AGAIN),
            why: FILES_LEFT,
        });
    }
    tx.commit().await?;
    services.callers.forget();
    Ok(Ended::Done)
}

/// Ends the organization's sessions, and deletes them on WAHA as far as it is there; says whether it came to that
/// before the process was told to stop.
async fn leave_waha(services: &Services, job: &Running, tenant: Tenant) -> Result<bool, JobError> {
    let mut after = None;
    loop {
        if job.is_stopping() {
            return Ok(false);
        }
        let tx = services.store.read(tenant).await?;
        let found = sessions::every(&tx, after, BATCH).await?;
        drop(tx);
        let Some(last) = found.last() else {
            break;
        };
        after = Some(last.session.id);
        for living in found.iter().filter(|found| found.deleted_at.is_none()) {
            let tx = job.write_of(tenant).await?;
            let Some(session) = sessions::lock(&tx, living.session.id).await? else {
                continue;
            };
            sessions::insert_leftover(&tx, session.id, &session.waha, tx.now()).await?;
            sessions::delete(&tx, session.id).await?;
            tx.commit().await?;
        }
    }
    while !job.is_stopping() && moving::delete_leftovers(services).await? > 0 {}
    Ok(!job.is_stopping())
}

/// Ends its files, and deletes their bytes.
async fn end_files(
    services: &Services,
    job: &Running,
    organization: OrganizationId,
) -> Result<bool, JobError> {
    loop {
        if job.is_stopping() {
            return Ok(false);
        }
        let tx = job.write().await?;
        let ended = tx.end_media_of_organization(organization, BATCH).await?;
        tx.commit().await?;
        if ended == 0 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    media::retention::delete_ended(services, Some(organization), || job.is_stopping()).await?;
    Ok(!job.is_stopping())
}

async fn delete_rows(job: &Running, organization: OrganizationId) -> Result<bool, JobError> {
    while !job.is_stopping() {
        let tx = job.write().await?;
        let deleted = tx.delete_of_organization(organization, BATCH).await?;
        if deleted == 0 {
            return Ok(true);
        }
        tx.count_erased_rows(organization, deleted).await?;
        tx.commit().await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(false)
}
