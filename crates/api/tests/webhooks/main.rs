//! What happens in organizations, delivered to addresses that they name, over real connections.

#![expect(clippy::unwrap_used, reason = "a test that lacks what it needs has failed")]

mod delivering;
mod endpoints;
mod failing;
mod fairness;
mod faulty_rows;
mod replaying;
mod waiting;

use std::{sync::Arc, time::Duration};

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use wahana_domain::{Happening, ManualClock, NewOrganizationEvent, Role, Session, SessionId, Timestamp};
use wahana_service::webhooks;
use wahana_store::organization_events;
use wahana_testkit::{
    app::{Actor, Answer, By, Client, Home, TestApp},
    database::TestDatabase,
    receiver::{ReceivedWebhook, WebhookReceiver},
};

const WEBHOOKS: &str = "/api/waha/webhooks";
const OWNER: Actor = Actor::Member(Home::A, Role::Owner, By::Token);
const OWNER_OF_B: Actor = Actor::Member(Home::B, Role::Owner, By::Token);
const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// Longer than any wait of the schedule with its jitter, except the first ones.
const PATIENCE: Duration = Duration::from_secs(30);

/// wahana that delivers, a session of A, and somebody who may do anything in A.
struct Scene {
    app: TestApp,
    clock: Arc<ManualClock>,
    session: Session,
    owner: Client,
    stop: CancellationToken,
    _stopped: DropGuard,
    loops: JoinSet<()>,
}

/// An endpoint that was made.
struct Made {
    id: String,
    secret: String,
}

impl Scene {
    async fn open(database: &TestDatabase) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let app = TestApp::start_delivering(database, clock.clone()).await;
        let session = app.session(Home::A).await;
        let owner = app.actor(OWNER).await;
        let stop = CancellationToken::new();
        let mut scene = Self {
            app,
            clock,
            session,
            owner,
            _stopped: stop.clone().drop_guard(),
            stop,
            loops: JoinSet::new(),
        };
        scene.deliver();
        scene
    }

    /// Delivers beside whoever does so already, as another process that has just begun.
    fn deliver(&mut self) {
        for is_first in [true, false] {
            let (services, ended) = (self.app.services().clone(), self.stop.clone());
            self.loops.spawn(async move {
                if is_first {
                    webhooks::fan_out(&services, &ended).await;
                } else {
                    webhooks::dispatch(&services, &ended).await;
                }
            });
        }
    }

    async fn create(&self, body: Value) -> Made {
        made(&self.owner.post_json(WEBHOOKS, &body).await)
    }

    async fn endpoint_at(&self, receiver: &WebhookReceiver) -> Made {
        self.create(json!({"url": receiver.url("/hook")})).await
    }

    /// A session of an organization has a new code.
    async fn happen(&self, home: Home, session: Option<SessionId>) {
        let tx = self.app.store().write(self.app.tenant(home)).await.unwrap();
        let event = NewOrganizationEvent {
            session,
            message: None,
            happened_at: tx.now(),
            happening: Happening::SessionQr,
        };
        organization_events::raise(&tx, event);
        tx.commit().await.unwrap();
    }

    async fn happen_in_session(&self) {
        self.happen(Home::A, Some(self.session.id)).await;
    }

    async fn get(&self, id: &str) -> Value {
        let answer = self.owner.get(&format!("{WEBHOOKS}/{id}")).await;
        assert_eq!(answer.named(), "200");
        answer.json()["data"].take()
    }

    async fn post(&self, target: &str, body: Option<&Value>) -> Answer {
        self.owner
            .send(Method::POST, &format!("{WEBHOOKS}/{target}"), body)
            .await
    }

    async fn deliveries(&self, id: &str, query: &str) -> Vec<Value> {
        let answer = self
            .owner
            .get(&format!("{WEBHOOKS}/{id}/deliveries{query}"))
            .await;
        assert_eq!(answer.named(), "200", "{}", answer.text());
        answer.json()["data"].as_array().unwrap().clone()
    }

    /// The only delivery of an endpoint, once it is as wanted.
    async fn delivery_when(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        within_patience(async {
            loop {
                let deliveries = self.deliveries(id, "").await;
                if let Some(delivery) = deliveries.first().filter(|delivery| is_so(delivery)) {
                    return delivery.clone();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }
}

fn made(answer: &Answer) -> Made {
    assert_eq!(answer.named(), "201", "{}", answer.text());
    let data = answer.json()["data"].take();
    let text = |field: &str| data[field].as_str().unwrap().to_owned();
    Made {
        id: text("id"),
        secret: text("secret"),
    }
}

async fn received(receiver: &WebhookReceiver, count: usize) -> Vec<ReceivedWebhook> {
    within_patience(receiver.received(count)).await
}

async fn within_patience<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap()
}

fn body(webhook: &ReceivedWebhook) -> Value {
    serde_json::from_slice(&webhook.body).unwrap()
}
