//! Which database, and how to reach it.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use crate::{
    error::StoreError,
    migration::privileges::{PLATFORM_ROLE, TENANT_ROLE},
};

/// Which database, and how to reach it. The addresses may hold passwords and do not print themselves.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// `sqlite:///path/to/wahana.db`, or `postgres://user@host/database` of the user that owns the
    /// tables.
    pub url: SecretString,
    /// On PostgreSQL, the address of a user that has no more than the role `wahana_tenant`; without
    /// it, `url` is used and each connection puts on that role. A role that was put on can be taken
    /// off by whoever can run a statement of their choice; a user of its own cannot become another.
    pub tenant_url: Option<SecretString>,
    /// The same for the role `wahana_platform`.
    pub platform_url: Option<SecretString>,
    /// How many connections each of the two pools may hold on PostgreSQL, and how many read at a time
    /// on SQLite.
    pub max_connections: u32,
}

impl DatabaseSettings {
    /// A database with the default number of connections.
    #[must_use]
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            tenant_url: None,
            platform_url: None,
            max_connections: 8,
        }
    }

    /// Whether it is SQLite.
    ///
    /// # Errors
    ///
    /// When the address names neither SQLite nor PostgreSQL.
    pub fn is_sqlite(&self) -> Result<bool, StoreError> {
        let url = self.url.expose_secret();
        if url.starts_with("sqlite:") {
            Ok(true)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Ok(false)
        } else {
            Err(StoreError::Settings(
                "database.url must begin with sqlite: or postgres:".to_owned(),
            ))
        }
    }

    /// The file of the SQLite database; `None` on PostgreSQL.
    pub fn sqlite_path(&self) -> Result<Option<PathBuf>, StoreError> {
        if !self.is_sqlite()? {
            return Ok(None);
        }
        let url = self.url.expose_secret();
        let path = url.strip_prefix("sqlite:").unwrap_or_default();
        let path = path.strip_prefix("//").unwrap_or(path);
        // A database in memory and a pool are several databases.
        if path.is_empty() || path.contains(":memory:") || path.contains('?') {
            return Err(StoreError::Settings(
                "database.url must name a file, such as sqlite:///var/lib/wahana/wahana.db".to_owned(),
            ));
        }
        Ok(Some(PathBuf::from(path)))
    }

    /// How to connect as the owner of the tables.
    pub(crate) fn postgres_owner(&self) -> Result<PgConnectOptions, StoreError> {
        postgres("database.url", &self.url)
    }

    /// How to connect as the tenant role.
    pub(crate) fn postgres_tenant(&self) -> Result<PgConnectOptions, StoreError> {
        match &self.tenant_url {
            Some(url) => postgres("database.tenant_url", url),
            None => Ok(self.postgres_owner()?.options([("role", TENANT_ROLE)])),
        }
    }

    /// How to connect as the platform role.
    pub(crate) fn postgres_platform(&self) -> Result<PgConnectOptions, StoreError> {
        match &self.platform_url {
            Some(url) => postgres("database.platform_url", url),
            None => Ok(self.postgres_owner()?.options([("role", PLATFORM_ROLE)])),
        }
    }
}

fn postgres(setting: &str, url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    // The parser's own words may quote the address, and a password with it.
    let unreadable = |_| StoreError::Settings(format!("{setting} is not an address of PostgreSQL"));
    let options: PgConnectOptions = url.expose_secret().parse().map_err(unreadable)?;
    Ok(options.application_name("wahana"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_what_follows_the_scheme() {
        for (url, path) in [
            ("sqlite:///var/lib/wahana.db", "/var/lib/wahana.db"),
            ("sqlite:/var/lib/wahana.db", "/var/lib/wahana.db"),
            ("sqlite://wahana.db", "wahana.db"),
            ("sqlite:wahana.db", "wahana.db"),
            ("sqlite:////server/share/wahana.db", "//server/share/wahana.db"),
            ("sqlite://sqlite:wahana.db", "sqlite:wahana.db"),
        ] {
            let found = DatabaseSettings::new(url).sqlite_path().unwrap();
            assert_eq!(found, Some(PathBuf::from(path)), "{url}");
        }
        let postgres = DatabaseSettings::new("postgres://user@localhost/wahana");
        assert_eq!(postgres.sqlite_path().unwrap(), None);
    }
}
