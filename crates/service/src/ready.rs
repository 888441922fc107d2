//! Sessions that work, so that WAHA can be asked to do something with them.

use std::sync::Arc;

use waha_client::{WahaClient, WahaError};
use wahana_domain::Session;
use wahana_store::Caller;

use crate::{
    Context, ServiceError, Services,
    access::Owned,
    sessions,
    upstream::{Upstream, not_ready, refused_session},
};

/// A session that works, as far as is known, and the server that it is on.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) session: Arc<Session>,
    upstream: Arc<Upstream>,
}

impl Ready {
    /// Looks whether the session works, before WAHA is asked for anything: for one that does not, WAHA
    /// itself answers only after five to ten seconds.
    pub(crate) async fn find(
        services: &Services,
        caller: &Caller,
        session: &Owned<Session>,
    ) -> Result<Self, ServiceError> {
        let session = sessions::fresh(services, caller, session).await?.session;
        Self::if_working(services, session).await
    }

    /// The same with a session that was read at this moment, for what reads it again before WAHA is called.
    pub(crate) async fn still(
        services: &Services,
        caller: &Caller,
        session: &Owned<Session>,
    ) -> Result<Self, ServiceError> {
        let session = sessions::still_fresh(services, caller, session).await?;
        Self::if_working(services, session).await
    }

    async fn if_working(services: &Services, session: Arc<Session>) -> Result<Self, ServiceError> {
        if session.status.is_working() {
            Self::of(services, session).await
        } else {
            Err(not_ready(session.status))
        }
    }

    /// The server of a session that works as far as its row says.
    pub(crate) async fn of(services: &Services, session: Arc<Session>) -> Result<Self, ServiceError> {
        let upstream = services.upstreams.get(session.waha.server).await?;
        Ok(Self { session, upstream })
    }

    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    pub(crate) fn waha(&self) -> &WahaClient {
        self.upstream.waha()
    }

    /// The session's name on its server.
    pub(crate) fn waha_name(&self) -> &str {
        self.session.waha.name.as_str()
    }

    /// The address of the session's server.
    pub(crate) fn server_address(&self) -> &str {
        &self.upstream.server.base_url
    }

    /// Logs that WAHA did not do what it was asked, and says what that means for the caller.
    pub(crate) fn failed(
        &self,
        services: &Services,
        request_id: &str,
        operation: &'static str,
        error: &WahaError,
    ) -> ServiceError {
        if matches!(
            error,
            WahaError::WrongState { .. } | WahaError::UnknownSession | WahaError::NotRunning
        ) {
            // It is not what it was thought to be.
            services.sync.outdate(self.session.waha.server);
        }
        refused_session(request_id, &self.session, operation, error)
    }

    /// The same for a read of what an engine keeps.
    pub(crate) fn failed_to_read(
        &self,
        services: &Services,
        context: &Context,
        operation: &'static str,
        error: &WahaError,
    ) -> ServiceError {
        let failure = self.failed(services, &context.origin.request_id, operation, error);
        match error {
            WahaError::Unsupported { .. } => ServiceError::WahaFaulty(
                "The WAHA server of this session cannot list this. With the engine NOWEB, chats, messages and contacts are kept only if the session's configuration says noweb.store.enabled."
                    .to_owned(),
            ),
            _ => failure,
        }
    }
}
