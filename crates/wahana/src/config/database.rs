//! Which database, and how to reach it.

use secrecy::{ExposeSecret, SecretString};
use url::Url;
use wahana_store::DatabaseSettings;

use super::{UNSET, reader::Reader};

const DEFAULT_URL: &str = "sqlite://wahana.db";
const DEFAULT_CONNECTIONS: u64 = 8;
const MAX_CONNECTIONS: u64 = 1000;

/// Passwords that people leave in from an example.
pub(super) const PLACEHOLDERS: [&str; 6] = [
    "changeme",
    "change-me",
    "change_me",
    "password",
    "secret",
    "placeholder",
];

pub(super) fn read(reader: &mut Reader<'_>) -> Option<DatabaseSettings> {
    let url = reader
        .text("database.url")
        .unwrap_or_else(|| DEFAULT_URL.to_owned());
    let is_sqlite = url.starts_with("sqlite:");
    let url = if is_sqlite {
        reader.take("database.url", file(&url)).map(SecretString::from)
    } else {
        reader
            .take("database.url", postgres(&url))
            .map(SecretString::from)
    };
    let mut role_url = |name| match reader.text(name) {
        None => Some(None),
        Some(_) if is_sqlite => {
            reader.fault(name, "is for PostgreSQL; SQLite has no users");
            None
        }
        Some(text) => reader
            .take(name, postgres(&text))
            .map(|url| Some(SecretString::from(url))),
    };
    let tenant_url = role_url("database.tenant_url");
    let platform_url = role_url("database.platform_url");
    let max_connections = reader.number(
        "database.max_connections",
        DEFAULT_CONNECTIONS,
        1,
        MAX_CONNECTIONS,
    );
    Some(DatabaseSettings {
        url: url?,
        tenant_url: tenant_url?,
        platform_url: platform_url?,
        max_connections: u32::try_from(max_connections).ok()?,
    })
}

fn file(url: &str) -> Result<String, &'static str> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    if path.is_empty() || path.contains(":memory:") || path.contains('?') {
        return Err("must name a file");
    }
    Ok(url.to_owned())
}

fn postgres(url: &str) -> Result<String, &'static str> {
    let parsed = Url::parse(url).map_err(|_| "must begin with sqlite: or postgres:")?;
    if !matches!(parsed.scheme(), "postgres" | "postgresql") {
        return Err("must begin with sqlite: or postgres:");
    }
    let password = parsed.password().unwrap_or_default().to_lowercase();
    if PLACEHOLDERS.contains(&password.as_str()) {
        return Err("has a placeholder for a password; choose a real one");
    }
    Ok(url.to_owned())
}

pub(super) fn shown(database: &DatabaseSettings) -> Vec<(&'static str, String)> {
    let optional = |url: &Option<SecretString>| url.as_ref().map_or_else(|| UNSET.to_owned(), redacted);
    vec![
        ("database.url", redacted(&database.url)),
        ("database.tenant_url", optional(&database.tenant_url)),
        ("database.platform_url", optional(&database.platform_url)),
        ("database.max_connections", database.max_connections.to_string()),
    ]
}

/// The address without what may be secret: of PostgreSQL only user, host and database.
fn redacted(url: &SecretString) -> String {
    let text = url.expose_secret();
    if text.starts_with("sqlite:") {
        return format!("\"{text}\"");
    }
    let Ok(mut url) = Url::parse(text) else {
        return "(not shown)".to_owned();
    };
    url.set_query(None);
    url.set_fragment(None);
    // An address that cannot have a password has none.
    let hidden = url.password().map(|_| "***");
    if url.set_password(hidden).is_err() {
        return "(not shown)".to_owned();
    }
    format!("\"{url}\"")
}
