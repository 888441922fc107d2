//! Keeping files, and reading them again: for whoever has bytes of an organization.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use futures_util::Stream;
use wahana_domain::{FileName, MediaFile, MediaType, StoredBytes};
use wahana_store::{
    Tenant,
    media_files::{self, NewFile},
};

use super::{
    ByteStream, retention,
    store::{MediaStoreError, WriteError},
};
use crate::{ServiceError, Services};

/// A file that somebody has the bytes of.
#[derive(Clone, Debug)]
pub struct NewMedia {
    /// What it is.
    pub media_type: MediaType,
    /// What it is called.
    pub name: Option<FileName>,
    /// How long it is kept until it belongs to a message (`wahana_store::media_files::attach`).
    pub keep_for: Duration,
}

/// Why a file is not kept. Nothing of it is there then.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    /// It is larger than allowed.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// How many bytes are allowed.
        limit: u64,
    },
    /// It broke off where it comes from.
    #[error(transparent)]
    Source(E),
    /// Our own storage failed.
    #[error(transparent)]
    Service(ServiceError),
}

/// Keeps a file of at most `limit` bytes, as its bytes come. It belongs to no message yet.
pub async fn put<E>(
    services: &Services,
    tenant: Tenant,
    new: NewMedia,
    bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    limit: u64,
) -> Result<MediaFile, PutError<E>> {
    let organization = tenant.organization_id();
    let store = &services.settings.media.store;
    let written = store.write(organization, bytes, limit).await;
    let stored = written.map_err(|error| match error {
        WriteError::TooLarge { limit } => PutError::TooLarge { limit },
        WriteError::Source(error) => PutError::Source(error),
        WriteError::Store(error) => PutError::Service(error.into()),
    })?;
    match insert(services, tenant, new, stored.clone()).await {
        Ok(file) => {
            retention::note_growth(services, organization, stored.size).await;
            Ok(file)
        }
        Err(error) => {
            discard(services, &stored).await;
            Err(PutError::Service(error))
        }
    }
}

async fn insert(
    services: &Services,
    tenant: Tenant,
    new: NewMedia,
    stored: StoredBytes,
) -> Result<MediaFile, ServiceError> {
    let tx = services.store.write(tenant).await?;
    let new = NewFile {
        stored,
        media_type: new.media_type,
        name: new.name,
        expires_at: tx.now().plus(new.keep_for),
    };
    let file = media_files::insert(&tx, &new).await?;
    tx.commit().await?;
    Ok(file)
}

/// Deletes bytes that no row names. What stays all the same is found later.
pub(crate) async fn discard(services: &Services, stored: &StoredBytes) {
    if let Err(error) = services.settings.media.store.delete(&stored.key).await {
        tracing::warn!(error = %error, "bytes that nobody needs could not be deleted from the media store");
    }
}

/// The bytes of a file, or those in a range of it.
///
/// # Errors
///
/// [`ServiceError::MediaNotKept`] if they were deleted.
pub async fn open(
    services: &Services,
    stored: &StoredBytes,
    range: Option<Range<u64>>,
) -> Result<ByteStream, ServiceError> {
    let range = range.unwrap_or(0..stored.size);
    match services.settings.media.store.read(&stored.key, range).await {
        Ok(bytes) => Ok(bytes),
        Err(MediaStoreError::NotFound) => {
            // Its time may have ended between the look into the database and this.
            tracing::warn!(media.key = %stored.key, "a file is not in the media store");
            Err(ServiceError::MediaNotKept)
        }
        Err(error) => Err(error.into()),
    }
}
