//! Short texts that people give to things.

use serde::Serialize;

/// A text of one to `MAX` characters without control characters, trimmed: a display name or the like.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

/// The text is too long, empty, or has characters that cannot be shown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Nothing is left after trimming.
    #[error("must not be empty")]
    Empty,
    /// More characters than allowed.
    #[error("must be at most {0} characters long")]
    TooLong(usize),
    /// Line breaks and the like would break logs and exports.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl<const MAX: usize> Text<MAX> {
    /// Trims and checks a text.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidText::Empty);
        }
        if text.chars().count() > MAX {
            return Err(InvalidText::TooLong(MAX));
        }
        if text.chars().any(is_unprintable) {
            return Err(InvalidText::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Control characters, and those that only change how the text around them is shown.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_trimmed_and_bounded() {
        assert_eq!(Text::<5>::parse("  Budi ").unwrap().as_str(), "Budi");
        assert_eq!(Text::<5>::parse("  "), Err(InvalidText::Empty));
        assert_eq!(Text::<5>::parse("longer"), Err(InvalidText::TooLong(5)));
        assert_eq!(Text::<5>::parse("ünïcö").unwrap().as_str(), "ünïcö");
        assert_eq!(Text::<9>::parse("a\nb"), Err(InvalidText::ControlCharacter));
        assert_eq!(Text::<9>::parse("a\u{202E}b"), Err(InvalidText::ControlCharacter));
    }
}
