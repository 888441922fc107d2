//! The pace at which a session sends, as requests and answers write it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{InvalidPacing, Pacing};
use wahana_service::FieldErrors;

/// The pace at which a session sends. It holds for every message of the session, whoever sends it through wahana.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PacingFields {
    /// The shortest pause between the end of a send and the next one, in seconds.
    #[schema(minimum = 0, maximum = 3600)]
    min_seconds: u32,
    /// The longest pause, in seconds. Each pause is of another length between the two.
    #[schema(minimum = 1, maximum = 3600)]
    max_seconds: u32,
    /// Whether the session is seen typing before a text, for a time that follows its length: at least one second,
    /// at most twenty, and never longer than `max_seconds`.
    #[serde(default)]
    shows_typing: bool,
}

impl PacingFields {
    pub(super) fn check(self, errors: &mut FieldErrors) -> Option<Pacing> {
        let checked = Pacing::new(self.min_seconds, self.max_seconds, self.shows_typing);
        let field = match checked {
            Err(InvalidPacing::Shortest) => "pacing.min_seconds",
            Ok(_) | Err(InvalidPacing::Longest) => "pacing.max_seconds",
        };
        errors.take(field, checked)
    }
}

impl From<Pacing> for PacingFields {
    fn from(pacing: Pacing) -> Self {
        Self {
            min_seconds: pacing.min_seconds().into(),
            max_seconds: pacing.max_seconds().into(),
            shows_typing: pacing.shows_typing(),
        }
    }
}
