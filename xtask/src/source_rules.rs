//! Rules about the source's text that no lint knows.

use std::fmt;
use std::fs;
use std::io;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

/// A file with more lines than this is not read at one sitting.
const MOST_LINES: usize = 600;

/// What no Rust file may contain, and why. The texts are put together so that this file passes.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "do it, or file an issue"),
    (concat!("FIX", "ME"), "do it, or file an issue"),
    (concat!("todo", "!("), "unfinished code is not merged"),
    (concat!("dbg", "!("), "left over from a search for a bug"),
    (concat!("#[", "ignore"), "a test that is not run proves nothing"),
];

/// A place that breaks a rule.
struct Finding {
    path: String,
    line: usize,
    problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.problem)
    }
}

/// Applies the rules to every Rust file that is, or could be, in the repository.
pub(crate) fn check() -> anyhow::Result<()> {
    let mut findings = Vec::new();
    for path in files(&["--cached", "--others", "--exclude-standard", "--", "*.rs"])? {
        match fs::read_to_string(&path) {
            Ok(text) => findings.extend(findings_in(&path, &text)),
            // Removed, but not yet committed so.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
        }
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} places break a rule", findings.len());
    }
    Ok(())
}

/// Whether git knows the file.
pub(crate) fn is_tracked(path: &str) -> anyhow::Result<bool> {
    Ok(!files(&["--", path])?.is_empty())
}

/// The files that `git ls-files` names with these arguments.
pub(crate) fn files(arguments: &[&str]) -> anyhow::Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .args(arguments)
        .output()
        .context("cannot start git")?;
    ensure!(
        output.status.success(),
        "git: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}

fn findings_in(path: &str, text: &str) -> Vec<Finding> {
    let finding = |line, problem| Finding {
        path: path.to_owned(),
        line,
        problem,
    };
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (forbidden, reason) in FORBIDDEN {
            if line.contains(forbidden) {
                findings.push(finding(index + 1, format!("`{forbidden}`: {reason}")));
            }
        }
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        findings.push(finding(
            MOST_LINES + 1,
            format!("{lines} lines, more than {MOST_LINES}: split it"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        findings_in("src/lib.rs", text)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn forbidden_text_is_found_with_its_line() {
        let text = format!("fn main() {{\n    {}x);\n}}\n", FORBIDDEN[3].0);
        let found = shown(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/lib.rs:2: "), "{found:?}");
    }

    #[test]
    fn every_forbidden_text_is_found() {
        for (forbidden, _) in FORBIDDEN {
            assert_eq!(shown(&format!("// {forbidden}\n")).len(), 1, "{forbidden}");
        }
    }

    #[test]
    fn a_file_may_have_the_most_lines_but_not_one_more() {
        let most = "x\n".repeat(MOST_LINES);
        assert!(shown(&most).is_empty());
        assert_eq!(shown(&(most + "x\n")).len(), 1);
    }

    #[test]
    fn ordinary_source_passes() {
        assert!(shown("//! What is to do is done.\n\n#[test]\nfn passes() {}\n").is_empty());
    }
}
