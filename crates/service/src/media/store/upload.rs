//! Bytes that are there before anybody knows whether they are wanted.

use std::sync::atomic::{AtomicBool, Ordering};

use wahana_domain::StoredBytes;

use super::{ByteStream, MediaStore, MediaStoreError};

/// Bytes in the media store. Dropped before they are [claimed](Self::claim), they are deleted: whoever refuses a
/// request, or gives up on it anywhere, leaves nothing.
#[derive(Debug)]
pub struct Upload {
    store: MediaStore,
    bytes: StoredBytes,
    is_claimed: AtomicBool,
}

impl Upload {
    pub(super) const fn new(store: MediaStore, bytes: StoredBytes) -> Self {
        Self {
            store,
            bytes,
            is_claimed: AtomicBool::new(false),
        }
    }

    /// Bytes that a row names.
    pub(crate) const fn claimed(store: MediaStore, bytes: StoredBytes) -> Self {
        Self {
            store,
            bytes,
            is_claimed: AtomicBool::new(true),
        }
    }

    /// Leaves the bytes where they are, to be called before the commit of the row that names them: whether that
    /// came through may be not known, and bytes that no row names are found within a day.
    pub fn claim(&self) -> &StoredBytes {
        self.is_claimed.store(true, Ordering::Release);
        &self.bytes
    }

    /// Where they are, and how many.
    #[must_use]
    pub const fn bytes(&self) -> &StoredBytes {
        &self.bytes
    }

    /// The bytes themselves.
    pub(crate) async fn open(&self) -> Result<ByteStream, MediaStoreError> {
        self.store.read(&self.bytes.key, 0..self.bytes.size).await
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if *self.is_claimed.get_mut() {
            return;
        }
        if let Err(error) = self.store.0.delete_at_once(&self.bytes.key) {
            tracing::warn!(error = %error, "bytes that nobody needs could not be deleted from the media store");
        }
    }
}
