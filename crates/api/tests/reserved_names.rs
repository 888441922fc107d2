//! No session can have a name that stands where a route has a word of its own: on WAHA's paths (those of
//! 2026.7.1, in the fixture) and on wahana's.

use std::collections::BTreeSet;

use wahana_domain::{RESERVED_SESSION_NAMES, SessionName};

const WAHA_PATHS: &str = include_str!("fixtures/waha-2026.7.1-paths.txt");
/// Where WAHA listens besides: not in its description, and first words of a path all the same.
const UNDESCRIBED: [&str; 3] = ["/ws", "/metrics", "/api/files/{session}/{file}"];

fn segments(path: &str) -> Vec<&str> {
    path.trim_matches('/').split('/').collect()
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

/// The words that stand, in some path, where a path of `named` has the name of a session.
fn rivals<'a>(paths: &[&'a str], named: &[&str]) -> BTreeSet<&'a str> {
    let mut rivals = BTreeSet::new();
    for path in paths {
        let segments = segments(path);
        for at in 0..segments.len() {
            if !is_parameter(segments[at]) {
                continue;
            }
            let is_session = named.contains(&segments[at]);
            for other in paths {
                let other = self::segments(other);
                let shares_prefix = other.len() > at && other[..at] == segments[..at];
                if is_session && shares_prefix && !is_parameter(other[at]) {
                    rivals.insert(other[at]);
                }
            }
        }
    }
    rivals
}

#[test]
fn no_session_is_named_like_a_word_of_a_route() {
    let document = wahana_api::openapi();
    let own: Vec<&str> = document.paths.paths.keys().map(String::as_str).collect();
    let paths: Vec<&str> = WAHA_PATHS.lines().chain(UNDESCRIBED).chain(own).collect();
    let rivals = rivals(&paths, &["{session}", "{sessionId}"]);
    // `/api/{session}/…` is a path of WAHA's, so wahana's own first words are among them.
    for word in [
        "sessions", "start", "server", "contacts", "files", "waha", "auth", "platform",
    ] {
        assert!(rivals.contains(word), "{word} is a rival of some session");
    }
    for word in rivals {
        assert!(
            SessionName::parse(word).is_err(),
            "a session can be named {word}, and so is a route"
        );
    }
}

#[test]
fn nothing_is_reserved_without_a_route() {
    let document = wahana_api::openapi();
    let own = document.paths.paths.keys().map(String::as_str);
    let words: BTreeSet<String> = WAHA_PATHS
        .lines()
        .chain(UNDESCRIBED)
        .chain(own)
        .flat_map(segments)
        .map(str::to_ascii_lowercase)
        .collect();
    for reserved in RESERVED_SESSION_NAMES {
        assert!(
            words.contains(reserved),
            "{reserved} is reserved, and no route has it"
        );
    }
}
