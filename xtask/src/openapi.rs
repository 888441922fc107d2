//! The API's description in OpenAPI, which is generated from the code and kept in the repository.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};

use crate::cargo;

/// Where the description is kept, from the root of the workspace.
pub(crate) const PATH: &str = "docs/openapi.json";

/// Writes what the code says to [`PATH`].
pub(crate) fn write() -> anyhow::Result<()> {
    let document = generate()?;
    if let Some(folder) = Path::new(PATH).parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(PATH, document).with_context(|| format!("cannot write {PATH}"))
}

/// An error if [`PATH`] is not what the code says.
pub(crate) fn check() -> anyhow::Result<()> {
    let kept = fs::read(PATH).with_context(|| format!("cannot read {PATH}"))?;
    if kept != generate()? {
        bail!("{PATH} is not what the code says");
    }
    Ok(())
}

fn generate() -> anyhow::Result<Vec<u8>> {
    let output = cargo::command(["run", "--quiet", "--package", "wahana", "--", "openapi"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(
        output.status.success(),
        "`wahana openapi` failed ({})",
        output.status
    );
    Ok(output.stdout)
}
