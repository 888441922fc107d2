//! Deleting what moved sessions left on WAHA servers.

use std::time::Duration;

use wahana_domain::{AuditOutcome, SessionId, WahaAddress};
use wahana_store::{Tenant, sessions as stored};

use crate::{ServiceError, Services, audit, upstream::Upstream};

const OPERATION: &str = "sessions.delete_leftover";
/// When what could not be deleted is tried again, so that what waits for a server that stays away keeps nobody
/// else waiting.
const TRY_AGAIN_AFTER: Duration = Duration::from_mins(2);
/// How many leftovers are deleted in a round at most.
const A_ROUND: u64 = 100;

/// Deletes what is left at an address, and strikes it out; says whether it did. What it cannot do now is done in
/// a later round.
pub(super) async fn delete_there(
    services: &Services,
    upstream: &Upstream,
    tenant: Tenant,
    session: SessionId,
    address: &WahaAddress,
) -> bool {
    // WAHA stops and logs out what it deletes, and to delete what is not there is a success.
    if let Err(error) = upstream.waha().delete_session(address.name.as_str()).await {
        tracing::warn!(
            session.id = %session,
            server.name = upstream.server.name,
            error.kind = error.kind(),
            error = %error,
            "what a moved session left on its WAHA server is not deleted there yet"
        );
        if let Err(error) = postpone(services, tenant, address).await {
            tracing::error!(session.id = %session, error = %error, "when it is tried again could not be written");
        }
        return false;
    }
    match strike_out(services, tenant, session, address).await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(session.id = %session, error = %error, "what was deleted on WAHA could not be struck out");
            false
        }
    }
}

async fn strike_out(
    services: &Services,
    tenant: Tenant,
    session: SessionId,
    address: &WahaAddress,
) -> Result<(), ServiceError> {
    let tx = services.store.write(tenant).await?;
    if stored::delete_leftover(&tx, address).await? {
        audit::record_by_system(&tx, OPERATION, Some(session), AuditOutcome::Success).await?;
    }
    Ok(tx.commit().await?)
}

async fn postpone(services: &Services, tenant: Tenant, address: &WahaAddress) -> Result<(), ServiceError> {
    let tx = services.store.write(tenant).await?;
    stored::postpone_leftover(&tx, address, tx.now().plus(TRY_AGAIN_AFTER)).await?;
    Ok(tx.commit().await?)
}

/// Deletes on WAHA what moved sessions left there while it was away. One round; says how much is gone.
pub async fn delete_leftovers(services: &Services) -> Result<usize, ServiceError> {
    let tx = services.store.platform_read().await?;
    let due = tx.due_leftovers(A_ROUND).await?;
    drop(tx);
    let mut deleted = 0;
    for leftover in due {
        let upstream = match services.upstreams.get(leftover.address.server).await {
            Ok(upstream) => upstream,
            Err(error) => {
                tracing::error!(server.id = %leftover.address.server, error = %error, "a WAHA server cannot be called");
                continue;
            }
        };
        if delete_there(
            services,
            &upstream,
            leftover.tenant,
            leftover.session,
            &leftover.address,
        )
        .await
        {
            deleted += 1;
        }
    }
    Ok(deleted)
}
