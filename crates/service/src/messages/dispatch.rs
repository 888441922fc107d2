//! Who hands over which session's messages when.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use tokio::{
    task::{Id, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use wahana_domain::{ServerId, SessionId};
use wahana_store::{DueSession, Tenant};

use super::{
    line::Line,
    turn::{self, Turn},
};
use crate::{ServiceError, Services};

/// How often is looked for messages of which this process was not told: another took them in, or their time came.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many sessions are found at a look.
const FOUND_AT_ONCE: u64 = 500;

/// Hands messages over when their turn comes, until told to stop. Several processes do not disturb each other.
pub async fn dispatch(services: &Services, stop: &CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = Work::default();
    loop {
        let next_end = work.held.next_end(services.store.clock().elapsed());
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
            () = tokio::time::sleep(next_end.unwrap_or_default()), if next_end.is_some() => work.release(services),
            _ = look.tick() => work.look(services).await,
        }
        work.go_on(services);
    }
    while work.tasks.join_next().await.is_some() {}
}

/// The sessions that have messages.
#[derive(Default)]
struct Work {
    line: Line,
    held: Held,
    tasks: JoinSet<Turn>,
    running: HashMap<Id, DueSession>,
    /// Where the last look ended.
    after: Option<SessionId>,
}

impl Work {
    async fn wake(&mut self, services: &Services, tenant: Tenant, session: SessionId) {
        self.held.take(session);
        match server_of(services, tenant, session).await {
            Ok(Some(server)) => self.line.add(DueSession {
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
        self.release(services);
        match found(services, self.after).await {
            Ok(due) => {
                let is_all = due.len() < usize::try_from(FOUND_AT_ONCE).unwrap_or(usize::MAX);
                self.after = due.last().filter(|_| !is_all).map(|due| due.session);
                for due in due {
                    if !self.held.contains(due.session) {
                        self.line.add(due);
                    }
                }
            }
            Err(error) => tracing::warn!(error = %error, "messages that wait could not be looked for"),
        }
    }

    /// Looks again at the sessions that were held until now.
    fn release(&mut self, services: &Services) {
        let now = services.store.clock().elapsed();
        while let Some(due) = self.held.take_ended(now) {
            self.line.add(due);
        }
    }

    fn ended(&mut self, services: &Services, task: Id, turn: Turn) {
        let Some(due) = self.running.remove(&task) else {
            return;
        };
        self.line.ended(&due);
        match turn {
            Turn::Went => self.line.add(due),
            Turn::Nothing => {}
            Turn::Waits(wait) => {
                let until = services.store.clock().elapsed() + wait;
                self.held.hold(due, until);
            }
        }
    }

    /// Begins with as many sessions as there is room for.
    fn go_on(&mut self, services: &Services) {
        while let Some(due) = self.line.next() {
            let services = services.clone();
            let task = self.tasks.spawn(async move { take(&services, due).await });
            self.running.insert(task.id(), due);
        }
    }
}

/// Sessions whose first message waits for something, and until when at the latest, as the clock measures. They take
/// no place.
#[derive(Default)]
struct Held {
    sessions: HashMap<SessionId, (Duration, DueSession)>,
    ends: BTreeSet<(Duration, SessionId)>,
}

impl Held {
    fn hold(&mut self, due: DueSession, until: Duration) {
        self.take(due.session);
        self.sessions.insert(due.session, (until, due));
        self.ends.insert((until, due.session));
    }

    fn contains(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    fn take(&mut self, session: SessionId) -> Option<DueSession> {
        let (until, due) = self.sessions.remove(&session)?;
        self.ends.remove(&(until, session));
        Some(due)
    }

    /// One whose time has ended.
    fn take_ended(&mut self, now: Duration) -> Option<DueSession> {
        let (until, session) = *self.ends.first()?;
        if until > now {
            return None;
        }
        self.take(session)
    }

    /// How long it is until the first one's time ends.
    fn next_end(&self, now: Duration) -> Option<Duration> {
        let (until, _) = self.ends.first()?;
        Some(until.saturating_sub(now))
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
