//! The events that wait for the next transaction.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;
use wahana_store::StoreError;

use super::{Arrived, Verdict};
use crate::{ServiceError, limits::Allowance};

/// How many events a transaction holds: one flush to the disk for all of them, and none waits long.
const BATCH: usize = 128;
/// How many bytes of events may wait. WAHA bounds nothing, and keeps what is not taken.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// When to come back when more is waiting.
const RETRY: Duration = Duration::from_secs(2);

/// An event that waits, and who wants to know what became of it.
pub(super) struct Waiting {
    arrived: Arrived,
    answer: Answer,
}

/// Who wants to know.
pub(super) struct Answer(oneshot::Sender<Result<Verdict, StoreError>>);

impl Waiting {
    pub(super) fn new(arrived: Arrived) -> (Self, oneshot::Receiver<Result<Verdict, StoreError>>) {
        let (sender, receiver) = oneshot::channel();
        let answer = Answer(sender);
        (Self { arrived, answer }, receiver)
    }

    pub(super) fn split(self) -> (Arrived, Answer) {
        (self.arrived, self.answer)
    }
}

impl Answer {
    pub(super) fn send(self, verdict: Result<Verdict, StoreError>) {
        // Who hung up will be told at the next delivery.
        let _ = self.0.send(verdict);
    }
}

/// The events that wait for the next transaction.
#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    bytes: usize,
    is_written: bool,
    /// How many events came since the process began.
    arrived: u64,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    /// Lets an event wait; says whether the caller must see to it that somebody writes.
    pub(super) fn push(&self, waiting: Waiting) -> Result<bool, ServiceError> {
        let mut state = self.lock();
        let bytes = state.bytes.saturating_add(waiting.arrived.payload.len());
        if bytes > MOST_BYTES && !state.waiting.is_empty() {
            return Err(ServiceError::RateLimited {
                message: "More events wait than fit in memory. Send it again later.".to_owned(),
                allowance: Allowance {
                    limit: u32::try_from(state.waiting.len()).unwrap_or(u32::MAX),
                    remaining: 0,
                    reset_after: RETRY,
                },
            });
        }
        state.bytes = bytes;
        state.arrived += 1;
        state.waiting.push(waiting);
        Ok(!std::mem::replace(&mut state.is_written, true))
    }

    /// How many events came since the process began.
    pub(super) fn arrived(&self) -> u64 {
        self.lock().arrived
    }

    /// The writing of the one who was told to.
    pub(super) fn writing(&self) -> Writing<'_> {
        Writing(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody writes. When that ends, by a panic too, the next event finds that nobody does.
pub(super) struct Writing<'a>(&'a Queue);

impl Writing<'_> {
    /// The oldest events that wait; `None` if there are none, and then the writing has ended.
    pub(super) fn next_batch(&self) -> Option<Vec<Waiting>> {
        let mut state = self.0.lock();
        if state.waiting.is_empty() {
            state.is_written = false;
            return None;
        }
        let batch: Vec<_> = if state.waiting.len() <= BATCH {
            std::mem::take(&mut state.waiting)
        } else {
            state.waiting.drain(..BATCH).collect()
        };
        let bytes: usize = batch.iter().map(|waiting| waiting.arrived.payload.len()).sum();
        state.bytes = state.bytes.saturating_sub(bytes);
        Some(batch)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // After an orderly end somebody else may write already.
        if std::thread::panicking() {
            let mut state = self.0.lock();
            // Who waited is told that it broke off, and WAHA tries again.
            *state = State::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use wahana_domain::Timestamp;
    use wahana_store::Hook;

    use super::*;

    fn waiting(bytes: usize) -> Waiting {
        let arrived = Arrived {
            hook: Hook {
                server: uuid::Uuid::nil().into(),
                session: None,
            },
            key_version: 1,
            event_id: "evt_1".to_owned(),
            kind: "message".to_owned(),
            waha_name: "one".to_owned(),
            happened_at: Timestamp::from_seconds(0),
            payload: "x".repeat(bytes),
        };
        Waiting::new(arrived).0
    }

    #[test]
    fn one_writes_and_the_others_wait_for_the_next_batch() {
        let queue = Queue::default();
        assert!(queue.push(waiting(1)).unwrap(), "nobody wrote");
        for _ in 0..BATCH {
            assert!(!queue.push(waiting(1)).unwrap(), "somebody writes");
        }
        let writing = queue.writing();
        let sizes = [writing.next_batch(), writing.next_batch(), writing.next_batch()];
        let sizes = sizes.map(|batch| batch.map(|batch| batch.len()));
        assert_eq!(sizes, [Some(BATCH), Some(1), None]);
        drop(writing);
        assert!(queue.push(waiting(1)).unwrap(), "the writing had ended");
    }

    #[test]
    fn what_waits_is_bounded() {
        let queue = Queue::default();
        // A single one is taken whatever its size: it was let in already.
        queue.push(waiting(MOST_BYTES + 1)).unwrap();
        let refused = queue.push(waiting(1)).unwrap_err();
        assert!(matches!(refused, ServiceError::RateLimited { .. }));
        let writing = queue.writing();
        assert_eq!(writing.next_batch().map(|batch| batch.len()), Some(1));
        assert!(!queue.push(waiting(1)).unwrap());
    }

    #[test]
    fn a_writing_that_breaks_off_leaves_nobody_waiting_for_ever() {
        let queue = std::sync::Arc::new(Queue::default());
        queue.push(waiting(1)).unwrap();
        let own = queue.clone();
        let broken = std::thread::spawn(move || {
            let _writing = own.writing();
            panic!("a defect");
        });
        assert!(broken.join().is_err());
        assert!(queue.push(waiting(1)).unwrap(), "somebody must write");
        assert_eq!(queue.writing().next_batch().map(|batch| batch.len()), Some(1));
    }
}
