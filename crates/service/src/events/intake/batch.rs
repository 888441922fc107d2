//! Storing a batch of events.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use waha_client::events::EventName;
use wahana_domain::{ServerId, Timestamp};
use wahana_store::{HookedServer, HookedSession, PlatformTx, Store, StoreError, events::NewEvent};

use super::{Arrived, Refusal, Taken, Verdict, count};
use crate::events::{Haste, Wake};

/// How often is written down that events of a server come in.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// Stores those events of a batch that may be believed, in one transaction, and wakes who applies them.
pub(super) async fn store(
    store: &Store,
    wake: &Wake,
    arrived: &[Arrived],
) -> Result<Vec<Verdict>, StoreError> {
    let tx = store.platform_write().await?;
    let known = Known::of(&tx, arrived).await?;
    let mut verdicts = Vec::with_capacity(arrived.len());
    let mut new = Vec::with_capacity(arrived.len());
    let mut heard = HashSet::new();
    for one in arrived {
        let judged = known.judge(one);
        if judged.is_ok() {
            heard.insert(one.hook.server);
        }
        verdicts.push(judged.map(|session| session.map_or(Taken::OfNobody, |_| Taken::Stored)));
        if let Ok(Some(session)) = judged {
            new.push(new_event(one, session));
        }
    }
    // Two processes that store the same events lock them in the same order, and sessions in the order in which
    // whoever applies a snapshot locks them.
    new.sort_unstable_by(|a, b| (a.session, a.server, &a.event_id).cmp(&(b.session, b.server, &b.event_id)));
    let stored = tx.store_events(&new).await?;
    let again = known.note(&tx, heard).await?;
    tx.commit().await?;

    count("stored", stored);
    count(
        "repeated",
        u64::try_from(new.len())
            .unwrap_or(u64::MAX)
            .saturating_sub(stored),
    );
    for server in again {
        tracing::info!(server.name = server, "events of a WAHA server come in again");
    }
    if stored > 0 {
        for event in &new {
            let haste = if event.kind == EventName::SessionStatus.as_str() {
                Haste::Urgent
            } else {
                Haste::Patient
            };
            wake.wake(event.tenant, event.session, haste);
        }
    }
    Ok(verdicts)
}

/// What is known of the servers and sessions of a batch.
struct Known {
    servers: HashMap<ServerId, HookedServer>,
    sessions: HashMap<ServerId, HashMap<String, HookedSession>>,
    now: Timestamp,
}

impl Known {
    async fn of(tx: &PlatformTx, arrived: &[Arrived]) -> Result<Self, StoreError> {
        let servers: HashSet<ServerId> = arrived.iter().map(|one| one.hook.server).collect();
        let servers: Vec<ServerId> = servers.into_iter().collect();
        let servers = tx.hooked_servers(&servers).await?;
        let named: Vec<(ServerId, &str)> = arrived
            .iter()
            .map(|one| (one.hook.server, one.waha_name.as_str()))
            .collect();
        let mut sessions: HashMap<ServerId, HashMap<String, HookedSession>> = HashMap::new();
        for session in tx.hooked_sessions(&named).await? {
            let on_server = sessions.entry(session.server).or_default();
            on_server.insert(session.waha_name.clone(), session);
        }
        Ok(Self {
            servers: servers.into_iter().map(|server| (server.id, server)).collect(),
            sessions,
            now: tx.now(),
        })
    }

    /// Whose event it is; `None` if it is of a session that belongs to nobody here.
    fn judge(&self, one: &Arrived) -> Result<Option<&HookedSession>, Refusal> {
        let server = self.servers.get(&one.hook.server).ok_or(Refusal::UnknownServer)?;
        let session = self
            .sessions
            .get(&server.id)
            .and_then(|sessions| sessions.get(&one.waha_name));
        let newest = match (one.hook.session, session) {
            (Some(id), Some(session)) if id != session.id => return Err(Refusal::OtherSession),
            (Some(_), Some(session)) => session.hook_version,
            (Some(_), None) => return Ok(None),
            (None, _) => server.hook_version,
        };
        // The newest, and the one before it, which WAHA uses until it gets the newest.
        if one.key_version == newest || one.key_version == newest - 1 {
            Ok(session)
        } else {
            Err(Refusal::RetiredKey)
        }
    }

    /// Writes down that events of these servers come in, if that was not done just now; says of which they
    /// come in again.
    async fn note(&self, tx: &PlatformTx, heard: HashSet<ServerId>) -> Result<Vec<&str>, StoreError> {
        let is_due = |server: &&HookedServer| {
            let is_recent = server
                .last_event_at
                .is_some_and(|at| at <= self.now && self.now.since(at) < NOTE_EVERY);
            heard.contains(&server.id) && (!is_recent || server.event_gap_since.is_some())
        };
        let mut due: Vec<&HookedServer> = self.servers.values().filter(is_due).collect();
        due.sort_unstable_by_key(|server| server.id);
        for server in &due {
            tx.note_server_event(server.id).await?;
        }
        Ok(due
            .into_iter()
            .filter(|server| server.event_gap_since.is_some())
            .map(|server| server.name.as_str())
            .collect())
    }
}

fn new_event(one: &Arrived, session: &HookedSession) -> NewEvent {
    NewEvent {
        tenant: session.tenant,
        session: session.id,
        server: session.server,
        event_id: one.event_id.clone(),
        kind: one.kind.clone(),
        happened_at: one.happened_at,
        payload: one.payload.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::Arc,
        task::{Context, Waker},
    };

    use wahana_domain::ManualClock;
    use wahana_store::{Hook, NewServer, sessions};
    use wahana_testkit::{database::TestDatabase, on_both_databases, rows};

    use super::*;

    on_both_databases!(whoever_applies_events_is_woken_for_new_ones);

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    async fn whoever_applies_events_is_woken_for_new_ones(db: &TestDatabase) {
        let database = db.store(Arc::new(ManualClock::at(START))).await;
        let server = NewServer {
            id: ServerId::new(),
            name: "one".to_owned(),
            base_url: "http://127.0.0.1:9".to_owned(),
            api_key: "key".to_owned().into(),
            capacity: None,
        };
        let home = rows::organization("A", START);
        let tx = database.platform_write().await.unwrap();
        tx.insert_server(&server).await.unwrap();
        tx.insert_organization(&home).await.unwrap();
        let tenant = tx.tenant(home.id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let session = rows::session(home.id, server.id, "shop", START);
        let tx = database.write(tenant).await.unwrap();
        sessions::insert(&tx, &session).await.unwrap();
        tx.commit().await.unwrap();

        let arrived = |event_id: &str, kind: &str, waha_name: &str| Arrived {
            hook: Hook {
                server: server.id,
                session: None,
            },
            key_version: 1,
            event_id: event_id.to_owned(),
            kind: kind.to_owned(),
            waha_name: waha_name.to_owned(),
            happened_at: START,
            payload: "{}".to_owned(),
        };
        let name = session.waha.name.as_str();
        let wake = Wake::default();
        let batch = [
            arrived("evt_1", "message.any", "nobodys"),
            arrived("evt_2", "message.any", name),
        ];
        let verdicts = store(&database, &wake, &batch).await.unwrap();
        assert_eq!(verdicts, [Ok(Taken::OfNobody), Ok(Taken::Stored)]);
        let woken = |haste| HashMap::from([((tenant, session.id), haste)]);
        assert_eq!(wake.woken().await, woken(Haste::Patient));

        // What comes again is nothing new.
        store(&database, &wake, &batch).await.unwrap();
        let woken_again = pin!(wake.woken()).poll(&mut Context::from_waker(Waker::noop()));
        assert!(woken_again.is_pending());

        // Somebody may be looking at a status.
        let batch = [
            arrived("evt_3", "session.status", name),
            arrived("evt_4", "message.any", name),
        ];
        store(&database, &wake, &batch).await.unwrap();
        assert_eq!(wake.woken().await, woken(Haste::Urgent));
    }
}
