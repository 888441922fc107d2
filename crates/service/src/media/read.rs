//! The file of a message, for those who may read messages.

use wahana_domain::{MediaFile, MediaState, StoredBytes};
use wahana_store::{media_files, messages::KnownMessage};

use crate::{
    ServiceError, Services,
    access::{Granted, Owned, ReadMessages},
};

/// A file whose bytes can be read.
#[derive(Clone, Debug)]
pub struct MessageMedia {
    /// What it is.
    pub file: MediaFile,
    /// Its bytes.
    pub stored: StoredBytes,
}

impl MessageMedia {
    /// Of a file that is there.
    ///
    /// # Errors
    ///
    /// A conflict while it is still to be fetched, and [`ServiceError::MediaNotKept`] if it is not there any
    /// more or never was.
    pub(crate) fn of(file: MediaFile) -> Result<Self, ServiceError> {
        match (file.state, &file.stored) {
            (MediaState::Stored, Some(stored)) => Ok(Self {
                stored: stored.clone(),
                file,
            }),
            (MediaState::Waiting, _) => Err(ServiceError::conflict(
                "The file of this message is still being fetched. Try again in a few seconds.",
            )),
            _ => Err(ServiceError::MediaNotKept),
        }
    }
}

/// The file of a message.
///
/// # Errors
///
/// [`ServiceError::NotFound`] if the message has none; else as far as it is there.
pub async fn of_message(
    services: &Services,
    access: &Granted<ReadMessages>,
    message: &Owned<KnownMessage>,
) -> Result<MessageMedia, ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    let file = media_files::of_message(&tx, message.id).await?;
    drop(tx);
    MessageMedia::of(file.ok_or(ServiceError::NotFound("File"))?)
}
