//! Programs that organizations' events are delivered to, and what they must have been told in the end.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::StatusCode;
use serde_json::{Value, json};
use wahana_testkit::receiver::{ReceivedWebhook, WebhookReceiver};

use super::{
    process::Process,
    world::{World, eventually},
};

/// Opens the receivers to wahana.
pub(super) const SETTINGS: &str = "[webhooks]\nallow = [\"127.0.0.1\"]\n";

/// The program of an organization, which is told everything that happens in it.
pub(super) struct Told {
    pub(super) receiver: WebhookReceiver,
    organization: String,
    secret: String,
    /// The number of the organization's last event before.
    after: i64,
}

impl Told {
    /// Lets an organization whose owner says this who they are have its events delivered.
    pub(super) async fn new(world: &World<'_>, process: &Process, organization: &str, bearer: &str) -> Self {
        let receiver = WebhookReceiver::start().unwrap();
        let request = world
            .http
            .post(format!("http://{}/api/waha/webhooks", process.address))
            .header("authorization", bearer);
        let answer = request.json(&json!({"url": receiver.url("/hook")})).send();
        let answer = answer.await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::CREATED, "{text}");
        let made: Value = serde_json::from_str(&text).unwrap();
        let endpoints = format!(
            "SELECT CAST(e.position AS TEXT) FROM webhook_endpoints e JOIN organizations o
             ON o.id = e.organization_id WHERE o.name = '{organization}'"
        );
        Self {
            organization: organization.to_owned(),
            secret: made["data"]["secret"].as_str().unwrap().to_owned(),
            after: world.texts(&endpoints).await.remove(0).parse().unwrap(),
            receiver,
        }
    }

    /// What was delivered, by the events' numbers.
    pub(super) fn deliveries(&self) -> BTreeMap<i64, Vec<ReceivedWebhook>> {
        let mut deliveries: BTreeMap<i64, Vec<ReceivedWebhook>> = BTreeMap::new();
        for request in self.receiver.requests() {
            let number = body(&request)["number"].as_i64().unwrap();
            deliveries.entry(number).or_default().push(request);
        }
        deliveries
    }

    /// Checks that it was told every event of its organization, with the same id each time, and nothing else. The
    /// organization's sessions have names that begin with its own.
    pub(super) async fn assert_told_all(&self, world: &World<'_>) {
        let deliveries = self.deliveries();
        let organization = &self.organization;
        let events = format!(
            "SELECT CAST(e.number AS TEXT) FROM organization_events e JOIN organizations o
             ON o.id = e.organization_id WHERE o.name = '{organization}' AND e.number > {}",
            self.after
        );
        let happened: BTreeSet<i64> = world
            .texts(&events)
            .await
            .into_iter()
            .map(|number| number.parse().unwrap())
            .collect();
        let told: BTreeSet<i64> = deliveries.keys().copied().collect();
        assert_eq!(told, happened, "{organization}");
        let mut ids = BTreeSet::new();
        let mut organizations = BTreeSet::new();
        for (number, repeated) in &deliveries {
            let id = body(&repeated[0])["id"].clone();
            for request in repeated {
                assert!(request.is_signed_as_standard(&self.secret), "{number}");
                assert_eq!(request.header("webhook-id"), id.as_str(), "{number}");
                let body = body(request);
                assert_eq!(body["id"], id, "{number}");
                organizations.insert(body["organization_id"].to_string());
                let session = body["session_name"].as_str();
                let is_own = session.is_none_or(|name| name.starts_with(&organization.to_lowercase()));
                assert!(is_own, "{organization} was told of {session:?}");
            }
            assert!(ids.insert(id.to_string()), "event {number} has another's id");
        }
        assert_eq!(organizations.len(), 1, "{organizations:?}");
    }
}

fn body(request: &ReceivedWebhook) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

const UNTOLD: &str = "SELECT CAST(count(*) AS TEXT) FROM webhook_endpoints e WHERE
    EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting')
    OR e.position < (SELECT max(v.number) FROM organization_events v
                     WHERE v.organization_id = e.organization_id)";

/// Waits until everything that has happened is delivered.
pub(super) async fn all_told(world: &World<'_>) {
    eventually(async || world.number(UNTOLD).await == 0).await;
}

/// Lets the time pass for which processes that are dead, and those that are not, have what they try to deliver.
pub(super) async fn pass_time_of_the_dead(world: &World<'_>) {
    let due = "UPDATE webhook_deliveries SET due_at = 0 WHERE state = 'waiting'";
    world.database.execute_unguarded(due).await;
}
