//! Where the keys are that encrypt secrets at rest.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use wahana_store::{KeyRing, KeyRingError};

use super::{UNSET, reader::Reader};

/// Where the key ring is.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    /// In a file that only wahana's user may read.
    File(PathBuf),
    /// In the environment.
    Ring(SecretString),
}

/// The key ring cannot be had. No message quotes it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error("there is no key file {}; make one with `wahana keys init`, or name yours in keys.file", .0.display())]
    Missing(PathBuf),
    #[error("the key file {} cannot be read ({kind})", path.display())]
    Unreadable { path: PathBuf, kind: io::ErrorKind },
    #[error(
        "the key file {} may be read by others (mode {mode:04o}); run `chmod 600 {}`, and consider its keys known if others use this machine",
        path.display(), path.display()
    )]
    Mode { path: PathBuf, mode: u32 },
    #[error("the key file {}: {error}", path.display())]
    InFile { path: PathBuf, error: KeyRingError },
    #[error("keys.ring (from environment variable WAHANA_KEYS__RING): {0}")]
    InEnvironment(KeyRingError),
    #[error("{} exists already; its keys are needed to read what they encrypted, so it is never overwritten", .0.display())]
    Exists(PathBuf),
    #[error("the key file {} cannot be written ({kind})", path.display())]
    Unwritable { path: PathBuf, kind: io::ErrorKind },
    #[error(
        "{} is there: another command changes the key file, or one broke off; remove it if none is running", .0.display()
    )]
    Changing(PathBuf),
}

const DEFAULT_FILE: &str = "wahana.keys";
/// Bits that let others than the file's owner do anything.
const OTHERS: u32 = 0o077;
/// More than a thousand keys.
const MAX_LENGTH: u64 = 128 * 1024;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Keys> {
    let ring = reader.text("keys.ring");
    let file = reader.text("keys.file");
    if ring.is_some() && !reader.is_from_environment("keys.ring") {
        reader.fault(
            "keys.ring",
            "must not be in the configuration file; put the keys into keys.file or the environment",
        );
        return None;
    }
    match (ring, file) {
        (Some(_), Some(_)) => {
            reader.fault("keys.ring", "must not be given together with keys.file");
            None
        }
        (Some(ring), None) => Some(Keys::Ring(ring.into())),
        (None, Some(file)) if file.trim().is_empty() => {
            reader.fault("keys.file", "must name a file");
            None
        }
        (None, file) => Some(Keys::File(file.unwrap_or_else(|| DEFAULT_FILE.to_owned()).into())),
    }
}

impl Keys {
    /// Reads the ring.
    pub(crate) fn load(&self) -> Result<KeyRing, KeysError> {
        match self {
            Self::Ring(ring) => KeyRing::parse(ring.expose_secret()).map_err(KeysError::InEnvironment),
            Self::File(path) => load_file(path),
        }
    }

    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let (file, ring) = match self {
            Self::File(path) => (format!("\"{}\"", path.display()), UNSET.to_owned()),
            Self::Ring(_) => (UNSET.to_owned(), "(set, not shown)".to_owned()),
        };
        vec![("keys.file", file), ("keys.ring", ring)]
    }
}

fn load_file(path: &Path) -> Result<KeyRing, KeysError> {
    let text = read_file(path)?;
    parse(path, &text)
}

fn parse(path: &Path, text: &SecretString) -> Result<KeyRing, KeysError> {
    KeyRing::parse(text.expose_secret()).map_err(|error| KeysError::InFile {
        path: path.to_owned(),
        error,
    })
}

fn read_file(path: &Path) -> Result<SecretString, KeysError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => KeysError::Missing(path.to_owned()),
        kind => KeysError::Unreadable {
            path: path.to_owned(),
            kind,
        },
    };
    let file = File::open(path).map_err(unreadable)?;
    // Asked of the open file: what is read is what was checked.
    let mode = mode(&file.metadata().map_err(unreadable)?);
    if mode & OTHERS != 0 {
        return Err(KeysError::Mode {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(MAX_LENGTH)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text.into())
}

/// Puts a new key before the others, which stay; says which number it has.
pub(crate) fn rotate_file(path: &Path) -> Result<u32, KeysError> {
    let in_file = |error| KeysError::InFile {
        path: path.to_owned(),
        error,
    };
    replace_file(path, |text, ring| {
        let successor = ring.successor().map_err(in_file)?;
        let number = successor.current().map_err(in_file)?;
        let line = successor.to_text();
        Ok((format!("{}{text}", line.expose_secret()).into(), number))
    })
}

/// Removes the keys that are neither the first nor among those to keep; says which numbers they had.
pub(crate) fn prune_file(path: &Path, keep: impl Fn(u32) -> bool) -> Result<Vec<u32>, KeysError> {
    replace_file(path, |text, ring| {
        let numbers = ring.numbers();
        let unused: Vec<u32> = numbers
            .into_iter()
            .skip(1)
            .filter(|number| !keep(*number))
            .collect();
        let is_kept = |line: &&str| {
            let number = line.split_whitespace().next().and_then(|word| word.parse().ok());
            number.is_none_or(|number| !unused.contains(&number))
        };
        let kept: String = text
            .lines()
            .filter(is_kept)
            .flat_map(|line| [line, "\n"])
            .collect();
        Ok((kept.into(), unused))
    })
}

/// Replaces the key file in one step, so that whoever reads it meanwhile, or after a crash, reads the old one or
/// the new one. It stays its owner's, and theirs alone.
fn replace_file<T>(
    path: &Path,
    change: impl FnOnce(&str, &KeyRing) -> Result<(SecretString, T), KeysError>,
) -> Result<T, KeysError> {
    // A link stays a link.
    let path = &fs::canonicalize(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => KeysError::Missing(path.to_owned()),
        kind => KeysError::Unreadable {
            path: path.to_owned(),
            kind,
        },
    })?;
    let mut new_path = path.clone().into_os_string();
    new_path.push(".new");
    let new_path = PathBuf::from(new_path);
    // Also keeps two commands from changing the file at once.
    let file = new_private_file(&new_path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeysError::Changing(new_path.clone()),
        kind => KeysError::Unwritable {
            path: new_path.clone(),
            kind,
        },
    })?;
    let replaced = write_and_rename(file, &new_path, path, change);
    if replaced.is_err() {
        // The first error says what is wrong.
        let _ = fs::remove_file(&new_path);
    }
    replaced
}

fn write_and_rename<T>(
    mut file: File,
    new_path: &Path,
    path: &Path,
    change: impl FnOnce(&str, &KeyRing) -> Result<(SecretString, T), KeysError>,
) -> Result<T, KeysError> {
    let text = read_file(path)?;
    let (changed, outcome) = change(text.expose_secret(), &parse(path, &text)?)?;
    // Nothing is lost to a ring that cannot be read again.
    parse(path, &changed)?;
    let unwritable = |error: io::Error| KeysError::Unwritable {
        path: path.to_owned(),
        kind: error.kind(),
    };
    keep_owner(path, new_path).map_err(unwritable)?;
    file.write_all(changed.expose_secret().as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(new_path, path))
        .map_err(unwritable)?;
    if let Some(folder) = path.parent() {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(unwritable)?;
    }
    Ok(outcome)
}

/// Gives the new file to the owner of the old one, who would else not read it after an administrator changed it.
#[cfg(unix)]
fn keep_owner(old: &Path, new: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let (old, present) = (fs::metadata(old)?, fs::metadata(new)?);
    if (old.uid(), old.gid()) == (present.uid(), present.gid()) {
        return Ok(());
    }
    chown(new, Some(old.uid()), Some(old.gid()))
}

/// Makes a key file that only its owner may read, with one new key; never over another.
pub(crate) fn create_file(path: &Path) -> Result<(), KeysError> {
    let ring = KeyRing::generate().to_text();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeysError::Exists(path.to_owned()),
        kind => KeysError::Unwritable {
            path: path.to_owned(),
            kind,
        },
    };
    let mut file = new_private_file(path).map_err(failed)?;
    file.write_all(
        b"# Keys of wahana. Without them, what they encrypted is lost; keep a copy in a safe place.\n",
    )
    .and_then(|()| file.write_all(ring.expose_secret().as_bytes()))
    .and_then(|()| file.sync_all())
    .map_err(failed)
}

#[cfg(unix)]
fn new_private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_made_file_is_private_read_again_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wahana.keys");
        let keys = Keys::File(path.clone());
        assert!(matches!(keys.load(), Err(KeysError::Missing(_))));
        create_file(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        keys.load().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(matches!(create_file(&path), Err(KeysError::Exists(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_rotated_file_has_a_new_first_key_and_the_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wahana.keys");
        create_file(&path).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        assert_eq!(rotate_file(&path).unwrap(), 2);
        let after = fs::read_to_string(&path).unwrap();
        assert!(
            after.starts_with("2 ") && after.ends_with(&before),
            "the rest stays as it was"
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Keys::File(path.clone()).load().unwrap().numbers(), [2, 1]);
        assert_eq!(rotate_file(&path).unwrap(), 3);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing else is left"
        );
    }

    #[test]
    fn keys_that_are_not_kept_go_but_never_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wahana.keys");
        create_file(&path).unwrap();
        rotate_file(&path).unwrap();
        rotate_file(&path).unwrap();
        assert_eq!(prune_file(&path, |number| number == 1).unwrap(), [2]);
        assert_eq!(Keys::File(path.clone()).load().unwrap().numbers(), [3, 1]);
        assert!(fs::read_to_string(&path).unwrap().contains("# Keys of wahana"));
        assert_eq!(prune_file(&path, |_| false).unwrap(), [1]);
        assert_eq!(prune_file(&path, |_| false).unwrap(), Vec::<u32>::new());
        assert_eq!(Keys::File(path).load().unwrap().numbers(), [3]);
    }

    #[test]
    fn a_change_that_another_makes_or_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wahana.keys");
        assert!(matches!(rotate_file(&path), Err(KeysError::Missing(_))));
        create_file(&path).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        let new = folder.path().join("wahana.keys.new");
        File::create(&new).unwrap();
        assert!(matches!(rotate_file(&path), Err(KeysError::Changing(_))));
        fs::remove_file(&new).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(rotate_file(&path), Err(KeysError::Mode { .. })));
        assert!(!new.exists());
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn a_link_to_the_file_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real.keys"), folder.path().join("wahana.keys"));
        create_file(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        rotate_file(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(Keys::File(path).load().unwrap().numbers(), [2, 1]);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wahana.keys");
        create_file(&path).unwrap();
        for mode in [0o640, 0o604, 0o644, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = Keys::File(path.clone()).load().unwrap_err().to_string();
            assert!(
                error.contains("chmod 600") && error.contains(&format!("{mode:04o}")),
                "{error}"
            );
        }
    }

    #[test]
    fn placeholders_are_refused_and_not_quoted() {
        for text in [
            "changeme",
            &format!("1 {}", "0".repeat(64)),
            &format!("1 {}", "ab".repeat(32)),
        ] {
            let error = Keys::Ring(text.to_owned().into()).load().unwrap_err().to_string();
            assert!(error.contains("WAHANA_KEYS__RING"), "{error}");
            assert!(!error.contains("changeme") && !error.contains("abab") && !error.contains("0000"));
        }
    }
}
