//! People through the platform API.

use axum::http::{Method, StatusCode};
use serde_json::json;
use wahana_service::{
    Operator,
    platform::users::{self, NewUser},
};

use crate::harness::{Installation, email};

const PATH: &str = "/api/platform/users";

#[tokio::test]
async fn a_person_is_made_with_their_place_and_another_is_added() {
    let installation = Installation::new().await;
    let new = json!({
        "email": "Agent@Example.com", "name": "Agen", "password": "correct horse battery",
        "membership": {"organization_id": installation.organization.to_string(), "role": "agent"},
    });
    let created = installation.operate(Method::POST, PATH, Some(new.clone())).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert!(!created.text.contains("battery"));
    assert_eq!(created.body["data"]["memberships"][0]["role"], "agent");
    assert_eq!(created.body["data"]["is_platform_administrator"], false);
    installation
        .assert_audited("platform.users.create", "success")
        .await;
    let again = installation.operate(Method::POST, PATH, Some(new)).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);

    let other = json!({"name": "Toko Dua"});
    let other = installation
        .operate(Method::POST, "/api/platform/organizations", Some(other))
        .await;
    let path = format!("{PATH}/{}/memberships", created.data("id"));
    let membership = json!({"organization_id": other.data("id"), "role": "owner"});
    let added = installation
        .operate(Method::POST, &path, Some(membership.clone()))
        .await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    assert_eq!(added.body["data"]["memberships"].as_array().unwrap().len(), 2);
    let twice = installation.operate(Method::POST, &path, Some(membership)).await;
    assert_eq!(twice.status, StatusCode::CONFLICT, "{}", twice.text);
    let shown = format!("{PATH}/{}", created.data("id"));
    let shown = installation.operate(Method::GET, &shown, None).await;
    assert_eq!(
        shown.body["data"]["memberships"][1]["organization_name"],
        "Toko Dua"
    );
}

#[tokio::test]
async fn nobody_becomes_an_operator_through_the_api() {
    let installation = Installation::new().await;
    let new = json!({"email": "a@example.com", "name": "A", "is_platform_administrator": true});
    let refused = installation.operate(Method::POST, PATH, Some(new)).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text
    );

    // Another operator's password would be a way to become them.
    let other = NewUser {
        email: email("other@example.com"),
        display_name: "Other".to_owned(),
        password: None,
        membership: None,
        is_platform_administrator: true,
    };
    let other = users::create(installation.services(), &Operator::CommandLine, other)
        .await
        .unwrap();
    let password = json!({"password": "correct horse battery"});
    let path = format!("{PATH}/{}/password", other.user.id);
    let refused = installation
        .operate(Method::POST, &path, Some(password.clone()))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    installation
        .assert_audited("platform.users.set_password", "failure")
        .await;
    for (id, password) in [
        (installation.operator, &password),
        (installation.owner, &password),
    ] {
        let path = format!("{PATH}/{id}/password");
        let set = installation
            .operate(Method::POST, &path, Some(password.clone()))
            .await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.text);
        installation
            .assert_audited("platform.users.set_password", "success")
            .await;
    }
    let path = format!("{PATH}/{}/password", installation.owner);
    let short = installation
        .operate(Method::POST, &path, Some(json!({"password": "MARK"})))
        .await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!short.text.contains("MARK"), "{}", short.text);
}

#[tokio::test]
async fn an_operator_cannot_let_themself_in_or_lock_themself_out() {
    let installation = Installation::new().await;
    let own = format!("{PATH}/{}", installation.operator);
    let membership = json!({"organization_id": installation.organization.to_string(), "role": "owner"});
    let path = format!("{own}/memberships");
    let refused = installation.operate(Method::POST, &path, Some(membership)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    let refused = installation
        .operate(Method::POST, &format!("{own}/disable"), None)
        .await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    let list = installation.operate(Method::GET, PATH, None).await;
    assert_eq!(list.body["pagination"]["total"], 2);
}

#[tokio::test]
async fn a_disabled_person_is_nobody_until_they_are_enabled() {
    let installation = Installation::new().await;
    let path = format!("{PATH}/{}", installation.owner);
    let member = async || {
        let token = Some(installation.owner_token.as_str());
        let answer = installation
            .call(token, Method::GET, "/api/waha/organization", None)
            .await;
        answer.status
    };
    assert_eq!(member().await, StatusCode::OK);
    let disabled = installation
        .operate(Method::POST, &format!("{path}/disable"), None)
        .await;
    assert_eq!(disabled.status, StatusCode::OK, "{}", disabled.text);
    installation
        .assert_audited("platform.users.disable", "success")
        .await;
    assert_eq!(member().await, StatusCode::UNAUTHORIZED);
    let enabled = installation
        .operate(Method::POST, &format!("{path}/enable"), None)
        .await;
    assert!(enabled.body["data"]["disabled_at"].is_null(), "{}", enabled.text);
    assert_eq!(member().await, StatusCode::OK);
}
