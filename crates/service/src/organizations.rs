//! The organization itself, as its members see it.

use wahana_domain::{Month, Organization};
pub use wahana_store::organizations::OrganizationChange;
use wahana_store::{TenantTx, organizations, usage};

use crate::{
    ServiceError, Services,
    access::{BeMember, Granted, ManageOrganization},
    audit,
    limits::EffectiveLimits,
};

/// The organization, and how much it may have and do.
#[derive(Clone, Debug)]
pub struct OrganizationView {
    /// The organization.
    pub organization: Organization,
    /// The limits that hold for it.
    pub limits: EffectiveLimits,
    /// The calendar month of UTC that it is.
    pub month: Month,
    /// How many messages it sent in that month.
    pub messages_this_month: u64,
}

/// The caller's organization, as it is now.
pub async fn get(services: &Services, access: &Granted<BeMember>) -> Result<OrganizationView, ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    view(services, &tx).await
}

async fn view(services: &Services, tx: &TenantTx) -> Result<OrganizationView, ServiceError> {
    let organization = organizations::get(tx)
        .await?
        .ok_or(ServiceError::NotFound("Organization"))?;
    let month = Month::of(tx.now());
    Ok(OrganizationView {
        limits: services.effective_limits(&organization.limits),
        organization,
        month,
        messages_this_month: usage::messages(tx, month).await?,
    })
}

/// Changes the caller's organization.
pub async fn update(
    services: &Services,
    access: &Granted<ManageOrganization>,
    change: &OrganizationChange,
) -> Result<OrganizationView, ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    organizations::update(&tx, change).await?;
    audit::record_success(&tx, access.context(), "organizations.update").await?;
    let organization = view(services, &tx).await?;
    tx.commit().await?;
    services.callers.forget();
    Ok(organization)
}
