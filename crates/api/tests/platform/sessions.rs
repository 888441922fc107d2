//! Giving sessions to organizations through the platform API.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::harness::Installation;

const PATH: &str = "/api/platform/sessions/assign";

#[tokio::test]
async fn what_cannot_be_assigned_is_no_success() {
    let installation = Installation::new().await;
    let assign = |is_dry_run: bool| {
        let line = json!({
            "server": "nowhere", "waha_name": "default", "session_name": "shop",
            "organization_id": installation.organization.to_string(),
        });
        json!({"assignments": [line], "dry_run": is_dry_run})
    };
    let refused = installation
        .operate(Method::POST, PATH, Some(assign(false)))
        .await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text
    );
    assert_eq!(refused.code(), "VALIDATION_ERROR");
    let reason = &refused.body["errors"]["assignments[0]"][0];
    assert!(reason.as_str().unwrap().contains("nowhere"), "{}", refused.text);
    installation
        .assert_audited("platform.sessions.assign", "failure")
        .await;

    let dry = installation.operate(Method::POST, PATH, Some(assign(true))).await;
    assert_eq!(dry.status, StatusCode::OK, "{}", dry.text);
    assert_eq!(dry.body["data"][0]["possible"], false);
}
