//! What to do about a session that is not as its organization wants it.
//!
//! One function decides, from two facts: the wish, which only people change, and what WAHA was seen to say.
//! It asks nobody and remembers nothing, so that a lost event costs time and never truth.

use std::time::Duration;

use crate::{DesiredStatus, SessionStatus, Timestamp};

/// How often a failed session is restarted before somebody must look at it.
pub const MAX_RESTARTS: u32 = 5;
/// How long a session must work before earlier attempts are forgotten. One that fails again sooner is
/// failing again and again.
pub const STABLE_AFTER: Duration = Duration::from_mins(10);
/// How long a repair of a session's configuration is not followed by another: each costs it a restart.
pub const REPAIR_AT_MOST_EVERY: Duration = Duration::from_hours(24);

const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// By how much a wait is lengthened at most, so that sessions that fell together do not rise together.
const JITTER: f64 = 0.2;

/// What WAHA was seen to say of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing yet: it may still be on its way there.
    Nothing,
    /// That it does not know it.
    Gone,
    /// That it is doing this.
    Doing(SessionStatus),
}

/// Why nothing more is tried until somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It waits for its QR code to be scanned, or for another step on the phone.
    PhoneNeeded,
    /// It failed again after every restart.
    FailsAgain,
}

/// What was tried so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How often in a row.
    pub count: u32,
    /// Before this nothing is tried again; also while a person's act is under way.
    pub next_at: Option<Timestamp>,
    /// Why nothing more is tried, if so.
    pub halt: Option<Halt>,
    /// When its configuration was last repaired.
    pub repaired_at: Option<Timestamp>,
}

/// Everything the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all of their combinations occur"
)]
pub struct Situation {
    /// The present moment.
    pub now: Timestamp,
    /// What the organization wants.
    pub wish: DesiredStatus,
    /// Whether the platform suspended the organization: its sessions stop, and stay paired.
    pub is_suspended: bool,
    /// Whether an operator paused the server: nothing is done there.
    pub is_server_paused: bool,
    /// Whether WhatsApp restricted the number. To restart or reconfigure such a session is what turns a
    /// restriction into a ban.
    pub is_restricted: bool,
    /// What WAHA was seen to say.
    pub seen: Seen,
    /// Whether its configuration on WAHA is not what it should be.
    pub has_drifted: bool,
    /// Whether it works but seems to hear nothing, its organization wants such sessions restarted, and it was not
    /// restarted for that lately.
    pub may_be_woken: bool,
    /// What was tried so far.
    pub attempts: Attempts,
}

/// What is done to a session on WAHA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is started: somebody stopped it behind wahana's back, or the organization is not suspended any
    /// more.
    Start,
    /// It failed and is restarted.
    Restart,
    /// WAHA lost it, and it is made again with its configuration.
    MakeAgain,
    /// It should not run.
    Stop,
    /// It should not be there.
    Delete,
    /// It works but hears nothing, and is restarted.
    Wake,
    /// Its configuration is put right, which costs it a restart.
    Repair,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is to be done.
    Leave,
    /// Something is to be done, and not before this.
    Wait(Timestamp),
    /// This is to be done now.
    Act(Step),
    /// Nothing more is tried, because of this; to be written down once.
    Halt(Halt),
    /// It is well again: what was tried is forgotten.
    Forget,
}

impl Attempts {
    /// How many there are with this step. Only what failed counts up to the point where somebody must look: a session
    /// that WAHA loses again and again has not failed, and is still restarted when it does.
    #[must_use]
    pub fn with(&self, step: Step) -> u32 {
        match step {
            Step::Restart => self.count.saturating_add(1),
            _ => self.count.max(self.count.saturating_add(1).min(MAX_RESTARTS - 1)),
        }
    }
}

impl Situation {
    /// What to do.
    #[must_use]
    pub fn decide(&self) -> Decision {
        if self.is_server_paused {
            return Decision::Leave;
        }
        match self.wish {
            DesiredStatus::Deleted => self.towards_deletion(),
            DesiredStatus::Stopped => self.towards_rest(),
            // To stop it would mean to start it again later.
            DesiredStatus::Running if self.is_suspended && self.is_restricted => Decision::Leave,
            DesiredStatus::Running if self.is_suspended => self.towards_rest(),
            DesiredStatus::Running if self.is_restricted => Decision::Leave,
            DesiredStatus::Running => self.towards_work(),
        }
    }

    fn towards_deletion(&self) -> Decision {
        match self.seen {
            Seen::Nothing | Seen::Gone => Decision::Leave,
            Seen::Doing(_) => self.attempt(Step::Delete),
        }
    }

    fn towards_rest(&self) -> Decision {
        match self.seen {
            Seen::Doing(
                SessionStatus::Working
                | SessionStatus::Connecting
                | SessionStatus::ScanQr
                | SessionStatus::ActionRequired,
            ) => self.attempt(Step::Stop),
            Seen::Nothing | Seen::Gone | Seen::Doing(SessionStatus::Disconnected | SessionStatus::Error) => {
                Decision::Leave
            }
        }
    }

    fn towards_work(&self) -> Decision {
        let status = match self.seen {
            Seen::Nothing => return Decision::Leave,
            Seen::Gone if self.attempts.halt == Some(Halt::FailsAgain) => return Decision::Leave,
            Seen::Gone => return self.attempt(Step::MakeAgain),
            Seen::Doing(status) => status,
        };
        match (status, self.attempts.halt) {
            (SessionStatus::Working, Some(_)) => Decision::Forget,
            (SessionStatus::Working, None) => self.while_working(),
            (SessionStatus::ScanQr | SessionStatus::ActionRequired, None) => {
                self.when_due(Decision::Halt(Halt::PhoneNeeded))
            }
            // An unscanned code ends in a failure, too, and another code would not be scanned either.
            (SessionStatus::Connecting, _)
            | (SessionStatus::ScanQr | SessionStatus::ActionRequired | SessionStatus::Error, Some(_))
            | (SessionStatus::Disconnected, Some(Halt::FailsAgain)) => Decision::Leave,
            (SessionStatus::Disconnected, _) => self.attempt(Step::Start),
            (SessionStatus::Error, None) if self.attempts.count >= MAX_RESTARTS => {
                self.when_due(Decision::Halt(Halt::FailsAgain))
            }
            (SessionStatus::Error, None) => self.attempt(Step::Restart),
        }
    }

    fn while_working(&self) -> Decision {
        let attempts = &self.attempts;
        let was_tried = attempts.count > 0 || attempts.next_at.is_some();
        let is_stable = attempts
            .next_at
            .is_none_or(|at| self.now.since(at) >= STABLE_AFTER || self.is_out_of_reach(at));
        let may_be_repaired = attempts
            .repaired_at
            .is_none_or(|at| self.now.since(at) >= REPAIR_AT_MOST_EVERY);
        if was_tried && is_stable {
            Decision::Forget
        } else if self.has_drifted && may_be_repaired {
            self.attempt(Step::Repair)
        } else if self.may_be_woken {
            self.attempt(Step::Wake)
        } else {
            Decision::Leave
        }
    }

    fn attempt(&self, step: Step) -> Decision {
        self.when_due(Decision::Act(step))
    }

    fn when_due(&self, decision: Decision) -> Decision {
        match self.attempts.next_at {
            Some(at) if at > self.now && !self.is_out_of_reach(at) => Decision::Wait(at),
            _ => decision,
        }
    }

    fn is_out_of_reach(&self, at: Timestamp) -> bool {
        at > latest_wait(self.now)
    }
}

/// The end of the longest wait that begins now. A later time was written before the clock was set back, and nothing
/// waits for it.
#[must_use]
pub fn latest_wait(now: Timestamp) -> Timestamp {
    now.plus(LONGEST_WAIT.mul_f64(1.0 + JITTER))
}

/// How long to wait after an attempt, when so many came before it. `chance` is a random number from 0 to 1.
#[must_use]
pub fn wait_after(earlier_attempts: u32, chance: f64) -> Duration {
    let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(earlier_attempts));
    wait.min(LONGEST_WAIT)
        .mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0))
}

impl Halt {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::PhoneNeeded, Self::FailsAgain];

    /// The reason for people, with what to do; this is also how it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PhoneNeeded => "The session waits for somebody with the phone; wahana does not restart it.",
            Self::FailsAgain => {
                "The session failed again after every restart; wahana has stopped trying. Restart it, or pair it anew."
            }
        }
    }

    /// Reads a stored reason.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|halt| halt.as_str() == text)
    }
}

#[cfg(test)]
mod tests;
