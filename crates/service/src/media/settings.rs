//! How files are kept.

use std::path::PathBuf;

use super::MediaStore;

/// How files are kept.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// Where their bytes are. Every process must see the same.
    pub store: MediaStore,
    /// The largest file that is kept of those that came in, in bytes; 100 MiB.
    pub file_bytes: u64,
    /// How many bytes of files one organization has at most, in bytes; 10 GiB. Beyond that its oldest files go.
    pub organization_bytes: u64,
}

impl Default for MediaSettings {
    /// In a folder of the working directory, which is made when there is something to put into it.
    fn default() -> Self {
        Self {
            store: MediaStore::in_directory(PathBuf::from("wahana.media")),
            file_bytes: 100 * 1024 * 1024,
            organization_bytes: 10 * 1024 * 1024 * 1024,
        }
    }
}
