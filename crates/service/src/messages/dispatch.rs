//! Who hands over which session's messages when.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::{
    task::{Id, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use wahana_domain::{OrganizationId, ServerId, SessionId};
use wahana_store::{DueSession, Tenant};

use super::turn::{self, Turn};
use crate::{ServiceError, Services};

/// How often is looked for messages of which this process was not told: another took them in, or their time came.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many sessions are found at a look.
const FOUND_AT_ONCE: u64 = 500;
/// For how many sessions messages are handed over at the same time.
const AT_ONCE: usize = 32;
/// For how many of one WAHA server: one that hangs leaves room for the others.
const AT_ONCE_ON_SERVER: usize = 8;

/// Hands messages over when their turn comes, until told to stop. Several processes do not disturb each other.
pub async fn dispatch(services: &Services, stop: &CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = Work::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            woken = services.queue.woken() => {
                for (tenant, session) in woken {
                    work.wake(services, tenant, session).await;
                }
            }
            Some(ended) = work.tasks.join_next_with_id() => match ended {
                Ok((id, turn)) => work.ended(services, id, turn),
                Err(error) => work.ended(services, error.id(), Turn::Waits(LOOK_EVERY)),
            },
            _ = look.tick() => work.look(services).await,
        }
        work.go_on(services);
    }
    while work.tasks.join_next().await.is_some() {}
}

/// The sessions that have messages. Organizations take turns, and of each its sessions.
#[derive(Default)]
struct Work {
    waiting: BTreeMap<OrganizationId, VecDeque<DueSession>>,
    is_waiting: HashSet<SessionId>,
    /// Whose turn was last.
    last: Option<OrganizationId>,
    /// Sessions whose first message waits for something, until when at the latest, as the clock measures.
    held: HashMap<SessionId, Duration>,
    tasks: JoinSet<Turn>,
    running: HashMap<Id, DueSession>,
    busy: HashSet<SessionId>,
    on_server: HashMap<ServerId, usize>,
    /// Where the last look ended.
    after: Option<SessionId>,
}

impl Work {
    async fn wake(&mut self, services: &Services, tenant: Tenant, session: SessionId) {
        self.held.remove(&session);
        match server_of(services, tenant, session).await {
            Ok(Some(server)) => self.add(DueSession {
                tenant,
                session,
                server,
            }),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(session.id = %session, error = %error, "messages of a session cannot be looked at yet");
            }
        }
    }

    async fn look(&mut self, services: &Services) {
        let now = services.store.clock().elapsed();
        self.held.retain(|_, until| *until > now);
        match found(services, self.after).await {
            Ok(due) => {
                let is_all = due.len() < usize::try_from(FOUND_AT_ONCE).unwrap_or(usize::MAX);
                self.after = due.last().filter(|_| !is_all).map(|due| due.session);
                for due in due {
                    if !self.held.contains_key(&due.session) {
                        self.add(due);
                    }
                }
            }
            Err(error) => tracing::warn!(error = %error, "messages that wait could not be looked for"),
        }
    }

    fn add(&mut self, due: DueSession) {
        if self.is_waiting.insert(due.session) {
            let organization = due.tenant.organization_id();
            self.waiting.entry(organization).or_default().push_back(due);
        }
    }

    fn ended(&mut self, services: &Services, task: Id, turn: Turn) {
        let Some(due) = self.running.remove(&task) else {
            return;
        };
        self.busy.remove(&due.session);
        if let Some(number) = self.on_server.get_mut(&due.server) {
            *number = number.saturating_sub(1);
        }
        match turn {
            Turn::Went => self.add(due),
            Turn::Nothing => {}
            Turn::Waits(wait) => {
                let until = services.store.clock().elapsed() + wait;
                self.held.insert(due.session, until);
            }
        }
    }

    /// Begins with as many sessions as there is room for.
    fn go_on(&mut self, services: &Services) {
        let mut passed_by = Vec::new();
        while self.busy.len() < AT_ONCE
            && let Some(due) = self.next()
        {
            let on_server = self.on_server.entry(due.server).or_default();
            if self.busy.contains(&due.session) || *on_server >= AT_ONCE_ON_SERVER {
                passed_by.push(due);
                continue;
            }
            *on_server += 1;
            self.busy.insert(due.session);
            let services = services.clone();
            let task = self.tasks.spawn(async move { take(&services, due).await });
            self.running.insert(task.id(), due);
        }
        for due in passed_by {
            self.add(due);
        }
    }

    /// The session whose turn it is: the first of the organization after the one that was served last.
    fn next(&mut self) -> Option<DueSession> {
        let later = self.last.and_then(|last| {
            self.waiting
                .range(last..)
                .map(|(id, _)| *id)
                .find(|id| *id != last)
        });
        let organization = later.or_else(|| self.waiting.keys().next().copied())?;
        let sessions = self.waiting.get_mut(&organization)?;
        let due = sessions.pop_front();
        if sessions.is_empty() {
            self.waiting.remove(&organization);
        }
        self.last = Some(organization);
        let due = due?;
        self.is_waiting.remove(&due.session);
        Some(due)
    }
}

async fn take(services: &Services, due: DueSession) -> Turn {
    turn::take(services, due).await.unwrap_or_else(|error| {
        tracing::warn!(
            organization.id = %due.tenant.organization_id(),
            session.id = %due.session,
            error = %error,
            "messages of a session could not be sent yet; they wait"
        );
        Turn::Waits(LOOK_EVERY)
    })
}

async fn found(services: &Services, after: Option<SessionId>) -> Result<Vec<DueSession>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.sessions_with_due_messages(after, FOUND_AT_ONCE).await?)
}

async fn server_of(
    services: &Services,
    tenant: Tenant,
    session: SessionId,
) -> Result<Option<ServerId>, ServiceError> {
    let tx = services.store.read(tenant).await?;
    let found = wahana_store::sessions::with_ids(&tx, &[session]).await?;
    Ok(found.first().map(|session| session.waha.server))
}
