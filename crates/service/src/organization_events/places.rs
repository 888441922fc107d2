//! How many may be told events at the same time: each takes a connection and memory for as long as they want.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wahana_domain::OrganizationId;

use crate::{ServiceError, limits::Allowance};

/// When to come back after there was no place: clients come and go.
const RETRY: Duration = Duration::from_secs(10);

/// How many streams of events may be open in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Those of one organization; 100.
    pub of_organization: u32,
    /// All together; 5,000.
    pub of_process: u32,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            of_organization: 100,
            of_process: 5000,
        }
    }
}

/// The places of a process. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Places {
    limits: StreamLimits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    of_organization: HashMap<OrganizationId, u32>,
    all: u32,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    organization: OrganizationId,
}

impl Places {
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self {
            limits,
            taken: Arc::default(),
        }
    }

    /// Takes a place, if there is one.
    ///
    /// # Errors
    ///
    /// [`ServiceError::QuotaExceeded`] if the organization has as many as it may, [`ServiceError::Busy`] if the
    /// process has.
    pub(super) fn take(&self, organization: OrganizationId) -> Result<Place, ServiceError> {
        let StreamLimits {
            of_organization,
            of_process,
        } = self.limits;
        let mut taken = self.taken();
        let own = taken.of_organization.get(&organization).copied().unwrap_or(0);
        if own >= of_organization {
            return Err(ServiceError::QuotaExceeded {
                message: format!(
                    "At most {of_organization} streams of the organization's events may be open here at a time, and as \
                     many are. Close one, or share one among several readers."
                ),
                allowance: Allowance {
                    limit: of_organization,
                    remaining: 0,
                    reset_after: RETRY,
                },
            });
        }
        if taken.all >= of_process {
            return Err(ServiceError::Busy {
                message: "As many streams of events are open here as may be. Try again later.".to_owned(),
                retry_after: RETRY,
            });
        }
        taken.of_organization.insert(organization, own + 1);
        taken.all += 1;
        Ok(Place {
            places: self.clone(),
            organization,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // What is kept is numbers, true whenever the lock is free.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.of_organization.get_mut(&self.organization) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.of_organization.remove(&self.organization);
            }
        }
    }
}
