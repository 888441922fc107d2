//! Where the bytes of files are. It knows keys and bytes, and neither what they are nor whose.
//!
//! A key is written once: what is there under a key is whole, and stays as it is until it is deleted.

mod directory;
mod upload;

use std::{fmt, io, ops::Range, path::PathBuf, sync::Arc};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use sha2::{Digest, Sha256};
use wahana_domain::{OrganizationId, StorageKey, StoredBytes, Timestamp};

use directory::Directory;
pub use upload::Upload;

/// The bytes of a file, piece by piece. After an error there are no more.
pub type ByteStream = BoxStream<'static, Result<Bytes, MediaStoreError>>;

/// The media store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MediaStoreError {
    /// The bytes are not there.
    #[error("the file is not in the media store")]
    NotFound,
    /// The folder cannot be read or written, or has no room.
    #[error("the media store cannot be used: {0}")]
    File(#[from] io::Error),
}

/// Why bytes were not stored. Nothing of them is there then.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// There are more than allowed.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// How many are allowed.
        limit: u64,
    },
    /// They broke off where they come from.
    #[error(transparent)]
    Source(E),
    /// The store failed.
    #[error(transparent)]
    Store(MediaStoreError),
}

/// Something in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: FoundName,
    /// When it was last written to, by the store's clock.
    pub(crate) modified_at: Timestamp,
}

/// What is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoundName {
    /// A whole file.
    Key(StorageKey),
    /// What is being written under this key, or was when its process died.
    Unfinished(StorageKey),
}

/// Where the bytes of files are. Clones share it.
#[derive(Clone)]
pub struct MediaStore(Arc<Directory>);

impl fmt::Debug for MediaStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MediaStore").field(&self.0).finish()
    }
}

impl MediaStore {
    /// In a folder, which is made when there is something to put into it. Several processes may use the same.
    #[must_use]
    pub fn in_directory(path: PathBuf) -> Self {
        Self(Arc::new(Directory::new(path)))
    }

    /// Stores bytes under a new key of an organization, as they come, if they are not more than `limit`. When
    /// it returns, they outlast a loss of power.
    pub async fn write<E>(
        &self,
        organization: OrganizationId,
        bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
        limit: u64,
    ) -> Result<StoredBytes, WriteError<E>> {
        let upload = self.upload(organization, bytes, limit).await?;
        Ok(upload.claim().clone())
    }

    /// The same for bytes that may be not wanted in the end.
    pub async fn upload<E>(
        &self,
        organization: OrganizationId,
        mut bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
        limit: u64,
    ) -> Result<Upload, WriteError<E>> {
        let key = StorageKey::generate(organization);
        let mut writer = self.0.begin(&key).await.map_err(WriteError::Store)?;
        let (mut size, mut digest) = (0_u64, Sha256::new());
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(WriteError::Source)?;
            size = size.saturating_add(piece.len() as u64);
            if size > limit {
                return Err(WriteError::TooLarge { limit });
            }
            digest.update(&piece);
            writer.write(&piece).await.map_err(WriteError::Store)?;
        }
        let stored = StoredBytes {
            key,
            size,
            sha256: HEXLOWER.encode(&digest.finalize()),
        };
        // Before they have their name, so that whoever gives up meanwhile leaves nothing.
        let upload = Upload::new(self.clone(), stored);
        writer.finish().await.map_err(WriteError::Store)?;
        Ok(upload)
    }

    /// The bytes in this range of what is stored under a key.
    pub async fn read(&self, key: &StorageKey, range: Range<u64>) -> Result<ByteStream, MediaStoreError> {
        self.0.read(key, range).await
    }

    /// Deletes what is stored under a key; that it is not there is no error.
    pub async fn delete(&self, key: &StorageKey) -> Result<(), MediaStoreError> {
        self.0.delete(key).await
    }

    /// Deletes everything of an organization, also what is just being written.
    pub(crate) async fn delete_all_of(&self, organization: OrganizationId) -> Result<(), MediaStoreError> {
        self.0.delete_all_of(organization).await
    }

    /// What is there of an organization whose names end with these two digits, for who looks for what nobody
    /// needs.
    pub(crate) async fn list(
        &self,
        organization: OrganizationId,
        shard: u8,
    ) -> Result<Vec<Found>, MediaStoreError> {
        self.0.list(organization, &format!("{shard:02x}")).await
    }

    /// Deletes what was begun under a key and is not being written any more.
    pub(crate) async fn delete_unfinished(&self, key: &StorageKey) -> Result<(), MediaStoreError> {
        self.0.delete_unfinished(key).await
    }
}

#[cfg(test)]
mod tests;
