//! What is in the demo: two organizations with people of every role, and sessions in every state.

use std::collections::BTreeMap;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use waha_sim::{SessionSeed, Status, WahaSim};
use wahana_domain::{
    Abilities, EmailAddress, NewPassword, OrganizationId, OrganizationLimits, Role, Secret, SessionName,
    WebhookSecret, WebhookStyle,
};
use wahana_service::{
    Context, Operator, PresentedCredential, RequestOrigin, Services,
    access::Granted,
    adoption::{self, Assignment},
    platform::{
        access_tokens::{self, NewMemberToken},
        hooks,
        organizations::{self, NewOrganization},
        servers::{self, BaseUrl, NewServer, ServerKey},
        tokens::{self, NewPlatformToken},
        users::{self, NewUser},
    },
    webhooks::{self, NewWebhook},
};

use crate::config::Settings;

/// What was made, as far as people need it.
pub(super) struct World {
    pub(super) organizations: Vec<Tenant>,
    /// The bearer token of the platform administrator.
    pub(super) platform_token: String,
    /// What signs the deliveries of Acme's webhook.
    pub(super) webhook_secret: WebhookSecret,
}

/// An organization of the demo.
pub(super) struct Tenant {
    /// Its name.
    pub(super) name: &'static str,
    /// The bearer token of the member with each role, the strongest first.
    pub(super) tokens: Vec<(Role, String)>,
    /// With what its owner signs in.
    pub(super) owner_email: String,
    pub(super) owner_password: String,
}

/// The sessions: of which organization, under which name, what they are doing, with which number.
/// Numbers are of the range that is reserved for stories.
const SESSIONS: [(&str, &str, Status, Option<&str>); 10] = [
    ("Acme", "support", Status::Working, Some("15550100001")),
    ("Acme", "sales", Status::Working, Some("15550100002")),
    ("Acme", "new-phone", Status::ScanQrCode, None),
    ("Acme", "old-phone", Status::Stopped, Some("15550100003")),
    ("Acme", "broken", Status::Failed, Some("15550100004")),
    ("Globex", "support", Status::Working, Some("15550100005")),
    ("Globex", "orders", Status::Working, Some("15550100006")),
    ("Globex", "reception", Status::ScanQrCode, None),
    ("Globex", "archive", Status::Stopped, Some("15550100007")),
    (
        "Globex",
        "warehouse",
        Status::PasskeyRequired,
        Some("15550100008"),
    ),
];
/// The session whose QR code nobody scans, so that there is always one to look at.
const NEVER_SCANNED: (&str, &str) = ("Acme", "new-phone");
/// A session on WAHA that belongs to nobody.
const UNASSIGNED: (&str, &str) = ("left-over", "15550100009");
const SERVER: &str = "simulated";
/// The organization that has a webhook.
const WITH_WEBHOOK: &str = "Acme";

pub(super) async fn populate(
    settings: &Settings,
    waha: &WahaSim,
    key: &Secret,
    webhook_url: &str,
) -> anyhow::Result<World> {
    let services = super::super::open(settings).await?;
    let operator = Operator::CommandLine;
    let server = NewServer {
        name: SERVER.to_owned(),
        base_url: BaseUrl::parse(&waha.base_url())?,
        key: ServerKey::parse(key.expose())?,
        capacity: None,
        concurrency: None,
        requests_per_second: None,
    };
    let server = servers::add(&services, &operator, server).await?.server;
    let hook = hooks::get(&services, &operator, server.id, false).await?;
    waha.set_global_hook(global_hook(&hook)?);
    let mut organizations = Vec::new();
    let mut webhook_secret = None;
    for name in ["Acme", "Globex"] {
        let (id, tenant, owner) = organization(&services, &operator, name).await?;
        sessions(&services, &operator, waha, name, id).await?;
        organizations.push(tenant);
        if name == WITH_WEBHOOK {
            webhook_secret = Some(webhook(&services, &owner, webhook_url).await?);
        }
    }
    let (name, number) = UNASSIGNED;
    waha.add_session(SessionSeed::new(name).phone(number));
    let platform_token = platform_token(&services, &operator).await?;
    services.close().await?;
    Ok(World {
        organizations,
        platform_token,
        webhook_secret: webhook_secret.context("nobody has a webhook")?,
    })
}

/// WAHA's own webhook, as the lines for its environment describe it: so the sessions that were there first tell
/// their events too.
fn global_hook(hook: &hooks::GlobalHook) -> anyhow::Result<waha_sim::GlobalHook> {
    let environment = hook.environment();
    let variables = environment
        .iter()
        .map(|(name, value)| (*name, value.expose_secret()));
    waha_sim::GlobalHook::from_environment(variables)
        .context("the webhook of the simulated WAHA has no address")
}

async fn organization(
    services: &Services,
    operator: &Operator,
    name: &'static str,
) -> anyhow::Result<(OrganizationId, Tenant, PresentedCredential)> {
    let new = NewOrganization {
        name: name.to_owned(),
        country: None,
        time_zone: None,
        language: None,
        limits: OrganizationLimits::default(),
    };
    let organization = organizations::create(services, operator, new).await?;
    let domain = name.to_lowercase();
    let (owner_email, owner_password) = (format!("owner@{domain}.example"), Secret::generate());
    let mut member_tokens = Vec::new();
    let mut owner = None;
    for role in Role::ALL.into_iter().rev() {
        let email = EmailAddress::parse(&format!("{role}@{domain}.example"))?;
        let password = (role == Role::Owner)
            .then(|| NewPassword::parse(owner_password.expose()))
            .transpose()?;
        let user = NewUser {
            email: email.clone(),
            display_name: format!("{name}'s {role}"),
            password,
            membership: Some((organization.id, role)),
            is_platform_administrator: false,
        };
        users::create(services, operator, user).await?;
        let token = NewMemberToken {
            organization: organization.id,
            email,
            name: "demo".to_owned(),
            abilities: Abilities::All,
            sessions: None,
            expires_at: None,
        };
        let created = access_tokens::create(services, operator, token).await?;
        if role == Role::Owner {
            owner = Some(PresentedCredential::Token {
                id: created.token.id.clone(),
                secret: created.secret.hash(),
            });
        }
        member_tokens.push((role, format!("{}|{}", created.token.id, created.secret.expose())));
    }
    let owner_password = owner_password.expose().to_owned();
    Ok((
        organization.id,
        Tenant {
            name,
            tokens: member_tokens,
            owner_email,
            owner_password,
        },
        owner.context("an organization of the demo has no owner")?,
    ))
}

/// A webhook, as an owner makes one. Says what signs it.
async fn webhook(
    services: &Services,
    owner: &PresentedCredential,
    url: &str,
) -> anyhow::Result<WebhookSecret> {
    let identity = services.callers().identify(owner).await?;
    let identity = identity.context("an owner of the demo is unknown")?;
    let context = Context {
        caller: identity
            .caller(None)
            .ok()
            .context("an owner of the demo may do nothing")?,
        origin: RequestOrigin::new("demo".to_owned(), None),
    };
    let new = NewWebhook {
        url: url.to_owned(),
        description: Some("The program of the demo that says what arrives".to_owned()),
        style: WebhookStyle::Standard,
        events: None,
        sessions: None,
        headers: BTreeMap::new(),
        secret: None,
    };
    let created = webhooks::create(services, &Granted::check(context)?, new).await?;
    Ok(created.secret)
}

/// The organization's sessions are on the simulated WAHA already, as on a WAHA that was there first.
async fn sessions(
    services: &Services,
    operator: &Operator,
    waha: &WahaSim,
    organization: &str,
    id: OrganizationId,
) -> anyhow::Result<()> {
    let mut assignments = Vec::new();
    for (_, name, status, number) in SESSIONS.iter().filter(|(owner, ..)| *owner == organization) {
        let waha_name = format!("{}-{name}", organization.to_lowercase());
        let mut seed = SessionSeed::new(&waha_name).status(*status);
        if (organization, *name) == NEVER_SCANNED {
            seed = seed.never_scanned();
        }
        waha.add_session(match number {
            Some(number) => seed.phone(number),
            None => seed,
        });
        assignments.push(Assignment {
            server: SERVER.to_owned(),
            waha_name,
            organization: id,
            name: SessionName::parse(name)?,
        });
    }
    for outcome in adoption::assign(services, operator, assignments, false).await? {
        outcome
            .outcome
            .map_err(|reason| anyhow::anyhow!("a session of the demo: {reason}"))?;
    }
    Ok(())
}

async fn platform_token(services: &Services, operator: &Operator) -> anyhow::Result<String> {
    let email = EmailAddress::parse("operator@wahana.example")?;
    let user = NewUser {
        email: email.clone(),
        display_name: "The demo's operator".to_owned(),
        password: None,
        membership: None,
        is_platform_administrator: true,
    };
    let user = users::create(services, operator, user).await?;
    let created = tokens::create(
        services,
        operator,
        NewPlatformToken {
            user_id: user.user.id,
            name: "demo".to_owned(),
            expires_at: None,
        },
    )
    .await?;
    Ok(format!("{}|{}", created.token.id, created.secret.expose()))
}
