//! `wahana users`

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde::Serialize;
use wahana_domain::{EmailAddress, NewPassword, OrganizationId, Role, Timestamp, User, UserId};
use wahana_service::{
    Operator, Services, password_resets,
    platform::{
        organizations,
        users::{self, NewUser, UserWithMemberships},
    },
};

use crate::{
    output::{Output, Row, optional},
    prompt::Secret,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a person.
    Create(Create),
    /// List everybody.
    List,
    /// Show one person and where they belong.
    Show {
        #[arg(value_parser = email)]
        email: EmailAddress,
    },
    /// Disable a person: nothing of theirs is accepted any more.
    Disable {
        #[arg(value_parser = email)]
        email: EmailAddress,
    },
    /// Enable a disabled person again.
    Enable {
        #[arg(value_parser = email)]
        email: EmailAddress,
    },
    /// Let a person operate the installation.
    GrantPlatformAdministrator {
        #[arg(value_parser = email)]
        email: EmailAddress,
    },
    /// Let a person operate the installation no more, and take their platform tokens back.
    RevokePlatformAdministrator {
        #[arg(value_parser = email)]
        email: EmailAddress,
    },
    /// Make a person a member of an organization.
    AddMembership {
        #[arg(value_parser = email)]
        email: EmailAddress,
        /// The organization's name or id.
        #[arg(long)]
        organization: String,
        /// owner, admin, agent or viewer.
        #[arg(long)]
        role: Role,
    },
    /// Make a link by which a person chooses a new password themself. It is shown this once.
    PasswordLink {
        #[arg(value_parser = email)]
        email: EmailAddress,
    },
    /// Give a person a new password, which is asked for, and end their sign-ins.
    SetPassword {
        #[arg(value_parser = email)]
        email: EmailAddress,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    #[arg(long, value_parser = email)]
    email: EmailAddress,
    /// What they are called [default: the e-mail address].
    #[arg(long)]
    name: Option<String>,
    /// The organization that they join at once, by name or id.
    #[arg(long, requires = "role")]
    organization: Option<String>,
    /// What they are there: owner, admin, agent or viewer.
    #[arg(long, requires = "organization")]
    role: Option<Role>,
    /// Let them operate the installation. They need a password.
    #[arg(long)]
    platform_administrator: bool,
    /// Read their password from standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Ask for their password. Without one, they cannot sign in yet.
    #[arg(long, conflicts_with = "password_stdin")]
    password_prompt: bool,
}

pub(super) fn email(text: &str) -> Result<EmailAddress, String> {
    EmailAddress::parse(text).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct UserRow {
    id: UserId,
    email: EmailAddress,
    name: String,
    is_platform_administrator: bool,
    disabled_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl Row for UserRow {
    const COLUMNS: &'static [&'static str] = &["ID", "EMAIL", "NAME", "OPERATES", "DISABLED", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.email.to_string(),
            self.name.clone(),
            if self.is_platform_administrator {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
            optional(self.disabled_at),
            self.created_at.to_string(),
        ]
    }
}

#[derive(Serialize)]
struct UserWithMembershipsRow {
    #[serde(flatten)]
    user: UserRow,
    memberships: Vec<MembershipRow>,
}

#[derive(Serialize)]
struct MembershipRow {
    organization_id: OrganizationId,
    organization_name: String,
    role: Role,
}

impl Row for UserWithMembershipsRow {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "EMAIL",
        "NAME",
        "OPERATES",
        "DISABLED",
        "CREATED",
        "ORGANIZATIONS",
    ];

    fn cells(&self) -> Vec<String> {
        let memberships = self
            .memberships
            .iter()
            .map(|membership| format!("{} ({})", membership.organization_name, membership.role));
        let memberships: Vec<String> = memberships.collect();
        let mut cells = self.user.cells();
        cells.push(optional(
            Some(memberships.join(", ")).filter(|list| !list.is_empty()),
        ));
        cells
    }
}

/// How a link is used until there is a page for it.
const PASSWORD_LINK_USAGE: &str = "once, by POST /api/auth/password-reset with \
    {\"token\": <the part of the link behind the #>, \"password\": <the new one>}";

#[derive(Serialize)]
struct PasswordLinkRow {
    link: String,
    expires_at: Timestamp,
    usage: &'static str,
}

impl Row for PasswordLinkRow {
    const COLUMNS: &'static [&'static str] = &["LINK (shown this once)", "EXPIRES", "USED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.link.clone(),
            self.expires_at.to_string(),
            self.usage.to_owned(),
        ]
    }
}

impl From<User> for UserRow {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            name: user.display_name,
            is_platform_administrator: user.is_platform_administrator,
            disabled_at: user.disabled_at,
            created_at: user.created_at,
        }
    }
}

impl From<UserWithMemberships> for UserWithMembershipsRow {
    fn from(found: UserWithMemberships) -> Self {
        let memberships = found
            .memberships
            .iter()
            .map(|(organization, role)| MembershipRow {
                organization_id: organization.id,
                organization_name: organization.name.clone(),
                role: *role,
            });
        Self {
            memberships: memberships.collect(),
            user: found.user.into(),
        }
    }
}

pub(super) async fn run(command: Command, services: &Services, output: Output) -> anyhow::Result<()> {
    let operator = Operator::CommandLine;
    let id = async |email: &EmailAddress| {
        users::find(services, &Operator::CommandLine, email)
            .await
            .map(|user| user.id)
    };
    let changed = match command {
        Command::List => {
            let page = async |offset, limit| users::page(services, &operator, offset, limit).await;
            let rows: Vec<UserRow> = super::all(page).await?;
            return output.list(&rows);
        }
        Command::Create(arguments) => return create(arguments, services, output).await,
        Command::Show { email } => {
            let found = users::get(services, &Operator::CommandLine, id(&email).await?).await?;
            return output.one(&UserWithMembershipsRow::from(found));
        }
        Command::AddMembership {
            email,
            organization,
            role,
        } => {
            let organization = organizations::find(services, &Operator::CommandLine, &organization).await?;
            let after =
                users::add_membership(services, &operator, id(&email).await?, organization.id, role).await?;
            return output.one(&UserWithMembershipsRow::from(after));
        }
        Command::PasswordLink { email } => {
            let made = password_resets::create(services, &operator, id(&email).await?)
                .await
                .map_err(super::refused)?;
            return output.one(&PasswordLinkRow {
                link: made.link.expose_secret().to_owned(),
                expires_at: made.expires_at,
                usage: PASSWORD_LINK_USAGE,
            });
        }
        Command::SetPassword {
            email,
            password_stdin,
        } => {
            let id = id(&email).await?;
            users::set_password(services, &operator, id, password(password_stdin)?).await?;
            return output.done(&format!("{email} has a new password."));
        }
        Command::Disable { email } => users::disable(services, &operator, id(&email).await?).await,
        Command::Enable { email } => users::enable(services, &operator, id(&email).await?).await,
        Command::GrantPlatformAdministrator { email } => {
            users::set_platform_administrator(services, &operator, id(&email).await?, true).await
        }
        Command::RevokePlatformAdministrator { email } => {
            users::set_platform_administrator(services, &operator, id(&email).await?, false).await
        }
    };
    output.one(&UserRow::from(changed.map_err(super::refused)?))
}

async fn create(arguments: Create, services: &Services, output: Output) -> anyhow::Result<()> {
    let membership = match (&arguments.organization, arguments.role) {
        (Some(organization), Some(role)) => Some((
            organizations::find(services, &Operator::CommandLine, organization)
                .await?
                .id,
            role,
        )),
        _ => None,
    };
    let wants_password =
        arguments.password_stdin || arguments.password_prompt || arguments.platform_administrator;
    let new = NewUser {
        display_name: match &arguments.name {
            Some(name) => super::name(name)?,
            None => arguments.email.to_string(),
        },
        password: wants_password
            .then(|| password(arguments.password_stdin))
            .transpose()?,
        membership,
        is_platform_administrator: arguments.platform_administrator,
        email: arguments.email,
    };
    let created = users::create(services, &Operator::CommandLine, new)
        .await
        .map_err(super::refused)?;
    output.one(&UserWithMembershipsRow::from(created))
}

fn password(is_on_stdin: bool) -> anyhow::Result<NewPassword> {
    let secret = if is_on_stdin {
        Secret::Stdin
    } else {
        Secret::Prompt { is_new: true }
    };
    let text = secret.get("password", "give it on standard input with --password-stdin")?;
    NewPassword::parse(text.expose_secret()).map_err(|error| anyhow::anyhow!("the password {error}"))
}
