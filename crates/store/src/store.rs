//! The door to the database.

use std::sync::Arc;

use secrecy::{SecretSlice, SecretString};
use wahana_domain::{Clock, Timestamp};

use crate::{
    Hook, HookKeyId, KeyRing, StoreError,
    cache::Generations,
    commit_news::{CommitNews, EventWatch},
    connection::{self, Connections},
    jobs::JobLease,
    migration::{self, SchemaState},
    platform::{Lease, PlatformTx},
    settings::DatabaseSettings,
    table_sizes::{self, TableSize},
    tenant::{Surroundings, Tenant, TenantTx},
    transaction::Access,
};

/// The database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connections: Connections,
    keys: KeyRing,
    clock: Arc<dyn Clock>,
    news: CommitNews,
}

impl Store {
    /// Opens a database whose schema is this release's.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, has another schema, or its users could look past row security.
    pub async fn open(
        settings: &DatabaseSettings,
        keys: KeyRing,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        if let Some(path) = settings.sqlite_path()?
            && !path.exists()
        {
            return Err(StoreError::NoDatabase);
        }
        let connections = Connections::open(settings).await?;
        let store = Self(Arc::new(Inner {
            connections,
            keys,
            clock,
            news: CommitNews::new(),
        }));
        store.check().await?;
        Ok(store)
    }

    /// Makes sure that the database answers and has this release's schema.
    pub async fn check(&self) -> Result<(), StoreError> {
        match migration::state(&self.0.connections.platform_read).await? {
            SchemaState::Current => Ok(()),
            SchemaState::Pending(names) => Err(StoreError::PendingMigrations(names)),
            SchemaState::Newer(names) => Err(StoreError::NewerSchema(names)),
        }
    }

    /// A transaction that reads the organization's rows.
    pub async fn read(&self, tenant: Tenant) -> Result<TenantTx, StoreError> {
        self.tenant_transaction(tenant, Access::Read).await
    }

    /// A transaction that reads and changes the organization's rows.
    pub async fn write(&self, tenant: Tenant) -> Result<TenantTx, StoreError> {
        self.tenant_transaction(tenant, Access::Write).await
    }

    async fn tenant_transaction(&self, tenant: Tenant, access: Access) -> Result<TenantTx, StoreError> {
        let inner = &self.0;
        let connection = match access {
            Access::Read => &inner.connections.tenant_read,
            Access::Write => &inner.connections.tenant_write,
        };
        TenantTx::begin(connection, tenant, access, self.surroundings()).await
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            clock: self.0.clock.clone(),
            keys: self.0.keys.clone(),
            news: self.0.news.clone(),
        }
    }

    /// A transaction for what happens before an organization is known; reads only.
    pub async fn platform_read(&self) -> Result<PlatformTx, StoreError> {
        PlatformTx::begin(&self.0.connections.platform_read, Access::Read, self).await
    }

    /// The same, and it changes things.
    pub async fn platform_write(&self) -> Result<PlatformTx, StoreError> {
        PlatformTx::begin(&self.0.connections.platform_write, Access::Write, self).await
    }

    /// A transaction of the organization for whoever holds a lease, which it keeps until `expires_at`; `None` if
    /// the lease is not held any more. Until it ends, nobody else can take the lease: what is written in it was
    /// written by the holder. Leases belong to the platform, so on PostgreSQL it runs in the platform's role.
    pub async fn write_while_holding(
        &self,
        lease: &Lease,
        expires_at: Timestamp,
        tenant: Tenant,
    ) -> Result<Option<TenantTx>, StoreError> {
        let tx = self.platform_write().await?;
        let is_held = tx.renew_lease(lease, expires_at).await?;
        Ok(is_held.then(|| tx.of(tenant, self.0.news.clone())))
    }

    /// A transaction of the organization for a worker that has this job, which nobody takes from it before the
    /// transaction ends; `None` if another worker has it. Jobs are claimed by the platform, so on PostgreSQL it
    /// runs in the platform's role.
    pub async fn write_while_running(
        &self,
        job: &JobLease,
        tenant: Tenant,
    ) -> Result<Option<TenantTx>, StoreError> {
        let tx = self.platform_write().await?;
        let is_held = tx.holds_job(job).await?;
        Ok(is_held.then(|| tx.of(tenant, self.0.news.clone())))
    }

    /// How many bytes the database takes on its disk.
    pub async fn size(&self) -> Result<u64, StoreError> {
        connection::size(&self.0.connections.platform_read).await
    }

    /// How large each table is, by name. On SQLite this reads the whole database.
    pub async fn table_sizes(&self) -> Result<Vec<TableSize>, StoreError> {
        table_sizes::read(&self.0.connections.platform_read).await
    }

    /// Makes sure that what was deleted is not in the database's log either; says whether that came about: whoever reads
    /// at the moment may be in the way. PostgreSQL's log is its server's own affair.
    pub async fn empty_log(&self) -> Result<bool, StoreError> {
        connection::empty_log(&self.0.connections.platform_write).await
    }

    /// Closes every connection, after running transactions have ended.
    pub async fn close(&self) -> Result<(), StoreError> {
        let connections = self.0.connections.clone();
        connections.tenant_read.close().await?;
        connections.tenant_write.close().await?;
        connections.platform_read.close().await?;
        connections.platform_write.close().await?;
        Ok(())
    }

    /// What time it is.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// The key that signs what a WAHA server sends to a hook: derived, stored nowhere, and the same
    /// whenever it is asked for.
    ///
    /// # Errors
    ///
    /// When the ring does not have the key from which it is derived.
    pub fn hook_key(&self, hook: Hook, id: HookKeyId) -> Result<SecretString, StoreError> {
        Ok(self.0.keys.hook_key(hook, id)?)
    }

    /// The id of a hook's key of this version, derived from the ring's present key.
    pub fn hook_key_id(&self, version: i64) -> Result<HookKeyId, StoreError> {
        Ok(HookKeyId {
            ring_key: self.0.keys.current()?,
            version,
        })
    }

    /// The key that signs links to files, derived from the ring's key with this number; without one, from its
    /// present key. Also says which number that is.
    ///
    /// # Errors
    ///
    /// When the ring does not have the key from which it is derived.
    pub fn media_link_key(&self, ring_key: Option<u32>) -> Result<(u32, SecretSlice<u8>), StoreError> {
        let ring_key = ring_key.map_or_else(|| self.0.keys.current(), Ok)?;
        Ok((ring_key, self.0.keys.media_link_key(ring_key)?))
    }

    /// Tells of organizations as they get events, as far as this process hears of it.
    #[must_use]
    pub fn watch_events(&self) -> EventWatch {
        self.0.news.events.watch()
    }

    pub(crate) fn generations(&self) -> &Generations {
        &self.0.news.generations
    }

    pub(crate) fn news(&self) -> &CommitNews {
        &self.0.news
    }
}
