//! The organization's members.

use std::time::Duration;

use wahana_domain::{Role, UserId};
use wahana_store::{StoreError, Uniqueness, UserChange, members, organizations};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{World, membership};

async fn pages_are_oldest_first_and_end(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut expected = vec![world.a.owner];
    for name in ["second", "third"] {
        world.clock.advance(Duration::from_secs(1));
        expected.push(
            world
                .member(&world.a, &format!("{name}@alpha.example"), Role::Viewer)
                .await,
        );
    }
    let tx = world.read(&world.a).await;
    let (all, total) = members::page(&tx, 0, 10).await.unwrap();
    assert_eq!(
        all.iter().map(|member| member.user_id).collect::<Vec<_>>(),
        expected
    );
    assert_eq!((total, all[1].role), (3, Role::Viewer));
    assert_eq!(all[1].email.as_str(), "second@alpha.example");
    assert_eq!(members::page(&tx, 1, 1).await.unwrap(), (vec![all[1].clone()], 3));
    for beyond in [3, u64::MAX] {
        assert_eq!(members::page(&tx, beyond, 10).await.unwrap(), (vec![], 3));
    }
}

async fn a_disabled_user_is_shown_as_such(db: &TestDatabase) {
    let world = World::new(db).await;
    let user = world.member(&world.a, "agent@alpha.example", Role::Agent).await;
    let tx = world.platform_write().await;
    let disable = UserChange {
        disabled_at: Some(Some(tx.now())),
        ..Default::default()
    };
    assert!(tx.update_user(user, &disable).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.read(&world.a).await;
    assert!(members::get(&tx, user).await.unwrap().unwrap().is_disabled);
    assert!(
        !members::get(&tx, world.a.owner)
            .await
            .unwrap()
            .unwrap()
            .is_disabled
    );
}

async fn roles_are_set_and_members_removed(db: &TestDatabase) {
    let world = World::new(db).await;
    let user = world.member(&world.a, "agent@alpha.example", Role::Agent).await;
    world.join(&world.b, user, Role::Viewer).await;
    let tx = world.write(&world.a).await;
    assert!(members::set_role(&tx, user, Role::Owner).await.unwrap());
    assert_eq!(members::owner_count(&tx).await.unwrap(), 2);
    assert_eq!(members::get(&tx, user).await.unwrap().unwrap().role, Role::Owner);
    assert!(members::remove(&tx, user).await.unwrap());
    assert!(!members::remove(&tx, user).await.unwrap());
    assert!(!members::set_role(&tx, user, Role::Agent).await.unwrap());
    assert!(!members::remove(&tx, UserId::new()).await.unwrap());
    assert_eq!(members::get(&tx, user).await.unwrap(), None);
    tx.commit().await.unwrap();
    let tx = world.read(&world.b).await;
    assert_eq!(
        members::get(&tx, user).await.unwrap().unwrap().role,
        Role::Viewer,
        "the membership in another organization stays"
    );
}

async fn nobody_is_a_member_twice(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.platform_write().await;
    let again = membership(world.a.id(), world.a.owner, Role::Viewer, tx.now());
    assert!(matches!(
        tx.insert_membership(&again).await,
        Err(StoreError::Conflict(Uniqueness::Membership))
    ));
}

/// What a service does: lock the organization, look whether another owner stays, remove.
async fn two_owners_who_remove_each_other_leave_one(db: &TestDatabase) {
    let world = World::new(db).await;
    for round in 0..5 {
        let other = world
            .member(&world.a, &format!("owner{round}@alpha.example"), Role::Owner)
            .await;
        let tasks = [world.a.owner, other].map(|removed| {
            let (store, tenant) = (world.store.clone(), world.a.tenant);
            tokio::spawn(async move {
                let tx = store.write(tenant).await.unwrap();
                organizations::get_locked(&tx).await.unwrap().unwrap();
                if members::owner_count(&tx).await.unwrap() == 1 {
                    return false;
                }
                let was_removed = members::remove(&tx, removed).await.unwrap();
                tx.commit().await.unwrap();
                was_removed
            })
        });
        let mut removed = 0;
        for task in tasks {
            removed += u8::from(task.await.unwrap());
        }
        assert_eq!(removed, 1, "round {round}");
        let tx = world.read(&world.a).await;
        assert_eq!(members::owner_count(&tx).await.unwrap(), 1);
        let stays = members::get(&tx, world.a.owner).await.unwrap().is_some();
        drop(tx);
        if !stays {
            world.join(&world.a, world.a.owner, Role::Owner).await;
            let tx = world.write(&world.a).await;
            assert!(members::remove(&tx, other).await.unwrap());
            tx.commit().await.unwrap();
        }
    }
}

on_both_databases!(
    pages_are_oldest_first_and_end,
    a_disabled_user_is_shown_as_such,
    roles_are_set_and_members_removed,
    nobody_is_a_member_twice,
    two_owners_who_remove_each_other_leave_one,
);
