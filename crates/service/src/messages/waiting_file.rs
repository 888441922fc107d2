//! The files of messages that are to be sent: kept where every process can read them until they are sent.

use wahana_domain::OutgoingMessage;
use wahana_store::{
    Tenant, TenantTx,
    media_files::{self, NewFile},
};

use super::{MediaFile, outgoing::Outgoing};
use crate::{
    ServiceError, Services,
    media::{self, Upload},
};

/// Makes sure that there is room for a file.
///
/// # Errors
///
/// [`ServiceError::QuotaExceeded`] if the organization has as many files that wait as it may have.
pub(super) async fn check_room(
    services: &Services,
    tenant: Tenant,
    file: &MediaFile,
) -> Result<(), ServiceError> {
    media::check_room(services, tenant.organization_id(), file.upload.bytes().size).await
}

/// Gives a message its file, if it has one, in the transaction that writes the message. It is kept until the
/// message expires, and after that as long as the organization keeps files.
pub(super) async fn attach(
    tx: &TenantTx,
    outgoing: &Outgoing,
    message: &OutgoingMessage,
) -> Result<(), ServiceError> {
    let Some(file) = outgoing.file() else {
        return Ok(());
    };
    let new = NewFile {
        stored: file.upload.bytes().clone(),
        media_type: file.media_type.clone(),
        // Whoever waits for a message has the name at hand; it is content, which has its own place.
        name: file.name.clone().filter(|_| message.is_asynchronous),
        expires_at: message.expires_at.unwrap_or_else(|| tx.now()),
    };
    let row = media_files::insert(tx, &new).await?;
    if media_files::attach(tx, row.id, message.id, message.expires_at).await? {
        Ok(())
    } else {
        Err(ServiceError::MediaNotKept)
    }
}

/// The file of a message whose turn it is.
///
/// # Errors
///
/// [`ServiceError::MediaNotKept`] if it is not there any more.
pub(super) async fn find(
    services: &Services,
    tenant: Tenant,
    message: &OutgoingMessage,
) -> Result<MediaFile, ServiceError> {
    let tx = services.store.read(tenant).await?;
    let file = media_files::of_message(&tx, message.id).await?;
    drop(tx);
    let file = file.ok_or(ServiceError::MediaNotKept)?;
    let stored = file.stored.ok_or(ServiceError::MediaNotKept)?;
    // It is read when it is sent; here is only looked whether it can be.
    drop(media::open(services, &stored, None).await?);
    Ok(MediaFile {
        media_type: file.media_type,
        name: file.name,
        upload: Upload::claimed(services.settings.media.store.clone(), stored),
    })
}
