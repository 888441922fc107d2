//! The organization itself, as its members see it.

use wahana_domain::Organization;
use wahana_store::organizations;
pub use wahana_store::organizations::OrganizationChange;

use crate::{
    ServiceError, Services,
    access::{BeMember, Granted, ManageOrganization},
    audit,
};

/// The caller's organization, as it is now.
pub async fn get(services: &Services, access: &Granted<BeMember>) -> Result<Organization, ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    organizations::get(&tx)
        .await?
        .ok_or(ServiceError::NotFound("Organization"))
}

/// Changes the caller's organization.
pub async fn update(
    services: &Services,
    access: &Granted<ManageOrganization>,
    change: &OrganizationChange,
) -> Result<Organization, ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    organizations::update(&tx, change).await?;
    audit::record_success(&tx, access.context(), "organizations.update").await?;
    let organization = organizations::get(&tx)
        .await?
        .ok_or(ServiceError::NotFound("Organization"))?;
    tx.commit().await?;
    services.callers.forget();
    Ok(organization)
}
