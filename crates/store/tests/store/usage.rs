//! How many messages an organization sent in a month.

use std::time::Duration;

use wahana_domain::Month;
use wahana_store::usage;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

async fn messages_are_counted_up_to_the_quota_of_a_month(db: &TestDatabase) {
    let world = World::new(db).await;
    let (this, next) = (
        Month::of(START),
        Month::of(START.plus(Duration::from_hours(24 * 31))),
    );
    let tx = world.write(&world.a).await;
    assert_eq!(usage::messages(&tx, this).await.unwrap(), 0);
    assert!(!usage::raise(&tx, this, Some(0)).await.unwrap());
    for _ in 0..2 {
        assert!(usage::raise(&tx, this, Some(2)).await.unwrap());
    }
    assert!(!usage::raise(&tx, this, Some(2)).await.unwrap());
    assert!(usage::raise(&tx, this, None).await.unwrap());
    assert!(usage::raise(&tx, next, Some(1)).await.unwrap());
    tx.commit().await.unwrap();

    let tx = world.write(&world.a).await;
    assert_eq!(usage::messages(&tx, this).await.unwrap(), 3);
    for _ in 0..5 {
        usage::lower(&tx, this).await.unwrap();
    }
    assert_eq!(usage::messages(&tx, this).await.unwrap(), 0);
    assert_eq!(usage::messages(&tx, next).await.unwrap(), 1);
    drop(tx);

    let tx = world.write(&world.b).await;
    assert_eq!(usage::messages(&tx, this).await.unwrap(), 0);
}

async fn many_at_once_do_not_pass_the_quota(db: &TestDatabase) {
    let world = World::new(db).await;
    let month = Month::of(START);
    let attempts = (0..20).map(async |_| {
        let tx = world.write(&world.a).await;
        let is_counted = usage::raise(&tx, month, Some(7)).await.unwrap();
        tx.commit().await.unwrap();
        is_counted
    });
    let counted = futures_util::future::join_all(attempts).await;
    assert_eq!(counted.into_iter().filter(|is_counted| *is_counted).count(), 7);
    let tx = world.read(&world.a).await;
    assert_eq!(usage::messages(&tx, month).await.unwrap(), 7);
}

on_both_databases!(
    messages_are_counted_up_to_the_quota_of_a_month,
    many_at_once_do_not_pass_the_quota,
);
