//! Tokens of platform administrators, and when tokens were used.

use std::time::Duration;

use wahana_domain::{Secret, TokenId};
use wahana_store::{NewPlatformToken, StoreError, Uniqueness, access_tokens};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

fn new_token(world: &World, name: &str) -> NewPlatformToken {
    NewPlatformToken {
        id: TokenId::generate_platform(),
        user_id: world.a.owner,
        name: name.to_owned(),
        secret: Secret::generate().hash(),
        expires_at: Some(START.plus(Duration::from_hours(1))),
    }
}

async fn those_not_revoked_are_listed_newest_first(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut ids = Vec::new();
    for name in ["one", "two", "three"] {
        let token = new_token(&world, name);
        let tx = world.platform_write().await;
        tx.insert_platform_token(&token).await.unwrap();
        tx.commit().await.unwrap();
        ids.push(token.id);
        world.clock.advance(Duration::from_secs(1));
    }
    let tx = world.platform_write().await;
    assert!(tx.revoke_platform_token(&ids[1]).await.unwrap());
    assert!(!tx.revoke_platform_token(&ids[1]).await.unwrap());
    assert!(
        !tx.revoke_platform_token(&TokenId::generate_platform())
            .await
            .unwrap()
    );
    let tokens = tx.platform_tokens().await.unwrap();
    let found: Vec<_> = tokens
        .iter()
        .map(|token| (token.name.as_str(), &token.id))
        .collect();
    assert_eq!(found, [("three", &ids[2]), ("one", &ids[0])]);
    assert_eq!(tokens[1].expires_at, Some(START.plus(Duration::from_hours(1))));
    assert_eq!((tokens[1].user_id, tokens[1].created_at), (world.a.owner, START));
}

async fn an_id_is_given_once(db: &TestDatabase) {
    let world = World::new(db).await;
    let token = new_token(&world, "one");
    let tx = world.platform_write().await;
    tx.insert_platform_token(&token).await.unwrap();
    assert!(matches!(
        tx.insert_platform_token(&token).await,
        Err(StoreError::Conflict(Uniqueness::TokenId))
    ));
}

async fn the_use_of_tokens_of_every_kind_is_written_down(db: &TestDatabase) {
    let world = World::new(db).await;
    let of_platform = new_token(&world, "operator");
    let of_a = world.new_token(&world.a, "of a");
    let of_b = world.new_token(&world.b, "of b");
    let unused = world.new_token(&world.b, "unused");
    world.add_token(&world.a, &of_a).await;
    world.add_token(&world.b, &of_b).await;
    world.add_token(&world.b, &unused).await;
    let at = |second| START.plus(Duration::from_secs(second));
    let tx = world.platform_write().await;
    tx.insert_platform_token(&of_platform).await.unwrap();
    tx.touch_tokens(&[
        (of_platform.id.clone(), at(1)),
        (of_a.id.clone(), at(2)),
        (of_b.id.clone(), at(3)),
        (TokenId::generate(), at(4)),
    ])
    .await
    .unwrap();
    assert_eq!(tx.platform_tokens().await.unwrap()[0].last_used_at, Some(at(1)));
    tx.commit().await.unwrap();
    for (organization, token, used) in [
        (&world.a, &of_a, Some(at(2))),
        (&world.b, &of_b, Some(at(3))),
        (&world.b, &unused, None),
    ] {
        let tx = world.read(organization).await;
        let found = access_tokens::get(&tx, &token.id).await.unwrap().unwrap();
        assert_eq!(found.last_used_at, used);
    }
}

on_both_databases!(
    those_not_revoked_are_listed_newest_first,
    an_id_is_given_once,
    the_use_of_tokens_of_every_kind_is_written_down,
);
