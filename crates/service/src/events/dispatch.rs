//! Who applies which session's events when.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::{
    task::{Id, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use wahana_domain::SessionId;
use wahana_store::Tenant;

use super::apply::{Haste, apply_until};
use crate::{ServiceError, Services};

/// How often is looked for events that nobody was woken for: a process that died left them, or another took
/// them in and does not apply any, or the database was away.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How many sessions are found at a look.
const FOUND_AT_ONCE: u64 = 1_000;
/// For how many sessions events are applied at the same time.
const AT_ONCE: usize = 4;

/// Applies events as they come in, and those that wait already, until told to stop; the transactions that were
/// begun then are ended. One a process; several processes do not disturb each other.
pub async fn dispatch(services: &Services, stop: &CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = Work::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            sessions = services.events.woken() => {
                for (session, haste) in sessions {
                    work.add(session, haste);
                }
            }
            Some(ended) = work.tasks.join_next_with_id() => {
                work.ended(ended.map_or_else(|error| error.id(), |(id, ())| id));
            }
            _ = look.tick() => match left_behind(services).await {
                Ok(sessions) => sessions.into_iter().for_each(|session| work.add(session, Haste::Patient)),
                Err(error) => tracing::warn!(error = %error, "events that wait could not be looked for"),
            },
        }
        work.go_on(services, stop);
    }
    while work.tasks.join_next().await.is_some() {}
}

async fn left_behind(services: &Services) -> Result<Vec<(Tenant, SessionId)>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.sessions_with_waiting_events(FOUND_AT_ONCE).await?)
}

/// The sessions that have events: each is worked on by one task at a time.
#[derive(Default)]
struct Work {
    urgent: VecDeque<(Tenant, SessionId)>,
    patient: VecDeque<(Tenant, SessionId)>,
    /// In which of them a session waits. One that became urgent is still in the other, where it is passed by.
    waiting: HashMap<SessionId, Haste>,
    tasks: JoinSet<()>,
    running: HashMap<Id, SessionId>,
    busy: HashSet<SessionId>,
}

impl Work {
    fn add(&mut self, (tenant, session): (Tenant, SessionId), haste: Haste) {
        let known = self.waiting.get(&session);
        if known.is_none_or(|known| haste < *known) {
            self.waiting.insert(session, haste);
            self.queue(haste).push_back((tenant, session));
        }
    }

    fn queue(&mut self, haste: Haste) -> &mut VecDeque<(Tenant, SessionId)> {
        match haste {
            Haste::Urgent => &mut self.urgent,
            Haste::Patient => &mut self.patient,
        }
    }

    fn ended(&mut self, task: Id) {
        if let Some(session) = self.running.remove(&task) {
            self.busy.remove(&session);
        }
    }

    /// Begins with as many sessions as there is room for; those that are worked on keep their place.
    fn go_on(&mut self, services: &Services, stop: &CancellationToken) {
        for haste in [Haste::Urgent, Haste::Patient] {
            let mut kept = VecDeque::new();
            while self.busy.len() < AT_ONCE
                && let Some((tenant, session)) = self.queue(haste).pop_front()
            {
                if self.waiting.get(&session) != Some(&haste) {
                    continue;
                }
                if self.busy.contains(&session) {
                    kept.push_back((tenant, session));
                    continue;
                }
                self.waiting.remove(&session);
                self.begin(services, (tenant, session), haste, stop);
            }
            kept.append(self.queue(haste));
            *self.queue(haste) = kept;
        }
    }

    fn begin(
        &mut self,
        services: &Services,
        (tenant, session): (Tenant, SessionId),
        haste: Haste,
        stop: &CancellationToken,
    ) {
        self.busy.insert(session);
        let (services, stop) = (services.clone(), stop.clone());
        let task = self.tasks.spawn(async move {
            if let Err(error) = apply_until(&services, (tenant, session), haste, &stop).await {
                tracing::warn!(
                    organization.id = %tenant.organization_id(),
                    session.id = %session,
                    error = %error,
                    "events of a session could not be applied yet; they wait"
                );
            }
        });
        self.running.insert(task.id(), session);
    }
}
