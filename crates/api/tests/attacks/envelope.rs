//! One shape at every layer.

use http::Method;
use serde_json::{Value, json};
use wahana_testkit::app::{Actor, Answer};

use crate::{authorization, scene};

fn check(answer: &Answer, expected: &str) {
    assert_eq!(answer.named(), expected, "{}", answer.text());
    let body = answer.json();
    let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let mut wanted = vec!["error_code", "message", "request_id", "success", "timestamp"];
    if answer.status == 422 {
        wanted.insert(1, "errors");
    }
    let mut keys = keys;
    keys.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(keys, wanted, "{body}");
    assert_eq!(body["success"], Value::Bool(false));
    assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    check_headers(answer);
}

#[test]
fn pages_for_people_say_the_same_to_everybody_and_load_nothing() {
    scene(async |scene| {
        let nobody = scene.app.actor(Actor::Nobody).await;
        for (path, call, english, indonesian) in [
            (
                "/invitation",
                "/api/auth/invitations/accept",
                "Invitation",
                "Undangan",
            ),
            (
                "/password-reset",
                "/api/auth/password-reset",
                "A new password",
                "Kata sandi baru",
            ),
        ] {
            for (languages, title) in [
                ("", english),
                ("fr, en;q=0.5, id;q=0.4", english),
                ("id-ID,id;q=0.9,en;q=0.8", indonesian),
            ] {
                let answer = nobody.clone().with("accept-language", languages).get(path).await;
                assert_eq!(answer.status, 200, "{path}");
                assert!(
                    answer.text().contains(&format!("<h1>{title}</h1>")),
                    "{path} {languages}"
                );
                assert!(answer.text().contains(call), "{path}");
                assert!(
                    answer
                        .header("content-security-policy")
                        .unwrap()
                        .contains("default-src 'none'")
                );
                assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
                check_headers(&answer);
            }
            let of_owner = scene.owner.get(path).await;
            assert_eq!(of_owner.text(), nobody.get(path).await.text());
        }
        let root = nobody.get("/").await;
        assert!(
            root.status == 200 && root.text().contains("/docs"),
            "{}",
            root.text()
        );
        let docs = nobody.get("/docs").await;
        assert!(docs.text().contains("<title>wahana</title>"), "{}", docs.text());
    });
}

#[test]
fn who_reads_a_session_at_its_own_address_is_told_where_it_is() {
    scene(async |scene| {
        let answer = scene.owner.get("/api/waha/sessions/x").await;
        check(&answer, "405 METHOD_NOT_ALLOWED");
        assert!(answer.text().contains("/status"), "{}", answer.text());
    });
}

fn check_headers(answer: &Answer) {
    assert!(answer.header("x-request-id").is_some(), "{:?}", answer.headers);
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{:?}",
        answer.headers
    );
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{:?}",
        answer.headers
    );
}

#[test]
fn unknown_addresses_are_not_found_for_everybody() {
    scene(async |scene| {
        let nobody = scene.app.actor(Actor::Nobody).await;
        for target in [
            "/api",
            "/api/",
            "/api/waha",
            "/api/waha/nothing",
            "/api/waha/sessions/x/y/z",
            "/hooks",
            "/.env",
        ] {
            for method in [
                Method::GET,
                Method::POST,
                Method::DELETE,
                Method::PUT,
                Method::TRACE,
            ] {
                for client in [&nobody, &scene.owner] {
                    check(&client.send(method.clone(), target, None).await, "404 NOT_FOUND");
                }
            }
        }
    });
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    scene(async |scene| {
        for (target, wrong, allowed) in [
            (
                "/api/waha/organization",
                Method::POST,
                vec!["GET", "HEAD", "PATCH"],
            ),
            (
                "/api/waha/organization",
                Method::DELETE,
                vec!["GET", "HEAD", "PATCH"],
            ),
            ("/api/waha/tokens", Method::PATCH, vec!["GET", "HEAD", "POST"]),
            ("/api/waha/sessions/x", Method::GET, vec!["DELETE", "PATCH"]),
            ("/api/waha/sessions/x/stop", Method::GET, vec!["POST"]),
            ("/api/waha/sessions/x/stop", Method::TRACE, vec!["POST"]),
        ] {
            let answer = scene.owner.send(wrong.clone(), target, None).await;
            check(&answer, "405 METHOD_NOT_ALLOWED");
            let mut found: Vec<_> = answer
                .header("allow")
                .unwrap()
                .split(',')
                .map(str::trim)
                .collect();
            found.sort_unstable();
            assert_eq!(found, allowed, "{wrong} {target}");
        }
    });
}

#[test]
fn a_body_that_is_too_large_is_refused_before_anything_else_about_it() {
    scene(async |scene| {
        let before = scene.state().await;
        let large = vec![b'x'; 1024 * 1024 + 1];
        for content_type in ["application/json", "text/plain"] {
            let answer = scene
                .owner
                .send_bytes(
                    Method::PATCH,
                    "/api/waha/organization",
                    content_type,
                    large.clone(),
                )
                .await;
            check(&answer, "413 PAYLOAD_TOO_LARGE");
        }
        let fits = scene
            .owner
            .send_bytes(
                Method::PATCH,
                "/api/waha/organization",
                "application/json",
                large[1..].to_vec(),
            )
            .await;
        check(&fits, "400 BAD_REQUEST");

        let request = format!(
            "PATCH /api/waha/organization HTTP/1.1\r\nHost: wahana.test\r\nConnection: close\r\n{}\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n{}\r\n0\r\n\r\n",
            authorization(&scene.owner),
            "x".repeat(0x0010_0001),
        );
        assert_eq!(scene.raw(&request).await.named(), "413 PAYLOAD_TOO_LARGE");

        let nobody = scene.app.actor(Actor::Nobody).await;
        let answer = nobody
            .send_bytes(Method::PATCH, "/api/waha/organization", "application/json", large)
            .await;
        assert_eq!(answer.named(), "401 UNAUTHENTICATED", "who calls is told first");
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn refusals_have_one_order() {
    scene(async |scene| {
        let viewer = scene
            .app
            .actor(Actor::Member(
                wahana_testkit::app::Home::A,
                wahana_domain::Role::Viewer,
                wahana_testkit::app::By::Token,
            ))
            .await;
        let refused = viewer
            .send_bytes(Method::PATCH, "/api/waha/organization", "text/plain", "no JSON")
            .await;
        check(&refused, "403 FORBIDDEN");
        let missing = viewer
            .send_bytes(Method::PATCH, "/api/waha/sessions/x", "text/plain", "no JSON")
            .await;
        assert_eq!(missing.named(), "404 SESSION_NOT_FOUND");
        let faulty = scene
            .owner
            .send_bytes(Method::PATCH, "/api/waha/organization", "text/plain", "no JSON")
            .await;
        check(&faulty, "415 UNSUPPORTED_MEDIA_TYPE");
    });
}

#[test]
fn every_faulty_field_is_told_at_once() {
    scene(async |scene| {
        let body = json!({
            "name": " ", "country": "ZZ", "time_zone": "Mars", "language": "xx",
            "retention": {"messages_days": 0, "media_days": 3651, "audit_days": -1},
        });
        let answer = scene.owner.patch_json("/api/waha/organization", &body).await;
        check(&answer, "422 VALIDATION_ERROR");
        let errors = answer.json()["errors"].clone();
        let mut fields: Vec<_> = errors.as_object().unwrap().keys().cloned().collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "country",
                "language",
                "name",
                "retention.audit_days",
                "retention.media_days",
                "retention.messages_days",
                "time_zone"
            ]
        );
    });
}

#[test]
fn a_request_id_is_echoed_if_it_is_well_formed() {
    scene(async |scene| {
        let longest = "x".repeat(128);
        for id in [
            "a",
            "0190a3b1-7c44-7def-8a51-0123456789ab",
            "A_b.c:d-1",
            longest.as_str(),
        ] {
            let answer = scene
                .owner
                .clone()
                .with("x-request-id", id)
                .get("/api/waha/organization")
                .await;
            assert_eq!(answer.header("x-request-id"), Some(id));
            assert_eq!(answer.json()["request_id"], json!(id));
        }
        let too_long = "x".repeat(129);
        for id in [
            "",
            " ",
            "a b",
            "a\"b",
            "<script>",
            "a,b",
            "a;b",
            "a/b",
            "{}",
            too_long.as_str(),
        ] {
            let answer = scene
                .owner
                .clone()
                .with("x-request-id", id)
                .get("/api/waha/organization")
                .await;
            let made = answer.header("x-request-id").unwrap().to_owned();
            assert_ne!(made, id);
            assert!(uuid::Uuid::parse_str(&made).is_ok(), "{made}");
            assert_eq!(answer.json()["request_id"], json!(made));
        }
        let request = format!(
            "GET /api/waha/organization HTTP/1.1\r\nHost: wahana.test\r\nConnection: close\r\n{}\
             X-Request-Id: one\r\nX-Request-Id: two\r\n\r\n",
            authorization(&scene.owner),
        );
        let text = scene.raw(&request).await.text;
        assert!(!text.contains("\"one\"") && !text.contains("\"two\""), "{text}");
    });
}

#[test]
fn answers_are_nobodys_to_keep_or_to_guess_at() {
    scene(async |scene| {
        let nobody = scene.app.actor(Actor::Nobody).await;
        check_headers(&scene.owner.get("/api/waha/organization").await);
        check_headers(&nobody.get("/api/waha/organization").await);
        check_headers(&nobody.send(Method::OPTIONS, "/api/waha/organization", None).await);
        check_headers(&nobody.get("/healthz").await);
        check_headers(
            &scene
                .owner
                .send(Method::HEAD, "/api/waha/organization", None)
                .await,
        );
    });
}
