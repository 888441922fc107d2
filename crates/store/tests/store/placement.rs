//! Adding sessions to a WAHA server that has room.

use futures_util::future::join_all;
use wahana_domain::ServerId;
use wahana_store::{ServerChange, TenantTx, sessions};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, TestOrganization, World, add_server};

on_both_databases!(
    a_burst_of_everybody_does_not_exceed_the_capacity,
    a_server_that_takes_no_sessions_gets_none,
    a_server_is_not_removed_under_a_session_that_comes,
);

async fn place(world: &World, organization: &TestOrganization, server: ServerId) -> Option<TenantTx> {
    let tx = world.platform_write().await;
    tx.with_place(&world.store, organization.tenant, server)
        .await
        .unwrap()
}

async fn change(world: &World, change: ServerChange) {
    let tx = world.platform_write().await;
    assert!(tx.update_server(world.server, &change).await.unwrap());
    tx.commit().await.unwrap();
}

async fn a_burst_of_everybody_does_not_exceed_the_capacity(db: &TestDatabase) {
    let world = World::new(db).await;
    world.session(&world.a, "first").await;
    let capacity = Some(Some(4));
    change(
        &world,
        ServerChange {
            capacity,
            ..Default::default()
        },
    )
    .await;
    let (tasks, world) = (24, &world);
    let burst = join_all((0..tasks).map(|number| async move {
        let organization = if number % 2 == 0 { &world.a } else { &world.b };
        let Some(tx) = place(world, organization, world.server).await else {
            return 0;
        };
        let session = world.new_session(organization, &format!("s{number}"));
        sessions::insert(&tx, &session).await.unwrap();
        // Those that are given up leave their place to others.
        if number % 3 == 0 {
            drop(tx);
            return 0;
        }
        tx.commit().await.unwrap();
        1
    }));
    let placed: i32 = burst.await.into_iter().sum();
    assert_eq!(placed, 3);
    let tx = world.platform_read().await;
    assert_eq!(tx.servers().await.unwrap()[0].sessions, 4);
}

async fn a_server_that_takes_no_sessions_gets_none(db: &TestDatabase) {
    let world = World::new(db).await;
    assert!(place(&world, &world.a, world.server).await.is_some());
    assert!(place(&world, &world.a, ServerId::new()).await.is_none());
    for (with, without) in [
        (
            ServerChange {
                paused_at: Some(Some(START)),
                ..Default::default()
            },
            ServerChange {
                paused_at: Some(None),
                ..Default::default()
            },
        ),
        (
            ServerChange {
                draining_at: Some(Some(START)),
                ..Default::default()
            },
            ServerChange {
                draining_at: Some(None),
                ..Default::default()
            },
        ),
        (
            ServerChange {
                organization: Some(Some(world.b.id())),
                ..Default::default()
            },
            ServerChange {
                organization: Some(None),
                ..Default::default()
            },
        ),
    ] {
        change(&world, with.clone()).await;
        assert!(place(&world, &world.a, world.server).await.is_none(), "{with:?}");
        let is_its_own = with.organization.is_some();
        assert_eq!(place(&world, &world.b, world.server).await.is_some(), is_its_own);
        change(&world, without).await;
        assert!(place(&world, &world.a, world.server).await.is_some());
    }
}

async fn a_server_is_not_removed_under_a_session_that_comes(db: &TestDatabase) {
    let world = World::new(db).await;
    let second = add_server(&world.store, "second").await;
    let tx = place(&world, &world.a, second).await.unwrap();
    let mut session = world.new_session(&world.a, "sales");
    session.waha.server = second;
    sessions::insert(&tx, &session).await.unwrap();
    let removing = async {
        let tx = world.platform_write().await;
        let is_removed = tx.remove_server(second).await.unwrap();
        tx.commit().await.unwrap();
        is_removed
    };
    let (committed, is_removed) = tokio::join!(tx.commit(), removing);
    committed.unwrap();
    assert!(!is_removed);
}
