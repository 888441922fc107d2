//! Whose turn it is: organizations take turns, and of each its sessions.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::Hash,
    ops::Bound::{Excluded, Unbounded},
};

use wahana_domain::{OrganizationId, ServerId, SessionId};
use wahana_store::DueSession;

/// For how many sessions messages are handed over at the same time.
const AT_ONCE: usize = 40;
/// For how many of one organization: one with many sessions leaves room for the others.
const AT_ONCE_OF_ORGANIZATION: usize = 32;
/// For how many of one WAHA server: one that hangs leaves room for the others.
const AT_ONCE_ON_SERVER: usize = 10;
/// For how many of one organization on one server.
const AT_ONCE_OF_ORGANIZATION_ON_SERVER: usize = 8;

/// The sessions that have messages.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: BTreeMap<OrganizationId, VecDeque<DueSession>>,
    is_waiting: HashSet<SessionId>,
    /// Whose turn was last.
    last: Option<OrganizationId>,
    busy: HashSet<SessionId>,
    of_organization: Taken<OrganizationId>,
    on_server: Taken<ServerId>,
    of_organization_on_server: Taken<(OrganizationId, ServerId)>,
}

impl Line {
    /// Lets a session wait behind the others of its organization, if it does not wait yet.
    pub(super) fn add(&mut self, due: DueSession) {
        if self.is_waiting.insert(due.session) {
            let organization = due.tenant.organization_id();
            self.waiting.entry(organization).or_default().push_back(due);
        }
    }

    /// The session whose turn it is, of those for which there is room: of the first organization after the one
    /// that was served last. It takes a place, until it [has ended](Self::ended).
    pub(super) fn next(&mut self) -> Option<DueSession> {
        if self.busy.len() >= AT_ONCE {
            return None;
        }
        let waiting = &self.waiting;
        let later = waiting.range((self.last.map_or(Unbounded, Excluded), Unbounded));
        let earlier = self.last.into_iter().flat_map(|last| waiting.range(..=last));
        let found = later.chain(earlier).find_map(|(organization, sessions)| {
            let index = sessions.iter().position(|due| self.has_room_for(due))?;
            Some((*organization, index))
        });
        let (organization, index) = found?;
        let sessions = self.waiting.get_mut(&organization)?;
        let due = sessions.remove(index)?;
        if sessions.is_empty() {
            self.waiting.remove(&organization);
        }
        self.last = Some(organization);
        self.is_waiting.remove(&due.session);
        self.busy.insert(due.session);
        self.of_organization.take(organization);
        self.on_server.take(due.server);
        self.of_organization_on_server.take((organization, due.server));
        Some(due)
    }

    fn has_room_for(&self, due: &DueSession) -> bool {
        let organization = due.tenant.organization_id();
        !self.busy.contains(&due.session)
            && self.of_organization.number(organization) < AT_ONCE_OF_ORGANIZATION
            && self.on_server.number(due.server) < AT_ONCE_ON_SERVER
            && self.of_organization_on_server.number((organization, due.server))
                < AT_ONCE_OF_ORGANIZATION_ON_SERVER
    }

    /// Frees a session's place.
    pub(super) fn ended(&mut self, due: &DueSession) {
        let organization = due.tenant.organization_id();
        self.busy.remove(&due.session);
        self.of_organization.free(organization);
        self.on_server.free(due.server);
        self.of_organization_on_server.free((organization, due.server));
    }
}

/// How many places are taken.
#[derive(Debug)]
struct Taken<K>(HashMap<K, usize>);

impl<K> Default for Taken<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Copy + Eq + Hash> Taken<K> {
    fn number(&self, by: K) -> usize {
        self.0.get(&by).copied().unwrap_or(0)
    }

    fn take(&mut self, by: K) {
        *self.0.entry(by).or_default() += 1;
    }

    fn free(&mut self, by: K) {
        if let Some(number) = self.0.get_mut(&by) {
            *number = number.saturating_sub(1);
            if *number == 0 {
                self.0.remove(&by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wahana_domain::{SystemClock, Timestamp};
    use wahana_store::Tenant;
    use wahana_testkit::{database::TestDatabase, rows};

    use super::*;

    /// So many organizations, in the order of their ids.
    async fn tenants(count: usize) -> Vec<Tenant> {
        let store = TestDatabase::sqlite().await.store(Arc::new(SystemClock)).await;
        let tx = store.platform_write().await.unwrap();
        let mut tenants = Vec::new();
        for number in 0..count {
            let organization = rows::organization(&number.to_string(), Timestamp::from_seconds(0));
            tx.insert_organization(&organization).await.unwrap();
            tenants.push(tx.tenant(organization.id).await.unwrap().unwrap());
        }
        tenants.sort_by_key(|tenant| tenant.organization_id());
        tenants
    }

    fn due(tenant: Tenant, server: ServerId) -> DueSession {
        DueSession {
            tenant,
            session: SessionId::new(),
            server,
        }
    }

    /// Which organizations are served, until there is no room.
    fn served(line: &mut Line) -> Vec<DueSession> {
        std::iter::from_fn(|| line.next()).collect()
    }

    #[tokio::test]
    async fn organizations_take_turns() {
        let tenants = tenants(3).await;
        let mut line = Line::default();
        for (tenant, sessions) in tenants.iter().zip([3, 1, 2]) {
            for _ in 0..sessions {
                line.add(due(*tenant, ServerId::new()));
            }
        }
        let served: Vec<_> = served(&mut line).iter().map(|due| due.tenant).collect();
        let [a, b, c] = tenants[..] else { panic!("three") };
        assert_eq!(served, [a, b, c, a, c, a]);
    }

    #[tokio::test]
    async fn who_finds_no_room_is_not_passed_by_for_ever() {
        let tenants = tenants(3).await;
        let server = ServerId::new();
        let mut line = Line::default();
        for tenant in &tenants {
            for _ in 0..20 {
                line.add(due(*tenant, server));
            }
        }
        let mut running: VecDeque<_> = served(&mut line).into();
        assert_eq!(running.len(), AT_ONCE_ON_SERVER);
        let mut order = Vec::new();
        while let Some(ended) = running.pop_front() {
            line.ended(&ended);
            order.push(ended.tenant);
            running.extend(served(&mut line));
        }
        assert_eq!(order.len(), 60);
        for turns in order.chunks(3) {
            assert_eq!(turns, tenants, "each in its turn");
        }
    }

    #[tokio::test]
    async fn one_organization_leaves_room_for_the_others() {
        let tenants = tenants(2).await;
        let server = ServerId::new();
        let mut line = Line::default();
        for _ in 0..100 {
            line.add(due(tenants[0], server));
        }
        assert_eq!(served(&mut line).len(), AT_ONCE_OF_ORGANIZATION_ON_SERVER);
        for _ in 0..100 {
            line.add(due(tenants[0], ServerId::new()));
        }
        let elsewhere = AT_ONCE_OF_ORGANIZATION - AT_ONCE_OF_ORGANIZATION_ON_SERVER;
        assert_eq!(served(&mut line).len(), elsewhere);
        line.add(due(tenants[1], server));
        assert_eq!(served(&mut line).len(), 1);
    }

    #[tokio::test]
    async fn a_session_is_served_by_one_at_a_time() {
        let tenant = tenants(1).await[0];
        let mut line = Line::default();
        let session = due(tenant, ServerId::new());
        line.add(session);
        line.add(session);
        assert_eq!(served(&mut line), [session]);
        line.add(session);
        assert!(served(&mut line).is_empty(), "it is busy");
        line.ended(&session);
        assert_eq!(served(&mut line), [session]);
    }
}
