//! The one cache of what organizations read often.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::future::Cache;
use wahana_domain::OrganizationId;

use crate::{Caller, Store, StoreError, TenantTx};

/// How old an entry may become: what another process changed shows at the latest then.
const MAX_AGE: Duration = Duration::from_secs(4);
/// How long an organization's generation is remembered without use; longer than any entry lives.
const GENERATION_IDLE: Duration = Duration::from_mins(1);

/// Counts an organization's changes in this process. Entries carry the count at which they were
/// read, so that a change makes all older entries unreachable at once.
#[derive(Clone, Debug)]
pub(crate) struct Generations {
    by_organization: moka::sync::Cache<OrganizationId, Arc<AtomicU64>>,
    next: Arc<AtomicU64>,
}

impl Generations {
    pub(crate) fn new() -> Self {
        Self {
            by_organization: moka::sync::Cache::builder().time_to_idle(GENERATION_IDLE).build(),
            next: Arc::new(AtomicU64::new(0)),
        }
    }

    fn of(&self, organization: OrganizationId) -> Arc<AtomicU64> {
        self.by_organization
            .get_with(organization, || Arc::new(AtomicU64::new(self.fresh())))
    }

    pub(crate) fn advance(&self, organization: OrganizationId) {
        self.of(organization).store(self.fresh(), Ordering::Release);
    }

    /// Never given twice, so a forgotten and remembered organization does not find old entries.
    fn fresh(&self) -> u64 {
        self.next.fetch_add(1, Ordering::AcqRel)
    }
}

/// A read that is worth remembering for a few seconds.
pub trait CachedRead: Clone + Hash + Eq + Send + Sync + 'static {
    /// What it reads.
    type Rows: Clone + Send + Sync + 'static;

    /// Reads it.
    fn load(&self, tx: &TenantTx) -> impl Future<Output = Result<Self::Rows, StoreError>> + Send;

    /// Whether it is remembered. What was not found may be made by another process at any moment, and
    /// its maker should find it at once.
    #[must_use]
    fn is_remembered(_: &Self::Rows) -> bool {
        true
    }

    /// How many rows it holds, for the bound on the cache's size.
    fn weight(rows: &Self::Rows) -> u32;
}

/// Typed rows that organizations read often: filled only through a [`TenantTx`], readable only with a
/// [`Caller`], at most four seconds old, and never older than the last change that this process made.
#[derive(Clone, Debug)]
pub struct TenantCache<R: CachedRead> {
    store: Store,
    entries: Cache<(OrganizationId, u64, R), R::Rows>,
}

impl<R: CachedRead> TenantCache<R> {
    /// An empty cache that holds about `capacity` rows.
    #[must_use]
    pub fn new(store: Store, capacity: u64) -> Self {
        let entries = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, rows| R::weight(rows).saturating_add(1))
            .time_to_live(MAX_AGE)
            .build();
        Self { store, entries }
    }

    /// What the caller's organization has; read once for all who ask while it is not here.
    pub async fn get(&self, caller: &Caller, read: &R) -> Result<R::Rows, StoreError> {
        let tenant = caller.tenant();
        let generation = self
            .store
            .generations()
            .of(tenant.organization_id())
            .load(Ordering::Acquire);
        let key = (tenant.organization_id(), generation, read.clone());
        if let Some(rows) = self.entries.get(&key).await {
            return Ok(rows);
        }
        let load = async {
            let tx = self.store.read(tenant).await?;
            read.load(&tx).await
        };
        let rows = self
            .entries
            .try_get_with_by_ref(&key, load)
            .await
            .map_err(|error: Arc<StoreError>| (*error).clone())?;
        if !R::is_remembered(&rows) {
            self.entries.invalidate(&key).await;
        }
        Ok(rows)
    }
}
