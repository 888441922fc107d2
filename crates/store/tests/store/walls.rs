//! The wall of types, alone: PostgreSQL's row security is switched off, and SQLite has none.

use std::fmt::{Debug, Write};

use wahana_domain::{
    DeliveryStatus, DesiredStatus, Language, PhoneNumber, Role, SessionStatus, StatusFilter,
};
use wahana_store::{
    CachedRead, TenantTx, access_tokens,
    activity::Tally,
    audit::{self, AuditQuery},
    idempotency, invitations, members,
    messages::{self, Accepted, HistoryQuery},
    organization_events,
    organizations::{self, OrganizationChange},
    sessions::{
        self, Observation, ServersOfSessions, SessionChange, SessionNamed, SessionQuery, SessionReference,
        SessionSort, StatusNews,
    },
    webhooks::{self, DeliveryQuery},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Belongings, TestOrganization, World};

/// Every table with rows of organizations.
const TABLES: [&str; 17] = [
    "organizations",
    "memberships",
    "invitations",
    "access_tokens",
    "access_token_sessions",
    "sessions",
    "messages",
    "message_contents",
    "idempotency_keys",
    "erasures",
    "audit_entries",
    "organization_events",
    "organization_event_counters",
    "webhook_endpoints",
    "webhook_deliveries",
    "webhook_attempts",
    "users",
];

async fn world_without_row_security(db: &TestDatabase) -> (World, Belongings, Belongings) {
    let world = World::new(db).await;
    let of_a = world.fill(&world.a).await;
    let of_b = world.fill(&world.b).await;
    if db.is_postgres() {
        for table in TABLES {
            db.execute_unguarded(&format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"))
                .await;
        }
    }
    (world, of_a, of_b)
}

fn all_sessions() -> SessionQuery {
    SessionQuery {
        search: None,
        status: StatusFilter::All,
        health: None,
        sort: SessionSort::CreatedAt,
        descending: false,
        page: 1,
        per_page: 100,
        only: None,
    }
}

/// Everything that an organization can read without naming a row, as text.
async fn everything(tx: &TenantTx) -> String {
    let mut text = String::new();
    let mut add = |part: &dyn Debug| writeln!(text, "{part:?}").unwrap();
    add(&organizations::get(tx).await.unwrap());
    add(&members::page(tx, 0, 100).await.unwrap());
    add(&members::owner_count(tx).await.unwrap());
    add(&invitations::open_page(tx, 0, 100).await.unwrap());
    add(&access_tokens::page(tx, 0, 100).await.unwrap());
    add(&sessions::count(tx).await.unwrap());
    add(&all_sessions().load(tx).await.unwrap());
    add(&sessions::servers(tx, None).await.unwrap());
    add(&ServersOfSessions { only: None }.load(tx).await.unwrap());
    add(&audit::page(tx, &AuditQuery::default(), 100).await.unwrap());
    let history = HistoryQuery::default();
    add(&messages::history(tx, &history, 100).await.unwrap());
    add(&organization_events::last_number(tx).await.unwrap());
    add(&organization_events::following(tx, 0, 100).await.unwrap());
    for endpoint in webhooks::endpoints(tx).await.unwrap() {
        let all = DeliveryQuery {
            state: None,
            sessions: None,
            before: None,
            limit: 100,
        };
        add(&webhooks::page(tx, endpoint.id, &all).await.unwrap());
        add(&endpoint);
    }
    text
}

async fn lists_and_counts_hold_the_organizations_own_rows(db: &TestDatabase) {
    let (world, of_a, of_b) = world_without_row_security(db).await;
    for (own, foreign, own_rows, foreign_rows) in [
        (&world.a, &world.b, &of_a, &of_b),
        (&world.b, &world.a, &of_b, &of_a),
    ] {
        let tx = world.read(own).await;
        let text = everything(&tx).await;
        for id in ids(own, own_rows) {
            assert!(text.contains(&id), "{id} is missing");
        }
        for id in ids(foreign, foreign_rows) {
            assert!(!text.contains(&id), "{id} is another organization's");
        }
        assert_eq!(members::owner_count(&tx).await.unwrap(), 1);
        assert_eq!(sessions::count(&tx).await.unwrap(), 1);
        assert_eq!(members::page(&tx, 0, 10).await.unwrap().1, 1);
        assert_eq!(invitations::open_page(&tx, 0, 10).await.unwrap().1, 1);
        assert_eq!(access_tokens::page(&tx, 0, 10).await.unwrap().1, 1);
        assert_eq!(all_sessions().load(&tx).await.unwrap().total, 1);
    }
}

fn ids(organization: &TestOrganization, rows: &Belongings) -> [String; 7] {
    [
        organization.id().to_string(),
        organization.owner.to_string(),
        rows.session.id.to_string(),
        rows.token.to_string(),
        rows.invitation.to_string(),
        rows.endpoint.to_string(),
        rows.delivery.to_string(),
    ]
}

async fn a_foreign_id_finds_what_a_missing_one_finds(db: &TestDatabase) {
    let (world, of_a, of_b) = world_without_row_security(db).await;
    let tx = world.read(&world.a).await;
    assert!(messages::get(&tx, of_a.message).await.unwrap().is_some());
    assert!(messages::get(&tx, of_b.message).await.unwrap().is_none());
    assert!(messages::content(&tx, of_a.message).await.unwrap().is_some());
    assert!(messages::content(&tx, of_b.message).await.unwrap().is_none());
    assert!(members::get(&tx, world.b.owner).await.unwrap().is_none());
    assert!(invitations::get(&tx, of_b.invitation).await.unwrap().is_none());
    assert!(access_tokens::get(&tx, &of_b.token).await.unwrap().is_none());
    assert!(webhooks::endpoint(&tx, of_a.endpoint).await.unwrap().is_some());
    assert!(webhooks::endpoint(&tx, of_b.endpoint).await.unwrap().is_none());
    assert!(webhooks::delivery(&tx, of_b.delivery).await.unwrap().is_none());
    assert!(
        webhooks::attempts_of(&tx, of_b.delivery, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let foreign = of_b.session.id;
    assert!(sessions::with_ids(&tx, &[foreign]).await.unwrap().is_empty());
    let reference = SessionReference::Id(foreign);
    for only in [None, Some(&[foreign][..])] {
        assert!(sessions::get(&tx, &reference, only).await.unwrap().is_none());
        assert!(sessions::servers(&tx, Some(&[foreign])).await.unwrap().is_empty());
    }
    let named = SessionNamed {
        reference,
        only: None,
    };
    assert!(named.load(&tx).await.unwrap().is_none());
    let mut query = all_sessions();
    query.only = Some([foreign].into());
    assert_eq!(query.load(&tx).await.unwrap().total, 0);
    let by_name = sessions::get(&tx, &SessionReference::Name(of_b.session.name.clone()), None).await;
    assert_eq!(
        by_name.unwrap().unwrap().id,
        of_a.session.id,
        "both have one of this name"
    );
    let mut of_b_alone = world.new_session(&world.b, "of-b-alone");
    let number = PhoneNumber::parse("+6281234567890").unwrap();
    of_b_alone.phone_number = Some(number.clone());
    world.add(&world.b, &of_b_alone).await;
    assert!(!sessions::name_exists(&tx, &of_b_alone.name).await.unwrap());
    let taken = sessions::number_is_taken(&tx, &number, of_a.session.id)
        .await
        .unwrap();
    assert!(!taken, "nobody learns that it is another organization's");
    for query in [
        AuditQuery {
            user: Some(world.b.owner),
            ..Default::default()
        },
        AuditQuery {
            session: Some(foreign),
            ..Default::default()
        },
    ] {
        assert!(audit::page(&tx, &query, 10).await.unwrap().is_empty());
    }
}

async fn no_webhook_changes(tx: &TenantTx, of_b: &Belongings) {
    assert!(webhooks::lock(tx, of_b.endpoint).await.unwrap().is_none());
    assert!(!webhooks::disable(tx, of_b.endpoint, "no").await.unwrap());
    assert!(!webhooks::delete(tx, of_b.endpoint).await.unwrap());
    assert!(!webhooks::replay_delivery(tx, of_b.delivery).await.unwrap());
    let until = tx.now();
    let replayed = webhooks::replay_failed(tx, of_b.endpoint, until, 10).await;
    assert_eq!(replayed.unwrap(), 0);
    assert_eq!(webhooks::give_up_waiting(tx, of_b.endpoint, 10).await.unwrap(), 0);
    assert_eq!(
        webhooks::delete_deliveries(tx, of_b.endpoint, 10).await.unwrap(),
        0
    );
}

async fn no_change_reaches_a_foreign_row(db: &TestDatabase) {
    let (world, _, of_b) = world_without_row_security(db).await;
    let before = everything(&world.read(&world.b).await).await;
    let message_before = messages::get(&world.read(&world.b).await, of_b.message)
        .await
        .unwrap();
    world.clock.advance(std::time::Duration::from_mins(1));

    let foreign = of_b.session.id;
    let tx = world.read(&world.b).await;
    let owner_of_b = members::get(&tx, world.b.owner).await.unwrap().unwrap();
    drop(tx);
    let tx = world.write(&world.a).await;
    assert!(!members::set_role(&tx, world.b.owner, Role::Viewer).await.unwrap());
    assert!(!members::remove(&tx, world.b.owner).await.unwrap());
    assert!(!invitations::revoke(&tx, of_b.invitation).await.unwrap());
    let roles = Role::ALL;
    invitations::revoke_made_by(&tx, world.b.owner, &roles)
        .await
        .unwrap();
    invitations::revoke_of_member(&tx, &owner_of_b).await.unwrap();
    assert!(!access_tokens::revoke(&tx, &of_b.token).await.unwrap());
    assert_eq!(
        access_tokens::revoke_of_user(&tx, world.b.owner).await.unwrap(),
        0
    );
    messages::set_outcome(&tx, of_b.message, DeliveryStatus::Failed, "no")
        .await
        .unwrap();
    assert!(!messages::cancel(&tx, of_b.message, "no").await.unwrap());
    messages::put_back(&tx, of_b.message, "no").await.unwrap();
    messages::wait_to_settle(&tx, of_b.message, Some(tx.now()))
        .await
        .unwrap();
    messages::forget_content(&tx, of_b.message).await.unwrap();
    idempotency::release(&tx, of_b.message).await.unwrap();
    assert!(
        idempotency::find(&tx, "key")
            .await
            .unwrap()
            .is_some_and(|key| key.message != of_b.message)
    );
    assert!(messages::expire(&tx, foreign).await.unwrap().is_empty());
    assert!(messages::abandoned(&tx, foreign).await.unwrap().is_empty());
    no_webhook_changes(&tx, &of_b).await;
    let renamed = SessionChange {
        display_name: Some(Some("taken".to_owned())),
        ..Default::default()
    };
    sessions::update(&tx, foreign, &renamed).await.unwrap();
    assert!(
        !sessions::set_desired_status(&tx, foreign, DesiredStatus::Stopped)
            .await
            .unwrap()
    );
    let accepted = Accepted {
        id: of_b.message,
        key: "ABC",
        waha_message_id: "true_1@c.us_ABC",
        happened_at: tx.now(),
    };
    let mut tally = Tally::new();
    messages::accept(&tx, foreign, accepted, &mut tally)
        .await
        .unwrap();
    tally.write(&tx, foreign).await.unwrap();
    assert!(sessions::lock(&tx, foreign).await.unwrap().is_none());
    let news = StatusNews {
        waha_status: "FAILED".to_owned(),
        phone_number: None,
        happened_at: tx.now(),
    };
    assert!(!sessions::hear(&tx, foreign, &news).await.unwrap());
    let observation = Observation {
        waha_status: Some("FAILED".to_owned()),
        phone_number: None,
        asked_at: tx.now(),
    };
    let change = observation.change(&of_b.session).unwrap();
    assert_eq!(change.status, SessionStatus::Error);
    sessions::observe(&tx, &change).await.unwrap();
    assert!(!sessions::delete(&tx, foreign).await.unwrap());
    let renamed = OrganizationChange {
        name: Some("Mine".to_owned()),
        language: Some(Language::Indonesian),
        ..Default::default()
    };
    organizations::update(&tx, &renamed).await.unwrap();
    tx.commit().await.unwrap();

    let tx = world.read(&world.b).await;
    assert_eq!(everything(&tx).await, before);
    assert_eq!(messages::get(&tx, of_b.message).await.unwrap(), message_before);
    assert!(messages::content(&tx, of_b.message).await.unwrap().is_some());
    assert!(idempotency::find(&tx, "key").await.unwrap().is_some());
}

/// Rows that name B themselves become A's.
async fn what_is_added_belongs_to_the_transactions_organization(db: &TestDatabase) {
    let (world, of_a, _) = world_without_row_security(db).await;
    let before = everything(&world.read(&world.b).await).await;
    let session = world.new_session(&world.b, "smuggled");
    let mut token = world.new_token(&world.b, "smuggled");
    token.user_id = world.a.owner;
    token.sessions = Some(vec![of_a.session.id]);
    let invitation = world.new_invitation(&world.b, "smuggled@example.com");
    let entry = world.entry(Some(&world.b), "smuggled");
    let secret = wahana_domain::Secret::generate().hash();

    let tx = world.write(&world.a).await;
    sessions::insert(&tx, &session).await.unwrap();
    access_tokens::insert(&tx, &token, &secret).await.unwrap();
    invitations::insert(&tx, &invitation, &secret).await.unwrap();
    audit::insert(&tx, &entry).await.unwrap();
    tx.commit().await.unwrap();

    let tx = world.read(&world.b).await;
    assert_eq!(everything(&tx).await, before);
    drop(tx);
    let tx = world.read(&world.a).await;
    let a = world.a.id();
    let found = sessions::get(&tx, &SessionReference::Id(session.id), None)
        .await
        .unwrap();
    assert_eq!(found.unwrap().organization_id, a);
    let found = access_tokens::get(&tx, &token.id).await.unwrap();
    assert_eq!(found.unwrap().organization_id, a);
    let found = invitations::get(&tx, invitation.id).await.unwrap();
    assert_eq!(found.unwrap().organization_id, a);
    let page = audit::page(&tx, &AuditQuery::default(), 100).await.unwrap();
    let found = page.iter().find(|found| found.id == entry.id).unwrap();
    assert_eq!(found.organization_id, Some(a));
}

on_both_databases!(
    lists_and_counts_hold_the_organizations_own_rows,
    a_foreign_id_finds_what_a_missing_one_finds,
    no_change_reaches_a_foreign_row,
    what_is_added_belongs_to_the_transactions_organization,
);
