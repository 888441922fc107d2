//! The kinds of background work, and what becomes of a job that fails.

use std::{fmt, str::FromStr, time::Duration};

use wahana_domain::{ErasureId, ExportId, MediaFileId, OrganizationId, Timestamp};
use wahana_store::jobs::NewJob;

use crate::{erasures, exports, media, platform};

/// A kind of background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Deletes what is past its time, every hour. It fails when the database does; given up, it is begun
    /// anew an hour later, and what it left is deleted then.
    Retention,
    /// Deletes texts that are not kept, every five minutes, once they were told. It fails as the above, and what it left
    /// is deleted the next time.
    ForgetTexts,
    /// Fetches the file of a message from WAHA, which keeps it for three minutes. It fails when WAHA is away
    /// or the media store has no room; given up, the file has expired.
    FetchMedia,
    /// Erases what an organization keeps of a chat. It fails when the database or the media store does, and is never
    /// given up.
    EraseChat,
    /// Exports what an organization keeps. It fails when the database or the media store does; given up, the export
    /// says so, and another can be asked for.
    Export,
    /// Erases a closed organization. It fails when the database or the media store does, and is never given up.
    EraseOrganization,
}

/// The workers of a process that share their places: one that works on something slow keeps up only others of
/// its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// What works on the database.
    General,
    /// What waits for the files of WAHA servers.
    Media,
}

impl Pool {
    /// Every pool.
    pub(crate) const ALL: [Self; 2] = [Self::General, Self::Media];

    /// How many of its jobs one process runs at a time.
    pub(super) const fn places(self) -> usize {
        match self {
            Self::General => 4,
            Self::Media => 8,
        }
    }

    /// The kinds of jobs that it runs.
    pub(super) fn kinds(self) -> Vec<&'static str> {
        let kinds = JobKind::ALL.into_iter().filter(|kind| kind.pool() == self);
        kinds.map(JobKind::as_str).collect()
    }
}

/// No kind has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no kind of job; there are: {}", JobKind::ALL.map(JobKind::as_str).join(", "))]
pub struct UnknownJobKind;

/// For what fails only when the database does.
const PATIENT: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_mins(30),
];

/// Five attempts in the three minutes in which WAHA has the file. After that it is asked to fetch it from
/// WhatsApp once more, for which there is time.
const BEFORE_WAHA_FORGETS: [Duration; 7] = [
    Duration::from_secs(2),
    Duration::from_secs(8),
    Duration::from_secs(30),
    Duration::from_secs(90),
    Duration::from_mins(10),
    Duration::from_hours(1),
    Duration::from_hours(4),
];

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Retention,
        Self::ForgetTexts,
        Self::FetchMedia,
        Self::EraseChat,
        Self::Export,
        Self::EraseOrganization,
    ];

    /// The kind as it is written and stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::ForgetTexts => "forget_texts",
            Self::FetchMedia => "fetch_media",
            Self::EraseChat => "erase_chat",
            Self::Export => "export",
            Self::EraseOrganization => "erase_organization",
        }
    }

    /// How long is waited after each attempt that failed. After the last, the job is given up: it is kept
    /// as dead, and counted, until somebody runs it again. What is never given up is tried on, each time after the last
    /// of these.
    #[must_use]
    pub const fn retries(self) -> &'static [Duration] {
        match self {
            Self::Retention
            | Self::ForgetTexts
            | Self::EraseChat
            | Self::Export
            | Self::EraseOrganization => &PATIENT,
            Self::FetchMedia => &BEFORE_WAHA_FORGETS,
        }
    }

    /// How long it is from one job of the platform's to the next; `None` for what has a cause each time.
    #[must_use]
    pub const fn period(self) -> Option<Duration> {
        match self {
            Self::Retention => Some(Duration::from_hours(1)),
            Self::ForgetTexts => Some(Duration::from_mins(5)),
            Self::FetchMedia | Self::EraseChat | Self::Export | Self::EraseOrganization => None,
        }
    }

    /// Who runs it.
    pub(super) const fn pool(self) -> Pool {
        match self {
            Self::Retention
            | Self::ForgetTexts
            | Self::EraseChat
            | Self::Export
            | Self::EraseOrganization => Pool::General,
            Self::FetchMedia => Pool::Media,
        }
    }

    /// The job that fetches a file.
    pub(crate) fn fetch_media(file: MediaFileId, now: Timestamp) -> NewJob {
        NewJob {
            kind: Self::FetchMedia.as_str(),
            subject: Some(file.to_string()),
            payload: serde_json::json!(media::Payload { media: file }).to_string(),
            run_at: now,
        }
    }

    /// The job that erases a chat.
    pub(crate) fn erase(erasure: ErasureId, now: Timestamp) -> NewJob {
        NewJob {
            kind: Self::EraseChat.as_str(),
            subject: Some(erasure.to_string()),
            payload: serde_json::json!(erasures::Payload { erasure }).to_string(),
            run_at: now,
        }
    }

    /// The job that erases an organization. It is the platform's own, because the organization's go.
    pub(crate) fn erase_organization(organization: OrganizationId, now: Timestamp) -> NewJob {
        NewJob {
            kind: Self::EraseOrganization.as_str(),
            subject: Some(organization.to_string()),
            payload: serde_json::json!(platform::erasures::Payload { organization }).to_string(),
            run_at: now,
        }
    }

    /// The job that exports an organization.
    pub(crate) fn export(export: ExportId, now: Timestamp) -> NewJob {
        NewJob {
            kind: Self::Export.as_str(),
            subject: Some(export.to_string()),
            payload: serde_json::json!(exports::Payload { export }).to_string(),
            run_at: now,
        }
    }

    /// Whether it is tried until it is done: who asked for something to be erased was told that it will be.
    #[must_use]
    pub const fn is_never_given_up(self) -> bool {
        matches!(self, Self::EraseChat | Self::EraseOrganization)
    }

    /// When an attempt that failed is repeated; `None` if it was the last.
    pub(super) fn retry_at(self, attempts: i64, now: Timestamp) -> Option<Timestamp> {
        let for_ever = self.retries().last().filter(|_| self.is_never_given_up());
        let wait = self.wait_after(attempts).or(for_ever)?;
        Some(now.plus(*wait))
    }

    /// Whether its schedule has another attempt after so many.
    pub(super) fn has_schedule_left(self, attempts: i64) -> bool {
        self.wait_after(attempts).is_some()
    }

    fn wait_after(self, attempts: i64) -> Option<&'static Duration> {
        let failed = usize::try_from(attempts.max(1)).unwrap_or(usize::MAX);
        self.retries().get(failed - 1)
    }

    /// The job of a kind that is done again and again, of which one waits at a time.
    pub(super) fn periodic(self, run_at: Timestamp) -> NewJob {
        NewJob {
            kind: self.as_str(),
            subject: Some(self.as_str().to_owned()),
            payload: "{}".to_owned(),
            run_at,
        }
    }
}

impl FromStr for JobKind {
    type Err = UnknownJobKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        kind.ok_or(UnknownJobKind)
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_repeated_as_often_as_its_schedule_says_and_then_given_up_unless_it_erases() {
        let now = Timestamp::from_seconds(1_000);
        for kind in JobKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            let retries = kind.retries();
            for (attempts, wait) in (1..).zip(retries) {
                assert_eq!(kind.retry_at(attempts, now), Some(now.plus(*wait)), "{kind}");
            }
            let last = i64::try_from(retries.len()).unwrap() + 1;
            let erases = matches!(kind, JobKind::EraseChat | JobKind::EraseOrganization);
            let then = erases.then(|| now.plus(Duration::from_mins(30)));
            assert_eq!(kind.retry_at(last, now), then, "{kind}");
            assert_eq!(kind.retry_at(i64::MAX, now), then, "{kind}");
            assert!(
                kind.has_schedule_left(last - 1) && !kind.has_schedule_left(last),
                "{kind}"
            );
        }
        let message = "tidy".parse::<JobKind>().unwrap_err().to_string();
        assert!(message.contains("retention"), "{message}");
    }
}
