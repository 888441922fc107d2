//! Where files of messages are kept, and how many.

use std::path::{Path, PathBuf};

use wahana_domain::MediaTypePattern;
use wahana_service::{
    AllowedNetwork,
    media::{MediaSettings, MediaStore},
};
use wahana_store::DatabaseSettings;

use super::{list, reader::Reader};

const ALLOW: &str = "media.allow";
const ALLOWED_TYPES: &str = "media.allowed_types";
const DIRECTORY: &str = "media.directory";
const FILE_BYTES: &str = "media.file_bytes";
const ORGANIZATION_BYTES: &str = "media.organization_bytes";

/// What the folder is called where nothing else gives it a name.
const DEFAULT_NAME: &str = "wahana.media";
const KIB: u64 = 1024;
const GIB: u64 = 1024 * 1024 * KIB;

/// Where files of messages are kept, and how many.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    /// The folder.
    pub(crate) directory: PathBuf,
    /// The largest file that is kept of those that came in, in bytes.
    file_bytes: u64,
    /// How many bytes of files one organization has at most.
    organization_bytes: u64,
    /// What may be sent.
    allowed_types: Vec<MediaTypePattern>,
    /// Where files that organizations name may be besides the internet.
    pub(crate) allow: Vec<AllowedNetwork>,
}

pub(super) fn read(reader: &mut Reader<'_>, database: Option<&DatabaseSettings>) -> Option<Media> {
    let default = MediaSettings::default();
    let directory = match reader.text(DIRECTORY) {
        Some(text) if text.trim().is_empty() => {
            reader.fault(DIRECTORY, "must name a folder");
            None
        }
        Some(text) => Some(text.into()),
        None => Some(beside(database)),
    };
    let file_bytes = reader.number(FILE_BYTES, default.file_bytes, KIB, 4 * GIB);
    let organization_bytes = reader.number(
        ORGANIZATION_BYTES,
        default.organization_bytes,
        KIB,
        1024 * 1024 * GIB,
    );
    let allowed_types = match reader.parsed_list(ALLOWED_TYPES) {
        Some(types) if types.is_empty() => Some(default.allowed_types),
        types => types,
    };
    let allow = reader.parsed_list(ALLOW);
    Some(Media {
        directory: directory?,
        allow: allow?,
        allowed_types: allowed_types?,
        file_bytes,
        organization_bytes,
    })
}

/// Beside the database's file and with its name, so that two databases in one folder do not share their files;
/// for PostgreSQL, in the working directory.
fn beside(database: Option<&DatabaseSettings>) -> PathBuf {
    let file = database.and_then(|database| database.sqlite_path().ok().flatten());
    let named = file.as_deref().filter(|file| file.file_stem().is_some());
    named.unwrap_or(Path::new(DEFAULT_NAME)).with_extension("media")
}

impl Media {
    /// As the services want it.
    pub(crate) fn settings(&self) -> MediaSettings {
        MediaSettings {
            store: MediaStore::in_directory(self.directory.clone()),
            file_bytes: self.file_bytes,
            organization_bytes: self.organization_bytes,
            allowed_types: self.allowed_types.clone(),
        }
    }

    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            (DIRECTORY, format!("\"{}\"", self.directory.display())),
            (FILE_BYTES, self.file_bytes.to_string()),
            (ORGANIZATION_BYTES, self.organization_bytes.to_string()),
            (ALLOWED_TYPES, list(&self.allowed_types)),
            (ALLOW, list(&self.allow)),
        ]
    }
}
