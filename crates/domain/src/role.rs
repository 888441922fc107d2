//! What a member is in an organization.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::words::words;

/// A member's role. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also sends.
    Agent,
    /// Also manages sessions, members, tokens and webhooks.
    Admin,
    /// Also manages the organization itself.
    Owner,
}

/// The text is not a role.
#[derive(Debug, thiserror::Error)]
#[error("must be one of owner, admin, agent, viewer")]
pub struct UnknownRole;

words!(Role {
    Viewer => "viewer",
    Agent => "agent",
    Admin => "admin",
    Owner => "owner",
});

impl Role {
    /// Whether a member with this role may give, change or take away `other`: an admin manages all
    /// but owners, an owner everybody.
    #[must_use]
    pub fn may_manage(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => other < Self::Owner,
            Self::Agent | Self::Viewer => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_word(text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_below_admin_manages_anybody_and_only_owners_manage_owners() {
        for other in Role::ALL {
            assert!(!Role::Viewer.may_manage(other) && !Role::Agent.may_manage(other));
            assert!(Role::Owner.may_manage(other));
            assert_eq!(Role::Admin.may_manage(other), other != Role::Owner);
        }
    }
}
