//! Passwords, before they are hashed.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

/// The fewest characters of a new password.
pub const MIN_PASSWORD: usize = 10;
/// The most characters of a new password.
pub const MAX_PASSWORD: usize = 256;

/// A password as somebody presented it, right or wrong. Keyboards write the same letters differently,
/// so it is brought into one form first.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// A password that somebody chose and that may become theirs.
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

/// The text cannot become a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Too short or too long.
    #[error("must be {MIN_PASSWORD} to {MAX_PASSWORD} characters long")]
    Length,
    /// Nothing but spaces.
    #[error("must not be only spaces")]
    Blank,
}

impl Password {
    /// Takes a password as it was presented.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        Self(text.nfkc().collect::<String>().into())
    }

    /// The password itself, for hashing.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl NewPassword {
    /// Checks a password that somebody chose.
    pub fn parse(text: &str) -> Result<Self, InvalidPassword> {
        let password = Password::presented(text);
        if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&password.expose().chars().count()) {
            return Err(InvalidPassword::Length);
        }
        if password.expose().trim().is_empty() {
            return Err(InvalidPassword::Blank);
        }
        Ok(Self(password))
    }

    /// The password.
    #[must_use]
    pub const fn password(&self) -> &Password {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters_and_spaces_alone_are_none() {
        assert!(NewPassword::parse("pässwörter").is_ok());
        assert!(NewPassword::parse(&"a".repeat(256)).is_ok());
        for text in ["", "ninechars", &"a".repeat(257)] {
            assert_eq!(NewPassword::parse(text).err(), Some(InvalidPassword::Length));
        }
        assert_eq!(
            NewPassword::parse(&" ".repeat(12)).err(),
            Some(InvalidPassword::Blank)
        );
    }

    #[test]
    fn the_same_letters_are_the_same_password() {
        let composed = Password::presented("caf\u{e9} au lait");
        assert_eq!(composed.expose(), Password::presented("cafe\u{301} au lait").expose());
        assert!(!format!("{composed:?}").contains("lait"));
    }
}
