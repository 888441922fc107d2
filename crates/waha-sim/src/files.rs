//! Media files: kept for a while under `/api/files/{session}/{file}`.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

/// How long WAHA keeps a downloaded file by default.
pub(crate) const LIFETIME: Duration = Duration::from_mins(3);

/// A file with its end.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub(crate) mimetype: String,
    pub(crate) bytes: Bytes,
    /// Milliseconds since 1970.
    pub(crate) stored_ms: u64,
    pub(crate) expires: Instant,
}

/// The files that are there. No timer removes them: what is over is dropped when the next one comes.
#[derive(Debug, Default)]
pub(crate) struct Files {
    files: HashMap<(String, String), StoredFile>,
}

impl Files {
    pub(crate) fn store(&mut self, session: &str, name: &str, file: StoredFile) {
        let now = Instant::now();
        self.files.retain(|_, file| file.expires > now);
        self.files.insert((session.to_owned(), name.to_owned()), file);
    }

    pub(crate) fn get(&self, session: &str, name: &str) -> Option<&StoredFile> {
        self.files
            .get(&(session.to_owned(), name.to_owned()))
            .filter(|file| file.expires > Instant::now())
    }
}
