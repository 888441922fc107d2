//! How much memory bodies take that must be read whole although they are large: a file in JSON.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use wahana_domain::OrganizationId;
use wahana_service::ServiceError;

/// So many organizations at least may read large bodies at a time.
const SHARES: usize = 2;

/// A budget of bytes, for all organizations together. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct BodyMemory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes: usize,
    wait: Duration,
    used: Mutex<Used>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Used {
    bytes: usize,
    by_organization: HashMap<OrganizationId, usize>,
}

/// Bytes of the budget, until it is dropped.
#[derive(Debug)]
pub(crate) struct ReservedMemory {
    memory: BodyMemory,
    organization: OrganizationId,
    bytes: usize,
}

impl BodyMemory {
    /// A budget of so many bytes, for which a request waits so long at most.
    pub(crate) fn new(bytes: usize, wait: Duration) -> Self {
        Self(Arc::new(Shared {
            bytes,
            wait,
            used: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// Takes bytes for a body of an organization, once there are as many.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Busy`] if there are not in time.
    pub(crate) async fn reserve(
        &self,
        organization: OrganizationId,
        bytes: usize,
    ) -> Result<ReservedMemory, ServiceError> {
        let deadline = Instant::now() + self.0.wait;
        loop {
            // Before the look, so that nothing that is freed after it is missed.
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(reserved) = self.take(organization, bytes) {
                return Ok(reserved);
            }
            if timeout_at(deadline, freed).await.is_err() {
                return Err(ServiceError::Busy {
                    message:
                        "wahana reads as many large bodies as it may have in memory at a time. Try again \
                              later, or send the file as multipart/form-data, which needs no memory."
                            .to_owned(),
                    retry_after: self.0.wait.max(Duration::from_secs(1)),
                });
            }
        }
    }

    fn take(&self, organization: OrganizationId, bytes: usize) -> Option<ReservedMemory> {
        let mut used = self.used();
        let own = used
            .by_organization
            .get(&organization)
            .copied()
            .unwrap_or_default();
        // What is larger than a share is let through alone, else it never were.
        let has_share = own == 0 || own.saturating_add(bytes) <= self.0.bytes / SHARES;
        let has_room = used.bytes == 0 || used.bytes.saturating_add(bytes) <= self.0.bytes;
        if !has_share || !has_room {
            return None;
        }
        used.bytes = used.bytes.saturating_add(bytes);
        used.by_organization
            .insert(organization, own.saturating_add(bytes));
        drop(used);
        Some(ReservedMemory {
            memory: self.clone(),
            organization,
            bytes,
        })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReservedMemory {
    fn drop(&mut self) {
        let mut used = self.memory.used();
        used.bytes = used.bytes.saturating_sub(self.bytes);
        if let Some(own) = used.by_organization.get_mut(&self.organization) {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                used.by_organization.remove(&self.organization);
            }
        }
        drop(used);
        self.memory.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use wahana_domain::ErrorCode;

    use super::*;

    fn organizations() -> [OrganizationId; 3] {
        [(); 3].map(|()| OrganizationId::new())
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_given_than_there_is_and_what_was_given_back_is_given_again() {
        let memory = BodyMemory::new(100, Duration::from_secs(5));
        let [one, two, three] = organizations();
        let first = memory.reserve(one, 50).await.unwrap();
        let second = memory.reserve(two, 40).await.unwrap();
        let refused = memory.reserve(three, 11).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::ServiceUnavailable);
        let small = memory.reserve(three, 10).await.unwrap();
        assert_eq!(memory.used().bytes, 100);

        let waiting = memory.reserve(three, 40);
        let freed = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(second);
        };
        let (third, ()) = tokio::join!(waiting, freed);
        assert_eq!(memory.used().bytes, 100);
        drop((first, third.unwrap(), small));
        let used = memory.used();
        assert_eq!((used.bytes, used.by_organization.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_organization_leaves_room_for_another() {
        let memory = BodyMemory::new(100, Duration::from_secs(5));
        let [one, two, _] = organizations();
        let _first = memory.reserve(one, 30).await.unwrap();
        assert!(memory.reserve(one, 30).await.is_err());
        assert!(memory.reserve(two, 30).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_larger_than_all_goes_alone() {
        let memory = BodyMemory::new(100, Duration::from_secs(5));
        let [one, two, _] = organizations();
        let large = memory.reserve(one, 1000).await.unwrap();
        assert!(memory.reserve(two, 1).await.is_err());
        drop(large);
        assert!(memory.reserve(two, 1).await.is_ok());
    }
}
