//! What a session is doing, in the organization's words and in WAHA's.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::words::words;

/// What a session is doing, as far as wahana knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionStatus {
    /// Paired and connected: messages can be sent.
    Working,
    /// On its way, or in a state of WAHA's that has no word here.
    Connecting,
    /// Waits for somebody to scan its QR code.
    ScanQr,
    /// Waits for somebody to do something else on the phone.
    ActionRequired,
    /// Not running.
    Disconnected,
    /// Failed; somebody should look.
    Error,
}

/// What the organization wants of a session. Only what people say through wahana changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DesiredStatus {
    /// It should run.
    Running,
    /// It should not run, and stay paired.
    Stopped,
    /// It should be gone.
    Deleted,
}

/// Which sessions a list wants: those of one status, or of a group. The groups besides `All` do
/// not overlap and leave none out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusFilter {
    /// Every session.
    All,
    /// `working`.
    Connected,
    /// `connecting`, `scan_qr` and `action_required`.
    Connecting,
    /// `disconnected`.
    Disconnected,
    /// `error`.
    Error,
    /// One status.
    Only(SessionStatus),
}

/// How well a session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthStatus {
    /// Working and alive.
    Healthy,
    /// Working, but something is suspicious.
    Warning,
    /// Failed or gone.
    Critical,
    /// Nothing can be said.
    Unknown,
}

/// How well a session does, and why that is thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health<'a> {
    /// The judgement.
    pub status: HealthStatus,
    /// Its reason, in words.
    pub reason: &'a str,
}

/// The text is not a status of this kind.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {0}")]
pub struct UnknownStatus(&'static str);

words!(SessionStatus {
    Working => "working",
    Connecting => "connecting",
    ScanQr => "scan_qr",
    ActionRequired => "action_required",
    Disconnected => "disconnected",
    Error => "error",
});

impl SessionStatus {
    /// The status for a word of WAHA's. Words that are not known mean that something is under way.
    #[must_use]
    pub fn from_waha(word: &str) -> Self {
        match word {
            "WORKING" => Self::Working,
            "SCAN_QR_CODE" => Self::ScanQr,
            "STOPPED" => Self::Disconnected,
            "FAILED" => Self::Error,
            passkey if passkey.starts_with("PASSKEY_") => Self::ActionRequired,
            _ => Self::Connecting,
        }
    }

    /// How well a session of this status does; `is_gone` if its WAHA server does not know it any more.
    #[must_use]
    pub const fn health(self, is_gone: bool) -> HealthStatus {
        match self {
            Self::Working => HealthStatus::Healthy,
            Self::Error => HealthStatus::Critical,
            Self::Disconnected if is_gone => HealthStatus::Critical,
            Self::Disconnected | Self::Connecting | Self::ScanQr | Self::ActionRequired => {
                HealthStatus::Unknown
            }
        }
    }

    /// Which of two statuses that are of the same moment is the later one: the further on its way a session
    /// is, the higher. WAHA's times are whole milliseconds, in which a session can go through two.
    #[must_use]
    pub const fn progress(self) -> u8 {
        match self {
            Self::Disconnected => 0,
            Self::Connecting => 1,
            Self::ScanQr => 2,
            Self::ActionRequired => 3,
            Self::Working => 4,
            Self::Error => 5,
        }
    }

    /// Whether messages can be sent.
    #[must_use]
    pub const fn is_working(self) -> bool {
        matches!(self, Self::Working)
    }
}

impl FromStr for SessionStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_word(text).ok_or(UnknownStatus(
            "working, connecting, scan_qr, action_required, disconnected, error",
        ))
    }
}

words!(DesiredStatus {
    Running => "running",
    Stopped => "stopped",
    Deleted => "deleted",
});

impl FromStr for DesiredStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_word(text).ok_or(UnknownStatus("running, stopped, deleted"))
    }
}

impl StatusFilter {
    /// The statuses that pass the filter.
    #[must_use]
    pub fn statuses(self) -> Vec<SessionStatus> {
        match self {
            Self::All => SessionStatus::ALL.to_vec(),
            Self::Connected => vec![SessionStatus::Working],
            Self::Connecting => {
                vec![
                    SessionStatus::Connecting,
                    SessionStatus::ScanQr,
                    SessionStatus::ActionRequired,
                ]
            }
            Self::Disconnected => vec![SessionStatus::Disconnected],
            Self::Error => vec![SessionStatus::Error],
            Self::Only(status) => vec![status],
        }
    }
}

impl FromStr for StatusFilter {
    type Err = UnknownStatus;

    /// A word that is both a status and a group means the group: `connecting` is everything that is
    /// under way.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            "connected" => Ok(Self::Connected),
            "connecting" => Ok(Self::Connecting),
            "disconnected" => Ok(Self::Disconnected),
            "error" => Ok(Self::Error),
            status => status.parse().map(Self::Only).map_err(|_| {
                UnknownStatus(
                    "all, connected, connecting, disconnected, error, working, scan_qr, action_required",
                )
            }),
        }
    }
}

words!(HealthStatus {
    Healthy => "healthy",
    Warning => "warning",
    Critical => "critical",
    Unknown => "unknown",
});

impl FromStr for HealthStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_word(text).ok_or(UnknownStatus("healthy, warning, critical, unknown"))
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )+};
}
as_text!(SessionStatus, DesiredStatus, HealthStatus);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_wahas_has_a_status() {
        for (word, status) in [
            ("WORKING", SessionStatus::Working),
            ("STARTING", SessionStatus::Connecting),
            ("SCAN_QR_CODE", SessionStatus::ScanQr),
            ("STOPPED", SessionStatus::Disconnected),
            ("FAILED", SessionStatus::Error),
            ("PASSKEY_REQUIRED", SessionStatus::ActionRequired),
            ("PASSKEY_CONFIRMATION_REQUIRED", SessionStatus::ActionRequired),
            ("SOMETHING_NEW", SessionStatus::Connecting),
        ] {
            assert_eq!(SessionStatus::from_waha(word), status, "{word}");
        }
    }

    #[test]
    fn the_groups_partition_the_statuses() {
        let groups = [
            StatusFilter::Connected,
            StatusFilter::Connecting,
            StatusFilter::Disconnected,
            StatusFilter::Error,
        ];
        for status in SessionStatus::ALL {
            let in_groups = groups
                .iter()
                .filter(|group| group.statuses().contains(&status))
                .count();
            assert_eq!(in_groups, 1, "{status}");
        }
    }

    #[test]
    fn every_status_is_a_filter() {
        for status in SessionStatus::ALL {
            assert!(
                status
                    .as_str()
                    .parse::<StatusFilter>()
                    .unwrap()
                    .statuses()
                    .contains(&status)
            );
        }
        assert!("online".parse::<StatusFilter>().is_err());
    }
}
