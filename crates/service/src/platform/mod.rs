//! What operators do: organizations, people, WAHA servers and tokens of the whole installation.
//!
//! Every function takes the [`Operator`](crate::Operator) who acts, and every act leaves a row in the
//! audit log, in its own transaction. Operators are no members: nothing here reads an organization's
//! messages.

pub mod access_tokens;
pub mod audit;
pub(crate) mod base_url;
pub mod erasures;
pub mod hooks;
pub mod jobs;
pub mod keys;
pub mod moving;
pub mod organizations;
pub mod servers;
pub mod standing;
pub mod tokens;
pub mod users;

use wahana_domain::{Organization, OrganizationId};
use wahana_store::PlatformTx;

use crate::ServiceError;

async fn organization(tx: &PlatformTx, id: OrganizationId) -> Result<Organization, ServiceError> {
    tx.organization(id)
        .await?
        .ok_or(ServiceError::NotFound("Organization"))
}
