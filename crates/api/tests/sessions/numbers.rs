//! Phone numbers: one session of an organization each.

use serde_json::Value;
use waha_sim::Status;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

const NUMBER: &str = "15550000001";

on_both_databases!(
    a_second_session_does_not_take_the_number_over,
    a_number_that_is_free_again_is_taken,
    two_that_pair_at_once_do_not_hold_up_the_rest,
    what_another_organization_holds_is_not_noticed,
);

async fn a_second_session_does_not_take_the_number_over(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "first", NUMBER).await;
    world.paired(&owner, &server, "second", NUMBER).await;
    world.later();
    let second = owner.status("second").await;
    assert_eq!(second["status"], "working");
    assert!(second["phone_number"].is_null());
    assert!(
        second["last_error"].as_str().unwrap().contains("phone number"),
        "{second}"
    );
    let first = owner.status("first").await;
    assert_eq!(first["phone_number"], format!("+{NUMBER}"));
    assert!(first["last_error"].is_null());

    let rows = world.rows().await;
    for _ in 0..2 {
        world.later();
        owner.get("").await.ok();
        assert_eq!(world.rows().await, rows, "it is written once");
    }
}

async fn a_number_that_is_free_again_is_taken(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    for (holder, waiting, release) in [("a1", "a2", "logout"), ("b1", "b2", "delete")] {
        let number = if holder == "a1" {
            "15550000002"
        } else {
            "15550000003"
        };
        world.working(&owner, &server, holder, number).await;
        world.paired(&owner, &server, waiting, number).await;
        world.later();
        assert!(owner.status(waiting).await["last_error"].is_string());
        if release == "logout" {
            owner.post(&format!("/{holder}/logout")).await.ok();
        } else {
            owner.delete(&format!("/{holder}")).await.ok();
        }
        world.later();
        let session = owner.status(waiting).await;
        assert_eq!(session["phone_number"], format!("+{number}"), "{release}");
        assert!(session["last_error"].is_null(), "{release}");
    }
}

async fn two_that_pair_at_once_do_not_hold_up_the_rest(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    for name in ["first", "second"] {
        world.paired(&owner, &server, name, NUMBER).await;
    }
    world.paired(&owner, &server, "third", "15550000009").await;
    world.later();
    let list = owner.get("?sort_by=session_name&sort_direction=asc").await.ok();
    assert_eq!(list.sync()["is_fresh"], true);
    let sessions = list.data().as_array().unwrap();
    assert!(sessions.iter().all(|session| session["status"] == "working"));
    let holders = sessions
        .iter()
        .filter(|session| session["phone_number"] == format!("+{NUMBER}"));
    assert_eq!(holders.count(), 1);
    let troubled = sessions
        .iter()
        .filter(|session| session["last_error"] != Value::Null);
    assert_eq!(troubled.count(), 1);
    assert_eq!(sessions[2]["phone_number"], "+15550000009");
}

async fn what_another_organization_holds_is_not_noticed(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    world.working(&b, &server, "shop", NUMBER).await;
    let session = world.working(&a, &server, "desk", NUMBER).await;
    assert_eq!(session["phone_number"], format!("+{NUMBER}"));
    assert!(session["last_error"].is_null());
    assert_eq!(b.status("shop").await["phone_number"], format!("+{NUMBER}"));
    server
        .sim
        .wait_for_status(&world.waha_name("desk").await, Status::Working)
        .await;
}
