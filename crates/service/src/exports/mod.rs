//! Exporting everything that is kept of an organization, as background work: one file, which its owners can fetch for
//! a week.

mod lines;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wahana_domain::{Export, ExportId, FileName, MediaType, StoredBytes, Timestamp};
use wahana_store::{
    Tenant,
    exports::{self, Finished},
    jobs,
    media_files::{self, NewFile},
    organizations,
};

use crate::{
    ServiceError, Services,
    access::{ExportOrganization, Granted, Owned},
    audit,
    jobs::{Ended, JobError, JobKind, Running},
    media::{self, MessageMedia, store::WriteError},
};
use lines::{Broken, Lines};

/// How long the file of an export is kept.
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);
/// An export that is not done by then is not waited for by whoever asks for another.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(24);
/// When an export is begun anew, because a chat was erased that may be in it.
const BEGIN_ANEW: Duration = Duration::from_mins(1);
const ERASING: &str = "a chat is being erased, or was meanwhile, which may be in the export";
/// JSON Lines.
const TYPE: &str = "application/x-ndjson";
const NAME: &str = "wahana-export.jsonl";

/// What the job knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) export: ExportId,
}

/// Asks for everything of the organization to be exported; gives the export that is being made already, if one is.
pub async fn create(
    services: &Services,
    access: &Granted<ExportOrganization>,
) -> Result<Export, ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    // Of several who ask at once, one gets a new export.
    organizations::get_locked(&tx).await?;
    let under_way = exports::unfinished(&tx, tx.now().minus(GIVEN_UP_AFTER)).await?;
    let export = if let Some(export) = under_way {
        export
    } else {
        let export = exports::insert(&tx, ExportId::new()).await?;
        jobs::enqueue(&tx, &JobKind::export(export.id, tx.now())).await?;
        export
    };
    audit::record_success(&tx, access.context(), "exports.create").await?;
    tx.commit().await?;
    services.wake_workers();
    Ok(export)
}

/// The file of an export.
///
/// # Errors
///
/// A conflict while it is made, and [`ServiceError::MediaNotKept`] if there is none, or none any more.
pub async fn file(
    services: &Services,
    access: &Granted<ExportOrganization>,
    export: &Owned<Export>,
) -> Result<MessageMedia, ServiceError> {
    if export.finished_at.is_none() {
        return Err(ServiceError::conflict(
            "The export is still being made. Its state says when it is done.",
        ));
    }
    let file = export.file.ok_or(ServiceError::MediaNotKept)?;
    let tx = services.store.read(access.tenant()).await?;
    let found = media_files::get(&tx, file).await?;
    drop(tx);
    let file = found.ok_or(ServiceError::MediaNotKept)?;
    // Nobody may have had the time to delete it.
    if file.expires_at.is_none_or(|at| at <= services.now()) {
        return Err(ServiceError::MediaNotKept);
    }
    let file = MessageMedia::of(file)?;
    let tx = services.store.write(access.tenant()).await?;
    audit::record_success(&tx, access.context(), "exports.file").await?;
    tx.commit().await?;
    Ok(file)
}

/// Makes an export. It is made anew whenever it is interrupted.
pub(crate) async fn run(services: &Services, job: &Running) -> Result<Ended, JobError> {
    let Payload { export } = serde_json::from_str(job.payload())
        .map_err(|error| ServiceError::Internal(format!("a job to export names no export: {error}")))?;
    let Some(tenant) = job.tenant().await? else {
        return Ok(Ended::Done);
    };
    let begun_at = services.now();
    let tx = services.store.read(tenant).await?;
    let found = exports::get(&tx, export).await?;
    let is_erasing = exports::is_erasing(&tx, begun_at).await?;
    drop(tx);
    if found.is_none_or(|found| found.finished_at.is_some()) {
        return Ok(Ended::Done);
    }
    if is_erasing {
        return Ok(begin_anew(services));
    }
    let lines = Lines::new(services, job, tenant, export).into_stream();
    let settings = &services.settings.media;
    let written = settings
        .store
        .write(tenant.organization_id(), lines, settings.organization_bytes)
        .await;
    let stored = match written {
        Ok(stored) => stored,
        Err(WriteError::Source(Broken::Stopped)) => return Ok(Ended::Interrupted),
        Err(WriteError::Source(Broken::Failed(error))) => return Err(error),
        Err(WriteError::TooLarge { limit }) => {
            tracing::warn!(
                organization.id = %tenant.organization_id(),
                limit,
                "an export has more bytes than an organization may have of files, and is given up"
            );
            let tx = job.write_of(tenant).await?;
            exports::give_up(&tx, export).await?;
            tx.commit().await?;
            return Ok(Ended::Done);
        }
        Err(WriteError::Store(error)) => return Err(ServiceError::from(error).into()),
    };
    let finished = finish(job, tenant, export, &stored, begun_at).await;
    if !matches!(finished, Ok(Finished::Kept)) {
        media::discard(services, &stored).await;
    }
    Ok(match finished? {
        Finished::Kept | Finished::Before => Ended::Done,
        Finished::Erasing => begin_anew(services),
    })
}

fn begin_anew(services: &Services) -> Ended {
    Ended::Later {
        at: services.now().plus(BEGIN_ANEW),
        why: ERASING,
    }
}

/// Writes down the file, if it may be kept.
async fn finish(
    job: &Running,
    tenant: Tenant,
    export: ExportId,
    stored: &StoredBytes,
    begun_at: Timestamp,
) -> Result<Finished, JobError> {
    let tx = job.write_of(tenant).await?;
    let file = NewFile {
        stored: stored.clone(),
        media_type: MediaType::parse(TYPE).unwrap_or_else(|_| MediaType::unknown()),
        name: FileName::sanitize(NAME),
        expires_at: tx.now().plus(KEPT_FOR),
    };
    let finished = exports::finish(&tx, export, begun_at, &file).await?;
    tx.commit().await?;
    Ok(finished)
}
