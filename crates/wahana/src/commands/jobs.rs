//! `wahana jobs`

use clap::{ArgGroup, Subcommand};
use serde::Serialize;
use wahana_domain::{JobId, JobState, OrganizationId, Timestamp};
use wahana_service::{
    Operator, Services,
    jobs::JobKind,
    platform::jobs::{self, Job, JobQuery},
};

use crate::output::{Output, Row, optional};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List background work, the newest first; what waits by when it is to run.
    List {
        /// Only what is waiting, running, done or dead.
        #[arg(long)]
        state: Option<JobState>,
        /// Only of this kind.
        #[arg(long)]
        kind: Option<JobKind>,
        /// At most so many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
    },
    /// Show a job, with why it failed.
    Show {
        /// Its id.
        id: JobId,
    },
    /// Let a job that is dead or waiting run now.
    #[command(group = ArgGroup::new("which").required(true))]
    Retry {
        /// Its id.
        #[arg(group = "which")]
        id: Option<JobId>,
        /// All that are dead.
        #[arg(long, group = "which")]
        all_dead: bool,
    },
}

#[derive(Serialize)]
struct JobRow {
    id: JobId,
    kind: String,
    state: &'static str,
    organization_id: Option<OrganizationId>,
    subject: Option<String>,
    run_at: Timestamp,
    attempts: i64,
    last_error: Option<String>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl From<Job> for JobRow {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            state: job.state.as_str(),
            organization_id: job.organization_id,
            subject: job.subject,
            run_at: job.run_at,
            attempts: job.attempts,
            last_error: job.last_error,
            created_at: job.created_at,
            finished_at: job.finished_at,
        }
    }
}

impl Row for JobRow {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "KIND",
        "STATE",
        "ORGANIZATION",
        "SUBJECT",
        "RUN AT",
        "ATTEMPTS",
        "LAST ERROR",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.kind.clone(),
            self.state.to_owned(),
            optional(self.organization_id),
            optional(self.subject.as_deref()),
            self.run_at.to_string(),
            self.attempts.to_string(),
            optional(self.last_error.as_deref()),
        ]
    }
}

pub(super) async fn run(command: Command, services: &Services, output: Output) -> anyhow::Result<()> {
    let operator = Operator::CommandLine;
    match command {
        Command::List { state, kind, limit } => {
            let query = JobQuery {
                state,
                kind: kind.map(JobKind::as_str),
                limit,
            };
            let found = jobs::list(services, &operator, &query).await?;
            let rows: Vec<JobRow> = found.into_iter().map(JobRow::from).collect();
            output.list(&rows)
        }
        Command::Show { id } => {
            let job = jobs::get(services, &operator, id).await?;
            output.one(&JobRow::from(job))
        }
        Command::Retry { id: Some(id), .. } => {
            let job = jobs::retry(services, &operator, id).await?;
            output.one(&JobRow::from(job))
        }
        Command::Retry { id: None, .. } => {
            let retried = jobs::retry_dead(services, &operator).await?;
            output.done(&format!("Jobs that run again: {retried}."))
        }
    }
}
