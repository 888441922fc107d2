//! The engine and the version the simulator claims to be.

use serde::{Deserialize, Serialize};

/// WAHA's engines. The engine belongs to the server, not to a session, and decides the shape of some answers.
///
/// NOWEB's shapes were recorded from WAHA 2026.2.1. What GOWS and WEBJS answer to sends, chats and groups was not
/// recorded: it follows WAHA's own API description and source as far as they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "UPPERCASE")]
pub enum Engine {
    /// Node, no browser (Baileys).
    #[default]
    Noweb,
    /// Go (whatsmeow).
    Gows,
    /// A browser (whatsapp-web.js).
    Webjs,
}

impl Engine {
    /// The name WAHA uses in answers and events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Noweb => "NOWEB",
            Self::Gows => "GOWS",
            Self::Webjs => "WEBJS",
        }
    }
}

/// A WAHA release, `year.month.build`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    text: String,
    parts: [u32; 3],
}

impl Version {
    /// Anything that is not a number counts as zero: an odd version is then simply an old one.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = [0; 3];
        for (slot, part) in parts.iter_mut().zip(text.split('.')) {
            *slot = part.parse().unwrap_or(0);
        }
        Self {
            text: text.to_owned(),
            parts,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn at_least(&self, year: u32, month: u32, build: u32) -> bool {
        self.parts >= [year, month, build]
    }

    /// `x-api-key` in the query, `id` on sends and `new-message-id` came with 2026.4.3.
    pub(crate) fn has_message_ids(&self) -> bool {
        self.at_least(2026, 4, 3)
    }

    /// Before 2026.6.1 health checks, session keys and more than one session were for paying users.
    pub(crate) fn has_merged_plus(&self) -> bool {
        self.at_least(2026, 6, 1)
    }
}
