//! Protects a WAHA server from too many calls at once, and its callers from a WAHA that does not answer.

mod circuit;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::{HeldBack, WahaError};
use crate::timeouts::CallKind;
use circuit::{Breaker, Verdict};

pub use circuit::Circuit;

/// Calls of [`CallKind::Quick`] that may be under way beside the others, so that a server's session list is
/// read even while slow calls take all other places.
const QUICK_CALLS: usize = 16;
/// When to come back after a call found no place.
const CROWDED_RETRY: Duration = Duration::from_secs(1);

/// How much a server is asked at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardLimits {
    /// Calls that are under way at a time; 64.
    pub concurrency: usize,
    /// Calls that begin in a second, `None` for as many as come.
    pub calls_per_second: Option<u32>,
    /// How long a call waits for its turn before it is given up; 2 s.
    pub patience: Duration,
    /// How long a server that is away is left alone at first; 1 s. It doubles with every trial in vain, up to
    /// thirty times this.
    pub first_pause: Duration,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            concurrency: 64,
            calls_per_second: None,
            patience: Duration::from_secs(2),
            first_pause: Duration::from_secs(1),
        }
    }
}

/// What stands before one WAHA server. Clones share it, and it must outlive the clients of that server, so
/// that a new client does not forget that the server is away.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: GuardLimits,
    quick: Arc<Semaphore>,
    others: Arc<Semaphore>,
    breaker: Arc<Mutex<Breaker>>,
    /// When the next call may begin under the limit of calls a second.
    next_turn: Mutex<Option<Instant>>,
}

impl Default for Guard {
    fn default() -> Self {
        Self::new(GuardLimits::default())
    }
}

impl Guard {
    /// A guard with these limits, and a closed circuit.
    #[must_use]
    pub fn new(limits: GuardLimits) -> Self {
        let breaker = Breaker::new(limits.first_pause);
        Self::with(limits, Arc::new(Mutex::new(breaker)))
    }

    /// A guard of the same server with other limits: it knows as well whether the server is away. Calls that
    /// were let through before do not count among its own.
    #[must_use]
    pub fn with_limits(&self, limits: GuardLimits) -> Self {
        Self::with(limits, self.0.breaker.clone())
    }

    fn with(limits: GuardLimits, breaker: Arc<Mutex<Breaker>>) -> Self {
        Self(Arc::new(Shared {
            limits,
            quick: Arc::new(Semaphore::new(QUICK_CALLS)),
            others: Arc::new(Semaphore::new(limits.concurrency.max(1))),
            breaker,
            next_turn: Mutex::default(),
        }))
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> GuardLimits {
        self.0.limits
    }

    /// How the circuit stands.
    #[must_use]
    pub fn circuit(&self) -> Circuit {
        self.breaker(|breaker| breaker.circuit(Instant::now()))
    }

    /// Lets a call through when its turn comes, or says why it was not made.
    pub(crate) async fn admit(&self, kind: CallKind) -> Result<Attempt, WahaError> {
        let deadline = Instant::now() + self.0.limits.patience;
        let places = match kind {
            CallKind::Quick => &self.0.quick,
            _ => &self.0.others,
        };
        let crowded = || WahaError::HeldBack {
            why: HeldBack::Crowded,
            retry_after: CROWDED_RETRY,
        };
        let Ok(Ok(place)) = timeout_at(deadline, places.clone().acquire_owned()).await else {
            return Err(crowded());
        };
        match self.turn(deadline) {
            Some(turn) => tokio::time::sleep_until(turn).await,
            None => return Err(crowded()),
        }
        // Asked last, so that nothing after it can keep a trial call from being made.
        match self.breaker(|breaker| breaker.admit(Instant::now())) {
            Ok(is_trial) => Ok(Attempt {
                guard: self.clone(),
                kind,
                is_trial,
                is_judged: false,
                _place: place,
            }),
            Err(retry_after) => Err(WahaError::HeldBack {
                why: HeldBack::Away,
                retry_after,
            }),
        }
    }

    /// When a call may begin; `None` if that is later than it waits.
    fn turn(&self, deadline: Instant) -> Option<Instant> {
        let now = Instant::now();
        let Some(calls) = self.0.limits.calls_per_second.filter(|calls| *calls > 0) else {
            return Some(now);
        };
        let mut next = self.0.next_turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Turns that nobody took in the last second may be taken at once.
        let earliest = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        let turn = next.map_or(earliest, |next| next.max(earliest));
        if turn > deadline {
            return None;
        }
        *next = Some(turn + Duration::from_secs(1) / calls);
        Some(turn.max(now))
    }

    fn breaker<R>(&self, act: impl FnOnce(&mut Breaker) -> R) -> R {
        // What is kept is a few numbers, true whenever the lock is free.
        act(&mut self.0.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A call that was let through.
#[derive(Debug)]
pub(crate) struct Attempt {
    guard: Guard,
    kind: CallKind,
    is_trial: bool,
    is_judged: bool,
    _place: OwnedSemaphorePermit,
}

impl Attempt {
    /// Learns from how the call ended.
    pub(crate) fn judge<T>(mut self, outcome: &Result<T, WahaError>) {
        self.is_judged = true;
        let verdict = Verdict::of(self.kind, outcome.as_ref().err());
        self.guard
            .breaker(|breaker| breaker.learn(verdict, self.is_trial, Instant::now()));
    }
}

impl Drop for Attempt {
    /// A call that was given up says nothing about the server; another trial may be made.
    fn drop(&mut self) {
        if !self.is_judged {
            let is_trial = self.is_trial;
            self.guard
                .breaker(|breaker| breaker.learn(Verdict::None, is_trial, Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests;
