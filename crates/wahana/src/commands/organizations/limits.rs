//! `wahana organizations limits`

use clap::Args;
use serde::Serialize;
use wahana_service::{
    Operator, Services,
    platform::organizations::{self, LimitsChange},
};

use crate::output::{Output, Row, optional};

/// The arguments that name one limit each.
const LIMITS: [&str; 10] = [
    "sessions",
    "messages_per_minute",
    "messages_per_hour",
    "media_per_minute",
    "media_per_hour",
    "requests_per_minute",
    "organization_messages_per_minute",
    "organization_messages_per_hour",
    "monthly_messages",
    "queued_messages",
];

#[derive(Args, Debug)]
#[command(
    after_help = "Each limit is a number, or default for what the configuration says. What is not named \
                        stays. Running processes follow within five seconds."
)]
pub(crate) struct Arguments {
    /// Its name or id.
    organization: String,
    /// Put every limit back to what the configuration says.
    #[arg(long, conflicts_with_all = LIMITS)]
    default: bool,
    /// Living sessions.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    sessions: Option<Number>,
    /// Messages, media included, that one session sends in a minute.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    messages_per_minute: Option<Number>,
    /// Messages, media included, that one session sends in an hour.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    messages_per_hour: Option<Number>,
    /// Media that one session sends in a minute.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    media_per_minute: Option<Number>,
    /// Media that one session sends in an hour.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    media_per_hour: Option<Number>,
    /// Requests with one token, or of one sign-in, in a minute.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    requests_per_minute: Option<Number>,
    /// Messages that all sessions together send in a minute.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    organization_messages_per_minute: Option<Number>,
    /// Messages that all sessions together send in an hour.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    organization_messages_per_hour: Option<Number>,
    /// Messages that all sessions together send in a calendar month of UTC.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    monthly_messages: Option<Number>,
    /// Messages of all sessions together that wait to be sent.
    #[arg(long, value_name = "LIMIT", value_parser = number)]
    queued_messages: Option<Number>,
}

/// A limit; without a number it is the default.
#[derive(Clone, Copy, Debug)]
struct Number(Option<i32>);

fn number(text: &str) -> Result<Number, String> {
    if text == "default" {
        return Ok(Number(None));
    }
    let number = text.parse();
    number
        .map(|number| Number(Some(number)))
        .map_err(|_| "must be a number or default".to_owned())
}

impl Arguments {
    /// What to change; `None` if nothing is to be.
    fn change(&self) -> Option<LimitsChange> {
        if self.default {
            return Some(LimitsChange::to_default());
        }
        let is_any = [
            self.sessions,
            self.messages_per_minute,
            self.messages_per_hour,
            self.media_per_minute,
            self.media_per_hour,
            self.requests_per_minute,
            self.organization_messages_per_minute,
            self.organization_messages_per_hour,
            self.monthly_messages,
            self.queued_messages,
        ]
        .iter()
        .any(Option::is_some);
        let changed = |number: Option<Number>| number.map(|Number(number)| number);
        is_any.then(|| LimitsChange {
            sessions: changed(self.sessions),
            messages_per_minute: changed(self.messages_per_minute),
            messages_per_hour: changed(self.messages_per_hour),
            media_per_minute: changed(self.media_per_minute),
            media_per_hour: changed(self.media_per_hour),
            requests_per_minute: changed(self.requests_per_minute),
            organization_messages_per_minute: changed(self.organization_messages_per_minute),
            organization_messages_per_hour: changed(self.organization_messages_per_hour),
            monthly_messages: changed(self.monthly_messages),
            queued_messages: changed(self.queued_messages),
        })
    }
}

/// One limit as it holds.
#[derive(Serialize)]
struct LimitRow {
    limit: &'static str,
    /// `None` is no limit.
    value: Option<u32>,
    is_default: bool,
    /// What was used of it, where that is known.
    used: Option<u64>,
}

impl Row for LimitRow {
    const COLUMNS: &'static [&'static str] = &["LIMIT", "VALUE", "FROM", "USED THIS MONTH"];

    fn cells(&self) -> Vec<String> {
        let value = self
            .value
            .map_or_else(|| "none".to_owned(), |value| value.to_string());
        let from = if self.is_default {
            "the configuration"
        } else {
            "the organization"
        };
        vec![self.limit.to_owned(), value, from.to_owned(), optional(self.used)]
    }
}

pub(super) async fn run(arguments: Arguments, services: &Services, output: Output) -> anyhow::Result<()> {
    let operator = Operator::CommandLine;
    let found = organizations::find(services, &operator, &arguments.organization).await?;
    let organization = match arguments.change() {
        Some(change) => organizations::set_limits(services, &operator, found.id, &change)
            .await
            .map_err(super::super::refused)?,
        None => found,
    };
    let used = organizations::messages_this_month(services, &operator, organization.id).await?;
    let (own, holds) = (
        organization.limits,
        services.effective_limits(&organization.limits),
    );
    let row = |limit, own: Option<i32>, value| LimitRow {
        limit,
        value,
        is_default: own.is_none(),
        used: None,
    };
    output.list(&[
        row("sessions", own.sessions, holds.sessions),
        row(
            "messages_per_minute",
            own.messages_per_minute,
            Some(holds.messages_per_minute),
        ),
        row(
            "messages_per_hour",
            own.messages_per_hour,
            Some(holds.messages_per_hour),
        ),
        row(
            "media_per_minute",
            own.media_per_minute,
            Some(holds.media_per_minute),
        ),
        row("media_per_hour", own.media_per_hour, Some(holds.media_per_hour)),
        row(
            "requests_per_minute",
            own.requests_per_minute,
            Some(holds.requests_per_minute),
        ),
        row(
            "organization_messages_per_minute",
            own.organization_messages_per_minute,
            holds.organization_messages_per_minute,
        ),
        row(
            "organization_messages_per_hour",
            own.organization_messages_per_hour,
            holds.organization_messages_per_hour,
        ),
        LimitRow {
            used: Some(used),
            ..row("monthly_messages", own.monthly_messages, holds.monthly_messages)
        },
        row(
            "queued_messages",
            own.queued_messages,
            Some(holds.queued_messages),
        ),
    ])
}
