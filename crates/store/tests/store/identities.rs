//! From a credential to an identity, and from an identity to a caller.

use std::{sync::Arc, time::Duration};

use wahana_domain::{
    Abilities, Ability, OrganizationState, Role, Secret, SecretHash, SignInId, TokenId, UserId,
};
use wahana_store::{
    Callers, Identity, NewPlatformToken, NoCaller, PresentedCredential, UserChange, access_tokens, members,
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

/// A token of A's agent, with its secret.
async fn agent_with_token(world: &World) -> (UserId, TokenId, SecretHash) {
    let agent = world.member(&world.a, "agent@alpha.example", Role::Agent).await;
    let mut token = world.new_token(&world.a, "token");
    token.user_id = agent;
    token.expires_at = Some(START.plus(Duration::from_hours(1)));
    let secret = world.add_token(&world.a, &token).await;
    (agent, token.id, secret.hash())
}

async fn sign_in(world: &World, user: UserId) -> (SignInId, SecretHash) {
    let (id, secret) = (SignInId::new(), Secret::generate().hash());
    let tx = world.platform_write().await;
    tx.insert_sign_in(id, user, &secret, START.plus(Duration::from_hours(1)))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (id, secret)
}

/// As a process that knows nobody yet.
async fn identify(world: &World, presented: &PresentedCredential) -> Option<Arc<Identity>> {
    Callers::new(world.store.clone())
        .identify(presented)
        .await
        .unwrap()
}

async fn set_state(world: &World, state: OrganizationState) {
    let tx = world.platform_write().await;
    assert!(tx.set_organization_state(world.a.id(), state).await.unwrap());
    tx.commit().await.unwrap();
}

async fn a_token_is_its_user_in_its_organization_alone(db: &TestDatabase) {
    let world = World::new(db).await;
    let (agent, id, secret) = agent_with_token(&world).await;
    world.join(&world.b, agent, Role::Owner).await;
    let presented = PresentedCredential::Token { id, secret };
    let identity = identify(&world, &presented).await.unwrap();
    assert_eq!(identity.user().id, agent);
    assert_eq!(identity.memberships().len(), 1);
    let caller = identity.caller(None).unwrap();
    assert_eq!((caller.tenant(), caller.role()), (world.a.tenant, Role::Agent));
    assert!(caller.may(Ability::MessagesSend) && !caller.may(Ability::MembersManage));
    assert!(matches!(
        identity.caller(Some(world.b.id())),
        Err(NoCaller::NoOrganization)
    ));
}

async fn a_sign_in_reaches_every_organization_of_its_user(db: &TestDatabase) {
    let world = World::new(db).await;
    world.clock.advance(Duration::from_secs(1));
    world.join(&world.b, world.a.owner, Role::Viewer).await;
    let (id, secret) = sign_in(&world, world.a.owner).await;
    let identity = identify(&world, &PresentedCredential::SignIn { id, secret })
        .await
        .unwrap();
    for (organization, role) in [(&world.a, Role::Owner), (&world.b, Role::Viewer)] {
        let caller = identity.caller(Some(organization.id())).unwrap();
        assert_eq!((caller.tenant(), caller.role()), (organization.tenant, role));
        assert_eq!((caller.abilities(), caller.sessions()), (Abilities::All, None));
    }
    assert!(
        matches!(identity.caller(None), Err(NoCaller::NoOrganization)),
        "which of two is meant is not guessed"
    );
    let tx = world.platform_read().await;
    let memberships = tx.memberships_of(world.a.owner).await.unwrap();
    assert_eq!(memberships, identity.memberships());
}

async fn who_belongs_to_one_organization_need_not_name_it(db: &TestDatabase) {
    let world = World::new(db).await;
    let (id, secret) = sign_in(&world, world.a.owner).await;
    let identity = identify(&world, &PresentedCredential::SignIn { id, secret })
        .await
        .unwrap();
    assert_eq!(identity.caller(None).unwrap().tenant(), world.a.tenant);
    let stranger = world.user("stranger@example.com").await;
    let (id, secret) = sign_in(&world, stranger).await;
    let identity = identify(&world, &PresentedCredential::SignIn { id, secret })
        .await
        .unwrap();
    assert!(matches!(identity.caller(None), Err(NoCaller::NoOrganization)));
}

async fn a_wrong_secret_is_nobody(db: &TestDatabase) {
    let world = World::new(db).await;
    let (_, token, _) = agent_with_token(&world).await;
    let (sign_in, _) = sign_in(&world, world.a.owner).await;
    let secret = Secret::generate().hash();
    for presented in [
        PresentedCredential::Token { id: token, secret },
        PresentedCredential::SignIn { id: sign_in, secret },
        PresentedCredential::Token {
            id: TokenId::generate(),
            secret,
        },
        PresentedCredential::Token {
            id: TokenId::generate_platform(),
            secret,
        },
        PresentedCredential::SignIn {
            id: SignInId::new(),
            secret,
        },
    ] {
        assert!(identify(&world, &presented).await.is_none(), "{presented:?}");
    }
}

async fn what_was_revoked_is_nobody(db: &TestDatabase) {
    let world = World::new(db).await;
    let (_, id, secret) = agent_with_token(&world).await;
    let (sign_in_id, sign_in_secret) = sign_in(&world, world.a.owner).await;
    let tx = world.write(&world.a).await;
    assert!(access_tokens::revoke(&tx, &id).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.platform_write().await;
    tx.revoke_sign_in(sign_in_id).await.unwrap();
    tx.commit().await.unwrap();
    for presented in [
        PresentedCredential::Token { id, secret },
        PresentedCredential::SignIn {
            id: sign_in_id,
            secret: sign_in_secret,
        },
    ] {
        assert!(identify(&world, &presented).await.is_none());
    }
}

async fn what_expires_ends_at_its_moment_even_when_it_is_remembered(db: &TestDatabase) {
    let world = World::new(db).await;
    let (_, id, secret) = agent_with_token(&world).await;
    let (sign_in_id, sign_in_secret) = sign_in(&world, world.a.owner).await;
    let callers = Callers::new(world.store.clone());
    let all = [
        PresentedCredential::Token { id, secret },
        PresentedCredential::SignIn {
            id: sign_in_id,
            secret: sign_in_secret,
        },
    ];
    world.clock.set(
        START
            .plus(Duration::from_hours(1))
            .minus(Duration::from_micros(1)),
    );
    for presented in &all {
        assert!(callers.identify(presented).await.unwrap().is_some());
    }
    world.clock.advance(Duration::from_micros(1));
    for presented in &all {
        assert!(callers.identify(presented).await.unwrap().is_none());
    }
}

async fn a_disabled_user_is_nobody_until_enabled(db: &TestDatabase) {
    let world = World::new(db).await;
    let (agent, id, secret) = agent_with_token(&world).await;
    let (sign_in_id, sign_in_secret) = sign_in(&world, agent).await;
    for disabled_at in [Some(START), None] {
        let tx = world.platform_write().await;
        let change = UserChange {
            disabled_at: Some(disabled_at),
            ..Default::default()
        };
        assert!(tx.update_user(agent, &change).await.unwrap());
        tx.commit().await.unwrap();
        for presented in [
            PresentedCredential::Token {
                id: id.clone(),
                secret,
            },
            PresentedCredential::SignIn {
                id: sign_in_id,
                secret: sign_in_secret,
            },
        ] {
            assert_eq!(
                identify(&world, &presented).await.is_some(),
                disabled_at.is_none()
            );
        }
    }
}

async fn a_removed_member_is_nobody_in_the_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    let (agent, id, secret) = agent_with_token(&world).await;
    world.join(&world.b, agent, Role::Viewer).await;
    let tx = world.write(&world.a).await;
    assert!(members::remove(&tx, agent).await.unwrap());
    tx.commit().await.unwrap();
    let identity = identify(&world, &PresentedCredential::Token { id, secret })
        .await
        .unwrap();
    assert!(matches!(identity.caller(None), Err(NoCaller::NoOrganization)));
}

async fn a_closed_organization_is_none(db: &TestDatabase) {
    let world = World::new(db).await;
    let (agent, id, secret) = agent_with_token(&world).await;
    let (sign_in_id, sign_in_secret) = sign_in(&world, agent).await;
    set_state(&world, OrganizationState::Closed).await;
    for presented in [
        PresentedCredential::Token { id, secret },
        PresentedCredential::SignIn {
            id: sign_in_id,
            secret: sign_in_secret,
        },
    ] {
        let identity = identify(&world, &presented).await.unwrap();
        assert!(identity.memberships().is_empty());
        for wanted in [None, Some(world.a.id())] {
            assert!(matches!(identity.caller(wanted), Err(NoCaller::NoOrganization)));
        }
    }
}

async fn a_suspended_organization_is_told_so(db: &TestDatabase) {
    let world = World::new(db).await;
    let (agent, id, secret) = agent_with_token(&world).await;
    set_state(&world, OrganizationState::Suspended).await;
    let identity = identify(&world, &PresentedCredential::Token { id, secret })
        .await
        .unwrap();
    let Err(NoCaller::Suspended(caller)) = identity.caller(None) else {
        unreachable!("the organization is suspended");
    };
    assert_eq!(caller.user_id(), agent);
}

async fn an_access_token_of_an_administrator_operates_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    let (agent, id, secret) = agent_with_token(&world).await;
    let (sign_in_id, sign_in_secret) = sign_in(&world, agent).await;
    let signed_in = PresentedCredential::SignIn {
        id: sign_in_id,
        secret: sign_in_secret,
    };
    let identity = identify(&world, &signed_in).await.unwrap();
    assert!(
        identity.platform_administrator().is_none(),
        "not an administrator yet"
    );
    let tx = world.platform_write().await;
    let promote = UserChange {
        is_platform_administrator: Some(true),
        ..Default::default()
    };
    assert!(tx.update_user(agent, &promote).await.unwrap());
    tx.commit().await.unwrap();
    let token = identify(&world, &PresentedCredential::Token { id, secret })
        .await
        .unwrap();
    assert!(token.user().is_platform_administrator);
    assert!(token.platform_administrator().is_none());
    let identity = identify(&world, &signed_in).await.unwrap();
    let administrator = identity.platform_administrator().unwrap();
    assert_eq!(administrator.user_id(), agent);
    assert_eq!(administrator.credential(), identity.credential());
}

async fn a_platform_token_operates_and_has_no_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    let secret = Secret::generate().hash();
    let token = NewPlatformToken {
        id: TokenId::generate_platform(),
        user_id: world.a.owner,
        name: "operator".to_owned(),
        secret,
        expires_at: None,
    };
    let tx = world.platform_write().await;
    tx.insert_platform_token(&token).await.unwrap();
    tx.commit().await.unwrap();
    let presented = PresentedCredential::Token {
        id: token.id.clone(),
        secret,
    };
    let identity = identify(&world, &presented).await.unwrap();
    assert!(
        identity.platform_administrator().is_none(),
        "the token of somebody who is no administrator any more"
    );
    let tx = world.platform_write().await;
    let promote = UserChange {
        is_platform_administrator: Some(true),
        ..Default::default()
    };
    assert!(tx.update_user(world.a.owner, &promote).await.unwrap());
    tx.commit().await.unwrap();
    let identity = identify(&world, &presented).await.unwrap();
    assert!(identity.platform_administrator().is_some());
    assert!(identity.memberships().is_empty());
    for wanted in [None, Some(world.a.id())] {
        assert!(matches!(identity.caller(wanted), Err(NoCaller::NoOrganization)));
    }
    let tx = world.platform_write().await;
    assert!(tx.identity_of_access_token(&token.id).await.unwrap().is_none());
    assert!(tx.revoke_platform_token(&token.id).await.unwrap());
    tx.commit().await.unwrap();
    assert!(identify(&world, &presented).await.is_none());
}

on_both_databases!(
    a_token_is_its_user_in_its_organization_alone,
    a_sign_in_reaches_every_organization_of_its_user,
    who_belongs_to_one_organization_need_not_name_it,
    a_wrong_secret_is_nobody,
    what_was_revoked_is_nobody,
    what_expires_ends_at_its_moment_even_when_it_is_remembered,
    a_disabled_user_is_nobody_until_enabled,
    a_removed_member_is_nobody_in_the_organization,
    a_closed_organization_is_none,
    a_suspended_organization_is_told_so,
    an_access_token_of_an_administrator_operates_nothing,
    a_platform_token_operates_and_has_no_organization,
);
