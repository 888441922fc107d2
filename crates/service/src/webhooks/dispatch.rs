//! Who tries to deliver to which endpoint when.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::{
    task::{Id, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use wahana_domain::{OrganizationId, WebhookEndpointId};
use wahana_store::DueEndpoint;

use super::{
    sweep::sweep,
    turn::{self, Turn},
};
use crate::{ServiceError, Services};

/// How often is looked for deliveries of which this process was not told: another made them, or their time came.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many endpoints are found at a look.
const FOUND_AT_ONCE: u64 = 500;
/// For how many endpoints deliveries are tried at the same time.
const AT_ONCE: usize = 64;
/// For how many of one organization: those of one leave room for those of others.
const AT_ONCE_OF_ORGANIZATION: usize = 8;
/// For how many at most of those that fail or are slow, and for how many such of one organization: receivers that hold
/// their places for long leave room for those that do not.
const SLOW_AT_ONCE: usize = AT_ONCE / 2;
const SLOW_AT_ONCE_OF_ORGANIZATION: usize = AT_ONCE_OF_ORGANIZATION / 2;
/// For how long an endpoint counts as slow for which nothing was tried any more.
const SLOW_FOR: Duration = Duration::from_hours(1);
/// How long an endpoint is left alone for which something went wrong here.
const PAUSE: Duration = Duration::from_secs(10);

/// Tries deliveries when they are due, until told to stop. Several processes do not disturb each other.
pub async fn dispatch(services: &Services, stop: &CancellationToken) {
    tokio::join!(take_turns(services, stop), sweep(services, stop));
}

async fn take_turns(services: &Services, stop: &CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = Work::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = work.tasks.join_next_with_id() => match ended {
                Ok((id, turn)) => work.ended(id, turn, services.store.clock().elapsed()),
                Err(error) => work.ended(error.id(), Turn::Hindered, services.store.clock().elapsed()),
            },
            () = services.webhooks.woken() => work.look(services).await,
            _ = look.tick() => work.look(services).await,
        }
        work.go_on(services, stop);
    }
    while work.tasks.join_next().await.is_some() {}
}

/// The endpoints for which something is due. Organizations take turns, and of each its endpoints.
#[derive(Default)]
struct Work {
    waiting: BTreeMap<OrganizationId, VecDeque<DueEndpoint>>,
    is_waiting: HashSet<WebhookEndpointId>,
    /// Whose turn was last.
    last: Option<OrganizationId>,
    /// Endpoints that are left alone until then, as the clock measures.
    held: HashMap<WebhookEndpointId, Duration>,
    slow: Slow,
    tasks: JoinSet<Turn>,
    running: HashMap<Id, Running>,
    busy: HashSet<WebhookEndpointId>,
    /// Where the last look ended.
    after: Option<WebhookEndpointId>,
}

/// Endpoints whose last turn took long, and when it ended, as the clock measures.
#[derive(Default)]
struct Slow(HashMap<WebhookEndpointId, Duration>);

impl Slow {
    /// A turn in which nothing was tried says nothing of how long the next one takes.
    fn note(&mut self, endpoint: WebhookEndpointId, turn: Turn, now: Duration) {
        if let Turn::Went { is_slow, .. } = turn {
            if is_slow {
                self.0.insert(endpoint, now);
            } else {
                self.0.remove(&endpoint);
            }
        }
    }
}

/// An endpoint that has its turn.
#[derive(Clone, Copy)]
struct Running {
    due: DueEndpoint,
    is_slow: bool,
}

impl Work {
    async fn look(&mut self, services: &Services) {
        let now = services.store.clock().elapsed();
        self.held.retain(|_, until| *until > now);
        self.slow
            .0
            .retain(|_, since| now.saturating_sub(*since) < SLOW_FOR);
        match found(services, self.after).await {
            Ok(due) => {
                let is_all = due.len() < usize::try_from(FOUND_AT_ONCE).unwrap_or(usize::MAX);
                self.after = due.last().filter(|_| !is_all).map(|due| due.endpoint);
                for due in due {
                    if !self.held.contains_key(&due.endpoint) && !self.busy.contains(&due.endpoint) {
                        self.add(due);
                    }
                }
            }
            Err(error) => tracing::warn!(error = %error, "deliveries that are due could not be looked for"),
        }
    }

    fn add(&mut self, due: DueEndpoint) {
        if self.is_waiting.insert(due.endpoint) {
            let organization = due.tenant.organization_id();
            self.waiting.entry(organization).or_default().push_back(due);
        }
    }

    fn ended(&mut self, task: Id, turn: Turn, now: Duration) {
        let Some(Running { due, .. }) = self.running.remove(&task) else {
            return;
        };
        self.busy.remove(&due.endpoint);
        self.slow.note(due.endpoint, turn, now);
        match turn {
            Turn::Went { is_failing, .. } => {
                self.add(DueEndpoint { is_failing, ..due });
            }
            Turn::Nothing => {}
            Turn::Hindered => {
                self.held.insert(due.endpoint, now + PAUSE);
            }
        }
    }

    /// Begins with as many endpoints as there is room for.
    fn go_on(&mut self, services: &Services, stop: &CancellationToken) {
        let mut passed_by = Vec::new();
        while self.busy.len() < AT_ONCE
            && let Some(due) = self.next()
        {
            let is_slow = due.is_failing || self.slow.0.contains_key(&due.endpoint);
            if self.busy.contains(&due.endpoint) || !self.has_room_for(due, is_slow) {
                passed_by.push(due);
                continue;
            }
            self.busy.insert(due.endpoint);
            let (services, stop) = (services.clone(), stop.clone());
            let task = self.tasks.spawn(async move { take(&services, due, &stop).await });
            self.running.insert(task.id(), Running { due, is_slow });
        }
        for due in passed_by {
            self.add(due);
        }
    }

    fn has_room_for(&self, due: DueEndpoint, is_slow: bool) -> bool {
        let running = self.running.values();
        let running = running.map(|running| (running.due.tenant.organization_id(), running.is_slow));
        has_room(running, due.tenant.organization_id(), is_slow)
    }

    /// The endpoint whose turn it is: the first of the organization after the one that was served last.
    fn next(&mut self) -> Option<DueEndpoint> {
        let later = self.last.and_then(|last| {
            self.waiting
                .range(last..)
                .map(|(id, _)| *id)
                .find(|id| *id != last)
        });
        let organization = later.or_else(|| self.waiting.keys().next().copied())?;
        let endpoints = self.waiting.get_mut(&organization)?;
        let due = endpoints.pop_front();
        if endpoints.is_empty() {
            self.waiting.remove(&organization);
        }
        self.last = Some(organization);
        let due = due?;
        self.is_waiting.remove(&due.endpoint);
        Some(due)
    }
}

/// Whether one more of an organization's endpoints may have its turn beside those that have it, of which is known whose
/// they are and whether they are slow.
fn has_room(
    running: impl Iterator<Item = (OrganizationId, bool)> + Clone,
    organization: OrganizationId,
    is_slow: bool,
) -> bool {
    let own = running.clone().filter(|(other, _)| *other == organization);
    if own.clone().count() >= AT_ONCE_OF_ORGANIZATION {
        return false;
    }
    let slow = running.filter(|(_, is_slow)| *is_slow).count();
    let own_slow = own.filter(|(_, is_slow)| *is_slow).count();
    !is_slow || (slow < SLOW_AT_ONCE && own_slow < SLOW_AT_ONCE_OF_ORGANIZATION)
}

async fn take(services: &Services, due: DueEndpoint, stop: &CancellationToken) -> Turn {
    turn::take(services, due, stop).await.unwrap_or_else(|error| {
        tracing::warn!(
            organization.id = %due.tenant.organization_id(),
            webhook.id = %due.endpoint,
            error = %error,
            "deliveries to an endpoint could not be tried yet; they wait"
        );
        Turn::Hindered
    })
}

async fn found(
    services: &Services,
    after: Option<WebhookEndpointId>,
) -> Result<Vec<DueEndpoint>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.endpoints_with_due_deliveries(after, FOUND_AT_ONCE).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_slow_until_a_turn_is_quick() {
        let (endpoint, mut slow) = (WebhookEndpointId::new(), Slow::default());
        let went = |is_slow| Turn::Went {
            is_failing: false,
            is_slow,
        };
        for (turn, is_slow) in [
            (went(true), true),
            (Turn::Nothing, true),
            (Turn::Hindered, true),
            (went(false), false),
            (Turn::Nothing, false),
        ] {
            slow.note(endpoint, turn, Duration::ZERO);
            assert_eq!(slow.0.contains_key(&endpoint), is_slow, "{turn:?}");
        }
    }

    #[test]
    fn slow_receivers_leave_room_for_others() {
        let (first, second) = (OrganizationId::new(), OrganizationId::new());
        let mut running = vec![(first, true); SLOW_AT_ONCE_OF_ORGANIZATION];
        running.extend(vec![(second, false); AT_ONCE_OF_ORGANIZATION]);
        let is_room = |running: &[(OrganizationId, bool)], organization, is_slow| {
            has_room(running.iter().copied(), organization, is_slow)
        };
        assert!(!is_room(&running, first, true) && is_room(&running, first, false));
        assert!(!is_room(&running, second, true) && !is_room(&running, second, false));
        let another = OrganizationId::new();
        assert!(is_room(&running, another, true));
        while running.iter().filter(|(_, is_slow)| *is_slow).count() < SLOW_AT_ONCE {
            running.push((OrganizationId::new(), true));
        }
        assert!(!is_room(&running, another, true) && is_room(&running, another, false));
    }
}
