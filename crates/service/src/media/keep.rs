//! Keeping files, and reading them again: for whoever has bytes of an organization.

use std::ops::Range;

use bytes::Bytes;
use futures_util::Stream;
use wahana_domain::StoredBytes;
use wahana_store::Tenant;

use super::{
    ByteStream, retention,
    store::{MediaStoreError, Upload, WriteError},
};
use crate::{ServiceError, Services};

/// Why a file that somebody uploads is not taken. Nothing of it is there then.
#[derive(Debug, thiserror::Error)]
pub enum UploadError<E> {
    /// It broke off where it comes from.
    #[error(transparent)]
    Source(E),
    /// It is too large, or our own storage failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Puts a file of at most `limit` bytes into the media store, as its bytes come.
pub async fn upload<E>(
    services: &Services,
    tenant: Tenant,
    bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    limit: usize,
) -> Result<Upload, UploadError<E>> {
    let organization = tenant.organization_id();
    let store = &services.settings.media.store;
    let uploaded = store.upload(organization, bytes, limit as u64).await;
    let uploaded = uploaded.map_err(|error| match error {
        WriteError::TooLarge { .. } => ServiceError::MediaTooLarge { limit }.into(),
        WriteError::Source(error) => UploadError::Source(error),
        WriteError::Store(error) => UploadError::Service(error.into()),
    })?;
    retention::note_growth(services, organization, uploaded.bytes().size).await;
    Ok(uploaded)
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
