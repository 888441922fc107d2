//! Whether the alert rules speak of what wahana counts, and say what to do.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, bail};

use crate::source_rules;

const RULES: &str = "deploy/prometheus/alerts.yaml";
const RUNBOOK: &str = "docs/operations.md";
const SOURCES: &str = ":(glob)crates/*/src/**/*.rs";

/// How the names of wahana's own metrics begin; others are of whatever else is watched.
const OURS: [&str; 2] = ["wahana_", "process_"];
/// What Prometheus adds to a histogram's name.
const PARTS: [&str; 3] = ["_bucket", "_count", "_sum"];

/// Fails if a rule uses a metric that no source file names, lacks a severity or a summary, or has no
/// section in the operator's handbook, or if a section there has no rule.
pub(crate) fn check() -> anyhow::Result<()> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
    let mut sources = String::new();
    for path in source_rules::files(&["--cached", "--others", "--exclude-standard", "--", SOURCES])? {
        // One that was removed, but not yet committed so, counts nothing.
        sources.push_str(&fs::read_to_string(path).unwrap_or_default());
    }
    let problems = problems(&read(RULES)?, &read(RUNBOOK)?, &sources);
    for problem in &problems {
        eprintln!("{RULES}: {problem}");
    }
    if !problems.is_empty() {
        bail!("{} problems with alert rules", problems.len());
    }
    Ok(())
}

/// A rule, with the lines of the file that belong to it.
struct Rule<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
}

fn rules_in(text: &str) -> Vec<Rule<'_>> {
    let mut rules: Vec<Rule<'_>> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("- alert: ") {
            let lines = Vec::new();
            rules.push(Rule { name, lines });
        } else if let Some(rule) = rules.last_mut() {
            rule.lines.push(line);
        }
    }
    rules
}

fn problems(rules: &str, runbook: &str, sources: &str) -> Vec<String> {
    let rules = rules_in(rules);
    let mut problems = Vec::new();
    if rules.is_empty() {
        problems.push("there is no rule".to_owned());
    }
    let sections: BTreeSet<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|section| section.starts_with("Wahana"))
        .collect();
    for rule in &rules {
        if !sections.contains(rule.name) {
            problems.push(format!("{} has no section in {RUNBOOK}", rule.name));
        }
        for problem in rule.problems(sources) {
            problems.push(format!("{} {problem}", rule.name));
        }
    }
    for section in sections {
        if !rules.iter().any(|rule| rule.name == section) {
            problems.push(format!("{section} is a section in {RUNBOOK}, and no rule"));
        }
    }
    problems
}

impl Rule<'_> {
    fn problems(&self, sources: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let says = |line: &str| self.lines.contains(&line);
        if !says("severity: critical") && !says("severity: warning") {
            problems.push("is neither critical nor a warning".to_owned());
        }
        if !self.lines.iter().any(|line| line.starts_with("summary: ")) {
            problems.push("has no summary".to_owned());
        }
        let link = format!("runbook: {RUNBOOK}#{}", self.name.to_lowercase());
        if !says(&link) {
            problems.push(format!("does not say `{link}`"));
        }
        for metric in self.metrics() {
            if !is_counted(metric, sources) {
                problems.push(format!("uses {metric}, which wahana does not count"));
            }
        }
        problems
    }

    /// wahana's own metrics in the rule.
    fn metrics(&self) -> BTreeSet<&str> {
        let is_part_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let words = self
            .lines
            .iter()
            .flat_map(|line| line.split(move |character| !is_part_of_name(character)));
        words
            .filter(|word| OURS.iter().any(|prefix| word.starts_with(prefix)))
            .collect()
    }
}

/// Whether a source file names the metric in quotes, as whoever counts must.
fn is_counted(metric: &str, sources: &str) -> bool {
    let is_named = |name: &str| sources.contains(&format!("\"{name}\""));
    is_named(metric)
        || PARTS
            .iter()
            .filter_map(|part| metric.strip_suffix(part))
            .any(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "
groups:
  - name: one
    rules:
      # Explains wahana_nothing_in_a_comment.
      - alert: WahanaSlow
        expr: |
          rate(wahana_time_seconds_count{kind=\"x\"}[5m]) > 1
          and max by (table) (wahana_rows) > node_rows
        labels:
          severity: warning
        annotations:
          summary: \"It is slow.\"
          runbook: docs/operations.md#wahanaslow
";
    const SECTIONS: &str = "# Operations\n\n### WahanaSlow\n\nHurry.\n\n### Elsewhere\n";
    const COUNTS: &str = "const TIME: &str = \"wahana_time_seconds\"; gauge!(\"wahana_rows\")";

    #[test]
    fn a_sound_rule_passes() {
        assert_eq!(problems(SOUND, SECTIONS, COUNTS), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_said() {
        for (from, to, problem) in [
            ("severity: warning", "severity: odd", "neither critical"),
            ("summary", "summery", "no summary"),
            ("#wahanaslow", "#slow", "does not say `runbook:"),
            ("wahana_rows", "wahana_cows", "uses wahana_cows"),
            ("node_rows", "process_rows", "uses process_rows"),
            ("- alert", "- record", "there is no rule"),
        ] {
            let found = problems(&SOUND.replace(from, to), SECTIONS, COUNTS);
            assert!(found.iter().any(|found| found.contains(problem)), "{found:?}");
        }
    }

    #[test]
    fn rules_and_sections_belong_together() {
        let found = problems(SOUND, "### WahanaFast\n", COUNTS);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("WahanaSlow has no section"), "{found:?}");
        assert!(found[1].contains("WahanaFast is a section"), "{found:?}");
    }
}
