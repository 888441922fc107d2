//! Writing down what WAHA answered when it was asked to change a session.

use wahana_domain::{Session, Timestamp};
use wahana_store::{Tenant, sessions as stored};

use super::Said;
use crate::{
    ServiceError, Services,
    sync::{self, observe},
};

/// Writes down what WAHA said of a session at the end of a call that changed it, also if that was known before: a list
/// that WAHA was asked for during the call may still arrive, and shows the session as it was on the way.
pub(super) async fn write_answer(
    services: &Services,
    tenant: Tenant,
    session: &Session,
    said: &Said,
    answered_at: Timestamp,
    is_unpaired: bool,
) -> Result<(), ServiceError> {
    let observation = match said {
        Said::Session(said) => sync::observation(Some(said), answered_at),
        Said::Gone => sync::observation(None, answered_at),
        Said::Nothing => {
            services.sync.outdate(session.waha.server);
            if is_unpaired {
                sync::forget_number(&services.store, tenant, session, answered_at).await?;
            }
            return Ok(());
        }
    };
    // What was known when the call began may have been overtaken.
    let tx = services.store.read(tenant).await?;
    let present = stored::with_ids(&tx, &[session.id]).await?.pop();
    drop(tx);
    match present.and_then(|present| observation.answer(&present)) {
        Some(change) if is_unpaired => observe(&services.store, tenant, &change.without_number()).await,
        Some(change) => observe(&services.store, tenant, &change).await,
        None => Ok(()),
    }
}
