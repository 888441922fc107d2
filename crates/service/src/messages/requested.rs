//! What callers do with a message that they handed in.

use wahana_domain::{AuditOutcome, Month, OutgoingMessage};
use wahana_store::messages as stored;

use super::attempt::not_sent;
use crate::{
    ServiceError, Services,
    access::{Granted, Owned, SendMessages},
    audit,
};

/// What is said of a message that a person took back.
const CANCELLED: &str = "It was cancelled before its turn came.";

/// Takes a message back that waits, so that it is never sent. Again has no effect.
///
/// # Errors
///
/// [`ServiceError::Conflict`] if it does not wait any more.
pub async fn cancel(
    services: &Services,
    access: &Granted<SendMessages>,
    message: &Owned<OutgoingMessage>,
) -> Result<OutgoingMessage, ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    if stored::cancel(&tx, message.id, CANCELLED).await? {
        not_sent(&tx, message.id, Month::of(message.created_at)).await?;
        let session = Some(message.session_id);
        audit::record(
            &tx,
            access.context(),
            "messages.cancel",
            session,
            AuditOutcome::Success,
        )
        .await?;
    }
    let now = stored::get(&tx, message.id).await?;
    let now = now.ok_or(ServiceError::NotFound("Message"))?;
    if now.status != wahana_domain::DeliveryStatus::Cancelled {
        return Err(ServiceError::conflict(format!(
            "The message is {}: only one that is queued can be cancelled.",
            now.status.as_str()
        )));
    }
    tx.commit().await?;
    Ok(now)
}
