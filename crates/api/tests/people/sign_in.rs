//! Signing in and out, and what the cookie is worth.

use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use serde_json::json;
use wahana_domain::{Abilities, OrganizationId, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::wahana::{Call, NO_ORGANIZATION, ORIGIN, PASSWORD, UNAUTHENTICATED, Wahana, login, me};

on_both_databases!(
    a_person_signs_in_and_is_recognized,
    refused_sign_ins_are_alike,
    an_address_is_the_same_in_other_letters,
    a_sign_in_is_new_each_time,
    the_cookie_is_secure_only_over_https,
    other_sites_cannot_use_the_cookie,
    other_sites_cannot_sign_anybody_in,
    the_organization_is_named_once_and_is_their_own,
    signing_out_ends_that_sign_in_alone,
    a_sign_in_ends_after_fourteen_days,
);

async fn a_person_signs_in_and_is_recognized(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let agent = wahana
        .member(organization, "agent@example.com", Role::Agent)
        .await;

    let answer = wahana
        .send(login(&agent.email, PASSWORD))
        .await
        .is(StatusCode::OK);
    let expected = json!({
        "user": {
            "id": agent.id.to_string(),
            "email": "agent@example.com",
            "display_name": "Somebody",
            "is_platform_administrator": false,
        },
        "organizations": [{
            "id": organization.to_string(), "name": "Kopi", "status": "active", "role": "agent",
        }],
    });
    assert_eq!(answer.data(), expected);
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let cookie = answer.cookie();
    assert!(!answer.text.contains(cookie.split_once('.').unwrap().1));
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert_eq!(
        set,
        format!("wahana_sign_in={cookie}; HttpOnly; SameSite=Lax; Path=/; Max-Age=1209600; Secure")
    );

    let me = wahana.send(me(&cookie)).await.is(StatusCode::OK).data();
    assert_eq!(me["user"], expected["user"]);
    assert_eq!(me["credential"], "sign_in");
    assert_eq!(me["organization_id"], organization.to_string());
    assert_eq!(me["role"], "agent");
    assert_eq!(
        me["abilities"],
        json!(["sessions:read", "messages:read", "messages:send", "contacts:read"])
    );
    let organizations = Call::get("/api/auth/organizations").with_bare_cookie(&cookie);
    assert_eq!(wahana.send(organizations).await.data(), expected["organizations"]);
}

async fn refused_sign_ins_are_alike(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let disabled = wahana.person("disabled@example.com").await;
    wahana.disable(&disabled).await;
    wahana.stranger("without-password@example.com").await;

    let wrong = wahana.send(login(&person.email, "wrong horse battery")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.text, UNAUTHENTICATED);
    assert!(!wrong.headers.contains_key(header::SET_COOKIE));
    for (email, password) in [
        ("person@example.com", ""),
        ("person@example.com", &*"x".repeat(5000)),
        ("nobody@example.com", PASSWORD),
        ("without-password@example.com", PASSWORD),
        ("disabled@example.com", PASSWORD),
    ] {
        let refused = wahana.send(login(email, password)).await;
        assert_eq!(refused.fingerprint(), wrong.fingerprint(), "{email}");
    }
    let malformed = wahana.send(login("no address", PASSWORD)).await;
    malformed.refuses(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR");
}

async fn an_address_is_the_same_in_other_letters(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    wahana.person("Ren\u{e9}@Example.com").await;
    for email in [
        "ren\u{e9}@example.COM",
        "REN\u{c9}@example.com",
        " rene\u{301}@example.com ",
    ] {
        wahana.send(login(email, PASSWORD)).await.is(StatusCode::OK);
    }
    wahana
        .send(login("rene@example.com", PASSWORD))
        .await
        .is(StatusCode::UNAUTHORIZED);
}

async fn a_sign_in_is_new_each_time(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let attacker = wahana.person("attacker@example.com").await;
    let victim = wahana.person("victim@example.com").await;
    let planted = wahana.sign_in(&attacker).await;

    let with_planted = login(&victim.email, PASSWORD).with_bare_cookie(&planted);
    let own = wahana.send(with_planted).await.is(StatusCode::OK).cookie();
    assert_ne!(own.split_once('.').unwrap().0, planted.split_once('.').unwrap().0);
    let who = |answer: crate::wahana::Answer| answer.data()["user"]["id"].as_str().unwrap().to_owned();
    assert_eq!(who(wahana.send(me(&planted)).await), attacker.id.to_string());
    assert_eq!(who(wahana.send(me(&own)).await), victim.id.to_string());

    // The id of one sign-in with the secret of another is none.
    let mixed = format!(
        "{}.{}",
        own.split_once('.').unwrap().0,
        planted.split_once('.').unwrap().1
    );
    assert_eq!(wahana.send(me(&mixed)).await.text, UNAUTHENTICATED);
}

async fn the_cookie_is_secure_only_over_https(database: &TestDatabase) {
    let wahana = Wahana::at(database, "http://127.0.0.1:8080").await;
    let person = wahana.person("person@example.com").await;
    let answer = wahana
        .send(login(&person.email, PASSWORD))
        .await
        .is(StatusCode::OK);
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        !set.contains("Secure") && set.contains("HttpOnly; SameSite=Lax; Path=/"),
        "{set}"
    );
}

async fn other_sites_cannot_use_the_cookie(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let cookie = wahana.sign_in(&person).await;
    let logout = || Call::post("/api/auth/logout", &json!({})).with_bare_cookie(&cookie);
    for call in [
        logout(),
        logout().header("x-requested-with", "fetch"),
        logout().header("origin", ORIGIN),
        logout()
            .header("origin", "null")
            .header("x-requested-with", "fetch"),
        logout()
            .header("origin", "https://wahana.example.evil.test")
            .header("x-requested-with", "fetch"),
        logout()
            .header("origin", "https://evil.test")
            .header("host", "evil.test")
            .header("x-requested-with", "fetch"),
    ] {
        wahana
            .send(call)
            .await
            .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    }
    wahana.send(me(&cookie)).await.is(StatusCode::OK);
}

async fn other_sites_cannot_sign_anybody_in(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let elsewhere = login(&person.email, PASSWORD).header("origin", "https://evil.test");
    let refused = wahana
        .send(elsewhere)
        .await
        .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    assert!(!refused.headers.contains_key(header::SET_COOKIE));
    let text = json!({"email": person.email, "password": PASSWORD}).to_string();
    let form = Call::new(Method::POST, "/api/auth/login").body("text/plain", text);
    wahana
        .send(form)
        .await
        .refuses(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE");
    let own = login(&person.email, PASSWORD).header("origin", ORIGIN);
    wahana.send(own).await.is(StatusCode::OK);
}

async fn the_organization_is_named_once_and_is_their_own(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let (kopi, teh) = (
        wahana.organization("Kopi").await,
        wahana.organization("Teh").await,
    );
    let foreign = wahana.organization("Foreign").await;
    let person = wahana.member(kopi, "person@example.com", Role::Owner).await;
    wahana.join(teh, &person, Role::Viewer).await;
    let cookie = wahana.sign_in(&person).await;
    let call = || Call::get("/api/waha/organization").with_bare_cookie(&cookie);

    for call in [
        call(),
        call().in_organization(foreign),
        call().in_organization(OrganizationId::new()),
        call().header("x-organization-id", "Kopi"),
        call().in_organization(kopi).in_organization(teh),
        call().in_organization(kopi).in_organization(kopi),
    ] {
        let refused = wahana.send(call).await.is(StatusCode::FORBIDDEN);
        assert_eq!(refused.text, NO_ORGANIZATION);
    }
    for (id, role) in [(kopi, "owner"), (teh, "viewer")] {
        let found = wahana
            .send(call().in_organization(id))
            .await
            .is(StatusCode::OK)
            .data();
        assert_eq!(
            (&found["id"], &found["role"]),
            (&json!(id.to_string()), &json!(role))
        );
        let me = wahana.send(me(&cookie).in_organization(id)).await.data();
        assert_eq!(me["role"], role);
    }
    let undecided = wahana.send(me(&cookie)).await.is(StatusCode::OK).data();
    assert_eq!(undecided["organization_id"], json!(null));
    assert_eq!(undecided["abilities"], json!([]));
    let elsewhere = wahana.send(me(&cookie).in_organization(foreign)).await;
    assert_eq!(elsewhere.text, NO_ORGANIZATION);
    // A token is for its own organization, whatever the header says.
    let token = wahana.token(teh, &person, Abilities::All).await;
    let call = Call::get("/api/waha/organization")
        .with_token(&token)
        .in_organization(kopi);
    assert_eq!(wahana.send(call).await.data()["id"], teh.to_string());
}

async fn signing_out_ends_that_sign_in_alone(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let person = wahana
        .member(organization, "person@example.com", Role::Owner)
        .await;
    let (one, other) = (wahana.sign_in(&person).await, wahana.sign_in(&person).await);
    wahana.send(me(&one)).await.is(StatusCode::OK);

    let logout = || Call::post("/api/auth/logout", &json!({}));
    let answer = wahana.send(logout().with_cookie(&one)).await.is(StatusCode::OK);
    assert_eq!(
        answer.headers[header::SET_COOKIE],
        "wahana_sign_in=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0; Secure"
    );
    assert_eq!(wahana.send(me(&one)).await.text, UNAUTHENTICATED);
    wahana.send(me(&other)).await.is(StatusCode::OK);
    assert_eq!(
        wahana.send(logout().with_cookie(&one)).await.text,
        UNAUTHENTICATED
    );
    let token = wahana.token(organization, &person, Abilities::All).await;
    wahana
        .send(logout().with_token(&token))
        .await
        .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
}

async fn a_sign_in_ends_after_fourteen_days(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let cookie = wahana.sign_in(&person).await;
    wahana.wait(Duration::from_hours(14 * 24) - Duration::from_secs(1));
    wahana.send(me(&cookie)).await.is(StatusCode::OK);
    wahana.wait(Duration::from_secs(1));
    assert_eq!(wahana.send(me(&cookie)).await.text, UNAUTHENTICATED);
}
