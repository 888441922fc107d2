//! Access tokens.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{Abilities, OrganizationId, SessionId, Timestamp, UserId};

/// A token's id: the part before the `|` of `Authorization: Bearer <id>|<secret>`. Text, so that
/// numeric ids of imported tokens stay valid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenId(String);

/// The text cannot be a token's id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -")]
pub struct InvalidTokenId;

/// What ids of platform tokens begin with, so that nobody mistakes one for an organization's.
const PLATFORM_PREFIX: &str = "platform_";

impl TokenId {
    /// A new id for a token of an organization.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7().simple().to_string())
    }

    /// A new id for a token of a platform administrator.
    #[must_use]
    pub fn generate_platform() -> Self {
        Self(format!("{PLATFORM_PREFIX}{}", Uuid::now_v7().simple()))
    }

    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, InvalidTokenId> {
        let sound = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTokenId)
        }
    }

    /// Whether it is the id of a platform administrator's token.
    #[must_use]
    pub fn is_platform(&self) -> bool {
        self.0.starts_with(PLATFORM_PREFIX)
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A credential of one user in one organization. Its secret is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Its id.
    pub id: TokenId,
    /// The organization it is for.
    pub organization_id: OrganizationId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is called.
    pub name: String,
    /// What it may do, as far as its user may.
    pub abilities: Abilities,
    /// The only sessions there are for it; `None` for all of the organization's.
    pub sessions: Option<Vec<SessionId>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A credential of a platform administrator. Its secret is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformToken {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is called.
    pub name: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_and_imported_ids_are_ids() {
        assert!(!TokenId::generate().is_platform());
        assert!(TokenId::generate_platform().is_platform());
        for text in [
            "1",
            "48213",
            TokenId::generate().as_str(),
            TokenId::generate_platform().as_str(),
        ] {
            assert!(TokenId::parse(text).is_ok(), "{text}");
        }
        for text in ["", "a b", "a|b", "ä", &"1".repeat(65)] {
            assert_eq!(TokenId::parse(text), Err(InvalidTokenId));
        }
    }
}
