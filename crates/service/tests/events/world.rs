//! Sessions of which WAHA tells events, without a WAHA.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use waha_client::{HttpClient, HttpOptions, events::sign};
use wahana_domain::{ManualClock, ServerId, Session, SessionId, Timestamp};
use wahana_service::{
    ServiceSettings, Services,
    events::{self, Delivery, Hook, Taken},
};
use wahana_store::{NewServer, Store, Tenant, events::NewEvent, sessions};
use wahana_testkit::{database::TestDatabase, rows};

/// When every world begins: at the beginning of a quarter of an hour.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(crate) struct World<'a> {
    pub(crate) db: &'a TestDatabase,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    pub(crate) services: Services,
    pub(crate) server: ServerId,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) tenant: Tenant,
    pub(crate) session: SessionId,
}

/// An event as WAHA sends it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// Milliseconds after the start.
    pub(crate) at: i64,
    pub(crate) me: Option<&'static str>,
    pub(crate) payload: Value,
}

impl Event {
    pub(crate) fn new(id: impl Into<String>, kind: &'static str, at: i64, payload: Value) -> Self {
        Self {
            id: id.into(),
            kind,
            at,
            me: None,
            payload,
        }
    }

    pub(crate) fn status(id: &str, at: i64, status: &str, me: Option<&'static str>) -> Self {
        Self {
            me,
            ..Self::new(id, "session.status", at, json!({"name": "one", "status": status}))
        }
    }

    fn happened_at(&self) -> Timestamp {
        Timestamp::from_micros(START.as_micros() + self.at * 1000)
    }

    fn body(&self) -> String {
        json!({
            "id": self.id,
            "timestamp": self.happened_at().as_micros() / 1000,
            "event": self.kind,
            "session": "one",
            "me": self.me.map(|id| json!({"id": id, "pushName": "One"})),
            "payload": self.payload,
            "engine": "NOWEB",
        })
        .to_string()
    }
}

impl<'a> World<'a> {
    pub(crate) async fn new(db: &'a TestDatabase) -> Self {
        // Every test may be the first of its process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::at(START));
        let store = db.store(clock.clone()).await;
        let server = ServerId::new();
        let tx = store.platform_write().await.unwrap();
        tx.insert_server(&NewServer {
            id: server,
            name: "one".to_owned(),
            base_url: "http://127.0.0.1:9".to_owned(),
            api_key: "key".to_owned().into(),
            capacity: None,
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        Self {
            db,
            clock,
            services: services(&store),
            store,
            server,
        }
    }

    /// What another process has: the same database and nothing else.
    pub(crate) async fn another_process(&self) -> Services {
        services(&self.db.store(self.clock.clone()).await)
    }

    pub(crate) async fn organization(&self) -> Tenant {
        let tx = self.store.platform_write().await.unwrap();
        let new = rows::organization("A", tx.now());
        tx.insert_organization(&new).await.unwrap();
        let tenant = tx.tenant(new.id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        tenant
    }

    pub(crate) async fn session_of(&self, tenant: Tenant, name: &str) -> Place {
        let tx = self.store.write(tenant).await.unwrap();
        let session = rows::session(tenant.organization_id(), self.server, name, tx.now());
        sessions::insert(&tx, &session).await.unwrap();
        tx.commit().await.unwrap();
        Place {
            tenant,
            session: session.id,
        }
    }

    /// A session of an organization of its own.
    pub(crate) async fn session(&self) -> Place {
        let tenant = self.organization().await;
        self.session_of(tenant, "one").await
    }

    pub(crate) async fn get(&self, place: Place) -> Session {
        let tx = self.store.read(place.tenant).await.unwrap();
        sessions::with_ids(&tx, &[place.session]).await.unwrap().remove(0)
    }

    /// Stores events as they come in; says how many were new.
    pub(crate) async fn deliver(&self, place: Place, events: &[Event]) -> u64 {
        let new: Vec<NewEvent> = events
            .iter()
            .map(|event| NewEvent {
                tenant: place.tenant,
                session: place.session,
                server: self.server,
                // Each session has its own events, also where two get the same.
                event_id: format!("{}:{}", place.session, event.id),
                kind: event.kind.to_owned(),
                happened_at: event.happened_at(),
                payload: event.body(),
            })
            .collect();
        let tx = self.store.platform_write().await.unwrap();
        let stored = tx.store_events(&new).await.unwrap();
        tx.commit().await.unwrap();
        stored
    }

    /// Takes an event in as WAHA sends it, so that whoever applies it is woken.
    pub(crate) async fn take(&self, place: Place, event: &Event) {
        let mut body: Value = serde_json::from_str(&event.body()).unwrap();
        body["session"] = self.get(place).await.waha.name.as_str().into();
        let body = body.to_string();
        let hook = Hook {
            server: self.server,
            session: Some(place.session),
        };
        let key = self.store.hook_key_id(1).unwrap();
        let secret = self.store.hook_key(hook, key).unwrap();
        let delivery = Delivery {
            hook,
            key,
            signature: &sign(&secret, body.as_bytes()).unwrap(),
            body: body.as_bytes(),
        };
        let taken = events::take(&self.services, delivery).await.unwrap();
        assert_eq!(taken, Ok(Taken::Stored));
    }

    pub(crate) async fn apply(&self, place: Place) -> usize {
        events::apply_session(&self.services, place.tenant, place.session)
            .await
            .unwrap()
    }

    /// Stores and applies.
    pub(crate) async fn tell(&self, place: Place, events: &[Event]) {
        self.deliver(place, events).await;
        self.apply(place).await;
    }

    /// The rows of a query that ends with a condition on the session.
    pub(crate) async fn rows(&self, place: Place, query: &str) -> Vec<String> {
        let id = self.db.id_literal(place.session.as_uuid());
        self.db.texts_unguarded(&query.replace("{session}", &id)).await
    }

    /// All that events change of a session, but not when that was done.
    pub(crate) async fn state(&self, place: Place) -> Vec<String> {
        let mut state = Vec::new();
        for query in [
            "SELECT status || ' ' || coalesce(waha_status, '-') || ' ' || coalesce(phone_number, '-') || ' ' ||
                coalesce(phone_number_at, 0) || ' ' || coalesce(observed_at, 0) || ' ' || error_count || ' ' ||
                coalesce(last_error, '-') || ' ' || messages_sent || ' ' || messages_received || ' ' ||
                media_sent || ' ' || media_received || ' ' || coalesce(last_message_at, 0)
             FROM sessions WHERE id = {session}",
            "SELECT message_key || ' ' || chat_id || ' ' || direction || ' ' || kind || ' ' || status || ' ' ||
                coalesce(waha_message_id, '-') || ' ' || coalesce(sender, '-') || ' ' ||
                coalesce(happened_at, 0)
             FROM messages WHERE session_id = {session} ORDER BY message_key",
            "SELECT subject || ' ' || coalesce(old_value, '-') || ' ' || new_value || ' ' ||
                coalesce(reason, '-') || ' ' || happened_at
             FROM session_transitions WHERE session_id = {session} ORDER BY 1",
            "SELECT 'activity ' || slot || ' ' || messages_sent || ' ' || messages_received || ' ' ||
                media_sent || ' ' || media_received || ' ' || messages_delivered || ' ' || messages_read || ' ' ||
                messages_failed || ' ' || calls || ' ' || group_changes
             FROM session_activity WHERE session_id = {session} ORDER BY slot",
            "SELECT 'last event ' || coalesce(last_event_at, 0) FROM session_upkeep WHERE session_id = {session}",
            "SELECT event_id || ' ' || state || ' ' || coalesce(payload, '-') FROM waha_events
             WHERE session_id = {session} ORDER BY event_id",
        ] {
            let rows = self.rows(place, query).await;
            let id = place.session.to_string();
            state.extend(rows.into_iter().map(|row| row.replace(&id, "")));
        }
        state
    }

    /// How far events have come, in the order of their ids.
    pub(crate) async fn events(&self, place: Place) -> Vec<String> {
        let query = "SELECT state || ' ' || coalesce(payload, '-') FROM waha_events WHERE session_id = {session} \
                     ORDER BY event_id";
        self.rows(place, query).await
    }

    /// A session's changes of one kind, oldest first, without repeats.
    pub(crate) async fn transitions(&self, place: Place, subject: &str) -> Vec<String> {
        let query = format!(
            "SELECT coalesce(old_value, '-') || ' ' || new_value FROM session_transitions
             WHERE session_id = {{session}} AND subject = '{subject}' AND coalesce(old_value, '') <> new_value
             ORDER BY happened_at"
        );
        self.rows(place, &query).await
    }

    pub(crate) fn later(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}

fn services(store: &Store) -> Services {
    let http = HttpClient::new(&HttpOptions::default()).unwrap();
    let settings = ServiceSettings::at("http://wahana.test/".parse().unwrap());
    Services::new(store.clone(), http, settings)
}

/// When something was that happened so many milliseconds after the start.
pub(crate) fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_micros(START.as_micros() + milliseconds * 1000)
}
