//! Credentials that are wrong, doubled, or in the wrong place.

use http::Method;
use serde_json::json;
use wahana_domain::{AccessToken, Role, Secret, TokenId};
use wahana_store::access_tokens;
use wahana_testkit::{
    app::{Actor, By, Client, Home},
    rows,
};

use crate::{OWNER_BY_COOKIE, OWNER_OF_B, authorization, scene};

const OWN: &str = "/api/waha/organization";

fn bearer(client: &Client) -> String {
    let value = client.headers()["authorization"].to_str().unwrap();
    value.strip_prefix("Bearer ").unwrap().to_owned()
}

#[test]
fn only_one_whole_credential_is_one() {
    scene(async |scene| {
        let token = bearer(&scene.owner);
        let (id, secret) = token.split_once('|').unwrap();
        let other = bearer(&scene.app.actor(OWNER_OF_B).await);
        let (other_id, other_secret) = other.split_once('|').unwrap();
        for value in [
            token.clone(),
            format!("Basic {token}"),
            format!("Token {token}"),
            format!("Bearer{token}"),
            format!("Bearer  |{secret}"),
            format!("Bearer {id}"),
            format!("Bearer {id}|"),
            format!("Bearer {secret}"),
            format!("Bearer {id}|{other_secret}"),
            format!("Bearer {other_id}|{secret}"),
            format!("Bearer {id}|{secret}|"),
            format!("Bearer {id}|{secret}, Bearer {other}"),
            format!("Bearer {id}|{}", secret.to_uppercase()),
            format!("Bearer {id}|{}", &secret[..63]),
            format!("Bearer {id}|{secret}0"),
            format!("Bearer {}|{secret}", id.to_uppercase()),
            format!("Bearer {id}%7C{secret}"),
            format!("Bearer \"{token}\""),
            format!("Bearer id={token}"),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Bearer |".to_owned(),
            "Bearer null|null".to_owned(),
            "Bearer ' OR 1=1 --|x".to_owned(),
        ] {
            let client = scene
                .app
                .client(http::HeaderMap::new())
                .with("authorization", &value);
            assert_eq!(client.get(OWN).await.named(), "401 UNAUTHENTICATED", "{value}");
        }
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let value = format!("{scheme} {token}");
            let client = scene
                .app
                .client(http::HeaderMap::new())
                .with("authorization", &value);
            assert_eq!(client.get(OWN).await.named(), "200", "{scheme}");
        }
    });
}

#[test]
fn two_credentials_of_a_kind_are_none() {
    scene(async |scene| {
        let other = scene.app.actor(OWNER_OF_B).await;
        let (one, two) = (authorization(&scene.owner), authorization(&other));
        for lines in [
            format!("{one}{two}"),
            format!("{two}{one}"),
            format!("{one}{one}"),
        ] {
            let request =
                format!("GET {OWN} HTTP/1.1\r\nHost: wahana.test\r\nConnection: close\r\n{lines}\r\n");
            assert_eq!(scene.raw(&request).await.named(), "401 UNAUTHENTICATED");
        }

        let by_cookie = scene.app.actor(OWNER_BY_COOKIE).await;
        let other = scene
            .app
            .actor(Actor::Member(Home::B, Role::Owner, By::Cookie))
            .await;
        let cookie = |client: &Client| client.headers()["cookie"].to_str().unwrap().to_owned();
        let (one, two) = (cookie(&by_cookie), cookie(&other));
        for cookies in [
            format!("Cookie: {one}; {two}\r\n"),
            format!("Cookie: {two}; {one}\r\n"),
            format!("Cookie: {one}\r\nCookie: {two}\r\n"),
            format!("Cookie: {one}; wahana_sign_in=\r\n"),
        ] {
            let request =
                format!("GET {OWN} HTTP/1.1\r\nHost: wahana.test\r\nConnection: close\r\n{cookies}\r\n");
            assert_eq!(
                scene.raw(&request).await.named(),
                "401 UNAUTHENTICATED",
                "{cookies}"
            );
        }
    });
}

#[test]
fn a_header_counts_before_a_cookie_and_a_query_never_counts() {
    scene(async |scene| {
        let b = scene
            .app
            .actor(Actor::Member(Home::B, Role::Owner, By::Cookie))
            .await;
        let both = b
            .clone()
            .with("authorization", &format!("Bearer {}", bearer(&scene.owner)));
        let answer = both.get(OWN).await;
        let a = scene.app.organization_id(Home::A).to_string();
        assert_eq!(answer.json()["data"]["id"], json!(a));
        let wrong = b.with("authorization", "Bearer 1|wrong");
        assert_eq!(
            wrong.get(OWN).await.named(),
            "401 UNAUTHENTICATED",
            "a wrong header is no reason to look on"
        );

        let nobody = scene.app.actor(Actor::Nobody).await;
        let token = bearer(&scene.owner).replace('|', "%7C");
        for name in [
            "token",
            "access_token",
            "api_key",
            "x-api-key",
            "authorization",
            "wahana_sign_in",
        ] {
            let answer = nobody.get(&format!("{OWN}?{name}={token}")).await;
            assert_eq!(answer.named(), "401 UNAUTHENTICATED", "{name}");
        }
        for name in [
            "x-api-key",
            "x-auth-token",
            "proxy-authorization",
            "x-forwarded-user",
            "x-remote-user",
        ] {
            let client = nobody.clone().with(name, &bearer(&scene.owner));
            assert_eq!(client.get(OWN).await.named(), "401 UNAUTHENTICATED", "{name}");
        }
    });
}

#[test]
fn an_imported_token_with_a_number_for_an_id_is_a_token() {
    scene(async |scene| {
        let owner = scene.app.users(&[crate::OWNER]).await.remove(0);
        let secret = Secret::generate();
        let tx = scene.app.store().write(scene.app.tenant(Home::A)).await.unwrap();
        let token = AccessToken {
            id: TokenId::parse("48213").unwrap(),
            ..rows::token(tx.organization_id(), owner, tx.now())
        };
        access_tokens::insert(&tx, &token, &secret.hash()).await.unwrap();
        tx.commit().await.unwrap();
        let with = |id: &str| {
            let value = format!("Bearer {id}|{}", secret.expose());
            scene
                .app
                .client(http::HeaderMap::new())
                .with("authorization", &value)
        };
        assert_eq!(with("48213").get(OWN).await.named(), "200");
        for id in ["048213", "48213.0", "+48213", "4.8213e4", "48214"] {
            assert_eq!(with(id).get(OWN).await.named(), "401 UNAUTHENTICATED", "{id}");
        }
    });
}

#[test]
fn a_cookie_changes_nothing_for_other_sites() {
    scene(async |scene| {
        let cookie = scene.app.actor(OWNER_BY_COOKIE).await;
        let before = scene.state().await;
        let body = json!({"name": "taken over"});
        for client in [
            cookie.clone().without("origin"),
            cookie.clone().without("x-requested-with"),
            cookie.clone().with("origin", "null"),
            cookie.clone().with("origin", "http://evil.test"),
            cookie.clone().with("origin", "https://wahana.evil.test"),
            cookie
                .clone()
                .with("origin", "http://evil.test")
                .with("host", "evil.test")
                .with("x-forwarded-host", "evil.test"),
        ] {
            let answer = client.patch_json(OWN, &body).await;
            assert_eq!(answer.named(), "403 FORBIDDEN", "{:?}", client.headers());
        }
        assert_eq!(scene.state().await, before);
        assert_eq!(cookie.patch_json(OWN, &body).await.named(), "200");
    });
}

#[test]
fn a_made_token_is_never_stronger_than_what_made_it() {
    scene(async |scene| {
        let limited = scene
            .app
            .actor(Actor::Lacking(wahana_domain::Ability::MessagesSend))
            .await;
        for abilities in [
            json!(["*"]),
            json!(["messages:send"]),
            json!(["tokens:manage", "messages:send"]),
        ] {
            let body = json!({"name": "ci", "abilities": abilities});
            let answer = limited.post_json("/api/waha/tokens", &body).await;
            assert_eq!(answer.named(), "403 FORBIDDEN", "{abilities}");
        }
        let answer = limited
            .post_json("/api/waha/tokens", &json!({"name": "ci"}))
            .await;
        assert_eq!(answer.named(), "201");
        let abilities = answer.json()["data"]["abilities"].clone();
        assert!(
            !abilities.as_array().unwrap().contains(&json!("messages:send")),
            "{abilities}"
        );
    });
}

#[test]
fn no_secret_is_logged() {
    scene(async |scene| {
        let cookie = scene.app.actor(OWNER_BY_COOKIE).await;
        let session = scene.app.session(Home::A).await;
        let created = scene
            .owner
            .post_json("/api/waha/tokens", &json!({"name": "ci"}))
            .await;
        let made = created.json()["data"]["bearer"].as_str().unwrap().to_owned();
        for target in ["status", "info", "qr", "health"] {
            cookie
                .get(&format!("/api/waha/sessions/{}/{target}", session.id))
                .await;
        }
        scene
            .owner
            .send(
                Method::POST,
                &format!("/api/waha/sessions/{}/stop", session.id),
                None,
            )
            .await;
        scene.app.waha().go_away().await;
        scene
            .owner
            .send(
                Method::POST,
                &format!("/api/waha/sessions/{}/start", session.id),
                None,
            )
            .await;

        let secret_of = |text: &str| text.rsplit(['|', '.']).next().unwrap().to_owned();
        let cookie = cookie.headers()["cookie"].to_str().unwrap().to_owned();
        let mut secrets = vec![
            secret_of(&bearer(&scene.owner)),
            secret_of(&cookie),
            secret_of(&made),
        ];
        secrets.push(scene.app.upstream_secrets()[0].clone());
        let lines = scene.app.log_lines().await;
        assert!(lines.len() >= 7, "{lines:?}");
        for secret in &secrets {
            assert!(
                !lines.iter().any(|line| line.contains(secret)),
                "{secret} is in the log"
            );
        }
    });
}
