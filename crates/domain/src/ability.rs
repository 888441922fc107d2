//! What a caller may do: by ability of the credential and by role of its user.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeSeq};

use crate::{Role, words::words};

/// One thing that a credential may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Ability {
    /// See sessions and their state.
    SessionsRead = 1,
    /// Create, start, stop, pair and delete sessions.
    SessionsManage = 1 << 1,
    /// Read messages and chats.
    MessagesRead = 1 << 2,
    /// Send messages.
    MessagesSend = 1 << 3,
    /// Read contacts and groups.
    ContactsRead = 1 << 4,
    /// Manage webhooks.
    WebhooksManage = 1 << 5,
    /// See and manage members and invitations.
    MembersManage = 1 << 6,
    /// See and manage access tokens.
    TokensManage = 1 << 7,
    /// Change the organization itself.
    OrganizationManage = 1 << 8,
    /// Read the audit log.
    AuditRead = 1 << 9,
}

/// The text is not an ability.
#[derive(Debug, thiserror::Error)]
#[error(
    "must be \"*\" or some of sessions:read, sessions:manage, messages:read, messages:send, contacts:read, webhooks:manage, members:manage, tokens:manage, organization:manage, audit:read"
)]
pub struct UnknownAbility;

words!(Ability {
    SessionsRead => "sessions:read",
    SessionsManage => "sessions:manage",
    MessagesRead => "messages:read",
    MessagesSend => "messages:send",
    ContactsRead => "contacts:read",
    WebhooksManage => "webhooks:manage",
    MembersManage => "members:manage",
    TokensManage => "tokens:manage",
    OrganizationManage => "organization:manage",
    AuditRead => "audit:read",
});

impl Ability {
    /// The weakest role whose members may do this.
    #[must_use]
    pub const fn minimum_role(self) -> Role {
        match self {
            Self::SessionsRead | Self::MessagesRead | Self::ContactsRead => Role::Viewer,
            Self::MessagesSend => Role::Agent,
            Self::SessionsManage
            | Self::WebhooksManage
            | Self::MembersManage
            | Self::TokensManage
            | Self::AuditRead => Role::Admin,
            Self::OrganizationManage => Role::Owner,
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Ability {
    type Err = UnknownAbility;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_word(text).ok_or(UnknownAbility)
    }
}

/// The abilities of a credential: all that there are and will be (`*`), or a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abilities {
    /// Everything, also what later versions add.
    All,
    /// A choice of abilities, one bit each.
    Some(u16),
}

impl Abilities {
    /// A choice of abilities.
    #[must_use]
    pub fn of(abilities: &[Ability]) -> Self {
        Self::Some(abilities.iter().fold(0, |bits, ability| bits | *ability as u16))
    }

    /// Reads the list as it is written and stored.
    pub fn parse<S: AsRef<str>>(list: &[S]) -> Result<Self, UnknownAbility> {
        if list.iter().any(|ability| ability.as_ref() == "*") {
            return Ok(Self::All);
        }
        let abilities = list
            .iter()
            .map(|ability| ability.as_ref().parse())
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(&abilities))
    }

    /// The list as it is written and stored.
    #[must_use]
    pub fn to_list(self) -> Vec<&'static str> {
        match self {
            Self::All => vec!["*"],
            Self::Some(_) => Ability::ALL
                .iter()
                .filter(|a| self.contains(**a))
                .map(|a| a.as_str())
                .collect(),
        }
    }

    /// Whether `ability` is among them.
    #[must_use]
    pub const fn contains(self, ability: Ability) -> bool {
        match self {
            Self::All => true,
            Self::Some(bits) => bits & ability as u16 != 0,
        }
    }

    /// Whether everything in `other` is in here too: a token never makes a stronger one.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Some(_), Self::All) => false,
            (Self::Some(ours), Self::Some(theirs)) => theirs & !ours == 0,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::Some(0))
    }
}

impl Serialize for Abilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let list = self.to_list();
        let mut sequence = serializer.serialize_seq(Some(list.len()))?;
        for ability in list {
            sequence.serialize_element(ability)?;
        }
        sequence.end()
    }
}

impl<'de> Deserialize<'de> for Abilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Vec::<String>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_survive_being_written_and_read() {
        for list in [vec!["*"], vec!["sessions:read", "messages:send"], vec![]] {
            assert_eq!(Abilities::parse(&list).unwrap().to_list(), list);
        }
        assert!(Abilities::parse(&["sessions:write"]).is_err());
    }

    #[test]
    fn a_choice_never_includes_everything() {
        let every_known = Abilities::of(&Ability::ALL);
        assert!(Abilities::All.includes(every_known));
        assert!(!every_known.includes(Abilities::All));
        assert!(!Abilities::of(&[Ability::SessionsRead]).includes(every_known));
    }
}
