//! What one organization has much of delays no other.

use serde_json::json;
use tokio_util::sync::CancellationToken;
use wahana_domain::{Happening, NewOrganizationEvent, WebhookSecret, WebhookStyle};
use wahana_store::{
    Store, Tenant, TenantTx, organization_events,
    webhooks::{self, NewEndpoint},
};
use wahana_testkit::{
    app::Home,
    database::TestDatabase,
    on_both_databases,
    receiver::{Answer, WebhookReceiver},
    rows,
};

use crate::{OWNER_OF_B, Scene, WEBHOOKS, made, received};

/// More events than become deliveries in one turn.
const STORM: usize = 1000;

/// Lets more happen in an organization than is made deliveries of meanwhile, until told to stop.
async fn storm(store: Store, tenant: Tenant, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let tx = store.write(tenant).await.unwrap();
        for _ in 0..STORM {
            raise(&tx);
        }
        tx.commit().await.unwrap();
    }
}

fn raise(tx: &TenantTx) {
    let event = NewOrganizationEvent {
        session: None,
        message: None,
        happened_at: tx.now(),
        happening: Happening::SessionQr,
    };
    organization_events::raise(tx, event);
}

async fn a_storm_of_events_delays_no_other_organization(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let (of_a, of_b) = (
        WebhookReceiver::start().unwrap(),
        WebhookReceiver::start().unwrap(),
    );
    // What it is not told of is looked at too.
    scene
        .create(json!({"url": of_a.url("/"), "events": ["session.created"]}))
        .await;
    let owner = scene.app.actor(OWNER_OF_B).await;
    made(
        &owner
            .post_json(WEBHOOKS, &json!({"url": of_b.url("/"), "events": ["session.qr"]}))
            .await,
    );
    let stop = CancellationToken::new();
    let storming = tokio::spawn(storm(
        scene.app.store().clone(),
        scene.app.tenant(Home::A),
        stop.clone(),
    ));
    let position = async || {
        let rows = db
            .texts_unguarded("SELECT CAST(last_number AS TEXT) FROM organization_event_counters")
            .await;
        rows.iter()
            .map(|row| row.parse::<usize>().unwrap())
            .max()
            .unwrap_or(0)
    };
    while position().await < 5 * STORM {
        tokio::task::yield_now().await;
    }
    scene.happen(Home::B, None).await;
    received(&of_b, 1).await;
    assert!(!storming.is_finished(), "it went on until then");
    stop.cancel();
    storming.await.unwrap();
}

/// How many organizations have slow receivers, and how many each: together more than half of what is sent at a time.
const SLOW: (usize, usize) = (5, 8);

async fn slow_receivers_of_several_organizations_delay_no_other(db: &TestDatabase) {
    let scene = Scene::open(db).await;
    let (slow, quick) = (
        WebhookReceiver::start().unwrap(),
        WebhookReceiver::start().unwrap(),
    );
    slow.answer_otherwise(Answer::hang());
    let store = scene.app.store();
    for number in 0..SLOW.0 {
        let tx = store.platform_write().await.unwrap();
        let organization = rows::organization(&format!("slow {number}"), tx.now());
        tx.insert_organization(&organization).await.unwrap();
        let tenant = tx.tenant(organization.id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let tx = store.write(tenant).await.unwrap();
        for place in 0..SLOW.1 {
            let endpoint = NewEndpoint {
                url: slow.url(&format!("/{number}/{place}")),
                description: None,
                style: WebhookStyle::Standard,
                events: None,
                sessions: None,
                headers: Vec::new(),
                secret: WebhookSecret::generate(),
                created_by: None,
            };
            webhooks::insert(&tx, &endpoint).await.unwrap();
        }
        raise(&tx);
        tx.commit().await.unwrap();
    }
    received(&slow, SLOW.0 * SLOW.1).await;
    let owner = scene.app.actor(OWNER_OF_B).await;
    made(&owner.post_json(WEBHOOKS, &json!({"url": quick.url("/")})).await);
    scene.happen(Home::B, None).await;
    received(&quick, 1).await;
    // Attempts take fifteen seconds at most, so all of them still hang.
    let ended = "SELECT 'ended' FROM webhook_attempts a JOIN webhook_deliveries d ON d.id = a.delivery_id
        WHERE d.state = 'waiting'";
    assert_eq!(db.texts_unguarded(ended).await.len(), 0);
}

on_both_databases!(
    a_storm_of_events_delays_no_other_organization,
    slow_receivers_of_several_organizations_delay_no_other,
);
