//! `wahana doctor`: what is right and what is wrong, in words, and what to do about it.

mod database;
mod keys;
mod network;
mod redis;
mod waha;
mod work;

use std::process::ExitCode;

use serde::Serialize;
use wahana_store::KeyRing;

use crate::{
    config::{Given, Settings},
    output::{Output, Row, print},
};

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As it should be.
    Good,
    /// It works, and something should be done.
    Warning,
    /// It does not work.
    Fault,
}

/// What was found about one thing.
#[derive(Debug, Serialize)]
struct Finding {
    subject: &'static str,
    verdict: Verdict,
    text: String,
    /// What to do.
    advice: Option<String>,
}

impl Finding {
    fn good(subject: &'static str, text: impl Into<String>) -> Self {
        Self {
            subject,
            verdict: Verdict::Good,
            text: text.into(),
            advice: None,
        }
    }

    fn warning(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            subject,
            verdict: Verdict::Warning,
            text: text.into(),
            advice: Some(advice.into()),
        }
    }

    fn fault(subject: &'static str, text: impl Into<String>, advice: Option<&str>) -> Self {
        Self {
            subject,
            verdict: Verdict::Fault,
            text: text.into(),
            advice: advice.map(str::to_owned),
        }
    }
}

impl Row for Finding {
    const COLUMNS: &'static [&'static str] = &["SUBJECT", "VERDICT", "FINDING", "ADVICE"];

    fn cells(&self) -> Vec<String> {
        let verdict = match self.verdict {
            Verdict::Good => "good",
            Verdict::Warning => "warning",
            Verdict::Fault => "FAULT",
        };
        vec![
            self.subject.to_owned(),
            verdict.to_owned(),
            self.text.clone(),
            self.advice.clone().unwrap_or_default(),
        ]
    }
}

/// Looks at everything; the exit code is 1 if something must be put right.
pub(super) async fn run(given: &Given, output: Output) -> anyhow::Result<ExitCode> {
    let findings = match given.check() {
        Ok(settings) => examine(&settings).await,
        Err(faults) => faults
            .0
            .iter()
            .map(|fault| Finding::fault("configuration", fault.to_string(), None))
            .collect(),
    };
    report(&findings, output)?;
    let is_faulty = findings.iter().any(|finding| finding.verdict == Verdict::Fault);
    Ok(if is_faulty {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![Finding::good("configuration", "every setting is sound")];
    findings.extend(network::examine(settings));
    let (keys, finding) = keys::examine(&settings.keys);
    findings.push(finding);
    let numbers = keys.as_ref().map(KeyRing::numbers);
    // Without its keys the database can still be looked at; only secrets cannot be read.
    let (services, found) = database::examine(settings, keys.unwrap_or_else(KeyRing::generate)).await;
    findings.extend(found);
    if let Some(services) = services {
        findings.extend(redis::examine(&services).await);
        findings.extend(work::examine(&services).await);
        if let Some(numbers) = numbers {
            findings.extend(keys::examine_use(&services, &numbers).await);
            findings.extend(waha::examine(&services).await);
        }
        if let Err(error) = services.close().await {
            findings.push(Finding::fault("database", error.to_string(), None));
        }
    }
    findings
}

fn report(findings: &[Finding], output: Output) -> anyhow::Result<()> {
    if output.is_json {
        return output.list(findings);
    }
    let lines = findings.iter().map(|finding| {
        let cells = finding.cells();
        let advice = finding.advice.as_ref();
        let advice = advice.map_or_else(String::new, |advice| format!("         -> {advice}\n"));
        format!("{:8} {}: {}\n{advice}", cells[1], cells[0], cells[2])
    });
    print(&lines.collect::<String>())
}
