//! The platform's own part of the audit log.

use wahana_store::audit::Position;

use crate::{Operator, ServiceError, Services, audit::AuditPage};

/// A page of what concerns no organization.
pub async fn page(
    services: &Services,
    _: &Operator,
    before: Option<&Position>,
    limit: u64,
) -> Result<AuditPage, ServiceError> {
    let tx = services.store.platform_read().await?;
    let entries = tx.audit_entries(before, limit + 1).await?;
    Ok(AuditPage::of(entries, limit))
}
