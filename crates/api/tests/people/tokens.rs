//! A token makes no token that is stronger, or lives longer, than itself.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use wahana_domain::{Abilities, Ability, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::wahana::{Call, Wahana};

on_both_databases!(
    a_token_makes_none_that_outlives_it,
    a_token_makes_none_with_more_abilities
);

fn make(bearer: &str, body: &Value) -> Call {
    Call::post("/api/waha/tokens", body).with_token(bearer)
}

async fn a_token_makes_none_that_outlives_it(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let end = wahana.clock_now().plus(Duration::from_hours(1));
    let later = end.plus(Duration::from_secs(1));
    let short = wahana
        .token_until(organization, &owner, Abilities::All, Some(end))
        .await;

    let outliving = json!({"name": "n", "expires_at": later});
    let refused = wahana.send(make(&short, &outliving)).await;
    refused.refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    for body in [json!({"name": "n"}), json!({"name": "n", "expires_at": end})] {
        let made = wahana.send(make(&short, &body)).await.is(StatusCode::CREATED);
        assert_eq!(made.data()["expires_at"], json!(end));
    }
    // A person's sign-in ends, too, but what they make does not end with it.
    let cookie = wahana.sign_in(&owner).await;
    let call = Call::post("/api/waha/tokens", &json!({"name": "n"})).with_cookie(&cookie);
    let made = wahana.send(call).await.is(StatusCode::CREATED);
    assert_eq!(made.data()["expires_at"], json!(null));
}

async fn a_token_makes_none_with_more_abilities(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let own = Abilities::of(&[Ability::TokensManage, Ability::SessionsRead]);
    let bearer = wahana.token(organization, &owner, own).await;
    for abilities in [json!(["*"]), json!(["sessions:read", "members:manage"])] {
        let stronger = json!({"name": "n", "abilities": abilities});
        let refused = wahana.send(make(&bearer, &stronger)).await;
        refused.refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    }
    let made = wahana.send(make(&bearer, &json!({"name": "n"}))).await;
    let made = made.is(StatusCode::CREATED).data();
    assert_eq!(made["abilities"], json!(["sessions:read", "tokens:manage"]));
}
