//! What happens before an organization is known, and what only operators do.
//!
//! This is the whole list, and a test pins it. Each function says why it cannot be a function of a
//! [`TenantTx`]. On PostgreSQL it runs in a role of its own.

mod erasures;
mod events;
mod exports;
mod hooks;
mod identities;
mod jobs;
mod leases;
mod leftovers;
mod media;
mod messages;
mod organization_events;
mod organizations;
mod people;
mod placement;
mod processes;
mod retention;
mod secrets;
mod servers;
mod sessions;
mod standing;
mod tokens;
mod upkeep;
mod webhooks;

use std::sync::Arc;

use sea_orm::{ActiveModelTrait, DatabaseConnection, EntityTrait};
use wahana_domain::{AuditEntry, Clock, OrganizationId, Timestamp};

use crate::{
    KeyRing, Store, StoreError, audit,
    commit_news::CommitNews,
    tenant::{Surroundings, Tenant, TenantTx},
    transaction::{Access, Transaction},
};

pub use hooks::{HookedServer, HookedSession};
pub use jobs::{JobClaim, JobCount, JobQuery};
pub use leases::{Lease, StandingLease};
pub use leftovers::Leftover;
pub use media::EndedMediaFile;
pub use messages::DueSession;
pub use people::{NewUser, StoredPassword, UserChange};
pub use secrets::{Reencrypted, SecretPlace};
pub use servers::{NewServer, ServerChange, ServerLoad};
pub use sessions::{SessionChanges, SessionOnServer};
pub use standing::{LastSnapshot, SessionCount};
pub use tokens::NewPlatformToken;
pub use upkeep::{ServerInCare, SessionInNeed};
pub use webhooks::{DueEndpoint, StrandedEndpoint, WaitingDeliveries};

/// A transaction that sees every organization. Dropped without [`commit`](Self::commit), it changes
/// nothing.
pub struct PlatformTx {
    transaction: Transaction,
    keys: KeyRing,
    clock: Arc<dyn Clock>,
}

impl PlatformTx {
    pub(crate) async fn begin(
        connection: &DatabaseConnection,
        access: Access,
        store: &Store,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            transaction: Transaction::begin(connection, access).await?,
            keys: store.keys().clone(),
            clock: store.clock().clone(),
        })
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes the changes last.
    ///
    /// # Errors
    ///
    /// [`StoreError::TransactionFailed`] if a statement failed, whatever became of its error.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await
    }

    /// The right to act for an organization: workers and operators learn of their work here and go
    /// on in a transaction of that organization. `None` if there is no such organization.
    pub async fn tenant(&self, id: OrganizationId) -> Result<Option<Tenant>, StoreError> {
        Ok(self
            .organization(id)
            .await?
            .map(|organization| Tenant::of(organization.id)))
    }

    /// The same transaction, and from now on there is one organization in it.
    pub(crate) fn of(self, tenant: Tenant, news: CommitNews) -> TenantTx {
        let surroundings = Surroundings {
            clock: self.clock,
            keys: self.keys,
            news,
        };
        TenantTx::within(self.transaction, tenant, surroundings)
    }

    /// Adds a row to the audit log: acts of the platform, and of people who belong to no organization,
    /// have no organization to be written in.
    pub async fn record(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.insert(audit::row(entry)).await
    }

    /// The platform's own part of the audit log, newest first: what belongs to no organization, and
    /// what operators did to any.
    pub async fn audit_entries(
        &self,
        before: Option<&audit::Position>,
        limit: u64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        audit::platform_page(&self.transaction, before, limit).await
    }

    async fn insert<A>(&self, row: A) -> Result<(), StoreError>
    where
        A: ActiveModelTrait + Send,
    {
        A::Entity::insert(row)
            .exec_without_returning(&self.transaction)
            .await?;
        Ok(())
    }
}

/// The hash as it is stored.
fn stored_hash(
    table: &'static str,
    row: &str,
    bytes: &[u8],
) -> Result<wahana_domain::SecretHash, StoreError> {
    wahana_domain::SecretHash::from_bytes(bytes).ok_or_else(|| StoreError::Inconsistent {
        table,
        column: "secret_hash",
        row: row.to_owned(),
    })
}
