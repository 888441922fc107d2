//! Pages of other origins.

use http::Method;
use wahana_testkit::{
    app::{Actor, TestApp},
    database::{TestDatabase, run},
};

use crate::OWNER;

const OURS: &str = "https://app.example.com";

#[test]
fn only_configured_origins_may_read_answers() {
    run(async {
        let database = TestDatabase::sqlite().await;
        let app = TestApp::start_with(&database, |settings| {
            settings.cors_origins = vec![OURS.to_owned()];
        })
        .await;
        let owner = app.actor(OWNER).await;
        let nobody = app.actor(Actor::Nobody).await;
        for origin in [
            "https://evil.test",
            "http://app.example.com",
            "https://app.example.com.evil.test",
            "https://app.example.com:8443",
            "https://APP.example.com",
            "null",
        ] {
            let read = owner
                .clone()
                .with("origin", origin)
                .get("/api/waha/organization")
                .await;
            assert_eq!(read.header("access-control-allow-origin"), None, "{origin}");
            let asked = nobody
                .clone()
                .with("origin", origin)
                .with("access-control-request-method", "PATCH")
                .send(Method::OPTIONS, "/api/waha/organization", None)
                .await;
            assert_eq!(asked.header("access-control-allow-origin"), None, "{origin}");
        }
        for answer in [
            owner
                .clone()
                .with("origin", OURS)
                .get("/api/waha/organization")
                .await,
            owner.with("origin", OURS).get("/api/waha/nothing").await,
            nobody
                .clone()
                .with("origin", OURS)
                .get("/api/waha/organization")
                .await,
            nobody
                .with("origin", OURS)
                .with("access-control-request-method", "PATCH")
                .send(Method::OPTIONS, "/api/waha/organization", None)
                .await,
        ] {
            assert_eq!(
                answer.header("access-control-allow-origin"),
                Some(OURS),
                "{answer:?}"
            );
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                None,
                "cookies are not theirs"
            );
            let vary = answer.headers.get_all("vary").iter();
            let vary: Vec<_> = vary
                .map(|value| value.to_str().unwrap().to_ascii_lowercase())
                .collect();
            assert!(vary.join(",").contains("origin"), "{vary:?}");
        }
    });
}

#[test]
fn without_a_configured_origin_there_is_none() {
    crate::scene(async |scene| {
        let answer = scene
            .owner
            .clone()
            .with("origin", OURS)
            .get("/api/waha/organization")
            .await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
    });
}
