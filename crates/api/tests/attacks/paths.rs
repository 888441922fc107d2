//! Paths that a proxy in front could read differently.

use std::fmt::Write as _;

use http::Method;
use wahana_testkit::app::Home;

use crate::{Scene, authorization, scene};

async fn request(scene: &Scene, method: &str, target: &str) -> String {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: wahana.test\r\nConnection: close\r\n{}\r\n",
        authorization(&scene.owner)
    );
    scene.raw(&request).await.named()
}

#[test]
fn a_path_is_what_is_written_and_nothing_else() {
    scene(async |scene| {
        let own = scene.app.session(Home::A).await;
        let (id, name) = (own.id, own.name.as_str());
        let before = scene.state().await;
        for target in [
            "//api/waha/organization".to_owned(),
            "/api//waha/organization".to_owned(),
            "/api/./waha/organization".to_owned(),
            "/api/x/../waha/organization".to_owned(),
            "/api/waha/organization/".to_owned(),
            "/api/waha/organization/.".to_owned(),
            "/api/waha/organization%20".to_owned(),
            "/api/waha/organization.".to_owned(),
            "/api/waha/organization;x".to_owned(),
            "/api/waha/organization%00".to_owned(),
            "/api/waha/organization%2f".to_owned(),
            "/api/waha/%6frganization".to_owned(),
            "/api%2fwaha%2forganization".to_owned(),
            "/API/waha/organization".to_owned(),
            "/api/waha/Organization".to_owned(),
            format!("/api/waha/sessions/{id}/../{id}"),
            format!("/api/waha/sessions/{id}//stop"),
            format!("/api/waha/sessions/{id}/stop/"),
            format!("/api/waha/sessions/{id}/stop;x"),
            format!("/api/waha/sessions/{id}/STOP"),
            format!("/api/waha/sessions/{id}%2fstop"),
        ] {
            for method in ["GET", "POST", "PATCH", "DELETE"] {
                let got = request(scene, method, &target).await;
                let is_right = ["404 NOT_FOUND", "404 SESSION_NOT_FOUND", "405 METHOD_NOT_ALLOWED"]
                    .contains(&got.as_str());
                assert!(is_right, "{method} {target}: {got}");
            }
        }
        for part in [
            format!("{id}%2f..%2f{id}"),
            format!("..%2f{id}"),
            format!("%2e%2e%2f{id}"),
            format!("%252e%252e%252f{id}"),
            format!("..;%2f{id}"),
            format!("{id}%00"),
            format!("{id};x"),
            format!("{id}."),
            format!("{id}%20"),
            format!("%20{id}"),
            format!("{id}%0d%0a"),
            format!("{id}%5c"),
            format!("{name}%00"),
            format!("{name}."),
            format!("{name}%2F"),
            format!("{name};a=b"),
            format!("{name}%ff"),
            format!("{name}%e2%80%8b"),
            name.to_uppercase(),
            format!("%257b{name}"),
            "%".to_owned(),
            "%zz".to_owned(),
            "..".to_owned(),
            "%2e%2e".to_owned(),
            "*".to_owned(),
            "%2a".to_owned(),
            "null".to_owned(),
            "x".repeat(8_000),
        ] {
            let target = format!("/api/waha/sessions/{part}");
            assert_eq!(
                request(scene, "DELETE", &target).await,
                "404 SESSION_NOT_FOUND",
                "{part}"
            );
            let stop = format!("{target}/stop");
            assert_eq!(
                request(scene, "POST", &stop).await,
                "404 SESSION_NOT_FOUND",
                "{part}"
            );
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn targets_that_are_no_paths_are_refused() {
    scene(async |scene| {
        let before = scene.state().await;
        for (method, target, expected) in [
            ("GET", "\\api\\waha\\organization", "400"),
            ("GET", "api/waha/organization", "400"),
            ("GET", "/api/waha/organization HTTP/1.1 x", "400"),
            ("GET", "", "400"),
            ("OPTIONS", "*", "200"),
            ("GET", "*", "404 NOT_FOUND"),
            ("CONNECT", "127.0.0.1:1", "404 NOT_FOUND"),
            ("GET", "/api\\waha\\organization", "404 NOT_FOUND"),
            ("GET", "/api/waha/..\\organization", "404 NOT_FOUND"),
        ] {
            assert_eq!(
                request(scene, method, target).await,
                expected,
                "{method} {target}"
            );
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn an_absolute_target_is_its_path_whatever_host_it_names() {
    scene(async |scene| {
        for host in [
            "http://127.0.0.1:1",
            "https://evil.test",
            "http://user:pass@wahana.test",
        ] {
            let target = format!("{host}/api/waha/organization");
            assert_eq!(request(scene, "GET", &target).await, "200", "{target}");
            let target = format!("{host}/api/waha/nothing");
            assert_eq!(request(scene, "GET", &target).await, "404 NOT_FOUND", "{target}");
        }
        assert_eq!(scene.app.waha().counts().total, 0);
    });
}

#[test]
fn an_encoded_name_is_the_same_name() {
    scene(async |scene| {
        let own = scene.app.session(Home::A).await;
        let mut encoded = String::new();
        for byte in own.name.as_str().bytes() {
            write!(encoded, "%{byte:02x}").unwrap();
        }
        let target = format!("/api/waha/sessions/{encoded}/connected");
        assert_eq!(scene.owner.send(Method::GET, &target, None).await.named(), "200");
    });
}
