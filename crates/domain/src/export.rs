//! The export of everything that is kept of an organization.

use crate::{ExportId, MediaFileId, Timestamp};

/// The export of an organization, and how far it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// How many lines were written so far.
    pub rows: u64,
    /// The file, as long as it is kept.
    pub file: Option<MediaFileId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was done, or given up.
    pub finished_at: Option<Timestamp>,
    /// Until when the file is kept; `None` if there never was one.
    pub expires_at: Option<Timestamp>,
}

/// How an export stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// It is being made.
    Running,
    /// Its file can be fetched.
    Done,
    /// Its file is not kept any more.
    Expired,
    /// It was given up.
    Failed,
}

impl ExportState {
    /// The state as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

impl Export {
    /// How it stands at a moment.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> ExportState {
        match (self.finished_at, self.expires_at) {
            (None, _) => ExportState::Running,
            (Some(_), None) => ExportState::Failed,
            (Some(_), Some(expires_at)) if self.file.is_none() || expires_at <= now => ExportState::Expired,
            _ => ExportState::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_stands_as_its_times_say() {
        let at = Timestamp::from_seconds;
        let running = Export {
            id: ExportId::new(),
            rows: 0,
            file: None,
            created_at: at(0),
            finished_at: None,
            expires_at: None,
        };
        let failed = Export {
            finished_at: Some(at(1)),
            ..running.clone()
        };
        let done = Export {
            file: Some(MediaFileId::new()),
            expires_at: Some(at(5)),
            ..failed.clone()
        };
        let taken_back = Export {
            file: None,
            ..done.clone()
        };
        assert_eq!(running.state(at(9)), ExportState::Running);
        assert_eq!(failed.state(at(1)), ExportState::Failed);
        assert_eq!(done.state(at(4)), ExportState::Done);
        assert_eq!(done.state(at(5)), ExportState::Expired);
        assert_eq!(taken_back.state(at(1)), ExportState::Expired);
    }
}
