//! `wahana platform-tokens`

use clap::Subcommand;
use serde::Serialize;
use wahana_domain::{EmailAddress, PlatformToken, Timestamp, TokenId, UserId};
use wahana_service::{
    Operator, Services,
    platform::{
        tokens::{self, NewPlatformToken},
        users,
    },
};

use super::{expiry::Expiry, tokens::id, users::email};
use crate::output::{Output, Row, optional};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token for a platform administrator. Its secret is shown this once.
    Create {
        /// The administrator's e-mail address.
        #[arg(long, value_parser = email)]
        user: EmailAddress,
        /// What the token is called.
        #[arg(long, default_value = "command line")]
        name: String,
        /// When it ends: 12h, 90d, or a time [default: never].
        #[arg(long)]
        expires: Option<Expiry>,
    },
    /// List all platform tokens.
    List,
    /// Take a token back.
    Revoke {
        /// The token's id: the part before the |.
        #[arg(value_parser = id)]
        id: TokenId,
    },
}

#[derive(Serialize)]
struct PlatformTokenRow {
    id: TokenId,
    name: String,
    user_id: UserId,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl Row for PlatformTokenRow {
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "USER", "EXPIRES", "LAST USED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.user_id.to_string(),
            optional(self.expires_at),
            optional(self.last_used_at),
        ]
    }
}

impl From<PlatformToken> for PlatformTokenRow {
    fn from(token: PlatformToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            user_id: token.user_id,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

#[derive(Serialize)]
struct CreatedPlatformTokenRow {
    #[serde(flatten)]
    token: PlatformTokenRow,
    bearer: String,
}

impl Row for CreatedPlatformTokenRow {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "USER",
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
    let operator = Operator::CommandLine;
    match command {
        Command::Create { user, name, expires } => {
            let new = NewPlatformToken {
                user_id: users::find(services, &user).await?.id,
                name: super::name(&name)?,
                expires_at: expires.map(|expires| expires.after(services.now())),
            };
            let created = tokens::create(services, &operator, new)
                .await
                .map_err(super::refused)?;
            output.one(&CreatedPlatformTokenRow {
                bearer: format!("{}|{}", created.token.id, created.secret.expose()),
                token: created.token.into(),
            })
        }
        Command::List => {
            let found = tokens::list(services).await?;
            let rows: Vec<PlatformTokenRow> = found.into_iter().map(PlatformTokenRow::from).collect();
            output.list(&rows)
        }
        Command::Revoke { id } => {
            tokens::revoke(services, &operator, &id).await?;
            output.done("The token is taken back.")
        }
    }
}
