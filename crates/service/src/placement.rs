//! Choosing the WAHA server on which a new session lives.

use std::{cmp::Ordering, sync::Arc, time::Duration};

use waha_client::Circuit;
use wahana_domain::{OrganizationId, ServerId};
use wahana_store::{ServerLoad, Tenant, TenantTx};

use crate::{ServiceError, Services, upstream::Upstream};

/// When to come back after no server had room.
const FULL_RETRY: Duration = Duration::from_mins(1);

/// The servers on which a new session of an organization may live, the best first: its own if it has any and
/// else those that all share; the least loaded first, and those that are away only if there is no other.
pub(crate) fn order(
    servers: Vec<ServerLoad>,
    organization: OrganizationId,
    is_away: impl Fn(ServerId) -> bool,
) -> Vec<ServerLoad> {
    let has_own = servers
        .iter()
        .any(|load| load.server.organization == Some(organization));
    let mut candidates: Vec<ServerLoad> = servers
        .into_iter()
        .filter(|load| load.server.organization.is_some() == has_own)
        .filter(|load| load.server.takes_sessions_of(organization))
        .filter(|load| load.server.has_room_beside(load.sessions))
        .collect();
    let all_have_capacity = candidates.iter().all(|load| load.server.capacity.is_some());
    candidates.sort_by(|one, other| {
        is_away(one.server.id)
            .cmp(&is_away(other.server.id))
            .then_with(|| {
                if all_have_capacity {
                    by_share(one, other)
                } else {
                    Ordering::Equal
                }
            })
            .then_with(|| one.sessions.cmp(&other.sessions))
    });
    candidates
}

/// Compares how much of their capacities is taken.
fn by_share(one: &ServerLoad, other: &ServerLoad) -> Ordering {
    let capacity = |load: &ServerLoad| i64::from(load.server.capacity.unwrap_or(i32::MAX));
    let of = |load: &ServerLoad, times: &ServerLoad| load.sessions.saturating_mul(capacity(times));
    of(one, other).cmp(&of(other, one))
}

/// Where a new session lives, and a transaction of its organization in which the place is kept for it.
pub(crate) async fn take(
    services: &Services,
    tenant: Tenant,
) -> Result<(Arc<Upstream>, TenantTx), ServiceError> {
    let tx = services.store.platform_read().await?;
    let servers = tx.servers().await?;
    drop(tx);
    let is_away = |server| services.upstreams.circuit(server) != Circuit::Closed;
    for load in order(servers, tenant.organization_id(), is_away) {
        let upstream = services.upstreams.get(load.server.id).await?;
        // Others may have taken the last place meanwhile.
        if let Some(tx) = take_on(services, tenant, load.server.id).await? {
            return Ok((upstream, tx));
        }
    }
    Err(ServiceError::WahaUnavailable {
        message: "No WhatsApp service has room for another session; the platform's operator must add one."
            .to_owned(),
        retry_after: FULL_RETRY,
    })
}

/// A transaction of an organization in which a place on this server is kept for its session; `None` if the
/// server has none for it.
pub(crate) async fn take_on(
    services: &Services,
    tenant: Tenant,
    server: ServerId,
) -> Result<Option<TenantTx>, ServiceError> {
    let tx = services.store.platform_write().await?;
    Ok(tx.with_place(&services.store, tenant, server).await?)
}

#[cfg(test)]
mod tests {
    use wahana_domain::{Timestamp, WahaServer};

    use super::*;

    fn load(name: &str, sessions: i64, capacity: Option<i32>) -> ServerLoad {
        let now = Timestamp::from_seconds(0);
        let server = WahaServer {
            id: ServerId::new(),
            name: name.to_owned(),
            base_url: format!("http://{name}:3000/"),
            api_key: "key".to_owned().into(),
            capacity,
            concurrency: None,
            requests_per_second: None,
            organization: None,
            paused_at: None,
            draining_at: None,
            last_snapshot_at: None,
            hook_version: 1,
            last_event_at: None,
            event_gap_since: None,
            created_at: now,
            updated_at: now,
        };
        ServerLoad { server, sessions }
    }

    fn of(mut load: ServerLoad, organization: OrganizationId) -> ServerLoad {
        load.server.organization = Some(organization);
        load
    }

    fn names(ordered: &[ServerLoad]) -> Vec<&str> {
        ordered.iter().map(|load| load.server.name.as_str()).collect()
    }

    #[test]
    fn the_least_loaded_with_room_is_first() {
        let servers = vec![
            load("half", 5, Some(10)),
            load("fifth", 20, Some(100)),
            load("full", 3, Some(3)),
            load("empty", 0, Some(1)),
        ];
        let found = order(servers, OrganizationId::new(), |_| false);
        assert_eq!(names(&found), ["empty", "fifth", "half"]);
        // Without a capacity there is no share of it.
        let servers = vec![
            load("endless", 7, None),
            load("a", 5, Some(10)),
            load("b", 8, Some(1000)),
        ];
        let found = order(servers, OrganizationId::new(), |_| false);
        assert_eq!(names(&found), ["a", "endless", "b"]);
    }

    #[test]
    fn paused_and_draining_servers_get_nothing_and_those_that_are_away_come_last() {
        let since = Some(Timestamp::from_seconds(1));
        let (mut paused, mut draining) = (load("paused", 0, None), load("draining", 0, None));
        paused.server.paused_at = since;
        draining.server.draining_at = since;
        let (away, there) = (load("away", 0, None), load("there", 9, None));
        let is_away = away.server.id;
        let servers = vec![paused, draining, away, there];
        let found = order(servers, OrganizationId::new(), |id| id == is_away);
        assert_eq!(names(&found), ["there", "away"]);
    }

    #[test]
    fn an_organization_with_servers_of_its_own_gets_no_others_and_nobody_else_gets_those() {
        let (ours, theirs, third) = (
            OrganizationId::new(),
            OrganizationId::new(),
            OrganizationId::new(),
        );
        let servers = vec![
            of(load("ours", 9, Some(10)), ours),
            of(load("theirs", 1, Some(1)), theirs),
            load("shared", 0, None),
        ];
        assert_eq!(names(&order(servers.clone(), ours, |_| false)), ["ours"]);
        // Its own is full: that it does not fall back to those of all is what makes them its own.
        assert_eq!(
            names(&order(servers.clone(), theirs, |_| false)),
            Vec::<&str>::new()
        );
        assert_eq!(names(&order(servers, third, |_| false)), ["shared"]);
    }
}
