//! What can go wrong in the store.

use sea_orm::{DbErr, RuntimeErr};

/// A failure of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or gave up the transaction for another one's sake. Nothing was done; only when
    /// a commit ends so, nobody knows.
    #[error("the database cannot do it now: {0}")]
    Unavailable(String),
    /// A rule of uniqueness stands in the way.
    #[error("{0} exists already")]
    Conflict(Uniqueness),
    /// A statement failed and the transaction was to be committed all the same. Nothing of it was kept.
    #[error("a statement of this transaction failed, so nothing of it was kept")]
    TransactionFailed,
    /// A row holds what this release cannot read.
    #[error("row {row} of {table} has a {column} that cannot be read")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id.
        row: String,
    },
    /// The settings do not describe a database.
    #[error("{0}")]
    Settings(String),
    /// There is no database yet.
    #[error("the database does not exist; run `wahana migrate`")]
    NoDatabase,
    /// The schema must be brought up to date first.
    #[error("the database's schema is not this release's (missing: {}); run `wahana migrate`", .0.join(", "))]
    PendingMigrations(Vec<String>),
    /// A newer release was here.
    #[error("the database was migrated by a newer wahana ({}); run that release", .0.join(", "))]
    NewerSchema(Vec<String>),
    /// The database's user may not do what was asked.
    #[error("the database's user lacks a privilege; run `wahana migrate` as the tables' owner")]
    PermissionDenied,
    /// The runtime roles are absent and cannot be made.
    #[error(
        "the roles wahana_tenant and wahana_platform are missing and this user may not make them; as a superuser run: CREATE ROLE wahana_tenant NOLOGIN; CREATE ROLE wahana_platform NOLOGIN; and grant both to this user"
    )]
    RolesMissing,
    /// A runtime connection could see more than its role should.
    #[error(
        "the database user {user} of {setting} could look past row security: it is a superuser, may bypass row security, owns the tables or has another role of wahana's; use a user of its own"
    )]
    RoleTooStrong {
        /// The setting.
        setting: &'static str,
        /// The database's user.
        user: String,
    },
    /// The key ring cannot open a stored secret.
    #[error(transparent)]
    Keys(#[from] crate::key_ring::KeyRingError),
    /// A file cannot be used.
    #[error("file: {0}")]
    File(String),
    /// Anything else the database said.
    #[error("database: {0}")]
    Database(String),
}

impl StoreError {
    /// Whether the database could not do it now, so that trying again later may help.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// What can be read of some rows, where one that cannot be read, of whatever cause, must not keep the others from being
/// used. The log says which.
pub(crate) fn readable<T>(rows: impl IntoIterator<Item = Result<T, StoreError>>) -> impl Iterator<Item = T> {
    rows.into_iter().filter_map(|row| {
        row.inspect_err(|error| tracing::error!(error = %error, "a row is passed over"))
            .ok()
    })
}

/// A rule of uniqueness that a write broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uniqueness {
    /// A living session of this name in the organization.
    SessionName,
    /// A living session with this phone number in the organization.
    SessionPhoneNumber,
    /// A session of this name on the WAHA server, living or not.
    WahaName,
    /// A user with this e-mail address.
    UserEmail,
    /// A membership of this user in the organization.
    Membership,
    /// A WAHA server of this name.
    ServerName,
    /// A WAHA server at this address.
    ServerAddress,
    /// A token with this id.
    TokenId,
}

impl std::fmt::Display for Uniqueness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SessionName => "a session with this name",
            Self::SessionPhoneNumber => "a session with this phone number",
            Self::WahaName => "a session with this name on the WAHA server",
            Self::UserEmail => "a user with this e-mail address",
            Self::Membership => "this membership",
            Self::ServerName => "a WAHA server with this name",
            Self::ServerAddress => "a WAHA server at this address",
            Self::TokenId => "a token with this id",
        })
    }
}

/// How the two databases name the broken rule: PostgreSQL by its constraint, SQLite by its columns.
const UNIQUENESS: [(Uniqueness, &str, &str); 10] = [
    (
        Uniqueness::SessionName,
        "sessions_name",
        "sessions.organization_id, sessions.session_name",
    ),
    (
        Uniqueness::SessionPhoneNumber,
        "sessions_phone_number",
        "sessions.organization_id, sessions.phone_number",
    ),
    (
        Uniqueness::WahaName,
        "sessions_waha_name",
        "sessions.waha_server_id, sessions.waha_name",
    ),
    (
        Uniqueness::UserEmail,
        "users_canonical_email_key",
        "users.canonical_email",
    ),
    (
        Uniqueness::Membership,
        "memberships_pkey",
        "memberships.organization_id, memberships.user_id",
    ),
    (Uniqueness::ServerName, "waha_servers_name", "waha_servers.name"),
    (
        Uniqueness::ServerAddress,
        "waha_servers_base_url",
        "waha_servers.base_url",
    ),
    (Uniqueness::TokenId, "access_tokens_pkey", "access_tokens.id"),
    (
        Uniqueness::TokenId,
        "access_tokens_id_organization_id_key",
        "access_tokens.id, access_tokens.organization_id",
    ),
    (Uniqueness::TokenId, "platform_tokens_pkey", "platform_tokens.id"),
];

/// PostgreSQL's code for a missing privilege; a row that a policy refuses has it too.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => from_sqlx(&error),
            DbErr::ConnectionAcquire(error) => Self::Unavailable(error.to_string()),
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error.to_string())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        from_sqlx(&error)
    }
}

pub(crate) fn from_sqlx(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(database) => {
            if database.is_unique_violation()
                && let Some((rule, ..)) = UNIQUENESS.iter().find(|(_, constraint, columns)| {
                    database.constraint() == Some(*constraint)
                        || database.message() == format!("UNIQUE constraint failed: {columns}")
                })
            {
                return StoreError::Conflict(*rule);
            }
            if database.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE) {
                return StoreError::PermissionDenied;
            }
            if is_away(&database.code().unwrap_or_default()) {
                return StoreError::Unavailable(database.message().to_owned());
            }
            StoreError::Database(database.message().to_owned())
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => StoreError::Unavailable(error.to_string()),
        other => StoreError::Database(other.to_string()),
    }
}

/// Whether this code says that the database cannot do it now, whatever it was asked.
fn is_away(code: &str) -> bool {
    // PostgreSQL's have five characters: class 08 is a lost connection, 57P a server that goes down or
    // comes up, 53 has no room, 25P03 the end of a connection whose transaction did nothing for too long, and
    // 40001 and 40P01 a transaction that gave way to another.
    let is_postgres = code.len() == 5;
    let postgres = ["08", "57P", "53", "25P03", "40001", "40P01"]
        .iter()
        .any(|class| code.starts_with(class));
    // SQLite's are numbers whose lowest byte says the kind: 5 another process writes for too long, 10 the
    // disk fails, 13 it is full, 14 the file cannot be opened.
    let sqlite = code
        .parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 5 | 10 | 13 | 14));
    if is_postgres { postgres } else { sqlite }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_of_a_database_that_cannot_work_now_are_taken_for_that() {
        // PostgreSQL: a broken connection, a shutdown, too many connections, a deadlock; SQLite: busy, busy after a
        // crash, a full disk, an unreadable file.
        for code in [
            "08006", "57P01", "53300", "25P03", "40001", "40P01", "5", "261", "13", "14",
        ] {
            assert!(is_away(code), "{code}");
        }
        // PostgreSQL: a duplicate, a missing privilege, a cancelled statement, a numeric code; SQLite: an
        // error in a statement, a duplicate, a write through a connection that reads.
        for code in ["23505", "42501", "57014", "22005", "1", "2067", "8", ""] {
            assert!(!is_away(code), "{code}");
        }
    }
}
