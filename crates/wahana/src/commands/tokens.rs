//! `wahana tokens`

use clap::{Args, Subcommand};
use serde::Serialize;
use wahana_domain::{
    Abilities, AccessToken, EmailAddress, OrganizationId, SessionId, Timestamp, TokenId, UserId,
};
use wahana_service::{
    Operator, Services,
    platform::{
        access_tokens::{self, NewMemberToken},
        organizations,
    },
};

use super::{expiry::Expiry, users::email};
use crate::output::{Output, Row, optional};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token for a member of an organization. Its secret is shown this once.
    Create(Create),
    /// List the tokens of an organization.
    List {
        /// The organization's name or id.
        #[arg(long)]
        organization: String,
    },
    /// Take a token back.
    Revoke {
        /// The token's id: the part before the |.
        #[arg(value_parser = id)]
        id: TokenId,
        /// The organization's name or id.
        #[arg(long)]
        organization: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// The organization's name or id.
    #[arg(long)]
    organization: String,
    /// The member's e-mail address.
    #[arg(long, value_parser = email)]
    user: EmailAddress,
    /// What the token is called.
    #[arg(long, default_value = "command line")]
    name: String,
    /// What it may do, such as sessions:read; may be given several times [default: everything that
    /// its user may].
    #[arg(long = "ability", value_name = "ABILITY")]
    abilities: Vec<String>,
    /// The only sessions there are for it, by name or id; may be given several times [default: all].
    #[arg(long = "session", value_name = "SESSION")]
    sessions: Vec<String>,
    /// When it ends: 12h, 90d, or a time [default: never].
    #[arg(long)]
    expires: Option<Expiry>,
}

pub(super) fn id(text: &str) -> Result<TokenId, String> {
    TokenId::parse(text).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct TokenRow {
    id: TokenId,
    name: String,
    user_id: UserId,
    organization_id: OrganizationId,
    abilities: Abilities,
    sessions: Option<Vec<SessionId>>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl Row for TokenRow {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "USER",
        "ABILITIES",
        "SESSIONS",
        "EXPIRES",
        "LAST USED",
    ];

    fn cells(&self) -> Vec<String> {
        let sessions = self.sessions.as_ref().map(|sessions| {
            let ids: Vec<String> = sessions.iter().map(ToString::to_string).collect();
            ids.join(",")
        });
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.user_id.to_string(),
            self.abilities.to_list().join(","),
            sessions.unwrap_or_else(|| "all".to_owned()),
            optional(self.expires_at),
            optional(self.last_used_at),
        ]
    }
}

impl From<AccessToken> for TokenRow {
    fn from(token: AccessToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            user_id: token.user_id,
            organization_id: token.organization_id,
            abilities: token.abilities,
            sessions: token.sessions,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

#[derive(Serialize)]
struct CreatedTokenRow {
    #[serde(flatten)]
    token: TokenRow,
    bearer: String,
}

impl Row for CreatedTokenRow {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "USER",
        "ABILITIES",
        "SESSIONS",
        "EXPIRES",
        "LAST USED",
        "TOKEN (shown this once)",
    ];

    fn cells(&self) -> Vec<String> {
        let mut cells = self.token.cells();
        cells.push(self.bearer.clone());
        cells
    }
}

pub(super) async fn run(command: Command, services: &Services, output: Output) -> anyhow::Result<()> {
    match command {
        Command::Create(arguments) => create(arguments, services, output).await,
        Command::List { organization } => {
            let organization = organizations::find(services, &organization).await?;
            let tokens = access_tokens::list(services, organization.id).await?;
            let rows: Vec<TokenRow> = tokens.into_iter().map(TokenRow::from).collect();
            output.list(&rows)
        }
        Command::Revoke { id, organization } => {
            let organization = organizations::find(services, &organization).await?;
            access_tokens::revoke(services, &Operator::CommandLine, organization.id, &id).await?;
            output.done("The token is taken back.")
        }
    }
}

async fn create(arguments: Create, services: &Services, output: Output) -> anyhow::Result<()> {
    let organization = organizations::find(services, &arguments.organization).await?;
    let abilities = if arguments.abilities.is_empty() {
        Abilities::All
    } else {
        Abilities::parse(&arguments.abilities).map_err(|error| anyhow::anyhow!("--ability {error}"))?
    };
    let new = NewMemberToken {
        organization: organization.id,
        email: arguments.user,
        name: super::name(&arguments.name)?,
        abilities,
        sessions: Some(arguments.sessions).filter(|sessions| !sessions.is_empty()),
        expires_at: arguments.expires.map(|expires| expires.after(services.now())),
    };
    let created = access_tokens::create(services, &Operator::CommandLine, new)
        .await
        .map_err(super::refused)?;
    output.one(&CreatedTokenRow {
        bearer: format!("{}|{}", created.token.id, created.secret.expose()),
        token: created.token.into(),
    })
}
