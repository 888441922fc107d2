//! A folder, with a folder for each organization and in it one for each two digits.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use futures_util::StreamExt as _;
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufWriter},
};
use tokio_util::io::ReaderStream;
use wahana_domain::{OrganizationId, StorageKey, Timestamp};

use super::{ByteStream, Found, FoundName, MediaStoreError};

/// What the name of a file ends with while it is written.
const UNFINISHED: &str = ".unfinished";
/// Nobody but wahana's user looks into the folders, or reads the files.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// How much is gathered before it is written: each write is a trip to another thread.
const WRITE_BUFFER: usize = 256 * 1024;
/// How much is read at a time.
const READ_BUFFER: usize = 64 * 1024;

/// A folder with files.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Begins to write what will be stored under a key.
    pub(super) async fn begin(&self, key: &StorageKey) -> Result<Writer, MediaStoreError> {
        let path = self.place(key);
        let unfinished = unfinished(&path);
        let file = match create(&unfinished).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folders(key).await?;
                create(&unfinished).await?
            }
            created => created?,
        };
        Ok(Writer {
            file: BufWriter::with_capacity(WRITE_BUFFER, file),
            unfinished: Unfinished(Some(unfinished)),
            path,
        })
    }

    pub(super) async fn read(
        &self,
        key: &StorageKey,
        range: Range<u64>,
    ) -> Result<ByteStream, MediaStoreError> {
        let mut file = File::open(self.place(key)).await.map_err(absent)?;
        if range.start > 0 {
            file.seek(io::SeekFrom::Start(range.start)).await?;
        }
        let length = range.end.saturating_sub(range.start);
        let bytes = ReaderStream::with_capacity(file.take(length), READ_BUFFER);
        Ok(bytes.map(|piece| piece.map_err(MediaStoreError::from)).boxed())
    }

    pub(super) async fn delete(&self, key: &StorageKey) -> Result<(), MediaStoreError> {
        remove(&self.place(key)).await
    }

    /// The same for those who cannot wait: one call of the system.
    pub(super) fn delete_at_once(&self, key: &StorageKey) -> io::Result<()> {
        match std::fs::remove_file(self.place(key)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    pub(super) async fn delete_unfinished(&self, key: &StorageKey) -> Result<(), MediaStoreError> {
        remove(&unfinished(&self.place(key))).await
    }

    pub(super) async fn delete_all_of(&self, organization: OrganizationId) -> Result<(), MediaStoreError> {
        match fs::remove_dir_all(self.path.join(organization.to_string())).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => Ok(removed?),
        }
    }

    pub(super) async fn list(
        &self,
        organization: OrganizationId,
        shard: &str,
    ) -> Result<Vec<Found>, MediaStoreError> {
        let folder = self.path.join(organization.to_string()).join(shard);
        let mut entries = match fs::read_dir(folder).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            // What has another name is not wahana's, and is left alone.
            let Some(name) = name.to_str().and_then(|name| named(organization, shard, name)) else {
                continue;
            };
            match entry.metadata().await {
                Ok(metadata) => found.push(Found {
                    name,
                    modified_at: modified_at(&metadata)?,
                }),
                // Somebody deleted it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    fn place(&self, key: &StorageKey) -> PathBuf {
        self.path.join(key.as_str())
    }

    /// Makes the folders of a key, so that they outlast a loss of power like the file.
    async fn make_folders(&self, key: &StorageKey) -> Result<(), MediaStoreError> {
        let mut missing = Vec::new();
        let place = self.place(key);
        let mut folder = place.parent();
        while let Some(path) = folder.filter(|path| !path.as_os_str().is_empty()) {
            if fs::try_exists(path).await? {
                break;
            }
            missing.push(path);
            folder = path.parent();
        }
        for path in missing.into_iter().rev() {
            let made = fs::DirBuilder::new().mode(FOLDER_MODE).create(path).await;
            match made {
                // Another made it at the same time.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
            sync_parent(path).await?;
        }
        Ok(())
    }
}

/// A file that is being written. Dropped before it is finished, nothing of it stays.
#[derive(Debug)]
pub(super) struct Writer {
    file: BufWriter<File>,
    unfinished: Unfinished,
    path: PathBuf,
}

impl Writer {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), MediaStoreError> {
        Ok(self.file.write_all(bytes).await?)
    }

    /// Gives the file its name. Whoever sees that, even after a crash, sees the whole file.
    pub(super) async fn finish(mut self) -> Result<(), MediaStoreError> {
        self.file.flush().await?;
        self.file.get_ref().sync_all().await?;
        if let Some(unfinished) = &self.unfinished.0 {
            fs::rename(unfinished, &self.path).await?;
        }
        self.unfinished.0 = None;
        sync_parent(&self.path).await?;
        Ok(())
    }
}

/// The name under which a file is written, until it has its own.
#[derive(Debug)]
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    /// One call of the system; what stays all the same is found by who looks for what nobody needs.
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    PathBuf::from(name)
}

async fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .await
}

async fn remove(path: &Path) -> Result<(), MediaStoreError> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => Ok(removed?),
    }
}

/// Makes a new name in a folder last.
async fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = File::open(parent.unwrap_or(Path::new("."))).await?;
    folder.sync_all().await
}

fn absent(error: io::Error) -> MediaStoreError {
    match error.kind() {
        io::ErrorKind::NotFound => MediaStoreError::NotFound,
        _ => error.into(),
    }
}

fn named(organization: OrganizationId, shard: &str, name: &str) -> Option<FoundName> {
    let key = |name| StorageKey::parse(&format!("{organization}/{shard}/{name}")).ok();
    match name.strip_suffix(UNFINISHED) {
        Some(name) => key(name).map(FoundName::Unfinished),
        None => key(name).map(FoundName::Key),
    }
}

fn modified_at(metadata: &std::fs::Metadata) -> io::Result<Timestamp> {
    // Before 1970 is long ago, too.
    let since = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Timestamp::from_micros(
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
    ))
}
