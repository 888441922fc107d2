//! SQLite databases for tests.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A place for a SQLite database that is removed with everything beside it when dropped.
///
/// It is a file because each connection to `:memory:` would get a database of its own.
#[derive(Debug)]
pub struct TemporaryFile {
    path: PathBuf,
    _folder: TempDir,
}

impl TemporaryFile {
    /// Where the database goes. The file does not exist yet.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A place for a database in a new temporary folder.
pub fn temporary_file() -> io::Result<TemporaryFile> {
    let folder = tempfile::Builder::new().prefix("wahana-test-sqlite-").tempdir()?;
    Ok(TemporaryFile {
        path: folder.path().join("wahana.db"),
        _folder: folder,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_apart_and_are_removed() {
        let (one, other) = (temporary_file().unwrap(), temporary_file().unwrap());
        assert_ne!(one.path(), other.path());
        fs::write(one.path(), "rows").unwrap();
        fs::write(other.path(), "rows").unwrap();

        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists());
        assert!(other.path().exists());
    }
}
