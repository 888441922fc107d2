//! What a process does.

use wahana_domain::ProcessRole;

use super::reader::Reader;

const NAME: &str = "role";

pub(super) fn read(reader: &mut Reader<'_>) -> ProcessRole {
    let given = reader.text(NAME);
    given
        .and_then(|text| reader.take(NAME, text.parse()))
        .unwrap_or_default()
}

pub(super) fn shown(role: ProcessRole) -> Vec<(&'static str, String)> {
    vec![(NAME, format!("\"{role}\""))]
}
