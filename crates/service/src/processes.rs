//! The processes that work on one database, each of which says that it lives.

use std::time::Duration;

use wahana_domain::{Process, ProcessRole};

use crate::{Operator, ServiceError, Services};

/// How often a process says that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// A process that was silent for longer has most likely ended.
const SILENCE: Duration = Duration::from_secs(35);

/// Says that this process lives and what it does, and counts among how many the limits are shared while
/// Redis is away.
pub async fn announce(services: &Services, name: &str, role: ProcessRole) -> Result<(), ServiceError> {
    let tx = services.store.platform_write().await?;
    tx.see_process(&Process {
        id: services.process(),
        name: name.to_owned(),
        role,
        started_at: services.started_at,
        seen_at: tx.now(),
    })
    .await?;
    let living = tx.processes(tx.now().minus(SILENCE)).await?;
    tx.commit().await?;
    let serving = living.iter().filter(|process| process.role.serves_requests());
    services.set_living_processes(serving.count());
    Ok(())
}

/// Takes this process off the list, at its end.
pub async fn retire(services: &Services) -> Result<(), ServiceError> {
    let tx = services.store.platform_write().await?;
    tx.remove_process(services.process()).await?;
    Ok(tx.commit().await?)
}

/// The processes that live, the longest living first.
pub async fn living(services: &Services, _: &Operator) -> Result<Vec<Process>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.processes(tx.now().minus(SILENCE)).await?)
}
