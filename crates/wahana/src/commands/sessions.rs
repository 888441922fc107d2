//! `wahana sessions`

mod take_over;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use wahana_domain::{SessionId, SessionName, SessionStatus};
use wahana_service::{
    Operator, Services,
    adoption::{self, Assignment, AssignmentOutcome, UnassignedSession},
    platform::{
        moving::{self, Move, MovePlan, Moved},
        organizations, servers,
    },
};

use crate::output::{Output, Row, optional, print};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the sessions on WAHA servers that belong to no organization.
    Unassigned {
        /// On the server of this name only.
        #[arg(long)]
        server: Option<String>,
        /// Print the lines of a file for `assign --file`, to be completed.
        #[arg(long)]
        csv: bool,
    },
    /// Give sessions that are on a WAHA server to organizations. Nothing changes on WAHA.
    Assign(AssignArguments),
    /// Have sessions tell wahana their events, beside whoever hears them already. A running session restarts
    /// for about three seconds.
    TakeOver(take_over::Arguments),
    /// Move a session to another WAHA server. It keeps its id, name, counters, messages and configuration, and
    /// must be paired again.
    Move {
        /// The session's id, or with --organization its name there.
        session: String,
        /// The organization in which the session has that name, by name or id.
        #[arg(long)]
        organization: Option<String>,
        /// The WAHA server to which it goes, by name or id.
        #[arg(long)]
        to: String,
        /// Move it although WhatsApp restricts its account.
        #[arg(long)]
        force: bool,
        /// Do it, and not only say what would happen.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct AssignArguments {
    /// The name of the WAHA server.
    #[arg(long, required_unless_present = "file")]
    server: Option<String>,
    /// The session's name on that server.
    #[arg(long, required_unless_present = "file")]
    waha_name: Option<String>,
    /// The organization, by name or id.
    #[arg(long, required_unless_present = "file")]
    organization: Option<String>,
    /// The session's name in the organization.
    #[arg(long, required_unless_present = "file")]
    name: Option<String>,
    /// A file with a line for each session: `server,waha_name,organization,session_name`. Lines without
    /// an organization are passed over. All of them are assigned, or none.
    #[arg(long, value_name = "CSV", conflicts_with_all = ["server", "waha_name", "organization", "name"])]
    file: Option<PathBuf>,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

/// A line of the file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    server: String,
    waha_name: String,
    organization: String,
    session_name: String,
}

#[derive(Serialize)]
struct UnassignedRow {
    server: String,
    waha_name: String,
    waha_status: String,
    phone_number: Option<String>,
}

impl Row for UnassignedRow {
    const COLUMNS: &'static [&'static str] = &["SERVER", "NAME ON WAHA", "STATUS ON WAHA", "PHONE NUMBER"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.server.clone(),
            self.waha_name.clone(),
            self.waha_status.clone(),
            optional(self.phone_number.as_ref()),
        ]
    }
}

impl From<UnassignedSession> for UnassignedRow {
    fn from(session: UnassignedSession) -> Self {
        Self {
            server: session.server_name,
            waha_name: session.waha_name,
            waha_status: session.waha_status,
            phone_number: session.phone_number.map(|number| number.as_str().to_owned()),
        }
    }
}

#[derive(Serialize)]
struct AssignedRow {
    server: String,
    waha_name: String,
    session_name: SessionName,
    possible: bool,
    session_id: Option<SessionId>,
    outcome: String,
}

impl Row for AssignedRow {
    const COLUMNS: &'static [&'static str] = &["SERVER", "NAME ON WAHA", "SESSION", "OUTCOME"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.server.clone(),
            self.waha_name.clone(),
            self.session_name.to_string(),
            self.outcome.clone(),
        ]
    }
}

impl From<AssignmentOutcome> for AssignedRow {
    fn from(AssignmentOutcome { assignment, outcome }: AssignmentOutcome) -> Self {
        let (possible, session_id, outcome) = match outcome {
            Ok(Some(id)) => (true, Some(id), format!("assigned as {id}")),
            Ok(None) => (true, None, "can be assigned".to_owned()),
            Err(reason) => (false, None, format!("cannot be assigned: {reason}")),
        };
        Self {
            server: assignment.server,
            waha_name: assignment.waha_name,
            session_name: assignment.name,
            possible,
            session_id,
            outcome,
        }
    }
}

pub(super) async fn run(command: Command, services: &Services, output: Output) -> anyhow::Result<()> {
    let operator = Operator::CommandLine;
    match command {
        Command::Unassigned { server, csv } => {
            let found = adoption::unassigned(services, &operator, server.as_deref())
                .await
                .map_err(super::refused)?;
            if csv {
                return print(&lines_to_complete(found)?);
            }
            let rows: Vec<UnassignedRow> = found.into_iter().map(Into::into).collect();
            output.list(&rows)
        }
        Command::TakeOver(arguments) => take_over::run(arguments, services, output).await,
        Command::Assign(arguments) => {
            let is_dry_run = arguments.dry_run;
            let mut assignments = Vec::new();
            for line in lines(arguments)? {
                assignments.push(assignment(services, &operator, line).await?);
            }
            let outcomes = adoption::assign(services, &operator, assignments, is_dry_run)
                .await
                .map_err(super::refused)?;
            let rows: Vec<AssignedRow> = outcomes.into_iter().map(Into::into).collect();
            output.list(&rows)?;
            if rows.iter().any(|row| !row.possible) {
                bail!("nothing was assigned, because not every line can be");
            }
            Ok(())
        }
        Command::Move {
            session,
            organization,
            to,
            force,
            yes,
        } => {
            let wanted = Move {
                session: named(services, &operator, &session, organization.as_deref()).await?,
                to: servers::find(services, &operator, &to).await?.server.id,
                is_forced: force,
            };
            let plan = moving::plan(services, &operator, wanted)
                .await
                .map_err(super::refused)?;
            if !yes {
                bail!("{}; say --yes if you mean it", would_happen(&plan));
            }
            let moved = moving::carry_out(services, &operator, wanted)
                .await
                .map_err(super::refused)?;
            output.one(&MovedRow::of(&plan, moved))
        }
    }
}

/// The session that somebody names, by its id or by its name in an organization.
async fn named(
    services: &Services,
    operator: &Operator,
    session: &str,
    organization: Option<&str>,
) -> anyhow::Result<SessionId> {
    let Some(organization) = organization else {
        return session.parse().map_err(|_| {
            anyhow::anyhow!("{session:?} is no session's id; name its organization with --organization")
        });
    };
    let organization = organizations::find(services, operator, organization).await?;
    let found = moving::find(services, operator, organization.id, session).await?;
    Ok(found)
}

fn would_happen(plan: &MovePlan) -> String {
    format!(
        "{} ({}) would be made anew on {}, deleted on {}, and have to be paired again",
        plan.session.name, plan.session.id, plan.to.name, plan.from.name
    )
}

#[derive(Serialize)]
struct MovedRow {
    session_id: SessionId,
    session_name: SessionName,
    server: String,
    status: SessionStatus,
    deleted_on_old_server: bool,
    whole_configuration: bool,
    next: String,
}

impl Row for MovedRow {
    const COLUMNS: &'static [&'static str] = &["SESSION", "ID", "SERVER", "STATUS", "NEXT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.session_name.to_string(),
            self.session_id.to_string(),
            self.server.clone(),
            self.status.to_string(),
            self.next.clone(),
        ]
    }
}

impl MovedRow {
    fn of(plan: &MovePlan, moved: Moved) -> Self {
        let from = &plan.from.name;
        let mut next = vec!["It must be paired again.".to_owned()];
        if !moved.is_deleted_there {
            next.push(format!(
                "{from} did not delete it; a running wahana does that when the server is back."
            ));
        }
        if !moved.has_whole_configuration {
            next.push(format!(
                "What others than wahana had configured on {from} could not be read, and did not come along."
            ));
        }
        Self {
            session_id: moved.session.id,
            session_name: moved.session.name,
            server: plan.to.name.clone(),
            status: moved.session.status,
            deleted_on_old_server: moved.is_deleted_there,
            whole_configuration: moved.has_whole_configuration,
            next: next.join(" "),
        }
    }
}

fn lines_to_complete(found: Vec<UnassignedSession>) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for session in found {
        writer.serialize(Line {
            server: session.server_name,
            waha_name: session.waha_name,
            organization: String::new(),
            session_name: String::new(),
        })?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn lines(arguments: AssignArguments) -> anyhow::Result<Vec<Line>> {
    if let Some(path) = arguments.file {
        let file = File::open(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let lines: Result<Vec<Line>, _> = csv::Reader::from_reader(file).deserialize().collect();
        let mut lines = lines.map_err(|error| faulty_line(&path, error))?;
        lines.retain(|line| !line.organization.is_empty());
        if lines.is_empty() {
            bail!(
                "{} has no line with an organization, so there is nothing to assign; write one behind each session",
                path.display()
            );
        }
        return Ok(lines);
    }
    let line = arguments
        .server
        .zip(arguments.waha_name)
        .zip(arguments.organization)
        .zip(arguments.name)
        .map(|(((server, waha_name), organization), session_name)| Line {
            server,
            waha_name,
            organization,
            session_name,
        });
    Ok(line.into_iter().collect())
}

/// Which line of the file is wrong, and how.
fn faulty_line(path: &Path, error: csv::Error) -> anyhow::Error {
    let path = path.display();
    let columns = "server,waha_name,organization,session_name";
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            anyhow::anyhow!("{path}, line {line}: it has {len} of the {expected_len} columns ({columns})")
        }
        _ => anyhow::Error::new(error).context(format!("{path} must have the columns {columns}")),
    }
}

async fn assignment(services: &Services, operator: &Operator, line: Line) -> anyhow::Result<Assignment> {
    let organization = organizations::find(services, operator, &line.organization)
        .await
        .with_context(|| format!("organization {}", line.organization))?;
    let name = SessionName::parse(&line.session_name)
        .map_err(|error| anyhow::anyhow!("the session name {:?} {error}", line.session_name))?;
    Ok(Assignment {
        server: line.server,
        waha_name: line.waha_name,
        organization: organization.id,
        name,
    })
}
