//! Fetching the file of a message from WAHA, before WAHA forgets it.
//!
//! The path that an event named is only followed below the name of the message's own session on the server that
//! it is on: WAHA 2026.2.1 gives any session's file to any key. Where WAHA has forgotten the file already, it is
//! asked to fetch it from WhatsApp once more.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use waha_client::{FileDownload, FilePath, WahaError};
use wahana_domain::{MediaFile, MediaFileId, MediaState, Session, StoredBytes};
use wahana_store::{
    Tenant, media_files,
    messages::{self, KnownMessage},
    sessions,
};

use super::{keep::discard, retention, store::WriteError};
use crate::{
    ServiceError, Services,
    jobs::{Ended, JobError, Running},
    upstream::Upstream,
};

/// The count of files that were to be fetched, by what became of them.
const FETCHED: &str = "wahana_media_fetched_total";
/// The longest attempt, however large the file is.
const LONGEST_ATTEMPT: Duration = Duration::from_mins(5);

/// What the job knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) media: MediaFileId,
}

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    /// It is larger than what is kept.
    #[error("the file is larger than what is kept")]
    TooLarge,
    /// WAHA did not give it this time.
    #[error("the file could not be fetched: {0}")]
    Waha(#[from] WahaError),
    /// It took too long.
    #[error("the file was not there in time")]
    TooSlow,
    /// Our own storage failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// What is to be fetched from where.
struct Errand {
    tenant: Tenant,
    file: MediaFile,
    message: KnownMessage,
    session: Session,
    upstream: Arc<Upstream>,
}

/// Fetches a file. The last attempt that fails says that the file has expired, and is no failure of the job's.
pub(crate) async fn fetch(services: &Services, job: &Running) -> Result<Ended, JobError> {
    let Payload { media } = serde_json::from_str(job.payload())
        .map_err(|error| ServiceError::Internal(format!("a job to fetch a file has no file: {error}")))?;
    let Some(tenant) = job.tenant().await? else {
        return Ok(Ended::Done);
    };
    let Some(errand) = Errand::find(services, tenant, media).await? else {
        return give_up(job, tenant, media, MediaState::Expired).await;
    };
    if errand.file.state != MediaState::Waiting {
        return Ok(Ended::Done);
    }
    match errand.fetch(services).await {
        Ok(stored) => keep(services, job, &errand, stored).await,
        Err(FetchError::TooLarge) => give_up(job, tenant, media, MediaState::Failed).await,
        Err(error) if job.is_last_attempt() => {
            tracing::warn!(
                organization.id = %tenant.organization_id(),
                session.id = %errand.session.id,
                media.id = %media,
                error = %error,
                "a file of a message could not be fetched in time and has expired"
            );
            give_up(job, tenant, media, MediaState::Expired).await
        }
        Err(FetchError::Service(error)) => Err(error.into()),
        Err(error) => {
            count("tried_again");
            Err(ServiceError::WahaFaulty(error.to_string()).into())
        }
    }
}

/// Writes down what was fetched, unless it is not waited for any more.
async fn keep(
    services: &Services,
    job: &Running,
    errand: &Errand,
    stored: StoredBytes,
) -> Result<Ended, JobError> {
    let written = async {
        let tx = job.write_of(errand.tenant).await?;
        let is_kept = media_files::set_stored(&tx, errand.file.id, &stored).await?;
        Ok::<_, JobError>(is_kept.then_some(tx))
    };
    let outcome = match written.await {
        Ok(Some(tx)) => {
            // Whether the row names them is not known, if this breaks off. What it does not name is found later.
            tx.commit().await?;
            count(MediaState::Stored.as_str());
            retention::note_growth(services, errand.tenant.organization_id(), stored.size).await;
            return Ok(Ended::Done);
        }
        Ok(None) => Ok(Ended::Done),
        Err(error) => Err(error),
    };
    discard(services, &stored).await;
    outcome
}

async fn give_up(
    job: &Running,
    tenant: Tenant,
    media: MediaFileId,
    state: MediaState,
) -> Result<Ended, JobError> {
    let tx = job.write_of(tenant).await?;
    media_files::give_up(&tx, media, state).await?;
    tx.commit().await?;
    count(state.as_str());
    Ok(Ended::Done)
}

fn count(outcome: &'static str) {
    metrics::counter!(FETCHED, "outcome" => outcome).increment(1);
}

/// Says what the counts of this module mean, to be called once a process that shows counts.
pub fn describe_metrics() {
    metrics::describe_counter!(
        FETCHED,
        "Files of messages that were to be fetched from WAHA, by what became of them"
    );
}

impl Errand {
    /// `None` if the message or its session is not there any more.
    async fn find(
        services: &Services,
        tenant: Tenant,
        media: MediaFileId,
    ) -> Result<Option<Self>, ServiceError> {
        let tx = services.store.read(tenant).await?;
        let Some(file) = media_files::get(&tx, media).await? else {
            return Ok(None);
        };
        let message = match file.message_id {
            Some(id) => messages::find(&tx, id, None).await?,
            None => None,
        };
        let Some(message) = message else {
            return Ok(None);
        };
        let session = sessions::with_ids(&tx, &[message.session_id]).await?.pop();
        drop(tx);
        let Some(session) = session else {
            return Ok(None);
        };
        let upstream = services.upstreams.get(session.waha.server).await?;
        Ok(Some(Self {
            tenant,
            file,
            message,
            session,
            upstream,
        }))
    }

    async fn fetch(&self, services: &Services) -> Result<StoredBytes, FetchError> {
        let fetched = async {
            let download = self.download().await?;
            self.store(services, download).await
        };
        let fetched = tokio::time::timeout(LONGEST_ATTEMPT, fetched).await;
        fetched.unwrap_or(Err(FetchError::TooSlow))
    }

    /// The file from where the event said that it is, or from where WAHA says that it is now.
    async fn download(&self) -> Result<FileDownload, FetchError> {
        let waha = self.upstream.waha();
        let named = self.file.source.as_deref().and_then(FilePath::from_url);
        if let Some(path) = named.filter(|path| self.is_own(path)) {
            match waha.download_file(&path).await {
                Err(WahaError::NotFound) => {}
                outcome => return Ok(outcome?),
            }
        }
        let message = self
            .message
            .waha_message_id
            .as_deref()
            .ok_or(WahaError::NotFound)?;
        let message = waha
            .message(self.waha_name(), &self.message.chat_id, message, true)
            .await?;
        let path = message.media.and_then(|media| media.file);
        let path = path.filter(|path| self.is_own(path)).ok_or(WahaError::NotFound)?;
        Ok(waha.download_file(&path).await?)
    }

    async fn store(&self, services: &Services, download: FileDownload) -> Result<StoredBytes, FetchError> {
        let settings = &services.settings.media;
        let limit = settings.file_bytes;
        if download.length.is_some_and(|length| length > limit) {
            return Err(FetchError::TooLarge);
        }
        let organization = self.tenant.organization_id();
        let bytes = download.bytes.fuse();
        let written = settings.store.write(organization, bytes, limit).await;
        written.map_err(|error| match error {
            WriteError::TooLarge { .. } => FetchError::TooLarge,
            WriteError::Source(error) => error.into(),
            WriteError::Store(error) => FetchError::Service(error.into()),
        })
    }

    /// Whether a path is below the session's own name, which no other session of its server has.
    fn is_own(&self, path: &FilePath) -> bool {
        let is_own = path.session() == Some(self.waha_name());
        if !is_own {
            tracing::warn!(
                organization.id = %self.tenant.organization_id(),
                session.id = %self.session.id,
                media.id = %self.file.id,
                "WAHA names a file that is not one of the message's session; it is not fetched"
            );
        }
        is_own
    }

    fn waha_name(&self) -> &str {
        self.session.waha.name.as_str()
    }
}
