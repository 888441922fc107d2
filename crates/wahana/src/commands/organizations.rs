//! `wahana organizations`

mod limits;

use anyhow::bail;
use clap::Subcommand;
use serde::Serialize;
use wahana_domain::{
    Country, Language, Organization, OrganizationErasure, OrganizationId, OrganizationLimits, TimeZone,
    Timestamp,
};
use wahana_service::{
    Operator, Services,
    platform::{
        erasures,
        organizations::{self, LimitsChange, NewOrganization},
    },
};

use crate::output::{Output, Row, optional, warn};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an organization. It has no members yet.
    Create {
        #[arg(long)]
        name: String,
        /// Two letters, such as ID; without it national numbers are refused.
        #[arg(long)]
        country: Option<Country>,
        /// Such as Asia/Jakarta [default: UTC].
        #[arg(long)]
        time_zone: Option<TimeZone>,
        /// en or id [default: en].
        #[arg(long)]
        language: Option<Language>,
        /// How many living sessions it may have [default: no limit].
        #[arg(long, value_name = "NUMBER")]
        session_limit: Option<i32>,
    },
    /// List all organizations.
    List,
    /// Show one organization.
    Show {
        /// Its name or id.
        organization: String,
    },
    /// Give an organization another name.
    Rename {
        /// Its name or id.
        organization: String,
        /// What it is called from now on.
        #[arg(long)]
        name: String,
    },
    /// Suspend an organization: its members are told so and can do nothing.
    Suspend {
        /// Its name or id.
        organization: String,
    },
    /// Let a suspended organization work again.
    Resume {
        /// Its name or id.
        organization: String,
    },
    /// Close an organization for good: for its members it does not exist any more.
    Close {
        /// Its name or id.
        organization: String,
        /// That you mean it.
        #[arg(long)]
        yes: bool,
    },
    /// Erase everything that is kept of a closed organization, in the background; again, show how far that is.
    Erase {
        /// Its id.
        organization: String,
        /// That you mean it.
        #[arg(long)]
        yes: bool,
    },
    /// Change how many living sessions an organization may have.
    SetLimit {
        /// Its name or id.
        organization: String,
        /// A number, or none.
        #[arg(long, value_parser = limit)]
        sessions: Limit,
    },
    /// Show or change how much an organization may have and do, and what it has sent this month.
    Limits(limits::Arguments),
}

/// How many of something; without a number there is no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(pub(crate) Option<i32>);

/// A number, or `none`.
pub(super) fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let number = text.parse().map_err(|_| "must be a number or none".to_owned())?;
    Ok(Limit(Some(number)))
}

#[derive(Serialize)]
struct OrganizationRow {
    id: OrganizationId,
    name: String,
    status: &'static str,
    country: Option<Country>,
    time_zone: TimeZone,
    language: Language,
    session_limit: Option<i32>,
    created_at: Timestamp,
}

impl Row for OrganizationRow {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "STATUS",
        "COUNTRY",
        "TIME ZONE",
        "LANGUAGE",
        "SESSION LIMIT",
        "CREATED",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.status.to_owned(),
            optional(self.country),
            self.time_zone.to_string(),
            self.language.to_string(),
            optional(self.session_limit),
            self.created_at.to_string(),
        ]
    }
}

impl From<Organization> for OrganizationRow {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id,
            name: organization.name,
            status: organization.state.as_str(),
            country: organization.country,
            time_zone: organization.time_zone,
            language: organization.language,
            session_limit: organization.limits.sessions,
            created_at: organization.created_at,
        }
    }
}

#[derive(Serialize)]
struct ErasureRow {
    id: OrganizationId,
    state: &'static str,
    rows: u64,
    waits_for: Option<String>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl Row for ErasureRow {
    const COLUMNS: &'static [&'static str] =
        &["ID", "STATE", "ROWS DELETED", "ASKED FOR", "DONE", "WAITS FOR"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.state.to_owned(),
            self.rows.to_string(),
            self.created_at.to_string(),
            optional(self.finished_at),
            optional(self.waits_for.as_deref()),
        ]
    }
}

impl From<OrganizationErasure> for ErasureRow {
    fn from(erasure: OrganizationErasure) -> Self {
        Self {
            id: erasure.organization,
            state: erasure.state(),
            rows: erasure.rows,
            waits_for: erasure.waits_for,
            created_at: erasure.created_at,
            finished_at: erasure.finished_at,
        }
    }
}

pub(super) async fn run(command: Command, services: &Services, output: Output) -> anyhow::Result<()> {
    let operator = Operator::CommandLine;
    let found = async |named: &str| organizations::find(services, &Operator::CommandLine, named).await;
    let shown = match command {
        Command::List => {
            let page = async |offset, limit| organizations::page(services, &operator, offset, limit).await;
            let rows: Vec<OrganizationRow> = super::all(page).await?;
            return output.list(&rows);
        }
        Command::Limits(arguments) => return limits::run(arguments, services, output).await,
        Command::Create {
            name,
            country,
            time_zone,
            language,
            session_limit,
        } => {
            let new = NewOrganization {
                name: super::name(&name)?,
                country,
                time_zone,
                language,
                limits: OrganizationLimits {
                    sessions: session_limit,
                    ..OrganizationLimits::default()
                },
            };
            let created = organizations::create(services, &operator, new).await;
            if let Ok(created) = &created {
                warn_of_namesakes(services, created).await?;
            }
            created
        }
        Command::Rename { organization, name } => {
            let (id, name) = (found(&organization).await?.id, super::name(&name)?);
            let renamed = organizations::rename(services, &operator, id, &name).await;
            if let Ok(renamed) = &renamed {
                warn_of_namesakes(services, renamed).await?;
            }
            renamed
        }
        Command::Show { organization } => found(&organization).await,
        Command::Suspend { organization } => {
            organizations::suspend(services, &operator, found(&organization).await?.id).await
        }
        Command::Resume { organization } => {
            organizations::resume(services, &operator, found(&organization).await?.id).await
        }
        Command::Close { organization, yes } => {
            let organization = found(&organization).await?;
            if !yes {
                bail!(
                    "closing {} ({}) cannot be undone; say --yes if you mean it",
                    organization.name,
                    organization.id
                );
            }
            organizations::close(services, &operator, organization.id).await
        }
        Command::Erase { organization, yes } => {
            let organization = found(&organization).await?;
            if !yes {
                bail!(
                    "erasing {} ({}) cannot be undone; say --yes if you mean it",
                    organization.name,
                    organization.id
                );
            }
            let erasure = erasures::create(services, &operator, organization.id, &organization.name).await;
            return output.one(&ErasureRow::from(erasure.map_err(super::refused)?));
        }
        Command::SetLimit {
            organization,
            sessions: Limit(sessions),
        } => {
            let id = found(&organization).await?.id;
            let change = LimitsChange {
                sessions: Some(sessions),
                ..LimitsChange::default()
            };
            organizations::set_limits(services, &operator, id, &change).await
        }
    };
    let shown = shown.map_err(super::refused)?;
    output.one(&OrganizationRow::from(shown))
}

/// Says that other commands will ask for the organization's id, if another one has its name.
async fn warn_of_namesakes(services: &Services, organization: &Organization) -> anyhow::Result<()> {
    let found = organizations::living_named(services, &Operator::CommandLine, &organization.name).await?;
    let others: Vec<String> = found
        .iter()
        .filter(|other| other.id != organization.id)
        .map(|other| other.id.to_string())
        .collect();
    if !others.is_empty() {
        warn(&format!(
            "another organization is named {:?} too ({}), so commands must name both by their ids; \
             `wahana organizations rename` tells them apart",
            organization.name,
            others.join(", ")
        ));
    }
    Ok(())
}
