//! A stream ends with what let its reader in.

use wahana_domain::{OrganizationState, Role, TokenId};
use wahana_store::{UserChange, access_tokens, members};
use wahana_testkit::{
    app::{Actor, By, Client, EventStream, Home},
    database::TestDatabase,
    on_both_databases,
};

use crate::{EVENTS, OWNER, OWNER_OF_B, Scene, keys, open};

fn token_id(client: &Client) -> TokenId {
    let value = client.headers()["authorization"].to_str().unwrap();
    let (id, _) = value.strip_prefix("Bearer ").unwrap().split_once('|').unwrap();
    TokenId::parse(id).unwrap()
}

/// Waits until a stream has ended.
async fn ended(mut stream: EventStream) {
    while stream.next().await.is_some() {}
}

async fn who_would_not_be_let_in_any_more_is_told_no_more(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let app = &scene.app;
    let by_cookie = Actor::Member(Home::A, Role::Owner, By::Cookie);
    let revoked = app.actor(OWNER).await;
    let (removed, removed_user) = app.actor_with_user(by_cookie).await;
    let (disabled, disabled_user) = app.actor_with_user(OWNER).await;
    let admin = Actor::Member(Home::A, Role::Admin, By::Token);
    let (lowered, lowered_user) = app.actor_with_user(admin).await;
    let suspended = app.actor(OWNER_OF_B).await;
    let mut stays = open(&app.actor(OWNER).await, EVENTS).await;
    let mut streams = Vec::new();
    for client in [&revoked, &removed, &disabled, &lowered, &suspended] {
        streams.push(open(client, EVENTS).await);
    }

    // As another process would: nothing here is told of it.
    let tx = app.store().write(app.tenant(Home::A)).await.unwrap();
    access_tokens::revoke(&tx, &token_id(&revoked)).await.unwrap();
    members::remove(&tx, removed_user).await.unwrap();
    members::set_role(&tx, lowered_user, Role::Viewer).await.unwrap();
    tx.commit().await.unwrap();
    let tx = app.store().platform_write().await.unwrap();
    let change = UserChange {
        disabled_at: Some(Some(tx.now())),
        ..UserChange::default()
    };
    tx.update_user(disabled_user, &change).await.unwrap();
    let b = app.organization_id(Home::B);
    tx.set_organization_state(b, OrganizationState::Suspended)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    for stream in streams {
        ended(stream).await;
    }
    scene.receive("A1").await;
    assert_eq!(keys(&mut stays, 1).await, ["A1"]);
    for (client, expected) in [
        (&revoked, "401 UNAUTHENTICATED"),
        (&removed, "403 NO_ORGANIZATION"),
        (&disabled, "401 UNAUTHENTICATED"),
        (&suspended, "403 ORGANIZATION_SUSPENDED"),
    ] {
        assert_eq!(client.get(EVENTS).await.named(), expected);
    }
}

on_both_databases!(who_would_not_be_let_in_any_more_is_told_no_more);
