//! The organization's access tokens.

use std::time::Duration;

use wahana_domain::{Abilities, Ability, Role, Secret, SessionId, TokenId};
use wahana_store::{StoreError, Uniqueness, access_tokens};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

async fn abilities_and_session_limits_are_kept(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut sessions: Vec<SessionId> = Vec::new();
    for name in ["sales", "support"] {
        sessions.push(world.session(&world.a, name).await.id);
    }
    for (abilities, limit) in [
        (Abilities::All, None),
        (Abilities::of(&[]), Some(vec![])),
        (
            Abilities::of(&[Ability::SessionsRead, Ability::AuditRead]),
            Some(sessions),
        ),
    ] {
        let mut token = world.new_token(&world.a, "token");
        token.abilities = abilities;
        token.sessions = limit;
        token.expires_at = Some(START.plus(Duration::from_mins(1)));
        world.add_token(&world.a, &token).await;
        let tx = world.read(&world.a).await;
        assert_eq!(
            access_tokens::get(&tx, &token.id).await.unwrap(),
            Some(token.clone())
        );
        let (page, _) = access_tokens::page(&tx, 0, 10).await.unwrap();
        assert!(page.contains(&token), "the page shows the same");
    }
}

async fn a_limit_to_no_session_is_not_a_limit_to_all(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut token = world.new_token(&world.a, "none");
    token.sessions = Some(vec![]);
    world.add_token(&world.a, &token).await;
    let tx = world.platform_read().await;
    let identity = tx.identity_of_access_token(&token.id).await.unwrap().unwrap();
    let caller = identity.caller(None).unwrap();
    assert_eq!(caller.sessions(), Some(&[][..]));
}

async fn a_session_of_another_organization_cannot_be_in_a_limit(db: &TestDatabase) {
    let world = World::new(db).await;
    let foreign = world.session(&world.b, "sales").await;
    let mut token = world.new_token(&world.a, "token");
    token.sessions = Some(vec![foreign.id]);
    let tx = world.write(&world.a).await;
    let of_foreign = access_tokens::insert(&tx, &token, &Secret::generate().hash()).await;
    drop(tx);
    let mut token = world.new_token(&world.a, "token");
    token.sessions = Some(vec![SessionId::new()]);
    let tx = world.write(&world.a).await;
    let of_missing = access_tokens::insert(&tx, &token, &Secret::generate().hash()).await;
    let words = |outcome: Result<(), StoreError>| outcome.unwrap_err().to_string();
    assert_eq!(
        words(of_foreign),
        words(of_missing),
        "nobody learns that it exists"
    );
}

async fn those_not_revoked_are_listed_newest_first(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut tokens = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let token = world.new_token(&world.a, name);
        world.add_token(&world.a, &token).await;
        world.clock.advance(Duration::from_secs(1));
        tokens.push(token);
    }
    let tx = world.write(&world.a).await;
    assert!(access_tokens::revoke(&tx, &tokens[1].id).await.unwrap());
    let names = |page: &[wahana_domain::AccessToken]| -> Vec<String> {
        page.iter().map(|token| token.name.clone()).collect()
    };
    let (page, total) = access_tokens::page(&tx, 0, 10).await.unwrap();
    assert_eq!(
        (names(&page), total),
        (vec!["four".into(), "three".into(), "one".into()], 3)
    );
    let (page, total) = access_tokens::page(&tx, 1, 1).await.unwrap();
    assert_eq!((names(&page), total), (vec!["three".into()], 3));
    for beyond in [3, u64::MAX] {
        let (page, total) = access_tokens::page(&tx, beyond, 10).await.unwrap();
        assert_eq!((page.len(), total), (0, 3));
    }
}

async fn a_revoked_token_is_gone_and_cannot_be_revoked_again(db: &TestDatabase) {
    let world = World::new(db).await;
    let token = world.new_token(&world.a, "token");
    world.add_token(&world.a, &token).await;
    let tx = world.write(&world.a).await;
    assert!(access_tokens::revoke(&tx, &token.id).await.unwrap());
    assert!(!access_tokens::revoke(&tx, &token.id).await.unwrap());
    assert!(!access_tokens::revoke(&tx, &TokenId::generate()).await.unwrap());
    assert_eq!(access_tokens::get(&tx, &token.id).await.unwrap(), None);
}

async fn all_tokens_of_a_user_are_revoked_and_no_others(db: &TestDatabase) {
    let world = World::new(db).await;
    let agent = world.member(&world.a, "agent@alpha.example", Role::Agent).await;
    world.join(&world.b, agent, Role::Agent).await;
    let mut tokens = Vec::new();
    for (organization, user) in [
        (&world.a, agent),
        (&world.a, agent),
        (&world.a, world.a.owner),
        (&world.b, agent),
    ] {
        let mut token = world.new_token(organization, "token");
        token.user_id = user;
        world.add_token(organization, &token).await;
        tokens.push(token.id);
    }
    let tx = world.write(&world.a).await;
    assert_eq!(access_tokens::revoke_of_user(&tx, agent).await.unwrap(), 2);
    assert_eq!(access_tokens::revoke_of_user(&tx, agent).await.unwrap(), 0);
    assert!(access_tokens::get(&tx, &tokens[2]).await.unwrap().is_some());
    tx.commit().await.unwrap();
    let tx = world.read(&world.b).await;
    assert!(access_tokens::get(&tx, &tokens[3]).await.unwrap().is_some());
}

async fn an_id_is_given_once_in_the_whole_installation(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut token = world.new_token(&world.a, "imported");
    token.id = TokenId::parse("48213").unwrap();
    world.add_token(&world.a, &token).await;
    for organization in [&world.a, &world.b] {
        let tx = world.write(organization).await;
        let again = access_tokens::insert(&tx, &token, &Secret::generate().hash()).await;
        assert!(
            matches!(again, Err(StoreError::Conflict(Uniqueness::TokenId))),
            "{again:?}"
        );
    }
}

on_both_databases!(
    abilities_and_session_limits_are_kept,
    a_limit_to_no_session_is_not_a_limit_to_all,
    a_session_of_another_organization_cannot_be_in_a_limit,
    those_not_revoked_are_listed_newest_first,
    a_revoked_token_is_gone_and_cannot_be_revoked_again,
    all_tokens_of_a_user_are_revoked_and_no_others,
    an_id_is_given_once_in_the_whole_installation,
);
