//! Events that are not believed: nothing of them is stored, and WAHA is told.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use wahana_domain::{ServerId, SessionId};
use wahana_service::events::{Hook, HookKeyId};
use wahana_store::hooks;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Delivery, World, insert_server};

on_both_databases!(
    other_keys_open_no_hook,
    a_changed_or_unsigned_body_is_refused_before_it_is_read,
    a_hook_takes_events_of_its_own_session_alone,
    old_events_and_events_of_tomorrow_are_refused,
    what_is_no_event_is_refused,
    a_key_is_valid_until_the_second_next,
    a_servers_session_is_no_other_servers,
    a_removed_server_is_not_believed_any_more,
);

async fn nothing_is_stored(world: &World<'_>) {
    let count = world
        .texts("SELECT CAST(count(*) AS text) FROM waha_events")
        .await;
    assert_eq!(count, ["0"]);
}

async fn other_keys_open_no_hook(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let (one, two) = (
        world.session(&owner, "one").await,
        world.session(&owner, "two").await,
    );
    let other_server = insert_server(&world.store, "two", "http://127.0.0.1:1").await;
    let own = world.hook(Some(one.id));
    let right = world.delivery(own, world.event("evt_1", &one).to_string());
    let key = right.key;
    let version = |version| HookKeyId { version, ..key };
    let signed = |signed_for| Delivery {
        signed_for,
        ..right.clone()
    };
    let server_of = |server, session| Hook { server, session };
    for (what, delivery) in [
        (
            "another server",
            signed((server_of(other_server, Some(one.id)), key)),
        ),
        ("another session", signed((world.hook(Some(two.id)), key))),
        ("the server's own hook", signed((world.hook(None), key))),
        ("another version", signed((own, version(2)))),
        (
            "a version that is not there yet",
            Delivery {
                key: version(2),
                ..signed((own, version(2)))
            },
        ),
        (
            "a key that is not in the ring",
            Delivery {
                key: HookKeyId {
                    ring_key: 9,
                    version: 1,
                },
                ..right.clone()
            },
        ),
    ] {
        let (status, body) = world.send(world.request(&delivery)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
        assert_eq!(body["error_code"], "UNAUTHENTICATED", "{what}");
    }
    nothing_is_stored(&world).await;
    assert_eq!(world.deliver(&right).await, StatusCode::OK);
}

async fn a_changed_or_unsigned_body_is_refused_before_it_is_read(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "one").await;
    let hook = world.hook(Some(session.id));
    let delivery = world.delivery(hook, world.event("evt_1", &session).to_string());
    let key = world.store.hook_key(hook, delivery.key).unwrap();
    let signature = waha_client::events::sign(&key, delivery.body.as_bytes()).unwrap();
    let changed = Delivery {
        body: delivery.body.replacen("evt_1", "evt_2", 1),
        ..delivery.clone()
    };
    // Were it read first, this would be a bad request.
    let broken = Delivery {
        body: "{".to_owned(),
        ..delivery.clone()
    };
    let header = |delivery: &Delivery, value: &str| world.unsigned(delivery).header("x-webhook-hmac", value);
    let requests = [
        world.unsigned(&delivery),
        header(&delivery, ""),
        header(&delivery, &signature[..64]),
        header(&delivery, &signature).header("x-webhook-hmac", &signature),
        header(&delivery, &signature).header("x-webhook-hmac-algorithm", "sha256"),
        header(&changed, &signature),
        header(&broken, &signature),
        world.unsigned(&broken),
        world
            .unsigned(&delivery)
            .header("authorization", format!("Bearer {signature}")),
    ];
    for (number, request) in requests.into_iter().enumerate() {
        let (status, _) = world.send(request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "request {number}");
    }
    nothing_is_stored(&world).await;
    assert_eq!(world.send(header(&delivery, &signature)).await.0, StatusCode::OK);
}

async fn a_hook_takes_events_of_its_own_session_alone(database: &TestDatabase) {
    let world = World::new(database).await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    let (of_a, of_b) = (world.session(&a, "shop").await, world.session(&b, "shop").await);
    let delivery = world.delivery(world.hook(Some(of_a.id)), world.event("evt_1", &of_b).to_string());
    let (status, body) = world.send(world.request(&delivery)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(body["error_code"], "FORBIDDEN");
    nothing_is_stored(&world).await;
}

async fn old_events_and_events_of_tomorrow_are_refused(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "one").await;
    let hook = world.hook(Some(session.id));
    let hour = 3_600_000;
    for shift in [
        -49 * hour,
        -48 * hour - 60_000,
        6 * 60_000,
        24 * hour,
        i64::MAX / 4,
    ] {
        let mut event = world.event("evt_1", &session);
        event["timestamp"] = json!(event["timestamp"].as_i64().unwrap() + shift);
        let delivery = world.delivery(hook, event.to_string());
        assert_eq!(world.deliver(&delivery).await, StatusCode::BAD_REQUEST, "{shift}");
    }
    nothing_is_stored(&world).await;
}

async fn what_is_no_event_is_refused(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "one").await;
    let hook = world.hook(Some(session.id));
    let mut unnamed = world.event("evt_1", &session);
    unnamed.as_object_mut().unwrap().remove("id");
    let mut zero = world.event("evt_1", &session);
    zero["id"] = json!("evt\u{0}");
    for body in [
        String::new(),
        "null".to_owned(),
        "{".to_owned(),
        unnamed.to_string(),
        zero.to_string(),
    ] {
        let delivery = world.delivery(hook, body.clone());
        assert_eq!(world.deliver(&delivery).await, StatusCode::BAD_REQUEST, "{body}");
    }
    let huge = "x".repeat(1024 * 1024 + 1);
    let delivery = world.delivery(hook, huge);
    assert_eq!(world.deliver(&delivery).await, StatusCode::PAYLOAD_TOO_LARGE);
    nothing_is_stored(&world).await;

    for path in [
        "/hooks/waha".to_owned(),
        format!("/hooks/waha/{}", world.server),
        format!("/hooks/waha/{}/1", world.server),
        format!("/hooks/waha/{}/one/1.1", world.server),
        format!("/hooks/waha/{}/%ff/1.1", world.server),
        format!("/hooks/waha/one/{}/1.1", session.id),
    ] {
        let url = world.url.join(&path).unwrap();
        let (status, body) = world.send(world.http.post(url)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(body["error_code"], "NOT_FOUND", "{path}");
    }
    let request = world.unsigned(&world.delivery(hook, "")).build().unwrap();
    let (status, body) = world.send(world.http.get(request.url().clone())).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(body["error_code"], "METHOD_NOT_ALLOWED");
    assert!(!wahana_api::openapi().to_json().unwrap().contains("/hooks/"));
}

async fn a_key_is_valid_until_the_second_next(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "one").await;
    let event = world.event("evt_1", &session).to_string();
    let raise = async || {
        let tx = world.store.platform_write().await.unwrap();
        assert!(tx.raise_hook_versions(world.server).await.unwrap());
        tx.commit().await.unwrap();
    };
    let accepted = async |session: Option<SessionId>| {
        let hook = world.hook(session);
        let mut versions = Vec::new();
        for version in 1..=4 {
            let key = HookKeyId {
                version,
                ..world.store.hook_key_id(1).unwrap()
            };
            let delivery = Delivery {
                hook,
                key,
                signed_for: (hook, key),
                body: event.clone(),
            };
            match world.deliver(&delivery).await {
                StatusCode::OK => versions.push(version),
                status => assert_eq!(status, StatusCode::UNAUTHORIZED),
            }
        }
        versions
    };
    assert_eq!(accepted(None).await, [1]);
    assert_eq!(accepted(Some(session.id)).await, [1]);
    raise().await;
    assert_eq!(accepted(None).await, [1, 2]);
    assert_eq!(accepted(Some(session.id)).await, [1, 2]);
    // WAHA still signs this session's with the first, so that one stays valid.
    raise().await;
    assert_eq!(accepted(None).await, [2, 3]);
    assert_eq!(accepted(Some(session.id)).await, [1, 2]);
    let tx = world.store.write(owner.tenant).await.unwrap();
    hooks::set_applied(&tx, session.id, 2).await.unwrap();
    tx.commit().await.unwrap();
    raise().await;
    assert_eq!(accepted(Some(session.id)).await, [2, 3]);
}

async fn a_servers_session_is_no_other_servers(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "one").await;
    let server = insert_server(&world.store, "two", "http://127.0.0.1:1").await;
    for id in [None, Some(session.id)] {
        let hook = Hook { server, session: id };
        let delivery = world.delivery(hook, world.event("evt_1", &session).to_string());
        // That server may have a session of this name too; it is not this one.
        assert_eq!(world.deliver(&delivery).await, StatusCode::OK);
    }
    nothing_is_stored(&world).await;
}

async fn a_removed_server_is_not_believed_any_more(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "one").await;
    let unknown: ServerId = ServerId::new();
    let removed = insert_server(&world.store, "two", "http://127.0.0.1:1").await;
    let tx = world.store.platform_write().await.unwrap();
    assert!(tx.remove_server(removed).await.unwrap());
    tx.commit().await.unwrap();
    for server in [unknown, removed] {
        let hook = Hook {
            server,
            session: None,
        };
        let delivery = world.delivery(hook, world.event("evt_1", &session).to_string());
        assert_eq!(world.deliver(&delivery).await, StatusCode::UNAUTHORIZED);
    }
    world.clock.advance(Duration::from_secs(1));
    nothing_is_stored(&world).await;
}
