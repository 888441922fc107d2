//! Requests whose ends or meanings two servers could see differently.

use serde_json::json;
use wahana_domain::{Role, TokenId};
use wahana_testkit::app::{Actor, By, Home};

use crate::{Scene, authorization, scene};

const PATCH: &str = "PATCH /api/waha/organization HTTP/1.1\r\nHost: wahana.test\r\nConnection: close\r\n\
                     Content-Type: application/json\r\n";

async fn patch(scene: &Scene, rest: &str) -> String {
    scene
        .raw(&format!("{PATCH}{}{rest}", authorization(&scene.owner)))
        .await
        .named()
}

#[test]
fn a_length_that_is_not_clear_is_refused() {
    scene(async |scene| {
        let before = scene.state().await;
        let body = r#"{"name":"a"}"#;
        for headers in [
            "Content-Length: 12\r\nContent-Length: 11\r\n",
            "Content-Length: 12, 11\r\n",
            "Content-Length: +12\r\n",
            "Content-Length: 0x0c\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: identity\r\nContent-Length: 12\r\n",
            "Content-Length : 12\r\n",
            "Transfer-Encoding : chunked\r\n",
        ] {
            let got = patch(scene, &format!("{headers}\r\n{body}")).await;
            assert_eq!(got, "400", "{headers}");
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn what_is_smuggled_behind_a_body_has_no_credential() {
    scene(async |scene| {
        let before = scene.state().await;
        // Whoever believes the length takes the second request for a part of the first.
        let smuggled =
            "DELETE /api/waha/sessions/x HTTP/1.1\r\nHost: wahana.test\r\nConnection: close\r\n\r\n";
        let request = format!(
            "GET /api/waha/organization HTTP/1.1\r\nHost: wahana.test\r\n{}Content-Length: {}\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
            authorization(&scene.owner),
            smuggled.len() + 5,
        );
        let text = scene.app.send_bytes(request.as_bytes()).await;
        let answers: Vec<_> = text
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|answer| &answer[..3])
            .collect();
        assert!(
            matches!(answers.as_slice(), ["400" | "200"] | ["200", "401"]),
            "{text}"
        );
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn a_chunked_body_is_a_body_and_a_broken_one_is_none() {
    scene(async |scene| {
        let chunked = "Transfer-Encoding: chunked\r\n\r\n";
        assert_eq!(
            patch(
                scene,
                &format!("{chunked}6\r\n{{\"name\r\n6\r\n\":\"b\"}}\r\n0\r\n\r\n")
            )
            .await,
            "200"
        );
        let before = scene.state().await;
        for rest in [
            "zz\r\n{}\r\n0\r\n\r\n",
            "6\r\n{\"name\"x\r\n0\r\n\r\n",
            "-1\r\n{}\r\n0\r\n\r\n",
        ] {
            let got = patch(scene, &format!("{chunked}{rest}")).await;
            assert_eq!(got, "400 BAD_REQUEST", "{rest}");
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn headers_change_neither_method_nor_path_nor_host() {
    scene(async |scene| {
        let session = scene.app.session(Home::A).await;
        let before = scene.state().await;
        for (name, value) in [
            ("x-http-method-override", "DELETE"),
            ("x-http-method", "DELETE"),
            ("x-method-override", "PATCH"),
        ] {
            let client = scene.owner.clone().with(name, value);
            let target = format!("/api/waha/sessions/{}", session.id);
            let answer = client.post_json(&target, &json!({})).await;
            assert_eq!(answer.named(), "405 METHOD_NOT_ALLOWED", "{name}");
        }
        for name in [
            "x-original-url",
            "x-rewrite-url",
            "x-forwarded-prefix",
            "x-forwarded-uri",
            "forwarded",
        ] {
            let client = scene.owner.clone().with(name, "/api/waha/tokens");
            let answer = client.get("/api/waha/organization").await;
            assert_eq!(answer.named(), "200", "{name}");
            assert!(
                answer.json()["data"]["retention"].is_object(),
                "{name}: {}",
                answer.text()
            );
            let client = scene.app.actor(Actor::Nobody).await.with(name, "/healthz");
            assert_eq!(
                client.get("/api/waha/organization").await.named(),
                "401 UNAUTHENTICATED",
                "{name}"
            );
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn an_upgrade_is_not_made() {
    scene(async |scene| {
        for upgrade in ["websocket", "h2c", "TLS/1.0"] {
            let request = format!(
                "GET /api/waha/organization HTTP/1.1\r\nHost: wahana.test\r\n{}Connection: Upgrade, close\r\n\
                 Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                authorization(&scene.owner),
            );
            assert_eq!(scene.raw(&request).await.status, 200, "{upgrade}");
        }
    });
}

#[test]
fn headers_that_are_too_many_or_broken_are_refused() {
    scene(async |scene| {
        let before = scene.state().await;
        let body = "Content-Length: 12\r\n\r\n{\"name\":\"a\"}";
        let flood = "X-Header: x\r\n".repeat(500);
        assert_eq!(patch(scene, &format!("{flood}{body}")).await, "431");
        let huge = format!("X-Huge: {}\r\n", "x".repeat(1024 * 1024));
        assert_eq!(patch(scene, &format!("{huge}{body}")).await, "431");
        for header in [
            "X-Folded: a\r\n b\r\n",
            "X-Zero: a\0b\r\n",
            "X Space: a\r\n",
            ": a\r\n",
            "X-Bare: a\rb\r\n",
        ] {
            assert_eq!(
                patch(scene, &format!("{header}{body}")).await,
                "400",
                "{header:?}"
            );
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn only_trusted_proxies_say_where_a_request_is_from() {
    scene(async |scene| {
        let client = scene
            .owner
            .clone()
            .with("x-request-id", "from-where")
            .with("x-forwarded-for", "198.51.100.7")
            .with("x-real-ip", "198.51.100.7")
            .with("forwarded", "for=198.51.100.7");
        client
            .patch_json("/api/waha/organization", &json!({"name": "b"}))
            .await;
        let addresses = scene
            .database
            .texts_unguarded("SELECT source_address FROM audit_entries WHERE request_id = 'from-where'")
            .await;
        assert_eq!(addresses, ["127.0.0.1"]);
    });
}

#[test]
fn platform_tokens_and_organizations_tokens_are_not_mixed_up() {
    scene(async |scene| {
        let platform = scene.app.actor(Actor::PlatformAdministrator(By::Token)).await;
        assert_eq!(platform.get("/api/platform/users").await.named(), "200");
        assert_eq!(
            platform.get("/api/waha/organization").await.named(),
            "403 NO_ORGANIZATION"
        );
        for actor in [
            crate::OWNER,
            Actor::ViewerWhoOperates,
            Actor::Member(Home::B, Role::Owner, By::Cookie),
        ] {
            let client = scene.app.actor(actor).await;
            assert_eq!(
                client.get("/api/platform/users").await.named(),
                "403 FORBIDDEN",
                "{actor}"
            );
        }
        let unknown = format!("Bearer {}|x", TokenId::generate_platform());
        let client = scene
            .app
            .client(http::HeaderMap::new())
            .with("authorization", &unknown);
        assert_eq!(
            client.get("/api/platform/users").await.named(),
            "401 UNAUTHENTICATED"
        );
    });
}
