//! The organization, for its members and for operators.

use std::time::Duration;

use wahana_domain::{Language, OrganizationId, OrganizationLimits, OrganizationState, Retention, Role};
use wahana_store::organizations::{self, OrganizationChange};
use wahana_testkit::{database::TestDatabase, on_both_databases, rows};

use crate::world::{START, World, address};

async fn what_is_changed_changes_and_the_rest_stays(db: &TestDatabase) {
    let world = World::new(db).await;
    world.clock.advance(Duration::from_secs(5));
    let tx = world.write(&world.a).await;
    let before = organizations::get(&tx).await.unwrap().unwrap();
    organizations::update(
        &tx,
        &OrganizationChange {
            country: Some(Some("ID".parse().unwrap())),
            time_zone: Some("Asia/Jakarta".parse().unwrap()),
            ..Default::default()
        },
    )
    .await
    .unwrap();
    let after = organizations::get(&tx).await.unwrap().unwrap();
    let mut expected = before.clone();
    expected.country = Some("ID".parse().unwrap());
    expected.time_zone = "Asia/Jakarta".parse().unwrap();
    expected.updated_at = START.plus(Duration::from_secs(5));
    assert_eq!(after, expected);

    let retention = Retention {
        messages_days: Some(30),
        media_days: None,
        audit_days: Some(90),
    };
    organizations::update(
        &tx,
        &OrganizationChange {
            name: Some("Alpha Ltd".to_owned()),
            country: Some(None),
            language: Some(Language::Indonesian),
            retention: Some(retention),
            restarts_silent_sessions: Some(true),
            resends_lost_messages: Some(true),
            keeps_message_texts: Some(false),
            ..Default::default()
        },
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    "Alpha Ltd".clone_into(&mut expected.name);
    expected.country = None;
    expected.language = Language::Indonesian;
    expected.retention = retention;
    expected.restarts_silent_sessions = true;
    expected.resends_lost_messages = true;
    expected.keeps_message_texts = false;
    let tx = world.platform_read().await;
    assert_eq!(tx.organization(world.a.id()).await.unwrap().unwrap(), expected);
    assert_eq!(
        tx.organization(world.b.id()).await.unwrap().unwrap().name,
        "Beta",
        "another organization stays as it was"
    );
}

async fn operators_list_count_and_find_organizations(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.platform_write().await;
    let gamma = rows::organization("Gamma", START);
    let other_gamma = rows::organization("Gamma", START.plus(Duration::from_secs(1)));
    for organization in [&other_gamma, &gamma] {
        tx.insert_organization(organization).await.unwrap();
    }
    assert_eq!(tx.organization_count().await.unwrap(), 4);
    let all = tx.organizations(0, 10).await.unwrap();
    let names: Vec<_> = all
        .iter()
        .map(|organization| organization.name.as_str())
        .collect();
    assert_eq!(names, ["Alpha", "Beta", "Gamma", "Gamma"]);
    assert_eq!(tx.organizations(1, 2).await.unwrap(), all[1..3]);
    assert!(tx.organizations(4, 10).await.unwrap().is_empty());
    assert!(tx.organizations(u64::MAX, u64::MAX).await.unwrap().is_empty());
    assert_eq!(
        tx.organizations_named("Gamma").await.unwrap(),
        [gamma, other_gamma]
    );
    assert!(tx.organizations_named("gamma").await.unwrap().is_empty());
}

async fn operators_set_state_and_limit(db: &TestDatabase) {
    let world = World::new(db).await;
    world.clock.advance(Duration::from_secs(1));
    let tx = world.platform_write().await;
    let id = world.a.id();
    assert!(
        tx.set_organization_state(id, OrganizationState::Suspended)
            .await
            .unwrap()
    );
    let limits = OrganizationLimits {
        sessions: Some(3),
        messages_per_minute: Some(4),
        messages_per_hour: Some(5),
        media_per_minute: Some(6),
        media_per_hour: Some(7),
        requests_per_minute: Some(8),
        organization_messages_per_minute: Some(9),
        organization_messages_per_hour: Some(10),
        monthly_messages: Some(11),
        queued_messages: Some(12),
    };
    assert!(tx.set_organization_limits(id, &limits).await.unwrap());
    let changed = tx.organization(id).await.unwrap().unwrap();
    assert_eq!(
        (changed.state, changed.limits, changed.updated_at),
        (
            OrganizationState::Suspended,
            limits,
            START.plus(Duration::from_secs(1))
        )
    );
    let none = OrganizationLimits::default();
    assert!(tx.set_organization_limits(id, &none).await.unwrap());
    assert_eq!(tx.organization(id).await.unwrap().unwrap().limits, none);
    let other = tx.organization(world.b.id()).await.unwrap().unwrap();
    assert_eq!(
        (other.state, other.updated_at),
        (OrganizationState::Active, START)
    );

    let unknown = OrganizationId::new();
    assert!(
        !tx.set_organization_state(unknown, OrganizationState::Closed)
            .await
            .unwrap()
    );
    assert!(!tx.set_organization_limits(unknown, &limits).await.unwrap());
    assert_eq!(tx.organization(unknown).await.unwrap(), None);
    assert_eq!(tx.tenant(unknown).await.unwrap(), None);
    assert_eq!(tx.tenant(id).await.unwrap(), Some(world.a.tenant));
}

async fn membership_is_known_by_address(db: &TestDatabase) {
    let world = World::new(db).await;
    world.member(&world.a, "Agent@Example.com", Role::Agent).await;
    world.user("stranger@example.com").await;
    let tx = world.platform_read().await;
    for (organization, email, is_member) in [
        (&world.a, "agent@EXAMPLE.com", true),
        (&world.b, "agent@example.com", false),
        (&world.a, "stranger@example.com", false),
        (&world.a, "nobody@example.com", false),
    ] {
        assert_eq!(
            tx.is_member(organization.id(), &address(email)).await.unwrap(),
            is_member,
            "{email}"
        );
    }
}

on_both_databases!(
    what_is_changed_changes_and_the_rest_stays,
    operators_list_count_and_find_organizations,
    operators_set_state_and_limit,
    membership_is_known_by_address,
);
