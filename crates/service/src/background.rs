//! What a process does beside answering requests. Whoever has a loop to run starts it here.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::time::MissedTickBehavior;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::ServiceError;

/// How long a loop that broke off is left alone before it begins anew.
const RESTART_PAUSE: Duration = Duration::from_secs(5);

/// The loops of a process.
#[derive(Clone, Debug)]
pub struct Background {
    restart_pause: Duration,
    stop: CancellationToken,
    loops: TaskTracker,
}

impl Background {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::restarting_after(RESTART_PAUSE)
    }

    fn restarting_after(restart_pause: Duration) -> Self {
        Self {
            restart_pause,
            stop: CancellationToken::new(),
            loops: TaskTracker::new(),
        }
    }

    /// Starts a loop, which is to end in order when its token is cancelled. If it ends before, by a panic
    /// too, it is begun anew.
    pub fn start<F>(&self, name: &'static str, run: impl Fn(CancellationToken) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let (stop, restart_pause) = (self.stop.clone(), self.restart_pause);
        self.loops.spawn(async move {
            loop {
                let ended = AssertUnwindSafe(run(stop.clone())).catch_unwind().await;
                if stop.is_cancelled() {
                    return;
                }
                let why = if ended.is_err() { "it panicked" } else { "it ended" };
                tracing::error!(
                    background.name = name,
                    why,
                    "background work broke off and begins anew"
                );
                tokio::select! {
                    () = tokio::time::sleep(restart_pause) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// Does something now and then at this interval, until the process stops. A failure is logged, and the
    /// next time is tried again.
    pub fn every<F>(
        &self,
        name: &'static str,
        interval: Duration,
        act: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<(), ServiceError>> + Send,
    {
        self.start(name, move |stop| {
            let act = act.clone();
            async move {
                let mut interval = tokio::time::interval(interval);
                interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    tokio::select! {
                        _ = interval.tick() => {}
                        () = stop.cancelled() => return,
                    }
                    if let Err(error) = act().await {
                        tracing::warn!(background.name = name, error = %error, "background work failed");
                    }
                }
            }
        });
    }

    /// Tells every loop to end, and waits until they have.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.loops.close();
        self.loops.wait().await;
    }
}

impl Default for Background {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_breaks_off_begins_anew_and_ends_when_told() {
        let background = Background::restarting_after(Duration::ZERO);
        let (begun, again) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let (count, third) = (begun.clone(), again.clone());
        background.start("test", move |stop| {
            let (count, third) = (count.clone(), third.clone());
            async move {
                match count.fetch_add(1, Ordering::SeqCst) {
                    0 => panic!("as a defect would"),
                    1 => {}
                    _ => {
                        third.notify_one();
                        stop.cancelled().await;
                    }
                }
            }
        });
        again.notified().await;
        background.stop().await;
        assert_eq!(begun.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_failure_is_no_end() {
        let background = Background::new();
        let (tries, third) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let (count, signal) = (tries.clone(), third.clone());
        background.every("test", Duration::from_millis(1), move || {
            let (count, signal) = (count.clone(), signal.clone());
            async move {
                if count.fetch_add(1, Ordering::SeqCst) == 2 {
                    signal.notify_one();
                }
                Err(ServiceError::Internal("as ever".to_owned()))
            }
        });
        third.notified().await;
        background.stop().await;
        assert!(tries.load(Ordering::SeqCst) >= 3);
    }
}
