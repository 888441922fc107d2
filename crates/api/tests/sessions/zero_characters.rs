//! Texts with a zero character, which PostgreSQL can neither store nor compare.

use reqwest::Method;
use serde_json::json;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

on_both_databases!(
    a_zero_character_in_a_query_is_refused,
    a_zero_character_in_a_body_is_refused
);

async fn a_zero_character_in_a_query_is_refused(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    for (path, parameter) in [
        ("sessions", "search"),
        ("sessions", "status"),
        ("sessions", "sort_by"),
        ("audit-log", "operation"),
        ("audit-log", "user_id"),
        ("audit-log", "cursor"),
        ("sessions/shop/messages", "chat_id"),
        ("sessions/shop/chats", "cursor"),
    ] {
        for value in ["%00", "a%00b"] {
            let path = format!("/api/waha/{path}?{parameter}={value}");
            let answer = world.get_elsewhere(&owner, &path).await;
            let answer = answer.refused(422, "VALIDATION_ERROR");
            assert!(answer.json["errors"][parameter].is_array(), "{path}");
        }
    }
    for path in ["/%00/status", "/a%00b/status"] {
        owner.get(path).await.refused(404, "SESSION_NOT_FOUND");
    }
}

async fn a_zero_character_in_a_body_is_refused(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    for field in [
        "display_name",
        "business_name",
        "business_description",
        "business_category",
        "business_website",
        "business_email",
    ] {
        let body = json!({field: "https://a.example\0b"});
        for (method, path) in [
            (Method::POST, ""),
            (Method::PATCH, "/shop"),
            (Method::POST, "/new/start"),
        ] {
            let request = owner.request(method.clone(), path).json(&body);
            let answer = owner.send(request).await.refused(422, "VALIDATION_ERROR");
            assert!(answer.json["errors"][field].is_array(), "{method} {path} {field}");
        }
    }
}
