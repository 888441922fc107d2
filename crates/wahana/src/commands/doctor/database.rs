//! Whether the database answers, with this release's schema.

use std::sync::Arc;

use wahana_domain::SystemClock;
use wahana_service::{
    Operator, ServiceError, Services,
    platform::{organizations, users},
};
use wahana_store::{KeyRing, Store, StoreError};

use super::Finding;
use crate::{commands::services, config::Settings};

const SUBJECT: &str = "database";

/// The database, if it is usable, and what was found.
pub(super) async fn examine(settings: &Settings, keys: KeyRing) -> (Option<Services>, Vec<Finding>) {
    let store = match Store::open(&settings.database, keys, Arc::new(SystemClock)).await {
        Ok(store) => store,
        Err(error) => {
            return (
                None,
                vec![Finding::fault(SUBJECT, error.to_string(), advice(&error))],
            );
        }
    };
    let services = match services(store, settings) {
        Ok(services) => services,
        Err(error) => return (None, vec![Finding::fault(SUBJECT, error.to_string(), None)]),
    };
    let findings = match contents(&services, settings).await {
        Ok(findings) => findings,
        Err(error) => vec![Finding::fault(SUBJECT, error.to_string(), None)],
    };
    (Some(services), findings)
}

const MIB: u64 = 1024 * 1024;

async fn contents(services: &Services, settings: &Settings) -> Result<Vec<Finding>, ServiceError> {
    let size = services.database_size().await?.div_ceil(MIB);
    let (_, organizations) = organizations::page(services, &Operator::CommandLine, 0, 1).await?;
    let (_, people) = users::page(services, &Operator::CommandLine, 0, 1).await?;
    let kind = if settings.database.is_sqlite()? {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    let mut findings = vec![Finding::good(
        SUBJECT,
        format!(
            "{kind} answers, has this release's schema and takes {size} MiB; organizations: {organizations}, \
             people: {people}"
        ),
    )];
    if people == 0 {
        findings.push(Finding::warning(
            SUBJECT,
            "nobody can sign in yet",
            "run `wahana users create --email <address> --platform-administrator`",
        ));
    }
    Ok(findings)
}

fn advice(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Unavailable(_) => Some("start the database, or change database.url"),
        StoreError::NoDatabase | StoreError::PendingMigrations(_) => Some("run `wahana migrate`"),
        StoreError::RoleTooStrong { .. } => Some("name a plain user there, and run `wahana migrate` as it"),
        _ => None,
    }
}
