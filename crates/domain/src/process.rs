//! The processes that run on one database.

use std::{fmt, str::FromStr};

use crate::{ProcessId, Timestamp};

/// What a process does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessRole {
    /// It answers requests.
    Api,
    /// It does background work.
    Worker,
    /// Both.
    #[default]
    All,
}

/// The text is no role of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be api, worker or all")]
pub struct UnknownProcessRole;

impl ProcessRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Api, Self::Worker, Self::All];

    /// The role as it is written and stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::All => "all",
        }
    }

    /// Whether it answers requests.
    #[must_use]
    pub const fn serves_requests(self) -> bool {
        matches!(self, Self::Api | Self::All)
    }

    /// Whether it does background work.
    #[must_use]
    pub const fn works(self) -> bool {
        matches!(self, Self::Worker | Self::All)
    }
}

impl FromStr for ProcessRole {
    type Err = UnknownProcessRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or(UnknownProcessRole)
    }
}

impl fmt::Display for ProcessRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A process of wahana.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id, new at every start.
    pub id: ProcessId,
    /// The machine it runs on and its number there, for people.
    pub name: String,
    /// What it does.
    pub role: ProcessRole,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it lives.
    pub seen_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written_and_all_do_something() {
        for role in ProcessRole::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert!(role.serves_requests() || role.works(), "{role}");
        }
        assert_eq!("both".parse::<ProcessRole>(), Err(UnknownProcessRole));
    }
}
