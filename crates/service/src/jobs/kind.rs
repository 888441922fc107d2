//! The kinds of background work, and what becomes of a job that fails.

use std::{fmt, str::FromStr, time::Duration};

use wahana_domain::Timestamp;
use wahana_store::jobs::NewJob;

/// A kind of background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Deletes what is past its time, every hour. It fails when the database does; given up, it is begun
    /// anew an hour later, and what it left is deleted then.
    Retention,
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

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Retention];

    /// The kind as it is written and stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retention => "retention",
        }
    }

    /// How long is waited after each attempt that failed. After the last, the job is given up: it is kept
    /// as dead, and counted, until somebody runs it again.
    #[must_use]
    pub const fn retries(self) -> &'static [Duration] {
        match self {
            Self::Retention => &PATIENT,
        }
    }

    /// How long it is from one job of the platform's to the next; `None` for what has a cause each time.
    #[must_use]
    pub const fn period(self) -> Option<Duration> {
        match self {
            Self::Retention => Some(Duration::from_hours(1)),
        }
    }

    /// When an attempt that failed is repeated; `None` if it was the last.
    pub(super) fn retry_at(self, attempts: i64, now: Timestamp) -> Option<Timestamp> {
        let failed = usize::try_from(attempts.max(1)).unwrap_or(usize::MAX);
        let wait = self.retries().get(failed - 1)?;
        Some(now.plus(*wait))
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
    fn each_kind_is_repeated_as_often_as_its_schedule_says_and_then_given_up() {
        let now = Timestamp::from_seconds(1_000);
        for kind in JobKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            let retries = kind.retries();
            for (attempts, wait) in (1..).zip(retries) {
                assert_eq!(kind.retry_at(attempts, now), Some(now.plus(*wait)), "{kind}");
            }
            let last = i64::try_from(retries.len()).unwrap() + 1;
            assert_eq!(kind.retry_at(last, now), None, "{kind}");
            assert_eq!(kind.retry_at(i64::MAX, now), None, "{kind}");
        }
        let message = "tidy".parse::<JobKind>().unwrap_err().to_string();
        assert!(message.contains("retention"), "{message}");
    }
}
