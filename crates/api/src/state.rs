//! What the routes share.

use std::sync::Arc;

use wahana_service::Services;

use crate::{ApiSettings, operations::Operations};

/// What the routes share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    services: Services,
    settings: ApiSettings,
    operations: Operations,
}

impl ApiState {
    /// Over these services.
    #[must_use]
    pub fn new(services: Services, settings: ApiSettings) -> Self {
        let operations = Operations::of(&crate::openapi());
        Self(Arc::new(Shared {
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

    pub(crate) fn operations(&self) -> &Operations {
        &self.0.operations
    }
}
