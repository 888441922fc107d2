//! How sessions are kept as they are wanted.

use std::time::Duration;

use wahana_service::ReconcileSettings;

use super::reader::Reader;

/// How sessions are kept as they are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reconcile(pub(crate) ReconcileSettings);

const INTERVAL_NAME: &str = "reconcile.interval_seconds";
const STEPS_NAME: &str = "reconcile.steps_per_second";
const CONCURRENCY_NAME: &str = "reconcile.concurrency";

pub(super) fn read(reader: &mut Reader<'_>) -> Reconcile {
    Reconcile(ReconcileSettings {
        interval: Duration::from_secs(reader.number(INTERVAL_NAME, 5, 1, 300)),
        steps_per_second: u32::try_from(reader.number(STEPS_NAME, 2, 1, 1000)).unwrap_or(1),
        concurrency: usize::try_from(reader.number(CONCURRENCY_NAME, 8, 1, 1000)).unwrap_or(1),
    })
}

impl Reconcile {
    pub(super) fn shown(self) -> Vec<(&'static str, String)> {
        vec![
            (INTERVAL_NAME, self.0.interval.as_secs().to_string()),
            (STEPS_NAME, self.0.steps_per_second.to_string()),
            (CONCURRENCY_NAME, self.0.concurrency.to_string()),
        ]
    }
}
