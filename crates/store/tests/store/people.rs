//! People, their passwords, sign-ins and links to choose a new password.

use std::time::Duration;

use wahana_domain::{PasswordResetId, Secret, SignInId, UserId};
use wahana_store::{NewUser, StoreError, StoredPassword, Uniqueness, UserChange};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World, address};

async fn a_person_is_found_by_id_and_by_address_in_any_letters(db: &TestDatabase) {
    let world = World::new(db).await;
    let id = UserId::new();
    let tx = world.platform_write().await;
    tx.insert_user(&NewUser {
        id,
        email: address("Admin@Example.COM"),
        display_name: "Admin".to_owned(),
        is_platform_administrator: true,
    })
    .await
    .unwrap();
    let user = tx.user(id).await.unwrap().unwrap();
    assert_eq!(user.email.as_str(), "Admin@Example.COM");
    assert_eq!((user.display_name.as_str(), user.created_at), ("Admin", START));
    assert!(user.is_platform_administrator && user.disabled_at.is_none());
    let by_address = tx.user_by_email(&address("admin@example.com")).await.unwrap();
    assert_eq!(by_address, Some(user));
    assert_eq!(tx.user(UserId::new()).await.unwrap(), None);
    assert_eq!(tx.user_by_email(&address("x@example.com")).await.unwrap(), None);
}

async fn an_address_is_one_persons(db: &TestDatabase) {
    let world = World::new(db).await;
    world.user("person@example.com").await;
    let tx = world.platform_write().await;
    let again = NewUser {
        id: UserId::new(),
        email: address("PERSON@example.com"),
        display_name: "Other".to_owned(),
        is_platform_administrator: false,
    };
    assert!(matches!(
        tx.insert_user(&again).await,
        Err(StoreError::Conflict(Uniqueness::UserEmail))
    ));
}

async fn people_are_listed_by_address(db: &TestDatabase) {
    let world = World::new(db).await;
    world.user("Zoe@example.com").await;
    world.user("adam@example.com").await;
    let tx = world.platform_read().await;
    let all = tx.users(0, 10).await.unwrap();
    let addresses: Vec<_> = all.iter().map(|user| user.email.as_str()).collect();
    assert_eq!(
        addresses,
        [
            "adam@example.com",
            "owner@alpha.example",
            "owner@beta.example",
            "Zoe@example.com"
        ]
    );
    assert_eq!(tx.user_count().await.unwrap(), 4);
    assert_eq!(tx.users(1, 2).await.unwrap(), all[1..3]);
    assert!(tx.users(u64::MAX, u64::MAX).await.unwrap().is_empty());
}

async fn what_is_changed_of_a_person_changes_and_the_rest_stays(db: &TestDatabase) {
    let world = World::new(db).await;
    let id = world.user("person@example.com").await;
    world.clock.advance(Duration::from_secs(1));
    let tx = world.platform_write().await;
    let mut expected = tx.user(id).await.unwrap().unwrap();
    expected.updated_at = tx.now();
    let changes = [
        UserChange {
            is_platform_administrator: Some(true),
            ..Default::default()
        },
        UserChange {
            disabled_at: Some(Some(START)),
            ..Default::default()
        },
        UserChange {
            disabled_at: Some(None),
            ..Default::default()
        },
    ];
    for change in changes {
        assert!(tx.update_user(id, &change).await.unwrap());
        expected.is_platform_administrator = change
            .is_platform_administrator
            .unwrap_or(expected.is_platform_administrator);
        expected.disabled_at = change.disabled_at.unwrap_or(expected.disabled_at);
        assert_eq!(tx.user(id).await.unwrap().unwrap(), expected);
    }
    assert!(
        !tx.update_user(UserId::new(), &UserChange::default())
            .await
            .unwrap()
    );
}

async fn a_password_is_set_and_replaced(db: &TestDatabase) {
    let world = World::new(db).await;
    let (user, other) = (world.a.owner, world.b.owner);
    let tx = world.platform_write().await;
    assert!(tx.password(user).await.unwrap().is_none());
    for hash in ["$argon2id$one", "$argon2id$two"] {
        tx.set_password(user, StoredPassword(hash.to_owned()))
            .await
            .unwrap();
        assert_eq!(tx.password(user).await.unwrap().unwrap().0, hash);
    }
    assert!(tx.password(other).await.unwrap().is_none());
}

async fn sign_ins_end_one_by_one_or_all_but_one(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.platform_write().await;
    let mut sign_ins = Vec::new();
    for user in [world.a.owner, world.a.owner, world.a.owner, world.b.owner] {
        let id = SignInId::new();
        let expires_at = START.plus(Duration::from_hours(1));
        tx.insert_sign_in(id, user, &Secret::generate().hash(), expires_at)
            .await
            .unwrap();
        sign_ins.push(id);
    }
    let open = async || {
        let mut open = Vec::new();
        for id in &sign_ins {
            open.push(tx.identity_of_sign_in(*id).await.unwrap().is_some());
        }
        open
    };
    assert_eq!(open().await, [true; 4]);
    tx.revoke_sign_in(sign_ins[0]).await.unwrap();
    assert_eq!(open().await, [false, true, true, true]);
    tx.revoke_sign_ins(world.a.owner, Some(sign_ins[2]))
        .await
        .unwrap();
    assert_eq!(open().await, [false, false, true, true]);
    tx.revoke_sign_ins(world.a.owner, None).await.unwrap();
    assert_eq!(open().await, [false, false, false, true]);
}

async fn a_link_for_a_new_password_works_once_and_ends_with_the_next_password(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.platform_write().await;
    let mut links = Vec::new();
    for (user, hours) in [
        (world.a.owner, 1),
        (world.a.owner, 1),
        (world.b.owner, 1),
        (world.b.owner, 0),
    ] {
        let (id, secret) = (PasswordResetId::new(), Secret::generate());
        let expires_at = START.plus(Duration::from_hours(hours));
        tx.insert_password_reset(id, user, &secret.hash(), expires_at)
            .await
            .unwrap();
        links.push((id, secret.hash()));
    }
    let wrong = Secret::generate().hash();
    assert_eq!(tx.use_password_reset(links[0].0, &wrong).await.unwrap(), None);
    assert_eq!(
        tx.use_password_reset(PasswordResetId::new(), &wrong)
            .await
            .unwrap(),
        None
    );
    let mut used = Vec::new();
    for index in [3, 0, 0, 1, 2] {
        if index == 1 {
            let password = StoredPassword("$argon2id$new".to_owned());
            tx.set_password(world.a.owner, password).await.unwrap();
        }
        let (id, secret) = &links[index];
        used.push(tx.use_password_reset(*id, secret).await.unwrap());
    }
    assert_eq!(
        used,
        [None, Some(world.a.owner), None, None, Some(world.b.owner)],
        "expired, open, used, ended by the new password, another person's"
    );
}

async fn of_many_who_follow_a_link_at_once_one_gets_through(db: &TestDatabase) {
    let world = World::new(db).await;
    let (id, secret) = (PasswordResetId::new(), Secret::generate().hash());
    let tx = world.platform_write().await;
    tx.insert_password_reset(id, world.a.owner, &secret, START.plus(Duration::from_hours(1)))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move {
                let tx = store.platform_write().await.unwrap();
                let user = tx.use_password_reset(id, &secret).await.unwrap();
                tx.commit().await.unwrap();
                user
            })
        })
        .collect();
    let mut through = 0;
    for task in tasks {
        through += u8::from(task.await.unwrap().is_some());
    }
    assert_eq!(through, 1);
}

on_both_databases!(
    a_person_is_found_by_id_and_by_address_in_any_letters,
    an_address_is_one_persons,
    people_are_listed_by_address,
    what_is_changed_of_a_person_changes_and_the_rest_stays,
    a_password_is_set_and_replaced,
    sign_ins_end_one_by_one_or_all_but_one,
    a_link_for_a_new_password_works_once_and_ends_with_the_next_password,
    of_many_who_follow_a_link_at_once_one_gets_through,
);
