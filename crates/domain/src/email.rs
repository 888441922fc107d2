//! E-mail addresses, kept as written and compared as people expect.

use std::fmt;

use serde::{Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

/// An e-mail address. Two that differ only in letter case or in how Unicode writes the same
/// letters are the same person's.
#[derive(Clone)]
pub struct EmailAddress {
    written: String,
    canonical: String,
}

/// The text is no e-mail address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as name@example.com")]
pub struct InvalidEmail;

/// The longest address that can be delivered to (RFC 5321).
const MAX_LENGTH: usize = 254;

impl EmailAddress {
    /// Reads an address. Checks its form only: whether it exists shows when somebody uses it.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let written: String = text.trim().nfc().collect();
        let (local, domain) = written.rsplit_once('@').ok_or(InvalidEmail)?;
        let forbidden = |c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '@' | '<' | '>' | ',' | ';' | '"' | '\\')
        };
        let labels_are_sound = domain
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        if local.is_empty()
            || written.len() > MAX_LENGTH
            || !domain.contains('.')
            || !labels_are_sound
            || local.chars().any(forbidden)
            || !domain
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
        {
            return Err(InvalidEmail);
        }
        // Lower case can bring new compositions, so compose once more.
        let canonical = written
            .nfkc()
            .collect::<String>()
            .to_lowercase()
            .nfkc()
            .collect::<String>();
        if canonical.matches('@').count() != 1 {
            return Err(InvalidEmail);
        }
        Ok(Self { written, canonical })
    }

    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The form by which addresses are compared and found.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for EmailAddress {}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.written, f)
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_address_in_other_letters_is_the_same() {
        let address = EmailAddress::parse("Owner@Example.COM").unwrap();
        assert_eq!(address, EmailAddress::parse(" owner@example.com ").unwrap());
        assert_eq!(address.as_str(), "Owner@Example.COM");
        // "é" as one character and as "e" with an accent.
        assert_eq!(
            EmailAddress::parse("ren\u{e9}@example.com").unwrap(),
            EmailAddress::parse("rene\u{301}@example.com").unwrap()
        );
        // Full-width letters look like others and are folded into them.
        assert_eq!(
            EmailAddress::parse("\u{ff41}b@example.com").unwrap(),
            EmailAddress::parse("ab@example.com").unwrap()
        );
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for text in [
            "",
            "name",
            "@example.com",
            "a@",
            "a@b",
            "a b@example.com",
            "a@b@example.com",
            "a@-b.com",
            "a@b..com",
            "a\n@b.com",
            "a@exa_mple.com",
            "a\u{ff20}b@example.com",
        ] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidEmail), "{text:?}");
        }
        assert_eq!(
            EmailAddress::parse(&format!("{}@example.com", "a".repeat(250))),
            Err(InvalidEmail)
        );
    }
}
