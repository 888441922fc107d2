//! The platform API is for platform administrators alone.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::harness::Installation;

/// Every operation of the platform API, its path filled with ids that do not exist.
fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(wahana_api::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/platform/") {
            continue;
        }
        let segments = path.split('/').map(|segment| {
            if segment.starts_with('{') {
                "0198c0de-0000-7000-8000-000000000000"
            } else {
                segment
            }
        });
        let path = segments.collect::<Vec<_>>().join("/");
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            operations.push((method, path.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn nobody_and_tokens_of_organizations_are_refused_before_anything_else() {
    let installation = Installation::new().await;
    let operations = operations();
    assert!(operations.len() >= 20, "{operations:?}");
    for (method, path) in operations {
        let nobody = installation
            .call(None, method.clone(), &path, Some(json!({"x": 1})))
            .await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_eq!(
            nobody.text,
            r#"{"success":false,"message":"Authentication required","error_code":"UNAUTHENTICATED"}"#
        );
        let owner = Some(installation.owner_token.as_str());
        let owner = installation
            .call(owner, method.clone(), &path, Some(json!({"x": 1})))
            .await;
        assert_eq!(owner.status, StatusCode::FORBIDDEN, "{method} {path}");
        assert_eq!(owner.code(), "FORBIDDEN");
    }
}

#[tokio::test]
async fn what_is_missing_is_told_before_what_is_faulty() {
    let installation = Installation::new().await;
    for (method, path) in operations() {
        if !path.contains("0198c0de") {
            continue;
        }
        let answer = installation
            .operate(method.clone(), &path, Some(json!({"x": 1})))
            .await;
        assert_eq!(
            answer.status,
            StatusCode::NOT_FOUND,
            "{method} {path}: {}",
            answer.text
        );
        let garbled = path.replace("0198c0de-0000-7000-8000-000000000000", "%00..%2f");
        let answer = installation
            .operate(method, &garbled, Some(json!({"x": 1})))
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{garbled}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_platform_token_is_nobody_in_organizations() {
    let installation = Installation::new().await;
    for path in ["/api/waha/organization", "/api/waha/tokens"] {
        let answer = installation.operate(Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(answer.code(), "NO_ORGANIZATION", "{path}");
    }
}

#[tokio::test]
async fn a_refused_change_is_audited_and_a_read_is_not() {
    let installation = Installation::new().await;
    let faulty = installation
        .operate(
            Method::POST,
            "/api/platform/organizations",
            Some(json!({"name": ""})),
        )
        .await;
    assert_eq!(faulty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(faulty.body["errors"]["name"].is_array(), "{}", faulty.text);
    installation
        .assert_audited("platform.organizations.create", "failure")
        .await;
    let before = installation.newest_audit(100).await.len();
    installation
        .operate(Method::GET, "/api/platform/users?page=0", None)
        .await;
    assert_eq!(installation.newest_audit(100).await.len(), before);
}

#[tokio::test]
async fn health_and_readiness_need_no_credential_and_counts_are_hidden() {
    let installation = Installation::new().await;
    for path in ["/healthz", "/readyz"] {
        let answer = installation.call(None, Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    let hidden = installation.call(None, Method::GET, "/metrics", None).await;
    assert_eq!(
        (hidden.status, hidden.code()),
        (StatusCode::NOT_FOUND, "NOT_FOUND")
    );
    installation.store.close().await.unwrap();
    let alive = installation.call(None, Method::GET, "/healthz", None).await;
    assert_eq!(alive.status, StatusCode::OK);
    let not_ready = installation.call(None, Method::GET, "/readyz", None).await;
    assert_eq!(not_ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(not_ready.code(), "SERVICE_UNAVAILABLE");
}
