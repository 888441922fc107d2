//! Programs that the tests and the benchmark need and that come from the distribution.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::postgres;

/// A program that some test needs.
struct Need {
    name: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    is_present: fn() -> bool,
}

const POSTGRESQL: Need = Need {
    name: "PostgreSQL",
    package: "postgresql",
    is_present: || postgres::program_folder().is_ok(),
};

const REDIS: Need = Need {
    name: "Redis",
    package: "redis-server",
    is_present: || is_on_path("redis-server"),
};

const NEEDS: &[Need] = &[POSTGRESQL, REDIS];

/// What the benchmark needs besides.
const BENCH_NEEDS: &[Need] = &[
    POSTGRESQL,
    Need {
        name: "wrk",
        package: "wrk",
        is_present: || is_on_path("wrk"),
    },
    Need {
        name: "nginx",
        package: "nginx",
        is_present: || nginx().is_some(),
    },
];

/// Says what to install if the benchmark lacks something.
pub(crate) fn ensure_for_bench() -> anyhow::Result<()> {
    match lacking(BENCH_NEEDS).as_slice() {
        [] => Ok(()),
        lacking => bail!(instruction("the measurements", lacking)),
    }
}

/// Where nginx is. Debian keeps it in a folder that only root's PATH names.
pub(crate) fn nginx() -> Option<PathBuf> {
    let search_path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&search_path)
        .chain([Path::new("/usr/sbin").to_owned()])
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file())
}

/// Installs what is lacking where that needs no question, and otherwise says what to install.
pub(crate) fn ensure() -> anyhow::Result<()> {
    let lacking = lacking(NEEDS);
    if lacking.is_empty() {
        return Ok(());
    }
    let Some(prefix) = apt_get() else {
        bail!(instruction("the tests", &lacking))
    };
    let packages: Vec<_> = lacking.iter().map(|need| need.package).collect();
    eprintln!("installing with apt-get, for the tests: {}", packages.join(" "));
    let run = |arguments: &[&str]| {
        let mut command = Command::new(prefix[0]);
        command.args(&prefix[1..]).args(arguments).stdin(Stdio::null());
        let output = command.output().context("cannot start apt-get")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "apt-get {} failed: {}",
            arguments[0],
            errors.trim()
        );
        Ok(())
    };
    run(&["update"])
        .and_then(|()| {
            run(&[
                &["install", "--yes", "--no-install-recommends"],
                packages.as_slice(),
            ]
            .concat())
        })
        .with_context(|| instruction("the tests", &lacking))?;
    match self::lacking(NEEDS).as_slice() {
        [] => Ok(()),
        still => bail!(
            "after the installation still: {}",
            instruction("the tests", still)
        ),
    }
}

fn lacking(needs: &'static [Need]) -> Vec<&'static Need> {
    needs.iter().filter(|need| !(need.is_present)()).collect()
}

fn instruction(who: &str, lacking: &[&Need]) -> String {
    let names: Vec<_> = lacking.iter().map(|need| need.name).collect();
    let packages: Vec<_> = lacking.iter().map(|need| need.package).collect();
    format!(
        "{who} need {}; on Debian: `apt-get install {}`",
        names.join(" and "),
        packages.join(" ")
    )
}

/// The words that start an `apt-get` which may install, if there is one that asks nothing.
fn apt_get() -> Option<&'static [&'static str]> {
    if !is_on_path("apt-get") {
        return None;
    }
    // A package that asks a question would wait forever.
    let as_root: &[&str] = &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    let with_sudo: &[&str] = &[
        "sudo",
        "--non-interactive",
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
    ];
    if rustix::process::geteuid().is_root() {
        return Some(as_root);
    }
    let sudo_asks_nothing = Command::new("sudo")
        .args(["--non-interactive", "true"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    sudo_asks_nothing.then_some(with_sudo)
}

fn is_on_path(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_lacking_is_asked_for() {
        const NEEDS: &[Need] = &[
            Need {
                name: "Present",
                package: "present-package",
                is_present: || true,
            },
            Need {
                name: "One",
                package: "one-package",
                is_present: || false,
            },
            Need {
                name: "Two",
                package: "two-package",
                is_present: || false,
            },
        ];
        assert_eq!(
            instruction("the tests", &lacking(NEEDS)),
            "the tests need One and Two; on Debian: `apt-get install one-package two-package`"
        );
    }
}
