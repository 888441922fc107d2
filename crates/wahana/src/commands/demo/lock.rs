//! One demo a folder: another would empty the folder under the one that runs.

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, bail};

/// Holds the folder for as long as the file is open. The system lets go of it however the process ends, so
/// what a demo leaves behind that was killed stands in nobody's way.
pub(super) fn hold(folder: &Path) -> anyhow::Result<File> {
    let path = folder.with_extension("lock");
    let unusable = || format!("{} cannot be written", path.display());
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).with_context(unusable)?;
    }
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .with_context(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it may not have written down its number yet.
            let _ = file.read_to_string(&mut holder);
            bail!(
                "a demo runs in {} already (process {}); end it with Ctrl-C, or give this one another place with \
                 --env-file",
                folder.display(),
                holder.trim()
            );
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(unusable),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .with_context(unusable)?;
    Ok(file)
}
