//! Who tries to act on B's things through A's paths.

use http::Method;
use serde_json::json;
use wahana_testkit::app::{Actor, Home};

use crate::{OWNER_BY_COOKIE, OWNER_OF_B, scene};

#[test]
fn a_body_names_no_other_session_or_organization() {
    scene(async |scene| {
        let (own, foreign) = (scene.app.session(Home::A).await, scene.app.session(Home::B).await);
        let b = scene.app.organization_id(Home::B).to_string();
        let before = scene.state().await;
        let fields = [
            ("id", json!(foreign.id)),
            ("session", json!(foreign.name)),
            ("sessionId", json!(foreign.id)),
            ("session_id", json!(foreign.id)),
            ("session_name", json!(foreign.name)),
            ("organization", json!(b)),
            ("organization_id", json!(b)),
            ("organizationId", json!(b)),
            ("waha_name", json!(foreign.waha.name.as_str())),
            ("server", json!("http://127.0.0.1:1/")),
            ("role", json!("owner")),
            ("status", json!("working")),
            ("phone_number", json!("+15550001111")),
        ];
        for (field, value) in fields {
            let body = json!({"display_name": "taken over", field: value});
            let answer = scene
                .owner
                .patch_json(&format!("/api/waha/sessions/{}", own.id), &body)
                .await;
            assert_eq!(answer.named(), "422 VALIDATION_ERROR", "{field}");
            assert!(answer.json()["errors"].get(field).is_some(), "{}", answer.text());
        }
        for field in ["webhooks", "proxy", "metadata", "apps", "customHeaders"] {
            let body = json!({"configuration": {field: {"url": "http://127.0.0.1:1/"}}});
            let answer = scene
                .owner
                .patch_json(&format!("/api/waha/sessions/{}", own.id), &body)
                .await;
            assert_eq!(answer.named(), "422 VALIDATION_ERROR", "{field}");
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn a_query_names_no_other_session_or_organization() {
    scene(async |scene| {
        let (own, foreign) = (scene.app.session(Home::A).await, scene.app.session(Home::B).await);
        let b = scene.app.organization_id(Home::B);
        let before = scene.state().await;
        for query in [
            format!("session={}", foreign.name),
            format!("session[]={}", foreign.name),
            format!("sessionId={}", foreign.id),
            format!("sessionId={}&sessionId={}", own.id, foreign.id),
            format!("session_id={}", foreign.id),
            format!("organization={b}"),
            format!("organization_id={b}"),
            "instanceName=x".to_owned(),
            "_method=DELETE".to_owned(),
            "page=1".to_owned(),
        ] {
            for (method, path) in [
                (Method::GET, format!("/api/waha/sessions/{}/connected", own.id)),
                (Method::GET, "/api/waha/organization".to_owned()),
                (Method::POST, format!("/api/waha/sessions/{}/stop", own.id)),
                (Method::DELETE, format!("/api/waha/sessions/{}", own.id)),
            ] {
                let answer = scene
                    .owner
                    .send(method.clone(), &format!("{path}?{query}"), None)
                    .await;
                assert_eq!(answer.named(), "422 VALIDATION_ERROR", "{method} {path}?{query}");
            }
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn a_faulty_query_is_told_after_what_may_not_be_seen() {
    scene(async |scene| {
        let foreign = scene.app.session(Home::B).await;
        let nobody = scene.app.actor(Actor::Nobody).await;
        let target = format!("/api/waha/sessions/{}/connected?what=ever", foreign.id);
        assert_eq!(nobody.get(&target).await.named(), "401 UNAUTHENTICATED");
        assert_eq!(scene.owner.get(&target).await.named(), "404 SESSION_NOT_FOUND");
    });
}

#[test]
fn repeated_and_faulty_parameters_are_refused() {
    scene(async |scene| {
        for query in [
            "page=1&page=2",
            "page=1&pag%65=2",
            "page[]=1",
            "page%5B0%5D=1",
            "Page=1",
            "page=0",
            "page=-1",
            "page=1000000000000000000",
            "page=99999999999999999999999999999999999999999999",
            "page=1.0",
            "page=1e3",
            "page=0x1",
            "page=",
            "page",
            "page=%00",
            "per_page=0",
            "per_page=101",
            "per_page=all",
            "unknown=1",
            "__proto__=1",
        ] {
            for list in ["tokens", "sessions"] {
                let answer = scene.owner.get(&format!("/api/waha/{list}?{query}")).await;
                assert_eq!(answer.named(), "422 VALIDATION_ERROR", "{list}?{query}");
            }
        }
        for query in ["", "page=1", "page=1000000", "per_page=1&page=2", "per_page=100"] {
            for list in ["tokens", "sessions"] {
                let answer = scene.owner.get(&format!("/api/waha/{list}?{query}")).await;
                assert_eq!(answer.named(), "200", "{list}?{query}");
            }
        }
    });
}

#[test]
fn a_token_is_limited_to_own_sessions_alone_and_foreign_ones_are_as_if_missing() {
    scene(async |scene| {
        let foreign = scene.app.session(Home::B).await;
        let create = async |sessions: serde_json::Value| {
            let body = json!({"name": "ci", "sessions": sessions});
            let answer = scene.owner.post_json("/api/waha/tokens", &body).await;
            (answer.named(), answer.json()["errors"].clone())
        };
        let missing = create(json!([uuid::Uuid::now_v7()])).await;
        assert_eq!(missing.0, "422 VALIDATION_ERROR");
        assert_eq!(create(json!([foreign.id])).await, missing);
        for faulty in [
            json!(foreign.id),
            json!([[foreign.id]]),
            json!([]),
            json!({"0": foreign.id}),
            json!([1]),
        ] {
            assert_eq!(create(faulty.clone()).await.0, "422 VALIDATION_ERROR", "{faulty}");
        }
    });
}

#[test]
fn a_header_names_no_other_organization() {
    scene(async |scene| {
        let (a, b) = (
            scene.app.organization_id(Home::A).to_string(),
            scene.app.organization_id(Home::B).to_string(),
        );
        let by_token = scene.owner.clone().with("x-organization-id", &b);
        let answer = by_token.get("/api/waha/organization").await;
        assert_eq!(
            answer.json()["data"]["id"],
            json!(a),
            "a token is for its own organization"
        );

        let cookie = scene.app.actor(OWNER_BY_COOKIE).await;
        for named in [b.as_str(), "", "*", "A", "00000000-0000-0000-0000-000000000000"] {
            let answer = cookie
                .clone()
                .with("x-organization-id", named)
                .get("/api/waha/organization")
                .await;
            assert_eq!(answer.named(), "403 NO_ORGANIZATION", "{named}");
        }
        let answer = cookie
            .with("x-organization-id", &a)
            .get("/api/waha/organization")
            .await;
        assert_eq!(answer.json()["data"]["id"], json!(a));
    });
}

#[test]
fn two_organizations_have_sessions_of_one_name_and_each_its_own() {
    scene(async |scene| {
        let other = scene.app.actor(OWNER_OF_B).await;
        let body = json!({"session_name": "sales", "start": false});
        let of_a = scene.owner.post_json("/api/waha/sessions", &body).await;
        let of_b = other.post_json("/api/waha/sessions", &body).await;
        assert_eq!((of_a.named(), of_b.named()), ("201".to_owned(), "201".to_owned()));
        assert_ne!(of_a.json()["data"]["id"], of_b.json()["data"]["id"]);
        assert_eq!(other.delete("/api/waha/sessions/sales").await.named(), "200");
        assert_eq!(
            scene
                .owner
                .get("/api/waha/sessions/sales/connected")
                .await
                .named(),
            "200"
        );
        assert_eq!(
            scene.owner.post_json("/api/waha/sessions", &body).await.named(),
            "409 SESSION_ALREADY_EXISTS"
        );
    });
}
