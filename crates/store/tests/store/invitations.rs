//! Invitations, for the organization and for whoever follows their link.

use std::time::Duration;

use wahana_domain::{InvitationId, Member, Role, Secret, UserId};
use wahana_store::{TenantTx, invitations, members};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

const WEEK: Duration = Duration::from_hours(7 * 24);

async fn an_invitation_is_found_with_the_hash_of_its_secret(db: &TestDatabase) {
    let world = World::new(db).await;
    let new = world.new_invitation(&world.a, "Guest@Example.com");
    let secret = Secret::generate();
    let tx = world.write(&world.a).await;
    invitations::insert(&tx, &new, &secret.hash()).await.unwrap();
    assert_eq!(invitations::get(&tx, new.id).await.unwrap(), Some(new.clone()));
    tx.commit().await.unwrap();
    let tx = world.platform_read().await;
    let (found, hash) = tx.invitation(new.id).await.unwrap().unwrap();
    assert_eq!((found, hash), (new, secret.hash()));
    assert!(tx.invitation(InvitationId::new()).await.unwrap().is_none());
}

async fn the_open_ones_are_listed_newest_first(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut ids = Vec::new();
    for name in ["one", "two", "three", "four"] {
        ids.push(world.invitation(&world.a, &format!("{name}@example.com")).await);
        world.clock.advance(Duration::from_secs(1));
    }
    let tx = world.platform_write().await;
    assert!(tx.use_invitation(ids[1]).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.write(&world.a).await;
    assert!(invitations::revoke(&tx, ids[2]).await.unwrap());
    let (open, total) = invitations::open_page(&tx, 0, 10).await.unwrap();
    assert_eq!(
        open.iter().map(|invitation| invitation.id).collect::<Vec<_>>(),
        [ids[3], ids[0]]
    );
    assert_eq!(total, 2);
    assert_eq!(
        invitations::open_page(&tx, 1, 1).await.unwrap(),
        (vec![open[1].clone()], 2)
    );
    for beyond in [2, u64::MAX] {
        assert_eq!(
            invitations::open_page(&tx, beyond, 10).await.unwrap(),
            (vec![], 2)
        );
    }
    world.clock.advance(WEEK.saturating_sub(Duration::from_secs(3)));
    let (open, total) = invitations::open_page(&tx, 0, 10).await.unwrap();
    assert_eq!((open.len(), total, open[0].id), (1, 1, ids[3]));
}

async fn what_was_used_revoked_or_expired_cannot_be_used_or_revoked(db: &TestDatabase) {
    let world = World::new(db).await;
    let used = world.invitation(&world.a, "used@example.com").await;
    let revoked = world.invitation(&world.a, "revoked@example.com").await;
    let expired = world.invitation(&world.a, "expired@example.com").await;
    let tx = world.write(&world.a).await;
    assert!(invitations::revoke(&tx, revoked).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.platform_write().await;
    assert!(tx.use_invitation(used).await.unwrap());
    world.clock.advance(WEEK);
    for id in [used, revoked, expired, InvitationId::new()] {
        assert!(!tx.use_invitation(id).await.unwrap());
    }
    tx.commit().await.unwrap();
    let tx = world.write(&world.a).await;
    for id in [used, revoked, expired, InvitationId::new()] {
        assert!(!invitations::revoke(&tx, id).await.unwrap());
    }
    let found = invitations::get(&tx, used).await.unwrap().unwrap();
    assert_eq!(found.accepted_at, Some(crate::world::START));
    assert_eq!(found.revoked_at, None);
}

async fn of_many_who_come_at_once_one_gets_in(db: &TestDatabase) {
    let world = World::new(db).await;
    let id = world.invitation(&world.a, "guest@example.com").await;
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move {
                let tx = store.platform_write().await.unwrap();
                let got_in = tx.use_invitation(id).await.unwrap();
                tx.commit().await.unwrap();
                got_in
            })
        })
        .collect();
    let mut got_in = 0;
    for task in tasks {
        got_in += u8::from(task.await.unwrap());
    }
    assert_eq!(got_in, 1);
}

/// Who made it, for which role and to whom; what stays open is told by the address.
async fn open_after(
    world: &World,
    revoke: impl AsyncFnOnce(&TenantTx, &Member),
    inviter: UserId,
) -> Vec<String> {
    for (email, invited_by, role) in [
        ("theirs-owner@example.com", inviter, Role::Owner),
        ("theirs-agent@example.com", inviter, Role::Agent),
        ("AGENT@alpha.example", world.a.owner, Role::Viewer),
        ("other@example.com", world.a.owner, Role::Owner),
    ] {
        let mut new = world.new_invitation(&world.a, email);
        new.invited_by = Some(invited_by);
        new.role = role;
        let tx = world.write(&world.a).await;
        invitations::insert(&tx, &new, &Secret::generate().hash())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let tx = world.write(&world.a).await;
    let member = members::get(&tx, inviter).await.unwrap().unwrap();
    revoke(&tx, &member).await;
    let (open, _) = invitations::open_page(&tx, 0, 10).await.unwrap();
    let mut open: Vec<_> = open
        .iter()
        .map(|invitation| invitation.email.as_str().to_owned())
        .collect();
    open.sort();
    open
}

async fn what_could_outlive_a_member_is_revoked(db: &TestDatabase) {
    let world = World::new(db).await;
    let agent = world.member(&world.a, "agent@alpha.example", Role::Admin).await;
    let revoke = async |tx: &TenantTx, member: &Member| {
        invitations::revoke_of_member(tx, member).await.unwrap();
    };
    assert_eq!(open_after(&world, revoke, agent).await, ["other@example.com"]);
}

async fn what_a_member_made_for_some_roles_is_revoked(db: &TestDatabase) {
    let world = World::new(db).await;
    let agent = world.member(&world.a, "agent@alpha.example", Role::Admin).await;
    let revoke = async |tx: &TenantTx, member: &Member| {
        invitations::revoke_made_by(tx, member.user_id, &[Role::Owner, Role::Admin])
            .await
            .unwrap();
    };
    assert_eq!(
        open_after(&world, revoke, agent).await,
        [
            "AGENT@alpha.example",
            "other@example.com",
            "theirs-agent@example.com"
        ]
    );
}

on_both_databases!(
    what_could_outlive_a_member_is_revoked,
    what_a_member_made_for_some_roles_is_revoked,
    an_invitation_is_found_with_the_hash_of_its_secret,
    the_open_ones_are_listed_newest_first,
    what_was_used_revoked_or_expired_cannot_be_used_or_revoked,
    of_many_who_come_at_once_one_gets_in,
);
