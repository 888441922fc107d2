//! Platform tokens through the platform API.

use axum::http::{Method, StatusCode};
use serde_json::json;
use wahana_service::{Operator, platform::users};

use crate::harness::Installation;

const PATH: &str = "/api/platform/tokens";

#[tokio::test]
async fn a_token_is_shown_once_works_and_is_taken_back() {
    let installation = Installation::new().await;
    let created = installation
        .operate(Method::POST, PATH, Some(json!({"name": "second"})))
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    installation
        .assert_audited("platform.tokens.create", "success")
        .await;
    let bearer = created.data("bearer");
    let (id, secret) = bearer.split_once('|').unwrap();
    let list = installation.call(Some(&bearer), Method::GET, PATH, None).await;
    assert_eq!(list.status, StatusCode::OK);
    assert_eq!(list.body["data"].as_array().unwrap().len(), 2);
    assert!(!list.text.contains(secret));
    let path = format!("{PATH}/{id}");
    let revoked = installation.operate(Method::DELETE, &path, None).await;
    assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.text);
    installation
        .assert_audited("platform.tokens.revoke", "success")
        .await;
    let after = installation.call(Some(&bearer), Method::GET, PATH, None).await;
    assert_eq!(after.status, StatusCode::UNAUTHORIZED);
    let again = installation.operate(Method::DELETE, &path, None).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let past = json!({"name": "past", "expires_at": "2020-01-01T00:00:00Z"});
    let past = installation.operate(Method::POST, PATH, Some(past)).await;
    assert!(past.body["errors"]["expires_at"].is_array(), "{}", past.text);
}

#[tokio::test]
async fn who_operates_no_more_loses_their_tokens_for_good() {
    let installation = Installation::new().await;
    let (services, id) = (installation.services(), installation.operator);
    for is_operator in [false, true] {
        users::set_platform_administrator(services, &Operator::CommandLine, id, is_operator)
            .await
            .unwrap();
        let answer = installation.operate(Method::GET, PATH, None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{is_operator}");
    }
}
