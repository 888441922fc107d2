//! Background work and the size of the database, as this process last saw them. They are the database's, so
//! every process that works shows the same.

use metrics::{describe_gauge, gauge};
use wahana_domain::{JobState, Timestamp};
use wahana_service::{TableSize, jobs::JobKind, platform::jobs::JobCount};

use super::{Metrics, number::as_gauge};

const JOBS: &str = "wahana_jobs";
const OLDEST: &str = "wahana_jobs_oldest_waiting_seconds";
const ROWS: &str = "wahana_table_rows";
const BYTES: &str = "wahana_table_bytes";

/// What is shown of a kind, also when there is none.
const SHOWN: [JobState; 3] = [JobState::Waiting, JobState::Running, JobState::Dead];

pub(super) fn describe() {
    describe_gauge!(JOBS, "Jobs that wait, run or were given up");
    describe_gauge!(
        OLDEST,
        "For how long the first job that is due has waited, in seconds"
    );
    describe_gauge!(
        ROWS,
        "Rows of a table; on PostgreSQL as its statistics estimate them"
    );
    describe_gauge!(BYTES, "What a table takes on the disk with its indexes, in bytes");
}

impl Metrics {
    /// Shows how much background work there is.
    pub fn show_jobs(&self, counts: &[JobCount], now: Timestamp) {
        for kind in JobKind::ALL.map(JobKind::as_str) {
            for state in SHOWN {
                let found = counts
                    .iter()
                    .find(|count| count.kind == kind && count.state == state);
                let jobs = found.map_or(0, |count| count.jobs);
                gauge!(JOBS, "kind" => kind, "state" => state.as_str()).set(as_gauge(jobs));
                if state == JobState::Waiting {
                    let age = found.map_or(0.0, |count| now.since(count.oldest_run_at).as_secs_f64());
                    gauge!(OLDEST, "kind" => kind).set(age);
                }
            }
        }
    }

    /// Shows how large the tables are.
    pub fn show_tables(&self, sizes: &[TableSize]) {
        for size in sizes {
            gauge!(ROWS, "table" => size.table).set(as_gauge(size.rows));
            gauge!(BYTES, "table" => size.table).set(as_gauge(size.bytes));
        }
    }
}
