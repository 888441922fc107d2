//! Changing a password, and choosing one by a link.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde_json::json;
use wahana_domain::{Abilities, PasswordResetId, Role, UserId};
use wahana_service::{Operator, ServiceError, password_resets};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::wahana::{Call, PASSWORD, UNAUTHENTICATED, Wahana, login, me, reset};

const OTHER: &str = "another horse battery";

on_both_databases!(
    a_change_ends_every_other_sign_in_and_open_links,
    a_change_needs_the_current_password_and_a_person,
    weak_passwords_are_refused,
    a_link_works_once_and_ends_every_sign_in,
    a_link_ends_after_a_day,
    a_link_that_was_never_made_works_never,
    a_link_used_twice_at_once_works_once,
    links_are_made_for_those_who_exist,
);

fn change(current: &str, new: &str) -> Call {
    let body = json!({"current_password": current, "new_password": new});
    Call::post("/api/auth/password", &body)
}

async fn a_change_ends_every_other_sign_in_and_open_links(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let (own, other) = (wahana.sign_in(&person).await, wahana.sign_in(&person).await);
    let link = wahana.reset_token(&person).await;
    wahana.send(me(&other)).await.is(StatusCode::OK);

    wahana
        .send(change(PASSWORD, OTHER).with_cookie(&own))
        .await
        .is(StatusCode::OK);
    wahana.send(me(&own)).await.is(StatusCode::OK);
    assert_eq!(wahana.send(me(&other)).await.text, UNAUTHENTICATED);
    wahana
        .send(login(&person.email, PASSWORD))
        .await
        .is(StatusCode::UNAUTHORIZED);
    wahana.send(login(&person.email, OTHER)).await.is(StatusCode::OK);
    wahana
        .send(reset(&link, PASSWORD))
        .await
        .is(StatusCode::NOT_FOUND);
}

async fn a_change_needs_the_current_password_and_a_person(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let person = wahana
        .member(organization, "person@example.com", Role::Owner)
        .await;
    let cookie = wahana.sign_in(&person).await;
    let wrong = wahana
        .send(change("wrong horse battery", OTHER).with_cookie(&cookie))
        .await;
    let wrong = wrong.refuses(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR");
    assert_eq!(wrong.json()["errors"], json!({"current_password": ["is wrong"]}));
    let token = wahana.token(organization, &person, Abilities::All).await;
    wahana
        .send(change(PASSWORD, OTHER).with_token(&token))
        .await
        .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    // Who may not is told so before the body is looked at.
    let nonsense = Call::post("/api/auth/password", &json!({"nonsense": 1}));
    wahana
        .send(nonsense.with_token(&token))
        .await
        .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    let bare = change(PASSWORD, OTHER).with_bare_cookie(&cookie);
    wahana
        .send(bare)
        .await
        .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    wahana
        .send(login(&person.email, PASSWORD))
        .await
        .is(StatusCode::OK);
}

async fn weak_passwords_are_refused(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let cookie = wahana.sign_in(&person).await;
    let link = wahana.reset_token(&person).await;
    for weak in ["", "ninechars", &" ".repeat(20), &"x".repeat(257)] {
        let call = change(PASSWORD, weak).with_cookie(&cookie);
        let refused = wahana.send(call).await;
        let refused = refused.refuses(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR");
        assert!(refused.json()["errors"]["new_password"].is_array());
        let refused = wahana.send(reset(&link, weak)).await;
        let refused = refused.refuses(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR");
        assert!(refused.json()["errors"]["password"].is_array());
    }
    // The link was not used up by that.
    wahana.send(reset(&link, "tencharact")).await.is(StatusCode::OK);
}

async fn a_link_works_once_and_ends_every_sign_in(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let cookie = wahana.sign_in(&person).await;
    let (one, other) = (
        wahana.reset_token(&person).await,
        wahana.reset_token(&person).await,
    );
    wahana.send(reset(&one, OTHER)).await.is(StatusCode::OK);
    assert_eq!(wahana.send(me(&cookie)).await.text, UNAUTHENTICATED);
    for used in [one, other] {
        wahana
            .send(reset(&used, PASSWORD))
            .await
            .refuses(StatusCode::NOT_FOUND, "NOT_FOUND");
    }
    wahana.send(login(&person.email, OTHER)).await.is(StatusCode::OK);
}

async fn a_link_ends_after_a_day(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let link = wahana.reset_token(&person).await;
    wahana.wait(Duration::from_hours(24));
    wahana
        .send(reset(&link, OTHER))
        .await
        .refuses(StatusCode::NOT_FOUND, "NOT_FOUND");
}

async fn a_link_that_was_never_made_works_never(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let (person, other) = (
        wahana.person("person@example.com").await,
        wahana.person("other@example.com").await,
    );
    let (link, others) = (
        wahana.reset_token(&person).await,
        wahana.reset_token(&other).await,
    );
    let (id, secret) = link.split_once('.').unwrap();
    let foreign_secret = others.split_once('.').unwrap().1;
    for forged in [
        String::new(),
        "nonsense".to_owned(),
        id.to_owned(),
        format!("{id}."),
        format!("{id}.{}", "0".repeat(64)),
        format!("{id}.{foreign_secret}"),
        format!("{}.{secret}", PasswordResetId::new()),
    ] {
        wahana
            .send(reset(&forged, OTHER))
            .await
            .refuses(StatusCode::NOT_FOUND, "NOT_FOUND");
    }
    let elsewhere = reset(&link, OTHER).header("origin", "https://evil.test");
    wahana
        .send(elsewhere)
        .await
        .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    wahana.send(reset(&link, OTHER)).await.is(StatusCode::OK);
}

async fn a_link_used_twice_at_once_works_once(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let link = wahana.reset_token(&person).await;
    let answers = join_all((0..4).map(|_| wahana.send(reset(&link, OTHER)))).await;
    let worked = answers.iter().filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(worked.count(), 1);
}

async fn links_are_made_for_those_who_exist(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let made = password_resets::create(wahana.services(), &Operator::CommandLine, person.id);
    let made = made.await.unwrap();
    assert!(
        made.link
            .expose_secret()
            .starts_with("https://wahana.example/password-reset#")
    );
    let nobody = password_resets::create(wahana.services(), &Operator::CommandLine, UserId::new());
    assert!(matches!(nobody.await, Err(ServiceError::NotFound("User"))));
}
