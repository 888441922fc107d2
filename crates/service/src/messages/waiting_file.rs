//! The files of messages that wait: kept where every process can read them until they are sent.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use wahana_domain::{MediaFileId, OutgoingMessage};
use wahana_store::{Tenant, TenantTx, media_files};

use super::MediaFile;
use crate::{
    ServiceError, Services,
    media::{self, NewMedia, PutError},
};

/// How long a file is kept whose message is about to be written.
const UNTIL_WRITTEN: Duration = Duration::from_hours(1);

/// Keeps a file whose message is still to be written.
///
/// # Errors
///
/// [`ServiceError::QuotaExceeded`] if the organization has as many files that wait as it may have.
pub(super) async fn keep(
    services: &Services,
    tenant: Tenant,
    file: &MediaFile,
) -> Result<MediaFileId, ServiceError> {
    let new = NewMedia {
        media_type: file.media_type.clone(),
        name: file.name.clone(),
        keep_for: UNTIL_WRITTEN,
    };
    let size = file.data.len() as u64;
    media::check_room(services, tenant.organization_id(), size).await?;
    let bytes = stream::iter([Ok::<_, Infallible>(Bytes::copy_from_slice(&file.data))]);
    match media::put(services, tenant, new, bytes, size).await {
        Ok(kept) => Ok(kept.id),
        Err(PutError::Service(error)) => Err(error),
        Err(error) => Err(ServiceError::Internal(format!("a file cannot be kept: {error}"))),
    }
}

/// Gives the file to its message, in the transaction that writes the message.
pub(super) async fn attach(
    tx: &TenantTx,
    file: MediaFileId,
    message: &OutgoingMessage,
) -> Result<(), ServiceError> {
    if media_files::attach(tx, file, message.id, message.expires_at).await? {
        Ok(())
    } else {
        Err(ServiceError::MediaNotKept)
    }
}

/// Reads the file of a message whose turn it is.
///
/// # Errors
///
/// [`ServiceError::MediaNotKept`] if it is not there any more.
pub(super) async fn read(
    services: &Services,
    tenant: Tenant,
    message: &OutgoingMessage,
) -> Result<MediaFile, ServiceError> {
    let tx = services.store.read(tenant).await?;
    let file = media_files::of_message(&tx, message.id).await?;
    drop(tx);
    let file = file.ok_or(ServiceError::MediaNotKept)?;
    let stored = file.stored.ok_or(ServiceError::MediaNotKept)?;
    let pieces = media::open(services, &stored, None).await?;
    let data = pieces
        .try_fold(Vec::new(), async |mut data, piece| {
            data.extend_from_slice(&piece);
            Ok(data)
        })
        .await?;
    Ok(MediaFile {
        media_type: file.media_type,
        name: file.name,
        data,
    })
}
