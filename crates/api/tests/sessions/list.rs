//! The list: filters, search, order, pages, and what it says besides.

use serde_json::json;
use waha_sim::Status;
use wahana_domain::Role;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{
    client::Client,
    world::{Server, World},
};

on_both_databases!(
    the_filters_partition_the_sessions,
    words_are_searched_where_people_look,
    pages_and_orders_are_kept,
    the_answer_says_whose_it_is_and_how_old,
    what_is_not_a_parameter_is_refused,
    a_limited_token_sees_its_sessions_only,
);

/// One session in each status that WAHA can hold.
async fn one_of_each(world: &World<'_>, owner: &Client, server: &Server) {
    world.paired(owner, server, "working", "15550000001").await;
    world.waiting(owner, server, "waiting").await;
    let stopped = json!({"session_name": "stopped", "start": false});
    owner.post_json("", &stopped).await.expect(201);
    for name in ["failed", "gone", "passkey"] {
        world.waiting(owner, server, name).await;
    }
    let sim = &server.sim;
    sim.fail_session(&world.waha_name("failed").await).unwrap();
    sim.delete_session(&world.waha_name("gone").await).unwrap();
    sim.require_passkey(&world.waha_name("passkey").await).unwrap();
    sim.set_whatsapp_reachable(false);
    let starting = json!({"session_name": "starting"});
    owner.post_json("", &starting).await.expect(201);
    world.later();
}

async fn the_filters_partition_the_sessions(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    one_of_each(&world, &owner, &server).await;

    let by_name = "sort_by=session_name&sort_direction=asc&";
    let groups = [
        ("connected", vec!["working"]),
        ("connecting", vec!["passkey", "starting", "waiting"]),
        ("disconnected", vec!["gone", "stopped"]),
        ("error", vec!["failed"]),
    ];
    let mut in_groups = 0;
    for (group, names) in groups {
        assert_eq!(
            owner.names(&format!("{by_name}status={group}")).await,
            names,
            "{group}"
        );
        in_groups += names.len();
    }
    let all = owner.names(&format!("{by_name}status=all")).await;
    assert_eq!(all.len(), in_groups);
    assert_eq!(all, owner.names(by_name).await);

    for (status, names) in [
        ("working", vec!["working"]),
        ("scan_qr", vec!["waiting"]),
        ("action_required", vec!["passkey"]),
    ] {
        assert_eq!(
            owner.names(&format!("{by_name}status={status}")).await,
            names,
            "{status}"
        );
    }
    for (health, names) in [
        ("healthy", vec!["working"]),
        ("warning", vec![]),
        ("critical", vec!["failed", "gone"]),
        ("unknown", vec!["passkey", "starting", "stopped", "waiting"]),
    ] {
        let found = owner.names(&format!("{by_name}health_status={health}")).await;
        assert_eq!(found, names, "{health}");
        for name in names {
            assert_eq!(owner.status(name).await["health_status"], health, "{name}");
        }
    }
}

async fn words_are_searched_where_people_look(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world
        .working(&owner, &server, "Front_Desk", "6281234567890")
        .await;
    let shop = json!({
        "session_name": "shop", "display_name": "Ärztehaus 100%", "business_name": "Toko Bunga", "start": false,
    });
    owner.post_json("", &shop).await.expect(201);

    for (words, names) in [
        ("front", vec!["Front_Desk"]),
        ("812345", vec!["Front_Desk"]),
        ("bunga", vec!["shop"]),
        ("Ärzte", vec!["shop"]),
        ("0%25", vec!["shop"]),
        ("%25", vec!["shop"]),
        ("_", vec!["Front_Desk"]),
        ("nowhere", vec![]),
    ] {
        assert_eq!(owner.names(&format!("search={words}")).await, names, "{words}");
    }
}

async fn pages_and_orders_are_kept(database: &TestDatabase) {
    let world = World::new(database).await;
    let _server = world.server("one").await;
    let owner = world.owner("a").await;
    for number in 0..17 {
        let new = json!({"session_name": format!("s{number:02}"), "start": false});
        owner.post_json("", &new).await.expect(201);
    }
    let first = owner.get("").await.ok();
    assert_eq!(first.data().as_array().unwrap().len(), 15);
    assert_eq!(first.data()[0]["session_name"], "s16", "the newest is first");
    let pagination = json!({
        "current_page": 1, "last_page": 2, "per_page": 15, "total": 17, "from": 1, "to": 15,
        "has_more_pages": true,
    });
    assert_eq!(first.json["pagination"], pagination);
    let second = owner.get("?page=2").await.ok();
    assert_eq!(second.json["pagination"]["from"], 16);
    assert_eq!(second.json["pagination"]["has_more_pages"], false);
    assert_eq!(second.data()[1]["session_name"], "s00");
    let beyond = owner.get("?page=9").await.ok();
    assert!(beyond.json["pagination"]["from"].is_null());
    assert_eq!(beyond.data(), &json!([]));
    let upwards = owner.names("sort_by=session_name&sort_direction=asc").await;
    assert!(upwards.is_sorted());
    let downwards = owner.names("sort_by=session_name&sort_direction=desc").await;
    assert!(downwards.iter().rev().is_sorted());
    for column in [
        "created_at",
        "updated_at",
        "display_name",
        "status",
        "last_message_at",
    ] {
        let names = owner.names(&format!("sort_by={column}")).await;
        assert_eq!(names.len(), 17, "{column}");
    }
}

async fn the_answer_says_whose_it_is_and_how_old(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("Toko Bunga").await;
    let empty = owner.get("").await.ok();
    assert_eq!(empty.json["meta"]["organization"]["name"], "Toko Bunga");
    assert_eq!(empty.sync()["is_fresh"], true, "nothing needed asking");
    assert_eq!(server.sim.counts().total, 0);

    let session = world.working(&owner, &server, "shop", "15550000001").await;
    world.later();
    let answer = owner.get("").await.ok();
    assert_eq!(answer.sync()["is_fresh"], true);
    assert!(answer.sync()["reason"].is_null());
    assert_eq!(answer.data()[0]["last_synced_at"], answer.sync()["synced_at"]);
    assert_eq!(answer.data()[0]["last_health_check"], answer.sync()["synced_at"]);
    assert_eq!(
        answer.json["meta"]["organization"]["id"],
        session["organization_id"]
    );
    assert_eq!(answer.data()[0]["phone_number"], "+15550000001");
    assert_eq!(
        answer.data()[0]["updated_at"],
        session["updated_at"],
        "being looked at is no change"
    );
}

async fn what_is_not_a_parameter_is_refused(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    for (query, field) in [
        ("status=online", "status"),
        ("health_status=fine", "health_status"),
        ("page=0", "page"),
        ("per_page=101", "per_page"),
        ("sort_by=waha_name", "sort_by"),
        ("sort_direction=up", "sort_direction"),
        ("organization_id=1", "organization_id"),
        ("page=1&page=2", "page"),
    ] {
        let answer = owner
            .get(&format!("?{query}"))
            .await
            .refused(422, "VALIDATION_ERROR");
        assert!(
            answer.json["errors"][field].is_array(),
            "{query}: {}",
            answer.json
        );
    }
}

async fn a_limited_token_sees_its_sessions_only(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world
        .organization("a", wahana_domain::OrganizationLimits::default())
        .await;
    let owner = world.member(home, Role::Owner).await;
    let seen = world.waiting(&owner, &server, "seen").await;
    world.waiting(&owner, &server, "unseen").await;
    let only = vec![seen["id"].as_str().unwrap().parse().unwrap()];
    let limited = world.member_limited_to(home, Role::Owner, Some(only)).await;
    server
        .sim
        .wait_for_status(&world.waha_name("seen").await, Status::ScanQrCode)
        .await;

    let list = limited.get("").await.ok();
    assert_eq!(list.json["pagination"]["total"], 1);
    assert_eq!(list.data()[0]["session_name"], "seen");
    limited.get("/seen/status").await.ok();
    limited
        .get("/unseen/status")
        .await
        .refused(404, "SESSION_NOT_FOUND");
    let refused = limited.post_json("", &json!({"session_name": "third"})).await;
    refused.refused(403, "FORBIDDEN");
}
