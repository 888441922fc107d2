//! What the routes share.

use std::sync::Arc;

use wahana_service::Services;

use crate::{ApiSettings, UploadLimits, body_memory::BodyMemory, operations::Operations};

/// What the routes share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    services: Services,
    settings: ApiSettings,
    operations: Operations,
    body_memory: BodyMemory,
}

impl ApiState {
    /// Over these services.
    #[must_use]
    pub fn new(services: Services, settings: ApiSettings) -> Self {
        let operations = Operations::of(&crate::openapi());
        let UploadLimits {
            memory, memory_wait, ..
        } = settings.uploads;
        Self(Arc::new(Shared {
            body_memory: BodyMemory::new(memory, memory_wait),
            services,
            settings,
            operations,
        }))
    }

    /// The services.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.0.services
    }

    pub(crate) fn settings(&self) -> &ApiSettings {
        &self.0.settings
    }

    /// The memory for large bodies.
    pub(crate) fn body_memory(&self) -> &BodyMemory {
        &self.0.body_memory
    }

    pub(crate) fn operations(&self) -> &Operations {
        &self.0.operations
    }
}
