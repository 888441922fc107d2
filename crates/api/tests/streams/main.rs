//! The stream of an organization's events, over real connections.

#![expect(clippy::unwrap_used, reason = "a test that lacks what it needs has failed")]

mod crowds;
mod endings;
mod faulty_rows;
mod filters;
mod resuming;

use wahana_domain::{DeliveryStatus, Direction, MessageKind, NewOrganizationEvent, Role, Session, SessionId};
use wahana_store::{
    Store, Tenant,
    activity::Tally,
    messages::{Ledger, MessageNews},
    organization_events,
};
use wahana_testkit::{
    app::{Actor, By, Client, EventStream, Home, TestApp},
    database::TestDatabase,
};

const EVENTS: &str = "/api/waha/events";
const OWNER: Actor = Actor::Member(Home::A, Role::Owner, By::Token);
const OWNER_OF_B: Actor = Actor::Member(Home::B, Role::Owner, By::Token);

/// wahana over a database, and a session of A.
struct Scene {
    app: TestApp,
    session: Session,
}

impl Scene {
    async fn open(database: &TestDatabase) -> Self {
        let app = TestApp::start(database).await;
        let session = app.session(Home::A).await;
        Self { app, session }
    }

    async fn owner(&self) -> Client {
        self.app.actor(OWNER).await
    }

    fn a(&self) -> Tenant {
        self.app.tenant(Home::A)
    }

    /// A message comes in.
    async fn receive(&self, key: &str) {
        receive(self.app.store(), self.a(), self.session.id, key).await;
    }

    /// Something happens that concerns the whole organization.
    async fn happen(&self) {
        use wahana_domain::{Happening, WebhookEndpointId, organization_event::DisabledEndpoint};
        let tx = self.app.store().write(self.a()).await.unwrap();
        let disabled = DisabledEndpoint {
            endpoint_id: WebhookEndpointId::new(),
            reason: "a test".to_owned(),
        };
        let event = NewOrganizationEvent {
            session: None,
            message: None,
            happened_at: tx.now(),
            happening: Happening::WebhookEndpointDisabled(disabled),
        };
        organization_events::raise(&tx, event);
        tx.commit().await.unwrap();
    }
}

async fn receive(store: &Store, tenant: Tenant, session: SessionId, key: &str) {
    let tx = store.write(tenant).await.unwrap();
    let mut ledger = Ledger::open(&tx, session, [key]).await.unwrap();
    ledger.hear(&MessageNews {
        key: key.to_owned(),
        waha_message_id: format!("false_15550001111@c.us_{key}"),
        chat_id: "15550001111@c.us".to_owned(),
        direction: Direction::Incoming,
        kind: MessageKind::Text,
        sender: Some("15550001111@c.us".to_owned()),
        status: DeliveryStatus::Received,
        happened_at: tx.now(),
        text: None,
        reply_to: None,
        is_from_api: false,
    });
    ledger.write(&tx, &mut Tally::new()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn open(client: &Client, target: &str) -> EventStream {
    let mut stream = client.open_stream(target).await;
    assert_eq!(stream.status, 200);
    stream.begun().await;
    stream
}

/// The keys of the next messages of which a stream tells.
async fn keys(stream: &mut EventStream, count: usize) -> Vec<String> {
    let mut keys = Vec::new();
    while keys.len() < count {
        let event = stream.next().await.unwrap();
        if event.event == "message.received" {
            let id = event.data["data"]["message"]["waha_message_id"].as_str().unwrap();
            keys.push(id.rsplit('_').next().unwrap().to_owned());
        }
    }
    keys
}
