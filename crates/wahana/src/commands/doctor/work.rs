//! Background work: whether somebody does it, what was given up, and how large the tables are.

use std::time::Duration;

use wahana_domain::{JobState, ProcessRole};
use wahana_service::{
    Operator, ServiceError, Services, TableSize,
    platform::jobs::{self, JobCount},
    processes,
};

use super::Finding;

const JOBS: &str = "background work";
const TABLES: &str = "tables";
/// Work that is due and waits for longer has nobody who does it, or too few.
const LATE: Duration = Duration::from_mins(10);
const KIB: u64 = 1024;

pub(super) async fn examine(services: &Services) -> Vec<Finding> {
    [jobs(services).await, tables(services).await]
        .into_iter()
        .flat_map(|found| found.unwrap_or_else(|error| vec![Finding::fault(JOBS, error.to_string(), None)]))
        .collect()
}

async fn jobs(services: &Services) -> Result<Vec<Finding>, ServiceError> {
    let operator = Operator::CommandLine;
    let counts = jobs::counts(services, &operator).await?;
    let living = processes::living(services, &operator).await?;
    let workers = living.iter().filter(|process| process.role.works()).count();
    let sum = |state: JobState| {
        let of_state = counts.iter().filter(|count| count.state == state);
        of_state.map(|count| count.jobs).sum::<u64>()
    };
    let mut findings = vec![Finding::good(
        JOBS,
        format!(
            "processes that run: {}, of which {workers} do background work; jobs that wait: {}, that run: {}",
            living.len(),
            sum(JobState::Waiting),
            sum(JobState::Running),
        ),
    )];
    if sum(JobState::Dead) > 0 {
        findings.push(Finding::warning(
            JOBS,
            format!("jobs that were given up: {}", kinds(&counts)),
            "see why with `wahana jobs list --state dead`; when the cause is gone, `wahana jobs retry --all-dead`",
        ));
    }
    let is_late = |count: &JobCount| {
        count.state == JobState::Waiting && services.now().since(count.oldest_run_at) > LATE
    };
    if counts.iter().any(is_late) {
        let advice = if workers == 0 {
            format!(
                "start `wahana serve`, with the role {} or {}",
                ProcessRole::All,
                ProcessRole::Worker
            )
        } else {
            "look into the log of the processes that do it, or start another one".to_owned()
        };
        findings.push(Finding::warning(
            JOBS,
            "work has been due for more than ten minutes",
            advice,
        ));
    }
    Ok(findings)
}

/// The kinds with jobs that were given up, and how many.
fn kinds(counts: &[JobCount]) -> String {
    let dead = counts.iter().filter(|count| count.state == JobState::Dead);
    let dead: Vec<_> = dead
        .map(|count| format!("{} {}", count.jobs, count.kind))
        .collect();
    dead.join(", ")
}

async fn tables(services: &Services) -> Result<Vec<Finding>, ServiceError> {
    let mut sizes = services.table_sizes().await?;
    sizes.sort_by_key(|size| (std::cmp::Reverse(size.bytes), size.table));
    let sizes: Vec<_> = sizes.iter().map(in_words).collect();
    Ok(vec![Finding::good(TABLES, sizes.join(", "))])
}

fn in_words(size: &TableSize) -> String {
    let TableSize { table, rows, bytes } = size;
    format!("{table} {} KiB ({rows} rows)", bytes.div_ceil(KIB))
}
