//! `wahana sessions take-over`

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use wahana_domain::{SessionId, SessionName};
use wahana_service::{
    Operator, Services,
    platform::{organizations, servers},
    take_over::{self, Candidate, OtherWebhooks, Report, TakeOver, TakeOverFilter},
    webhooks::{ImportOutcome, Rest, WebhookImport},
};

use crate::output::{Output, Row};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only those on the WAHA server of this name or id.
    #[arg(long)]
    server: Option<String>,
    /// Only those of this organization, by name or id.
    #[arg(long)]
    organization: Option<String>,
    /// Only those of this name or id.
    #[arg(long)]
    session: Option<String>,
    /// Make webhooks of the organization of the other webhooks that the session has at WAHA: wahana delivers to
    /// them in WAHA's style with the key that they have, and WAHA does not any more.
    #[arg(long)]
    import_webhooks: bool,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// How many sessions are changed in a minute at most.
    #[arg(long, value_name = "PER MINUTE", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=6000))]
    pace: u32,
}

#[derive(Serialize)]
struct TakeOverRow {
    server: String,
    waha_name: String,
    session_id: SessionId,
    session_name: SessionName,
    /// Whether the webhook is there now, or would be.
    taken_over: bool,
    /// Whether WAHA restarts the session for it, or would.
    restarts: bool,
    outcome: String,
    /// What becomes of the session's other webhooks, if they are imported.
    webhooks: Vec<WebhookRow>,
}

#[derive(Serialize)]
struct WebhookRow {
    /// Scheme, host and port of its address.
    receiver: String,
    /// Whether wahana delivers to it.
    imported: bool,
    /// The names of the events that wahana delivers.
    events: Vec<String>,
    outcome: String,
}

impl From<WebhookImport> for WebhookRow {
    fn from(WebhookImport { receiver, outcome }: WebhookImport) -> Self {
        let (imported, events, outcome) = match outcome {
            ImportOutcome::Imported { events, rest } => {
                let rest = match rest {
                    Rest::Nothing => String::new(),
                    Rest::AtWaha(names) => format!("; not imported, stays at WAHA: {}", names.join(", ")),
                    Rest::Dropped => {
                        "; it asked for everything, and nothing but these is delivered any more".to_owned()
                    }
                };
                let outcome = format!("is imported: {}{rest}", events.join(", "));
                (true, events, outcome)
            }
            ImportOutcome::Stays(why) => (false, Vec::new(), format!("stays at WAHA: {why}")),
        };
        Self {
            receiver,
            imported,
            events,
            outcome,
        }
    }
}

impl Row for TakeOverRow {
    const COLUMNS: &'static [&'static str] = &["SERVER", "NAME ON WAHA", "SESSION", "OUTCOME"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.server.clone(),
            self.waha_name.clone(),
            self.session_name.to_string(),
            self.webhooks.iter().fold(
                self.outcome.clone(),
                |line,
                 WebhookRow {
                     receiver, outcome, ..
                 }| { format!("{line}; {receiver} ({outcome})") },
            ),
        ]
    }
}

impl TakeOverRow {
    fn of(candidate: &Candidate, report: Report) -> Self {
        let session = candidate.session();
        let (taken_over, restarts, outcome) = match report.outcome {
            TakeOver::Unchanged => (true, false, "has the webhook already".to_owned()),
            TakeOver::Possible { restarts: true } => (
                true,
                true,
                "gets the webhook; runs, and restarts for about three seconds".to_owned(),
            ),
            TakeOver::Possible { restarts: false } => {
                (true, false, "gets the webhook; is stopped".to_owned())
            }
            TakeOver::Done { restarted: true } => (true, true, "has the webhook now; restarted".to_owned()),
            TakeOver::Done { restarted: false } => (true, false, "has the webhook now".to_owned()),
            TakeOver::Skipped(why) => (false, false, format!("left alone: {why}")),
            TakeOver::Failed(why) => (false, false, format!("failed: {why}")),
        };
        Self {
            server: candidate.server_name().to_owned(),
            waha_name: session.waha.name.as_str().to_owned(),
            session_id: session.id,
            session_name: session.name.clone(),
            taken_over,
            restarts,
            outcome,
            webhooks: report.webhooks.into_iter().map(WebhookRow::from).collect(),
        }
    }
}

pub(super) async fn run(arguments: Arguments, services: &Services, output: Output) -> anyhow::Result<()> {
    let operator = Operator::CommandLine;
    let server = match &arguments.server {
        Some(named) => Some(servers::find(services, &operator, named).await?.server.id),
        None => None,
    };
    let organization = match &arguments.organization {
        Some(named) => Some(organizations::find(services, &operator, named).await?.id),
        None => None,
    };
    let filter = TakeOverFilter {
        server,
        organization,
        session: arguments.session,
    };
    let candidates = take_over::candidates(services, &operator, &filter).await?;
    let others = if arguments.import_webhooks {
        OtherWebhooks::Import
    } else {
        OtherWebhooks::Stay
    };
    let pause = Duration::from_mins(1) / arguments.pace;
    let mut rows = Vec::with_capacity(candidates.len());
    let mut has_failed = false;
    for candidate in &candidates {
        let report = if arguments.dry_run {
            take_over::examine(services, &operator, candidate, others).await?
        } else {
            take_over::take_over(services, &operator, candidate, others).await?
        };
        has_failed |= matches!(report.outcome, TakeOver::Failed(_));
        let is_changed = matches!(report.outcome, TakeOver::Done { .. } | TakeOver::Failed(_));
        rows.push(TakeOverRow::of(candidate, report));
        if is_changed && !arguments.dry_run && rows.len() < candidates.len() {
            tokio::time::sleep(pause).await;
        }
    }
    output.list(&rows)?;
    if has_failed {
        bail!("not every session was taken over; the same command tries the others again");
    }
    Ok(())
}
