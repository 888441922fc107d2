//! `cargo xtask check`: everything that can be checked without running the product.

use std::time::Instant;

use anyhow::bail;

use crate::cargo::{self, DENY, MACHETE};
use crate::{alert_rules, openapi, source_rules};

struct Step {
    name: &'static str,
    run: fn() -> anyhow::Result<()>,
    /// What to do when it fails.
    remedy: &'static str,
}

/// Quick ones first.
const STEPS: &[Step] = &[
    Step {
        name: "formatting",
        run: formatting,
        remedy: "run `cargo fmt --all`",
    },
    Step {
        name: "source rules",
        run: source_rules::check,
        remedy: "change the places named above",
    },
    Step {
        name: "alert rules",
        run: alert_rules::check,
        remedy: "change deploy/prometheus/alerts.yaml and docs/operations.md together",
    },
    Step {
        name: "unused dependencies",
        run: unused_dependencies,
        remedy: "remove them from the Cargo.toml named above",
    },
    Step {
        name: "dependency rules",
        run: dependency_rules,
        remedy: "see deny.toml, which says what is allowed and why",
    },
    Step {
        name: "lints",
        run: lints,
        remedy: "change the code; `#[expect]` with a reason is the exception",
    },
    Step {
        name: "documentation",
        run: documentation,
        remedy: "repair the comments named above",
    },
    Step {
        name: "API description",
        run: api_description,
        remedy: "run `cargo xtask openapi`",
    },
];

/// Runs every step, also after one has failed, so that one run shows all there is to do.
pub(crate) fn run() -> anyhow::Result<()> {
    MACHETE.ensure()?;
    DENY.ensure()?;
    let mut failed = Vec::new();
    for step in STEPS {
        let start = Instant::now();
        let outcome = (step.run)();
        let seconds = start.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => eprintln!("check: {} passed ({seconds:.1} s)", step.name),
            Err(error) => {
                eprintln!(
                    "check: {} FAILED ({seconds:.1} s): {error:#}; {}",
                    step.name, step.remedy
                );
                failed.push(step.name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Asks the advisory database about the dependencies. Not a part of [`run`]: its answer changes without
/// any change here, and it needs the network.
pub(crate) fn advisories() -> anyhow::Result<()> {
    DENY.ensure()?;
    cargo::run(cargo::command(["deny", "--locked", "check", "advisories"]))
}

fn formatting() -> anyhow::Result<()> {
    cargo::run(cargo::command(["fmt", "--all", "--check"]))
}

fn unused_dependencies() -> anyhow::Result<()> {
    cargo::run(cargo::command(["machete"]))
}

fn dependency_rules() -> anyhow::Result<()> {
    cargo::run(cargo::command([
        "deny", "--locked", "check", "bans", "licenses", "sources",
    ]))
}

fn lints() -> anyhow::Result<()> {
    let clippy = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    cargo::run(cargo::command(clippy))
}

fn documentation() -> anyhow::Result<()> {
    let mut doc = cargo::command([
        "doc",
        "--locked",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    cargo::run(doc)
}

fn api_description() -> anyhow::Result<()> {
    if source_rules::is_tracked(openapi::PATH)? {
        openapi::check()?;
    }
    Ok(())
}
