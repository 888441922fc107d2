//! Endpoints that take nothing, and those that are disabled.

use std::time::Duration;

use wahana_domain::{DeliveryState, EndpointState, LONGEST_PAUSE, OUTAGE_GAP, OrganizationState, Timestamp};
use wahana_store::webhooks::{self, AttemptEnd, AttemptOutcome, ClaimedEndpoint, EndpointChange};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use super::{LEASE, MANY, claim, conclude, deliveries_of, end, fan_out, happen, make, new_endpoint};
use crate::world::{START, World};

async fn an_endpoint_fails_from_its_first_failure_until_something_is_delivered(db: &TestDatabase) {
    let world = World::new(db).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    let due = async || {
        let tx = world.platform_read().await;
        tx.endpoints_with_due_deliveries(None, MANY).await.unwrap()
    };
    assert!(due().await.is_empty());
    happen(&world.store, &world.a, None).await;
    fan_out(&world.store, &world.a).await;
    assert_eq!(due().await[0].endpoint, endpoint.id);
    assert!(!due().await[0].is_failing);
    let claimed = claim(&world.store, &world.a, endpoint.id, 1).await;
    let retry_at = START.plus(Duration::from_hours(1));
    let failing = conclude(&world, &claimed, AttemptOutcome::RetryAt(retry_at)).await;
    assert_eq!(failing.unwrap().failing_since, Some(START));
    assert!(due().await[0].is_failing);
    let waiting = world.platform_read().await.waiting_deliveries().await.unwrap();
    assert_eq!((waiting.deliveries, waiting.oldest_due), (2, Some(START)));
    let claimed = claim(&world.store, &world.a, endpoint.id, 10).await;
    assert_eq!(claimed.deliveries.len(), 1);
    let working = conclude(&world, &claimed, AttemptOutcome::Delivered).await;
    assert_eq!(working.unwrap().failing_since, None);
    assert!(due().await.is_empty());
    let waiting = world.platform_read().await.waiting_deliveries().await.unwrap();
    assert_eq!((waiting.deliveries, waiting.oldest_due), (1, None));
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(due().await.len(), 1);
    let tx = world.platform_write().await;
    tx.set_organization_state(world.a.id(), OrganizationState::Suspended)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(due().await.is_empty(), "a suspended organization gets nothing");
    // Nor from a process that saw it before.
    let tx = world.write(&world.a).await;
    let until = tx.now().plus(LEASE);
    assert!(
        webhooks::claim(&tx, endpoint.id, 1, until)
            .await
            .unwrap()
            .is_none()
    );
}

async fn failures_before_a_change_or_long_ago_are_not_counted(db: &TestDatabase) {
    let world = World::new(db).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    for _ in 0..3 {
        happen(&world.store, &world.a, None).await;
    }
    fan_out(&world.store, &world.a).await;
    let fail = async |claimed: &ClaimedEndpoint, at: Timestamp| {
        let tx = world.write(&world.a).await;
        let ended = AttemptEnd {
            started_at: at,
            ..end(&claimed.deliveries[0], AttemptOutcome::Failed)
        };
        let endpoint = webhooks::conclude(&tx, &claimed.endpoint, &[ended])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        endpoint.unwrap().failing_since
    };
    let claimed = claim(&world.store, &world.a, endpoint.id, 1).await;
    assert_eq!(fail(&claimed, START).await, Some(START));
    let claimed = claim(&world.store, &world.a, endpoint.id, 1).await;
    let soon = START.plus(OUTAGE_GAP / 2);
    assert_eq!(fail(&claimed, soon).await, Some(START));
    let claimed = claim(&world.store, &world.a, endpoint.id, 1).await;
    let long_after = soon.plus(OUTAGE_GAP);
    assert_eq!(fail(&claimed, long_after).await, Some(long_after));

    // What is tried while somebody names another address says nothing about that.
    let claimed = claim(&world.store, &world.a, endpoint.id, 1).await;
    world.clock.advance(Duration::from_secs(1));
    let tx = world.write(&world.a).await;
    let present = webhooks::lock(&tx, endpoint.id).await.unwrap().unwrap();
    let elsewhere = EndpointChange {
        url: Some("https://elsewhere.example/".to_owned()),
        ..EndpointChange::default()
    };
    webhooks::update(&tx, &present, &elsewhere).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fail(&claimed, long_after).await, None);
}

async fn a_disabled_endpoint_gets_nothing_and_begins_anew_when_enabled(db: &TestDatabase) {
    let world = World::new(db).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    happen(&world.store, &world.a, None).await;
    fan_out(&world.store, &world.a).await;
    let tx = world.write(&world.a).await;
    assert!(webhooks::disable(&tx, endpoint.id, "No more.").await.unwrap());
    assert!(!webhooks::disable(&tx, endpoint.id, "Again.").await.unwrap());
    for given_up in [1, 1, 0] {
        assert_eq!(
            webhooks::give_up_waiting(&tx, endpoint.id, 1).await.unwrap(),
            given_up
        );
    }
    tx.commit().await.unwrap();
    happen(&world.store, &world.a, None).await;
    assert_eq!(fan_out(&world.store, &world.a).await, 0);
    let tx = world.write(&world.a).await;
    let until = tx.now().plus(LEASE);
    assert!(
        webhooks::claim(&tx, endpoint.id, 1, until)
            .await
            .unwrap()
            .is_none()
    );
    let disabled = webhooks::lock(&tx, endpoint.id).await.unwrap().unwrap();
    assert_eq!(disabled.disabled_reason.as_deref(), Some("No more."));
    let deliveries = deliveries_of(&tx, endpoint.id).await;
    assert_eq!(deliveries.len(), 2);
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.state == DeliveryState::Failed)
    );
    let enable = EndpointChange {
        state: Some(EndpointState::Enabled),
        ..EndpointChange::default()
    };
    webhooks::update(&tx, &disabled, &enable).await.unwrap();
    let enabled = webhooks::endpoint(&tx, endpoint.id).await.unwrap().unwrap();
    assert_eq!((enabled.position, enabled.disabled_reason), (4, None));
    tx.commit().await.unwrap();
    assert_eq!(fan_out(&world.store, &world.a).await, 0);
}

async fn what_nobody_comes_back_to_is_found(db: &TestDatabase) {
    let world = World::new(db).await;
    let stranded = async || {
        let tx = world.platform_read().await;
        tx.endpoints_with_stranded_deliveries(MANY).await.unwrap()
    };
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    let of_b = make(&world, &world.b, &new_endpoint()).await;
    for organization in [&world.a, &world.b] {
        happen(&world.store, organization, None).await;
        fan_out(&world.store, organization).await;
    }
    // A delivery is taken by a clock that is far ahead, and the other one waits as long as any does.
    world.clock.set(START.plus(Duration::from_hours(72)));
    let claimed = claim(&world.store, &world.a, endpoint.id, 1).await;
    world.clock.set(START);
    let other = claim(&world.store, &world.a, endpoint.id, 10).await;
    assert_eq!(other.deliveries.len(), 1);
    let longest = START.plus(LONGEST_PAUSE.mul_f64(1.1));
    conclude(&world, &other, AttemptOutcome::RetryAt(longest)).await;
    let found = stranded().await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].endpoint, found[0].tenant, found[0].is_enabled),
        (endpoint.id, world.a.tenant, true)
    );
    let tx = world.write(&world.a).await;
    assert_eq!(webhooks::hasten_waiting(&tx, endpoint.id).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(stranded().await.is_empty());
    let again = claim(&world.store, &world.a, endpoint.id, 10).await;
    assert_eq!(again.deliveries.len(), 1);
    assert_eq!(again.deliveries[0].delivery.id, claimed.deliveries[0].delivery.id);
    conclude(&world, &claimed, AttemptOutcome::Failed).await;
    conclude(&world, &again, AttemptOutcome::Delivered).await;
    let tx = world.read(&world.a).await;
    let delivery = webhooks::delivery(&tx, again.deliveries[0].delivery.id)
        .await
        .unwrap();
    assert_eq!(delivery.unwrap().state, DeliveryState::Delivered);
    drop(tx);

    let tx = world.write(&world.b).await;
    webhooks::disable(&tx, of_b.id, "No more.").await.unwrap();
    tx.commit().await.unwrap();
    let found = stranded().await;
    assert_eq!((found[0].endpoint, found[0].is_enabled), (of_b.id, false));
    let tx = world.write(&world.b).await;
    assert_eq!(webhooks::give_up_waiting(&tx, of_b.id, MANY).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert!(stranded().await.is_empty());
}

async fn an_endpoint_that_asked_for_it_is_left_alone(db: &TestDatabase) {
    let world = World::new(db).await;
    let endpoint = make(&world, &world.a, &new_endpoint()).await;
    happen(&world.store, &world.a, None).await;
    fan_out(&world.store, &world.a).await;
    let claimed = claim(&world.store, &world.a, endpoint.id, 1).await;
    let until = START.plus(LONGEST_PAUSE);
    let ended = AttemptEnd {
        not_before: Some(until),
        ..end(&claimed.deliveries[0], AttemptOutcome::RetryAt(until))
    };
    let tx = world.write(&world.a).await;
    webhooks::conclude(&tx, &claimed.endpoint, &[ended])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let is_tried = async || {
        let tx = world.platform_read().await;
        let due = tx.endpoints_with_due_deliveries(None, MANY).await.unwrap();
        drop(tx);
        let tx = world.write(&world.a).await;
        let claimed = webhooks::claim(&tx, endpoint.id, 1, tx.now().plus(LEASE))
            .await
            .unwrap();
        assert_eq!(claimed.is_some(), !due.is_empty());
        claimed.is_some()
    };
    assert!(!is_tried().await);
    let waiting = async || world.platform_read().await.waiting_deliveries().await.unwrap();
    assert_eq!(
        (waiting().await.deliveries, waiting().await.oldest_due),
        (2, None)
    );
    world.clock.set(until);
    assert!(is_tried().await);
    assert_eq!(waiting().await.oldest_due, Some(START));
    // By a clock that was ahead.
    world.clock.set(START.minus(Duration::from_hours(72)));
    let tx = world.write(&world.a).await;
    assert_eq!(webhooks::hasten_waiting(&tx, endpoint.id).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert!(is_tried().await);
    world.clock.set(START);
    assert!(!is_tried().await);
    let tx = world.write(&world.a).await;
    webhooks::end_pause(&tx, endpoint.id).await.unwrap();
    tx.commit().await.unwrap();
    assert!(is_tried().await);
}

on_both_databases!(
    what_nobody_comes_back_to_is_found,
    an_endpoint_that_asked_for_it_is_left_alone,
    an_endpoint_fails_from_its_first_failure_until_something_is_delivered,
    failures_before_a_change_or_long_ago_are_not_counted,
    a_disabled_endpoint_gets_nothing_and_begins_anew_when_enabled,
);
