//! The hooks of WAHA servers, as operators set them up.

use wahana_domain::{ServerId, WahaServer};

pub use crate::events::GlobalHook;
use crate::{Operator, ServiceError, Services, audit::record_by_operator, events};

/// A WAHA server's own hook, with the key that signs. With `is_rotated` there is a new key from now on, and
/// for its sessions too, each of which gets its own when it starts the next time; the keys before stay valid.
pub async fn get(
    services: &Services,
    operator: &Operator,
    id: ServerId,
    is_rotated: bool,
) -> Result<GlobalHook, ServiceError> {
    let not_found = || ServiceError::NotFound("WAHA server");
    let tx = services.store.platform_write().await?;
    if is_rotated && !tx.raise_hook_versions(id).await? {
        return Err(not_found());
    }
    let server = tx.server(id).await?.ok_or_else(not_found)?;
    let hook = events::global(services, &server)?;
    let operation = "platform.servers.hook";
    record_by_operator(&tx, operator, None, operation).await?;
    tx.commit().await?;
    services.upstreams.forget(id).await;
    Ok(hook)
}

/// How a WAHA server's events come in, in words; and what to do if they do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookReport {
    /// Whether all is well.
    pub is_good: bool,
    /// How it stands.
    pub text: String,
}

/// How a WAHA server's events come in.
#[must_use]
pub fn report(services: &Services, _: &Operator, server: &WahaServer) -> HookReport {
    let name = &server.name;
    let heard = server.last_event_at.map_or_else(
        || "none ever came".to_owned(),
        |at| format!("the last one came at {at}"),
    );
    match server.event_gap_since {
        Some(since) => HookReport {
            is_good: false,
            text: format!(
                "sessions on {name} change and its events do not arrive, since {since} ({heard}); wahana learns of \
                 changes only by asking"
            ),
        },
        None if services.settings.hook_url.is_none() && server.last_event_at.is_none() => HookReport {
            is_good: false,
            text: format!("{name} is not told where its events go; wahana learns of changes only by asking"),
        },
        None => HookReport {
            is_good: true,
            text: format!("no event of {name} was missed; {heard}"),
        },
    }
}
