//! Delivering what happens to addresses that organizations name.

mod failing;
mod unkept_texts;

use std::{collections::BTreeSet, time::Duration};

use secrecy::ExposeSecret as _;
use wahana_domain::{
    CustomHeader, DeliveryState, Happening, NewOrganizationEvent, SessionId, WebhookDelivery,
    WebhookEndpoint, WebhookEndpointId, WebhookSecret, WebhookStyle,
};
use wahana_store::{
    KeyRing, Store, TenantTx,
    organization_events::{self, EventRange, WrittenEvent},
    webhooks::{
        self, AttemptEnd, AttemptOutcome, ClaimedDelivery, ClaimedEndpoint, DeliveryQuery, NewEndpoint,
        Replayed,
    },
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, TestOrganization, World};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HEADER: &str = "a credential of theirs";
const MANY: u64 = 1000;
const LEASE: Duration = Duration::from_mins(2);

pub(crate) fn new_endpoint() -> NewEndpoint {
    NewEndpoint {
        url: "https://receiver.example/hook".to_owned(),
        description: None,
        style: WebhookStyle::Standard,
        events: None,
        sessions: None,
        headers: vec![CustomHeader::parse("x-key", HEADER).unwrap()],
        secret: WebhookSecret::parse(SECRET, WebhookStyle::Standard).unwrap(),
        created_by: None,
    }
}

fn told_as(endpoint: &WebhookEndpoint, event: &WrittenEvent) -> Vec<String> {
    let is_wanted = endpoint.wants(&event.event_type, event.session);
    is_wanted.then(|| event.event_type.clone()).into_iter().collect()
}

pub(crate) async fn make(
    world: &World,
    organization: &TestOrganization,
    new: &NewEndpoint,
) -> WebhookEndpoint {
    let tx = world.write(organization).await;
    let endpoint = webhooks::insert(&tx, new).await.unwrap();
    tx.commit().await.unwrap();
    endpoint
}

/// Lets events happen: one of a code, and one of the session's making.
async fn happen(store: &Store, organization: &TestOrganization, session: Option<SessionId>) {
    let tx = store.write(organization.tenant).await.unwrap();
    for happening in [Happening::SessionQr, Happening::SessionCreated] {
        organization_events::raise(
            &tx,
            NewOrganizationEvent {
                session,
                message: None,
                happened_at: START,
                happening,
            },
        );
    }
    tx.commit().await.unwrap();
}

pub(crate) async fn fan_out(store: &Store, organization: &TestOrganization) -> usize {
    let mut made = 0;
    loop {
        let tx = store.write(organization.tenant).await.unwrap();
        let done = webhooks::fan_out(&tx, &told_as, 7).await.unwrap();
        tx.commit().await.unwrap();
        made += done.deliveries;
        if !done.has_more {
            return made;
        }
    }
}

async fn deliveries_of(tx: &TenantTx, endpoint: WebhookEndpointId) -> Vec<WebhookDelivery> {
    let all = DeliveryQuery {
        state: None,
        sessions: None,
        before: None,
        limit: MANY,
    };
    let mut deliveries = webhooks::page(tx, endpoint, &all).await.unwrap();
    deliveries.reverse();
    deliveries
}

pub(crate) async fn claim(
    store: &Store,
    organization: &TestOrganization,
    endpoint: WebhookEndpointId,
    limit: u64,
) -> ClaimedEndpoint {
    let tx = store.write(organization.tenant).await.unwrap();
    let until = tx.now().plus(LEASE);
    let claimed = webhooks::claim(&tx, endpoint, limit, until).await.unwrap();
    tx.commit().await.unwrap();
    claimed.unwrap()
}

fn end(claimed: &ClaimedDelivery, outcome: AttemptOutcome) -> AttemptEnd {
    AttemptEnd {
        claimed: claimed.clone(),
        started_at: START,
        duration: Duration::from_millis(12),
        status: Some(200),
        error: None,
        answer: Some("thank you".to_owned()),
        outcome,
        was_sent: true,
        not_before: None,
    }
}

pub(crate) async fn conclude(
    world: &World,
    claimed: &ClaimedEndpoint,
    outcome: AttemptOutcome,
) -> Option<WebhookEndpoint> {
    let ends: Vec<_> = claimed
        .deliveries
        .iter()
        .map(|claimed| end(claimed, outcome))
        .collect();
    let tx = world.write(&world.a).await;
    let endpoint = webhooks::conclude(&tx, &claimed.endpoint, &ends).await.unwrap();
    tx.commit().await.unwrap();
    endpoint
}

async fn every_event_becomes_one_delivery_whoever_writes_and_whoever_looks(db: &TestDatabase) {
    let world = World::new(db).await;
    let other = db.store(world.clock.clone()).await;
    happen(&world.store, &world.a, None).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    assert_eq!(endpoint.position, 2, "what happened before is not told");
    let writers = async {
        for _ in 0..20 {
            tokio::join!(
                happen(&world.store, &world.a, None),
                happen(&other, &world.a, None)
            );
        }
    };
    let lookers = async {
        for _ in 0..10 {
            tokio::join!(fan_out(&world.store, &world.a), fan_out(&other, &world.a));
        }
    };
    tokio::join!(writers, lookers);
    fan_out(&world.store, &world.a).await;
    let tx = world.read(&world.a).await;
    let numbers: Vec<_> = deliveries_of(&tx, endpoint.id)
        .await
        .iter()
        .map(|delivery| delivery.event_number)
        .collect();
    let expected: Vec<_> = (3..=82).collect();
    assert_eq!(
        numbers.iter().copied().collect::<BTreeSet<_>>().len(),
        numbers.len()
    );
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    let endpoint = webhooks::endpoint(&tx, endpoint.id).await.unwrap().unwrap();
    assert_eq!(endpoint.position, 82);
    drop(tx);
    let tx = world.platform_read().await;
    assert!(
        tx.organizations_with_new_events(None, None, MANY)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn an_endpoint_gets_its_own_events_alone(db: &TestDatabase) {
    let world = World::new(db).await;
    let (own, other) = (
        world.session(&world.a, "own").await,
        world.session(&world.a, "other").await,
    );
    let some = NewEndpoint {
        events: Some(vec!["session.qr".to_owned()]),
        sessions: Some(vec![own.id]),
        ..new_endpoint()
    };
    let limited = make(&world, &world.a, &some).await;
    let all = make(&world, &world.a, &new_endpoint()).await;
    let of_b = make(&world, &world.b, &new_endpoint()).await;
    for session in [Some(own.id), Some(other.id), None] {
        happen(&world.store, &world.a, session).await;
    }
    assert_eq!(fan_out(&world.store, &world.a).await, 7);
    assert_eq!(fan_out(&world.store, &world.b).await, 0);
    let tx = world.read(&world.a).await;
    let names = |deliveries: Vec<WebhookDelivery>| -> Vec<String> {
        deliveries
            .into_iter()
            .map(|delivery| delivery.event_name)
            .collect()
    };
    assert_eq!(names(deliveries_of(&tx, limited.id).await), ["session.qr"]);
    assert_eq!(deliveries_of(&tx, all.id).await.len(), 6);
    for id in [limited.id, all.id] {
        let position = webhooks::endpoint(&tx, id).await.unwrap().unwrap().position;
        assert_eq!(position, organization_events::last_number(&tx).await.unwrap());
    }
    assert!(webhooks::endpoint(&tx, of_b.id).await.unwrap().is_none());
    assert!(deliveries_of(&tx, of_b.id).await.is_empty());
}

async fn two_processes_do_not_try_the_same_delivery_until_its_time_is_over(db: &TestDatabase) {
    let world = World::new(db).await;
    let other = db.store(world.clock.clone()).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    for _ in 0..5 {
        happen(&world.store, &world.a, None).await;
    }
    fan_out(&world.store, &world.a).await;
    let (one, two) = tokio::join!(
        claim(&world.store, &world.a, endpoint.id, 6),
        claim(&other, &world.a, endpoint.id, 6),
    );
    let ids: BTreeSet<_> = [&one, &two]
        .into_iter()
        .flat_map(|claimed| &claimed.deliveries)
        .map(|claimed| claimed.delivery.id)
        .collect();
    assert_eq!(ids.len(), 10);
    assert_eq!(one.signing.secrets[0].expose(), SECRET);
    assert_eq!(one.signing.headers[0].value, HEADER);
    assert!(
        claim(&other, &world.a, endpoint.id, 6)
            .await
            .deliveries
            .is_empty()
    );

    // The first does not come back.
    world.clock.advance(LEASE);
    let again = claim(&other, &world.a, endpoint.id, 20).await;
    assert_eq!(again.deliveries.len(), 10);
    assert!(
        again
            .deliveries
            .iter()
            .all(|claimed| claimed.delivery.attempts == 1),
        "what a process did not come back from is no failure of the receiver's"
    );
    conclude(&world, &one, AttemptOutcome::Delivered).await;
    let first = one.deliveries[0].delivery.id;
    let tx = world.read(&world.a).await;
    let delivery = webhooks::delivery(&tx, first).await.unwrap().unwrap();
    assert_eq!(
        delivery.state,
        DeliveryState::Waiting,
        "somebody else tries it by then"
    );
    assert_eq!(webhooks::attempts_of(&tx, first, MANY).await.unwrap().len(), 1);
    drop(tx);
    conclude(&world, &again, AttemptOutcome::Delivered).await;
    let tx = world.read(&world.a).await;
    let delivery = webhooks::delivery(&tx, first).await.unwrap().unwrap();
    assert_eq!(
        (delivery.state, delivery.next_attempt_at),
        (DeliveryState::Delivered, None)
    );
    let attempts = webhooks::attempts_of(&tx, first, MANY).await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.number).sum::<i64>(), 2);
    assert_eq!(attempts[0].answer.as_deref(), Some("thank you"));
}

async fn what_is_given_back_is_due_and_was_not_tried(db: &TestDatabase) {
    let world = World::new(db).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    happen(&world.store, &world.a, None).await;
    fan_out(&world.store, &world.a).await;
    let claimed = claim(&world.store, &world.a, endpoint.id, 1).await;
    let tx = world.write(&world.a).await;
    webhooks::give_back(&tx, &claimed.deliveries).await.unwrap();
    tx.commit().await.unwrap();
    let again = claim(&world.store, &world.a, endpoint.id, 10).await;
    assert!(
        again
            .deliveries
            .iter()
            .all(|claimed| claimed.delivery.attempts == 1)
    );
    assert_eq!(again.deliveries.len(), 2);
}

async fn what_is_delivered_again_is_the_same_delivery(db: &TestDatabase) {
    let world = World::new(db).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    for _ in 0..3 {
        happen(&world.store, &world.a, None).await;
    }
    fan_out(&world.store, &world.a).await;
    let before = deliveries_of(&world.read(&world.a).await, endpoint.id).await;
    let claimed = claim(&world.store, &world.a, endpoint.id, 4).await;
    conclude(&world, &claimed, AttemptOutcome::Failed).await;

    let tx = world.write(&world.a).await;
    let endpoint = webhooks::lock(&tx, endpoint.id).await.unwrap().unwrap();
    for again in [3, 1, 0] {
        let replayed = webhooks::replay_failed(&tx, endpoint.id, tx.now(), 3);
        assert_eq!(replayed.await.unwrap(), again);
    }
    tx.commit().await.unwrap();
    let claimed = claim(&world.store, &world.a, endpoint.id, 10).await;
    assert_eq!(claimed.deliveries.len(), 6);
    assert!(claimed.deliveries.iter().all(|one| one.delivery.attempts == 1));

    // While they are tried, they are asked for once more: what comes of the tries does not count.
    let tx = world.write(&world.a).await;
    let range = EventRange {
        from_number: 2,
        to_number: i64::MAX,
        since: None,
        until: None,
    };
    let some = webhooks::replay_range(&tx, &endpoint, &range, &told_as, 3)
        .await
        .unwrap();
    assert_eq!(
        some,
        Replayed {
            deliveries: 3,
            next_number: Some(5),
        }
    );
    let later = EventRange {
        from_number: 5,
        since: Some(START.plus(Duration::from_secs(1))),
        ..range
    };
    let none = webhooks::replay_range(&tx, &endpoint, &later, &told_as, 3)
        .await
        .unwrap();
    assert_eq!((none.deliveries, none.next_number), (0, None));
    let last = before.last().unwrap().id;
    assert!(webhooks::replay_delivery(&tx, last).await.unwrap());
    tx.commit().await.unwrap();
    conclude(&world, &claimed, AttemptOutcome::Delivered).await;
    let after = deliveries_of(&world.read(&world.a).await, endpoint.id).await;
    let ids = |deliveries: &[WebhookDelivery]| -> Vec<_> {
        deliveries
            .iter()
            .map(|delivery| (delivery.id, delivery.event_id))
            .collect()
    };
    assert_eq!(ids(&after), ids(&before));
    let waiting: Vec<_> = after
        .iter()
        .filter(|delivery| delivery.state == DeliveryState::Waiting)
        .map(|delivery| delivery.event_number)
        .collect();
    assert_eq!(waiting, [2, 3, 4, 6]);
}

async fn events_of_before_the_endpoint_can_be_delivered_if_they_are_kept(db: &TestDatabase) {
    let world = World::new(db).await;
    happen(&world.store, &world.a, None).await;
    world.clock.advance(Duration::from_hours(1));
    happen(&world.store, &world.a, None).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    happen(&world.store, &world.a, None).await;
    let tx = world.platform_write().await;
    let before = START.plus(Duration::from_secs(1));
    assert_eq!(tx.delete_organization_events(before, MANY).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let tx = world.write(&world.a).await;
    let range = EventRange {
        from_number: 1,
        to_number: 100,
        since: None,
        until: None,
    };
    let replayed = webhooks::replay_range(&tx, &endpoint, &range, &told_as, MANY)
        .await
        .unwrap();
    assert_eq!((replayed.deliveries, replayed.next_number), (2, None));
    tx.commit().await.unwrap();
    // What comes after the position comes by itself.
    assert_eq!(fan_out(&world.store, &world.a).await, 2);
}

async fn ended_deliveries_go_with_their_attempts_and_endpoints_with_everything(db: &TestDatabase) {
    let world = World::new(db).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    for _ in 0..2 {
        happen(&world.store, &world.a, None).await;
    }
    fan_out(&world.store, &world.a).await;
    let claimed = claim(&world.store, &world.a, endpoint.id, 2).await;
    conclude(&world, &claimed, AttemptOutcome::Delivered).await;
    let rows = async |table: &str| {
        let rows = db.texts_unguarded(&format!("SELECT 'row' FROM {table}")).await;
        rows.len()
    };
    let tx = world.platform_write().await;
    assert_eq!(tx.delete_ended_deliveries(START, MANY).await.unwrap(), 0);
    let later = START.plus(Duration::from_secs(1));
    assert_eq!(tx.delete_ended_deliveries(later, 1).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(rows("webhook_deliveries").await, 3);
    assert_eq!(rows("webhook_attempts").await, 1);
    let tx = world.write(&world.a).await;
    assert_eq!(webhooks::delete_deliveries(&tx, endpoint.id, 1).await.unwrap(), 1);
    assert!(webhooks::delete(&tx, endpoint.id).await.unwrap());
    assert!(!webhooks::delete(&tx, endpoint.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(rows("webhook_deliveries").await, 0);
    assert_eq!(rows("webhook_attempts").await, 0);
    // Who still tried one of them finds nothing to write.
    assert!(
        conclude(&world, &claimed, AttemptOutcome::Delivered)
            .await
            .is_none()
    );
}

async fn secrets_are_kept_encrypted_and_rotated_with_an_overlap(db: &TestDatabase) {
    let world = World::new(db).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    let next = WebhookSecret::generate();
    let tx = world.write(&world.a).await;
    let until = tx.now().plus(Duration::from_hours(24));
    assert!(webhooks::rotate(&tx, endpoint.id, &next, until).await.unwrap());
    tx.commit().await.unwrap();
    happen(&world.store, &world.a, None).await;
    fan_out(&world.store, &world.a).await;
    let text = if db.is_postgres() {
        "SELECT e::text FROM webhook_endpoints e".to_owned()
    } else {
        "SELECT url || header_names || hex(encrypted_secret) || hex(encrypted_headers) FROM webhook_endpoints"
            .to_owned()
    };
    let stored = db.texts_unguarded(&text).await.concat();
    assert!(stored.contains("x-key") && !stored.contains(SECRET) && !stored.contains(HEADER));

    // Both sign, whichever key of the ring encrypted them.
    let ring = db.keys().successor().unwrap();
    let ring = format!(
        "{}{}",
        ring.to_text().expose_secret(),
        db.keys().to_text().expose_secret()
    );
    let store = Store::open(
        &db.settings(),
        KeyRing::parse(&ring).unwrap(),
        world.clock.clone(),
    )
    .await
    .unwrap();
    let mut place = None;
    let mut changed = 0;
    loop {
        let tx = store.platform_write().await.unwrap();
        let some = tx.reencrypt_secrets(place, 1).await.unwrap();
        tx.commit().await.unwrap();
        changed += some.changed;
        assert_eq!(some.unreadable, 0);
        place = some.next;
        if place.is_none() {
            break;
        }
    }
    assert_eq!(changed, 4, "the WAHA server's key, two secrets and the headers");
    let used = store.platform_read().await.unwrap().keys_in_use().await.unwrap();
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [(2, 4)]);
    let claimed = claim(&store, &world.a, endpoint.id, 1).await;
    let secrets: Vec<_> = claimed
        .signing
        .secrets
        .iter()
        .map(WebhookSecret::expose)
        .collect();
    assert_eq!(secrets, [next.expose(), SECRET]);
    assert_eq!(claimed.signing.headers[0].value, HEADER);
    let printed = format!(
        "{claimed:?} {:?}",
        end(&claimed.deliveries[0], AttemptOutcome::Delivered)
    );
    for secret in [SECRET, next.expose(), HEADER, "thank you"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    world.clock.advance(Duration::from_hours(24));
    let claimed = claim(&store, &world.a, endpoint.id, 10).await;
    assert_eq!(claimed.signing.secrets.len(), 1);
}

on_both_databases!(
    every_event_becomes_one_delivery_whoever_writes_and_whoever_looks,
    an_endpoint_gets_its_own_events_alone,
    two_processes_do_not_try_the_same_delivery_until_its_time_is_over,
    what_is_given_back_is_due_and_was_not_tried,
    what_is_delivered_again_is_the_same_delivery,
    events_of_before_the_endpoint_can_be_delivered_if_they_are_kept,
    ended_deliveries_go_with_their_attempts_and_endpoints_with_everything,
    secrets_are_kept_encrypted_and_rotated_with_an_overlap,
);
