//! Guessing is slowed, and whoever knows the password is not.

use std::time::Duration;

use axum::http::{StatusCode, header};
use futures_util::future::join_all;
use serde_json::json;
use wahana_domain::Role;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::wahana::{Answer, Call, PASSWORD, Wahana, login, reset};

on_both_databases!(
    guesses_on_one_account_are_slowed_from_wherever_they_come,
    guesses_from_one_address_are_slowed_on_whatever_account,
    many_guesses_at_once_are_not_one,
    right_passwords_do_not_count,
    links_and_changes_of_password_are_guarded_too,
);

const WRONG: &str = "wrong horse battery";

#[track_caller]
fn is_slowed(answer: Answer) -> u64 {
    let answer = answer.refuses(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED");
    answer.headers[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

async fn guesses_on_one_account_are_slowed_from_wherever_they_come(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    wahana.person("person@example.com").await;
    // It is the same for an address that nobody has.
    for email in ["person@example.com", "nobody@example.com"] {
        for host in 0..10 {
            let guess = login(email, WRONG).at_host(host);
            wahana.send(guess).await.is(StatusCode::UNAUTHORIZED);
        }
        let letters = email.to_uppercase();
        let slowed = is_slowed(wahana.send(login(&letters, PASSWORD).at_host(99)).await);
        assert_eq!(slowed, 60);
    }
    wahana.wait(Duration::from_mins(1));
    let right = login("person@example.com", PASSWORD).at_host(99);
    wahana.send(right).await.is(StatusCode::OK);
}

async fn guesses_from_one_address_are_slowed_on_whatever_account(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    for number in 0..20 {
        let guess = login(&format!("{number}@example.com"), WRONG).at_host(7);
        wahana.send(guess).await.is(StatusCode::UNAUTHORIZED);
    }
    let forwarded = login(&person.email, PASSWORD).header("x-forwarded-for", "203.0.113.5");
    assert_eq!(is_slowed(wahana.send(forwarded.at_host(7)).await), 30);
    wahana
        .send(login(&person.email, PASSWORD).at_host(8))
        .await
        .is(StatusCode::OK);
}

async fn many_guesses_at_once_are_not_one(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    let guesses = (0..30).map(|host| wahana.send(login(&person.email, WRONG).at_host(host)));
    let answers = join_all(guesses).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(count(StatusCode::UNAUTHORIZED), 10);
    assert_eq!(count(StatusCode::TOO_MANY_REQUESTS), 20);
}

async fn right_passwords_do_not_count(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let person = wahana.person("person@example.com").await;
    for _ in 0..25 {
        wahana
            .send(login(&person.email, PASSWORD))
            .await
            .is(StatusCode::OK);
    }
}

async fn links_and_changes_of_password_are_guarded_too(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let person = wahana
        .member(organization, "person@example.com", Role::Viewer)
        .await;
    let cookie = wahana.sign_in(&person).await;
    let change = |host| {
        let body = json!({"current_password": WRONG, "new_password": "another horse"});
        Call::post("/api/auth/password", &body)
            .with_cookie(&cookie)
            .at_host(host)
    };
    for host in 0..10 {
        wahana
            .send(change(host))
            .await
            .is(StatusCode::UNPROCESSABLE_ENTITY);
    }
    is_slowed(wahana.send(change(99)).await);
    // Both are attempts on the same account.
    is_slowed(wahana.send(login(&person.email, PASSWORD).at_host(98)).await);

    for guess in 0..20 {
        let path = ["/api/auth/invitations/open", "/api/auth/invitations/accept"][guess % 2];
        let call = Call::post(path, &json!({"token": "nonsense"})).at_host(50);
        wahana.send(call).await.is(StatusCode::NOT_FOUND);
    }
    is_slowed(wahana.send(reset("nonsense", PASSWORD).at_host(50)).await);
}
