//! Fills a fresh database with organizations that have users, tokens and sessions.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, ensure};
use clap::Parser;
use secrecy::{ExposeSecret, SecretString};
use wahana_bench::{API_KEY, Spread, phone_digits, waha_name};
use wahana_domain::{
    Abilities, AccessToken, BusinessProfile, DesiredStatus, EmailAddress, Language, Membership, Organization,
    OrganizationId, OrganizationLimits, OrganizationState, PhoneNumber, Retention, Role, Secret, ServerId,
    Session, SessionConfiguration, SessionCounters, SessionId, SessionName, SessionOrigin, SessionStatus,
    SystemClock, TimeZone, Timestamp, TokenId, UserId, WahaAddress, WahaName,
};
use wahana_store::{
    DatabaseSettings, KeyRing, NewServer, NewUser, Store, Tenant, access_tokens, migrate, sessions,
};

/// Fills a fresh database with organizations that have a user, tokens and sessions each.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    spread: Spread,
    /// The database, which must be empty. From the environment, because it may hold a password.
    #[arg(long, env = "WAHANA_DATABASE__URL", hide_env_values = true)]
    database_url: SecretString,
    /// The file to write the key ring to.
    #[arg(long)]
    keys: PathBuf,
    /// The file with the addresses of the WAHA servers, one a line.
    #[arg(long)]
    addresses: PathBuf,
    /// How many tokens to make, for the organizations in turn.
    #[arg(long)]
    tokens: u32,
    /// The file to write the tokens to: a header that shows one, a line each.
    #[arg(long)]
    headers: PathBuf,
}

/// An organization that was made, and its only user.
struct Made {
    tenant: Tenant,
    user: UserId,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let settings = DatabaseSettings::new(arguments.database_url.clone());
    let keys = KeyRing::generate();
    write_private(&arguments.keys, keys.to_text().expose_secret())?;
    migrate(&settings).await?;
    let store = Store::open(&settings, keys, Arc::new(SystemClock)).await?;

    let (servers, organizations) = make_organizations(&store, &arguments).await?;
    let mut headers = Vec::new();
    for (number, organization) in (0..).zip(&organizations) {
        make_sessions(&store, &arguments, number, organization, &servers).await?;
        let tokens = (number..arguments.tokens).step_by(organizations.len());
        make_tokens(&store, organization, tokens.count(), &mut headers).await?;
    }
    spread_out(&mut headers);
    write_private(&arguments.headers, &headers.concat())?;
    store.close().await?;
    Ok(())
}

async fn make_organizations(
    store: &Store,
    arguments: &Arguments,
) -> anyhow::Result<(Vec<ServerId>, Vec<Made>)> {
    let tx = store.platform_write().await?;
    let now = tx.now();
    let mut servers = Vec::new();
    for (number, address) in fs::read_to_string(&arguments.addresses)?.lines().enumerate() {
        let id = ServerId::new();
        tx.insert_server(&NewServer {
            id,
            name: format!("waha-{number}"),
            base_url: address.to_owned(),
            api_key: API_KEY.into(),
            capacity: None,
        })
        .await?;
        servers.push(id);
    }
    ensure!(
        servers.len() == usize::try_from(arguments.spread.servers)?,
        "the file of addresses has {} lines",
        servers.len()
    );
    let mut made = Vec::new();
    for number in 0..arguments.spread.organizations {
        let (organization, user) = (organization(number, now), UserId::new());
        tx.insert_organization(&organization).await?;
        tx.insert_user(&NewUser {
            id: user,
            email: EmailAddress::parse(&format!("owner{number}@example.com"))?,
            display_name: format!("Owner {number}"),
            is_platform_administrator: false,
        })
        .await?;
        tx.insert_membership(&Membership {
            organization_id: organization.id,
            user_id: user,
            role: Role::Owner,
            created_at: now,
        })
        .await?;
        let tenant = tx.tenant(organization.id).await?;
        let tenant = tenant.context("an organization is not there after it was made")?;
        made.push(Made { tenant, user });
    }
    tx.commit().await?;
    Ok((servers, made))
}

fn organization(number: u32, now: Timestamp) -> Organization {
    Organization {
        id: OrganizationId::new(),
        name: format!("Organization {number}"),
        state: OrganizationState::Active,
        country: None,
        time_zone: TimeZone::UTC,
        language: Language::English,
        limits: OrganizationLimits::default(),
        retention: Retention::default(),
        restarts_silent_sessions: false,
        resends_lost_messages: false,
        keeps_message_texts: true,
        created_at: now,
        updated_at: now,
    }
}

async fn make_sessions(
    store: &Store,
    arguments: &Arguments,
    organization: u32,
    made: &Made,
    servers: &[ServerId],
) -> anyhow::Result<()> {
    let tx = store.write(made.tenant).await?;
    for (position, number) in arguments.spread.sessions_of(organization).enumerate() {
        let server = usize::try_from(arguments.spread.server_of(number))?;
        let server = *servers.get(server).context("a session without a server")?;
        let new = session(position, number, made.tenant.organization_id(), server, tx.now())?;
        sessions::insert(&tx, &new).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// A session that is as its server says, with all that people write about one.
fn session(
    position: usize,
    number: u32,
    organization_id: OrganizationId,
    server: ServerId,
    now: Timestamp,
) -> anyhow::Result<Session> {
    Ok(Session {
        id: SessionId::new(),
        organization_id,
        origin: SessionOrigin::Created,
        name: SessionName::parse(&format!("branch-{position}"))?,
        display_name: Some(format!("Branch {position}")),
        phone_number: Some(PhoneNumber::from_digits(&phone_digits(number))?),
        waha: WahaAddress {
            server,
            name: WahaName::adopted(waha_name(number)),
        },
        configuration: SessionConfiguration::default(),
        status: SessionStatus::Working,
        waha_status: Some("WORKING".to_owned()),
        desired_status: DesiredStatus::Running,
        observed_at: Some(now),
        error_count: 0,
        last_error: None,
        warning: None,
        business: BusinessProfile {
            name: Some(format!("Example Trading, branch {position}")),
            description: Some("Sells examples of all kinds, wholesale and retail.".to_owned()),
            category: Some("Wholesale".to_owned()),
            website: Some("https://www.example.com/".to_owned()),
            email: Some("branch@example.com".to_owned()),
        },
        pacing: None,
        counters: SessionCounters {
            messages_sent: 12_345,
            messages_received: 23_456,
            media_sent: 123,
            media_received: 234,
        },
        last_message_at: Some(now),
        created_at: now,
        updated_at: now,
    })
}

async fn make_tokens(
    store: &Store,
    made: &Made,
    count: usize,
    headers: &mut Vec<String>,
) -> anyhow::Result<()> {
    let tx = store.write(made.tenant).await?;
    for number in 0..count {
        let (id, secret) = (TokenId::generate(), Secret::generate());
        headers.push(format!("Authorization: Bearer {id}|{}\n", secret.expose()));
        let token = AccessToken {
            id,
            organization_id: made.tenant.organization_id(),
            user_id: made.user,
            name: format!("token {number}"),
            abilities: Abilities::All,
            sessions: None,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            created_at: tx.now(),
        };
        access_tokens::insert(&tx, &token, &secret.hash()).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Puts far from each other what was made one after the other, so that any first part of the list is
/// a sample of the whole.
fn spread_out(headers: &mut [String]) {
    headers.sort_unstable_by_key(|header| header.bytes().rev().take(16).collect::<Vec<u8>>());
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
