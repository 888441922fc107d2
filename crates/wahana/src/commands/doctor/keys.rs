//! Whether the keys can be read, and which of them are in use.

use std::collections::BTreeMap;

use wahana_service::{Operator, Services, platform::keys};
use wahana_store::KeyRing;

use super::Finding;
use crate::{
    commands::keys::{listed, unneeded},
    config::Keys,
};

const SUBJECT: &str = "keys";

/// The ring, if it can be read.
pub(super) fn examine(keys: &Keys) -> (Option<KeyRing>, Finding) {
    match keys.load() {
        Ok(ring) => {
            let text = match keys {
                Keys::File(path) => format!("{} is sound and private", path.display()),
                Keys::Ring(_) => "the ring in WAHANA_KEYS__RING is sound".to_owned(),
            };
            (Some(ring), Finding::good(SUBJECT, text))
        }
        Err(error) => (None, Finding::fault(SUBJECT, error.to_string(), None)),
    }
}

/// Which keys of a ring with these numbers, the first of which encrypts, stored secrets need.
pub(super) async fn examine_use(services: &Services, ring: &[u32]) -> Vec<Finding> {
    match keys::in_use(services, &Operator::CommandLine).await {
        Ok(used) => judge(ring, &used),
        Err(error) => vec![Finding::fault(SUBJECT, error.to_string(), None)],
    }
}

fn judge(ring: &[u32], used: &BTreeMap<u32, u64>) -> Vec<Finding> {
    let Some((first, others)) = ring.split_first() else {
        return Vec::new();
    };
    let secrets = |number: &u32| used.get(number).copied().unwrap_or(0);
    let mut findings = vec![Finding::good(
        SUBJECT,
        format!(
            "key {first} encrypts, and encrypted {} of the stored secrets",
            secrets(first)
        ),
    )];
    for number in used.keys().filter(|number| !ring.contains(number)) {
        findings.push(Finding::fault(
            SUBJECT,
            format!("{} stored secrets need key {number}, which the ring does not have", secrets(number)),
            Some("bring that key back, or give those WAHA servers their keys again with `wahana servers update`"),
        ));
    }
    for number in others.iter().filter(|number| used.contains_key(number)) {
        findings.push(Finding::warning(
            SUBJECT,
            format!("{} stored secrets are still encrypted with key {number}", secrets(number)),
            "once every wahana process was started anew since the last `wahana keys rotate`, run `wahana keys reencrypt`",
        ));
    }
    let unneeded = unneeded(ring, used);
    if !unneeded.is_empty() {
        findings.push(Finding::good(
            SUBJECT,
            format!(
                "no stored secret needs keys {}; `wahana keys prune` removes them",
                listed(&unneeded)
            ),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    #[test]
    fn what_to_do_with_each_key_is_said() {
        let found = judge(&[3, 2, 1], &BTreeMap::from([(3, 1), (2, 4), (9, 2)]));
        let told: Vec<(Verdict, &str)> = found
            .iter()
            .map(|finding| (finding.verdict, finding.text.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    Verdict::Good,
                    "key 3 encrypts, and encrypted 1 of the stored secrets"
                ),
                (
                    Verdict::Fault,
                    "2 stored secrets need key 9, which the ring does not have"
                ),
                (
                    Verdict::Warning,
                    "4 stored secrets are still encrypted with key 2"
                ),
                (
                    Verdict::Good,
                    "no stored secret needs keys 1; `wahana keys prune` removes them"
                ),
            ]
        );
        assert_eq!(judge(&[1], &BTreeMap::new()).len(), 1);
    }
}
