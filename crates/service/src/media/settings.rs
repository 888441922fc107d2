//! How files are kept.

use std::path::PathBuf;

use wahana_domain::{MediaType, MediaTypePattern};

use super::MediaStore;
use crate::ServiceError;

/// How files are kept.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// Where their bytes are. Every process must see the same.
    pub store: MediaStore,
    /// The largest file that is kept of those that came in, in bytes; 100 MiB.
    pub file_bytes: u64,
    /// How many bytes of files one organization has at most, in bytes; 10 GiB. Beyond that its oldest files go.
    pub organization_bytes: u64,
    /// What may be sent: all types.
    pub allowed_types: Vec<MediaTypePattern>,
}

impl MediaSettings {
    /// Makes sure that files of a type may be sent.
    pub(crate) fn check_type(&self, media_type: &MediaType) -> Result<(), ServiceError> {
        let is_allowed = self
            .allowed_types
            .iter()
            .any(|allowed| allowed.matches(media_type));
        if is_allowed {
            return Ok(());
        }
        Err(ServiceError::MediaTypeNotAllowed {
            media_type: media_type.clone(),
            allowed: self.allowed_types.clone(),
        })
    }
}

impl Default for MediaSettings {
    /// In a folder of the working directory, which is made when there is something to put into it.
    fn default() -> Self {
        Self {
            store: MediaStore::in_directory(PathBuf::from("wahana.media")),
            file_bytes: 100 * 1024 * 1024,
            organization_bytes: 10 * 1024 * 1024 * 1024,
            allowed_types: vec![MediaTypePattern::all()],
        }
    }
}
