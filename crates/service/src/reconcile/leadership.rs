//! Which process looks after a WAHA server.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use wahana_domain::{ProcessId, ServerId, Timestamp};
use wahana_store::{Lease, PlatformTx, StandingLease, Store, StoreError, Tenant, TenantTx};

use crate::ServiceError;

/// How long a process that has died or hangs keeps others from a server. Every round and every step renews it.
const TERM: Duration = Duration::from_secs(15);

/// The servers that this process looks after.
#[derive(Debug)]
pub(super) struct Leadership {
    store: Store,
    process: ProcessId,
    leases: Mutex<HashMap<ServerId, Lease>>,
    /// What others have, and since when it has stood still, measured by what no clock that is set changes.
    others: Mutex<HashMap<ServerId, (StandingLease, Duration)>>,
}

impl Leadership {
    pub(super) fn new(store: Store, process: ProcessId) -> Self {
        Self {
            store,
            process,
            leases: Mutex::default(),
            others: Mutex::default(),
        }
    }

    /// The right to look after a server, for a while; `None` while another process has it.
    pub(super) async fn keep(&self, server: ServerId) -> Result<Option<Lease>, ServiceError> {
        let known = self.lock().get(&server).cloned();
        let tx = self.store.platform_write().await?;
        let until = self.end_of_term();
        let is_kept = match &known {
            Some(lease) => tx.renew_lease(lease, until).await?,
            None => false,
        };
        let lease = if is_kept {
            known
        } else {
            let name = format!("reconcile:{server}");
            match tx.take_lease(&name, self.process, until).await? {
                None => self.take_from_the_silent(&tx, server, &name).await?,
                taken => taken,
            }
        };
        tx.commit().await?;
        match (&lease, is_kept) {
            (Some(lease), false) => {
                tracing::info!(server.id = %server, lease.epoch = lease.epoch, "this process looks after a WAHA server now");
                self.lock().insert(server, lease.clone());
            }
            (Some(_), true) => {}
            (None, _) => {
                self.lock().remove(&server);
            }
        }
        Ok(lease)
    }

    /// Takes a lease that was not renewed for a whole term, although it says that it goes on: who has it died with a
    /// clock that was ahead, and nobody else's would come to its end for long.
    async fn take_from_the_silent(
        &self,
        tx: &PlatformTx,
        server: ServerId,
        name: &str,
    ) -> Result<Option<Lease>, StoreError> {
        let Some(seen) = tx.standing_lease(name).await? else {
            return Ok(None);
        };
        let now = self.store.clock().elapsed();
        let since = {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            let (known, since) = others.entry(server).or_insert_with(|| (seen.clone(), now));
            if *known != seen {
                (*known, *since) = (seen.clone(), now);
            }
            *since
        };
        if now.saturating_sub(since) <= TERM {
            return Ok(None);
        }
        tx.take_standing_lease(&seen, self.process, self.end_of_term())
            .await
    }

    /// A transaction of an organization in which nobody else looks after the server; `None` if another process
    /// has taken over.
    pub(super) async fn write(
        &self,
        lease: &Lease,
        tenant: Tenant,
    ) -> Result<Option<TenantTx>, ServiceError> {
        let until = self.end_of_term();
        Ok(self.store.write_while_holding(lease, until, tenant).await?)
    }

    /// Lets other processes take over at once.
    pub(super) async fn give_up(&self) {
        let leases = std::mem::take(&mut *self.lock());
        for lease in leases.into_values() {
            let released = async {
                let tx = self.store.platform_write().await?;
                tx.release_lease(&lease).await?;
                tx.commit().await
            };
            if let Err(error) = released.await {
                tracing::warn!(lease.name, error = %error, "a lease could not be given back; it ends by itself");
            }
        }
    }

    fn end_of_term(&self) -> Timestamp {
        self.store.clock().now().plus(TERM)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ServerId, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
