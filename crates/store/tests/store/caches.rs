//! What is remembered, for whom, and until when.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use wahana_domain::SignInId;
use wahana_store::{
    CachedRead, Caller, Callers, PresentedCredential, StoreError, TenantCache, TenantTx,
    organizations::{self, OrganizationChange},
    sessions::{ServersOfSessions, SessionNamed, SessionReference},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{TestOrganization, World};

/// Reads the organization's name, and counts how often.
#[derive(Clone)]
struct CountedRead(Arc<AtomicUsize>);

impl CachedRead for CountedRead {
    type Rows = String;

    async fn load(&self, tx: &TenantTx) -> Result<String, StoreError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(organizations::get(tx).await?.unwrap().name)
    }

    fn weight(_: &String) -> u32 {
        1
    }
}

/// All of them are the same read.
impl PartialEq for CountedRead {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for CountedRead {}

impl std::hash::Hash for CountedRead {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

async fn caller(world: &World, organization: &TestOrganization) -> Caller {
    let token = world.new_token(organization, "token");
    world.add_token(organization, &token).await;
    let tx = world.platform_read().await;
    let identity = tx.identity_of_access_token(&token.id).await.unwrap().unwrap();
    identity.caller(None).unwrap()
}

async fn rename(world: &World, organization: &TestOrganization, name: &str) {
    let tx = world.write(organization).await;
    let change = OrganizationChange {
        name: Some(name.to_owned()),
        ..Default::default()
    };
    organizations::update(&tx, &change).await.unwrap();
    tx.commit().await.unwrap();
}

async fn what_was_not_found_is_looked_for_again(db: &TestDatabase) {
    let world = World::new(db).await;
    let caller = caller(&world, &world.a).await;
    let cache = TenantCache::new(world.store.clone(), 100);
    let session = world.new_session(&world.a, "support");
    let read = SessionNamed {
        reference: SessionReference::Name(session.name.clone()),
        only: None,
    };
    assert!(cache.get(&caller, &read).await.unwrap().is_none());
    // Another process makes it: this one's count of changes does not move.
    let other = db.store(world.clock.clone()).await;
    let tx = other.write(caller.tenant()).await.unwrap();
    wahana_store::sessions::insert(&tx, &session).await.unwrap();
    tx.commit().await.unwrap();
    assert!(cache.get(&caller, &read).await.unwrap().is_some());
}
async fn each_organization_gets_its_own_rows(db: &TestDatabase) {
    let world = World::new(db).await;
    let (a, b) = (caller(&world, &world.a).await, caller(&world, &world.b).await);
    let cache = TenantCache::new(world.store.clone(), 100);
    let read = CountedRead(Arc::default());
    for _ in 0..2 {
        assert_eq!(cache.get(&a, &read).await.unwrap(), "Alpha");
        assert_eq!(cache.get(&b, &read).await.unwrap(), "Beta");
    }
    assert_eq!(read.0.load(Ordering::SeqCst), 2, "each was read once");
}

async fn a_change_of_the_organization_is_seen_at_once_and_costs_no_other(db: &TestDatabase) {
    let world = World::new(db).await;
    let (a, b) = (caller(&world, &world.a).await, caller(&world, &world.b).await);
    let cache = TenantCache::new(world.store.clone(), 100);
    let (of_a, of_b) = (CountedRead(Arc::default()), CountedRead(Arc::default()));
    cache.get(&a, &of_a).await.unwrap();
    cache.get(&b, &of_b).await.unwrap();
    rename(&world, &world.a, "Alpha Ltd").await;
    assert_eq!(cache.get(&a, &of_a).await.unwrap(), "Alpha Ltd");
    assert_eq!(cache.get(&b, &of_b).await.unwrap(), "Beta");
    let reads = (of_a.0.load(Ordering::SeqCst), of_b.0.load(Ordering::SeqCst));
    assert_eq!(reads, (2, 1));
}

async fn what_was_not_committed_costs_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    let a = caller(&world, &world.a).await;
    let cache = TenantCache::new(world.store.clone(), 100);
    let read = CountedRead(Arc::default());
    cache.get(&a, &read).await.unwrap();
    drop(world.write(&world.a).await);
    world.read(&world.a).await.commit().await.unwrap();
    cache.get(&a, &read).await.unwrap();
    assert_eq!(read.0.load(Ordering::SeqCst), 1);
}

async fn a_failed_read_is_not_remembered(db: &TestDatabase) {
    let world = World::new(db).await;
    let a = caller(&world, &world.a).await;
    let cache = TenantCache::new(world.store.clone(), 100);
    db.execute_unguarded("UPDATE organizations SET state = 'unreadable'")
        .await;
    let read = CountedRead(Arc::default());
    assert!(matches!(
        cache.get(&a, &read).await,
        Err(StoreError::Inconsistent {
            table: "organizations",
            column: "state",
            ..
        })
    ));
    db.execute_unguarded("UPDATE organizations SET state = 'active'")
        .await;
    assert_eq!(cache.get(&a, &read).await.unwrap(), "Alpha");
}

async fn sessions_and_their_servers_are_read_through_the_cache(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let (a, b) = (caller(&world, &world.a).await, caller(&world, &world.b).await);
    let named = TenantCache::new(world.store.clone(), 100);
    let servers = TenantCache::new(world.store.clone(), 100);
    for reference in ["sales".to_owned(), session.id.to_string()] {
        let mut read = SessionNamed {
            reference: SessionReference::parse(&reference).unwrap(),
            only: None,
        };
        assert_eq!(named.get(&a, &read).await.unwrap().as_deref(), Some(&session));
        assert!(named.get(&b, &read).await.unwrap().is_none());
        read.only = Some(Arc::from([]));
        assert!(
            named.get(&a, &read).await.unwrap().is_none(),
            "a limited caller's read is another"
        );
    }
    let read = ServersOfSessions { only: None };
    assert_eq!(*servers.get(&a, &read).await.unwrap(), [world.server]);
    assert!(servers.get(&b, &read).await.unwrap().is_empty());
}

async fn an_identity_is_remembered_until_it_is_forgotten(db: &TestDatabase) {
    let world = World::new(db).await;
    let (id, secret) = (SignInId::new(), wahana_domain::Secret::generate().hash());
    let presented = PresentedCredential::SignIn { id, secret };
    let callers = Callers::new(world.store.clone());
    assert!(callers.identify(&presented).await.unwrap().is_none());
    let expires_at = world.store.clock().now().plus(std::time::Duration::from_hours(1));
    let tx = world.platform_write().await;
    tx.insert_sign_in(id, world.a.owner, &secret, expires_at)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    callers.forget();
    assert!(callers.identify(&presented).await.unwrap().is_some());
    let tx = world.platform_write().await;
    tx.revoke_sign_in(id).await.unwrap();
    tx.commit().await.unwrap();
    callers.forget();
    assert!(callers.identify(&presented).await.unwrap().is_none());
}

on_both_databases!(
    what_was_not_found_is_looked_for_again,
    each_organization_gets_its_own_rows,
    a_change_of_the_organization_is_seen_at_once_and_costs_no_other,
    what_was_not_committed_costs_nothing,
    a_failed_read_is_not_remembered,
    sessions_and_their_servers_are_read_through_the_cache,
    an_identity_is_remembered_until_it_is_forgotten,
);
