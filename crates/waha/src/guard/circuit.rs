//! The circuit breaker of one server.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::WahaError;
use crate::timeouts::CallKind;

/// So many points open the circuit, if no call succeeds in between.
const POINTS_TO_OPEN: u32 = 3;
/// The longest pause is so many times the first.
const LONGEST_PAUSE: u32 = 30;

/// Whether calls to a server are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// They are.
    Closed,
    /// They are not, because the server is away; for so long.
    Open(Duration),
    /// One is made, to see whether the server is back.
    HalfOpen,
}

/// What a call says about its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// That it answers.
    Answers,
    /// That it may be away, with so many points.
    Fails(u32),
    /// Nothing.
    None,
}

#[derive(Debug)]
pub(super) struct Breaker {
    first_pause: Duration,
    state: State,
    /// How often in a row it was opened.
    openings: u32,
}

#[derive(Debug)]
enum State {
    Closed { points: u32 },
    Open { until: Instant },
    Trying,
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { points: 0 }
    }
}

impl Verdict {
    /// A server that cannot be reached is away for everybody, and so is one whose proxy says so in its place. Slow and
    /// failing answers count only when they are to quick calls, which depend on no session: else one organization's
    /// broken session could close the server to all others.
    pub(super) fn of(kind: CallKind, error: Option<&WahaError>) -> Self {
        match (error, kind) {
            // WAHA itself answers neither 502 nor 503, and every page that is not a success is a proxy's.
            (
                Some(
                    WahaError::Unreachable { .. }
                    | WahaError::ServerError {
                        status: 502 | 503,
                        exception_name: None,
                        ..
                    }
                    | WahaError::BrokenAnswer {
                        status: 300..=599, ..
                    },
                ),
                _,
            )
            | (Some(WahaError::ServerError { .. } | WahaError::BrokenAnswer { .. }), CallKind::Quick) => {
                Self::Fails(1)
            }
            (Some(WahaError::OutcomeUnknown { .. }), CallKind::Quick) => Self::Fails(2),
            (
                Some(
                    WahaError::OutcomeUnknown { .. }
                    | WahaError::NotSendable { .. }
                    | WahaError::BrokenAnswer { .. }
                    | WahaError::HeldBack { .. },
                ),
                _,
            ) => Self::None,
            _ => Self::Answers,
        }
    }
}

impl Breaker {
    pub(super) fn new(first_pause: Duration) -> Self {
        Self {
            first_pause,
            state: State::default(),
            openings: 0,
        }
    }

    /// Whether a call may be made, and then whether it is the trial; else how long to wait.
    pub(super) fn admit(&mut self, now: Instant) -> Result<bool, Duration> {
        match self.state {
            State::Closed { .. } => Ok(false),
            State::Open { until } if until <= now => {
                self.state = State::Trying;
                Ok(true)
            }
            State::Open { until } => Err(until.duration_since(now)),
            State::Trying => Err(self.first_pause),
        }
    }

    pub(super) fn learn(&mut self, verdict: Verdict, is_trial: bool, now: Instant) {
        match (verdict, &mut self.state) {
            // Calls that began before the circuit opened may still succeed.
            (Verdict::Answers, _) => {
                self.state = State::default();
                self.openings = 0;
            }
            (Verdict::Fails(points), State::Closed { points: so_far }) => {
                *so_far += points;
                if *so_far >= POINTS_TO_OPEN {
                    self.open(now);
                }
            }
            (Verdict::Fails(_), State::Trying) if is_trial => self.open(now),
            (Verdict::None, State::Trying) if is_trial => self.state = State::Open { until: now },
            (Verdict::Fails(_) | Verdict::None, _) => {}
        }
    }

    pub(super) fn circuit(&self, now: Instant) -> Circuit {
        match self.state {
            State::Closed { .. } => Circuit::Closed,
            State::Open { until } if until > now => Circuit::Open(until.duration_since(now)),
            State::Open { .. } | State::Trying => Circuit::HalfOpen,
        }
    }

    fn open(&mut self, now: Instant) {
        let times = 2_u32.saturating_pow(self.openings).min(LONGEST_PAUSE);
        self.openings = self.openings.saturating_add(1);
        self.state = State::Open {
            until: now + self.first_pause.saturating_mul(times),
        };
    }
}
