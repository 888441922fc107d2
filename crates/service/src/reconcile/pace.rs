//! How fast steps of one server may follow each other.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::{Interval, MissedTickBehavior, interval},
};

/// By how much a step is put off at most, as a part of the time between two: sessions that fell together do not
/// rise in step.
const JITTER: f64 = 0.2;

/// Lets so many steps begin in a second, and so many be under way.
#[derive(Debug)]
pub(super) struct Pace {
    beats: Mutex<Interval>,
    period: Duration,
    permits: Arc<Semaphore>,
}

impl Pace {
    pub(super) fn new(steps_per_second: u32, concurrency: usize) -> Self {
        let period = Duration::from_secs(1) / steps_per_second.max(1);
        let mut beats = interval(period);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            beats: Mutex::new(beats),
            period,
            permits: Arc::new(Semaphore::new(concurrency.max(1))),
        }
    }

    /// Waits until another step may begin, which is under way until the permit is dropped; `None` if so many are
    /// under way already.
    pub(super) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        let permit = self.permits.clone().try_acquire_owned().ok()?;
        let mut beats = self.beats.lock().await;
        beats.tick().await;
        tokio::time::sleep(self.period.mul_f64(JITTER * rand::random::<f64>())).await;
        // The next beat is counted from here, so that two never come closer than a period.
        beats.reset();
        Some(permit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn in_no_second_more_steps_begin_than_allowed() {
        for allowed in [1, 2, 7] {
            let pace = Pace::new(allowed, 1000);
            let mut begun = Vec::new();
            for _ in 0..40 {
                begun.push((Instant::now(), pace.next().await.unwrap()));
                begun.last_mut().unwrap().0 = Instant::now();
                // Whoever was slow for once does not catch up.
                if begun.len() == 20 {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                }
            }
            for (first, _) in &begun {
                let within = |at: &Instant| *at >= *first && *at < *first + Duration::from_secs(1);
                let count = begun.iter().filter(|(at, _)| within(at)).count();
                assert!(count <= allowed as usize, "{count} of {allowed}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_under_way_than_allowed() {
        let pace = Pace::new(10, 2);
        let first = pace.next().await.unwrap();
        let second = pace.next().await.unwrap();
        assert!(pace.next().await.is_none());
        drop(first);
        assert!(pace.next().await.is_some());
        drop(second);
    }
}
