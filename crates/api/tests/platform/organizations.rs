//! Organizations through the platform API.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::harness::Installation;

const PATH: &str = "/api/platform/organizations";

#[tokio::test]
async fn an_organization_is_made_listed_and_limited() {
    let installation = Installation::new().await;
    let new = json!({
        "name": "Toko Dua", "country": "ID", "time_zone": "Asia/Jakarta", "language": "id",
        "limits": {"sessions": 3},
    });
    let created = installation.operate(Method::POST, PATH, Some(new)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    installation
        .assert_audited("platform.organizations.create", "success")
        .await;
    let path = format!("{PATH}/{}", created.data("id"));
    let limited = installation
        .operate(Method::PATCH, &path, Some(json!({"limits": {"sessions": null}})))
        .await;
    assert_eq!(limited.status, StatusCode::OK, "{}", limited.text);
    installation
        .assert_audited("platform.organizations.update", "success")
        .await;
    let shown = installation.operate(Method::GET, &path, None).await;
    assert!(
        shown.body["data"]["limits"]["sessions"].is_null(),
        "{}",
        shown.text
    );
    assert_eq!(shown.data("country"), "ID");
    let changes = [
        json!({"limits": {"messages_per_minute": 5, "monthly_messages": 100}}),
        json!({"limits": {"messages_per_minute": null, "sessions": 7}}),
    ];
    for change in changes {
        installation.operate(Method::PATCH, &path, Some(change)).await;
    }
    let shown = installation.operate(Method::GET, &path, None).await;
    let limits = &shown.body["data"]["limits"];
    assert!(limits["messages_per_minute"].is_null(), "{limits}");
    assert_eq!(limits["monthly_messages"], 100);
    assert_eq!(limits["sessions"], 7);
    for limit in ["media_per_hour", "requests_per_minute"] {
        let change = json!({"limits": {limit: -1}});
        let refused = installation.operate(Method::PATCH, &path, Some(change)).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            refused.text
        );
    }
    let list = installation
        .operate(Method::GET, &format!("{PATH}?per_page=1"), None)
        .await;
    assert_eq!(list.body["pagination"]["total"], 2);
    assert_eq!(list.body["data"][0]["name"], "Toko Dua");

    for (body, field) in [
        (json!({"name": "x", "country": "XX"}), "country"),
        (json!({"name": "x", "time_zone": "Mars"}), "time_zone"),
        (
            json!({"name": "x", "limits": {"sessions": -1}}),
            "limits.sessions",
        ),
        (json!({"name": "x", "limits": {"people": 1}}), "limits.people"),
        (json!({"name": "x", "id": "y"}), "id"),
    ] {
        let refused = installation.operate(Method::POST, PATH, Some(body)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(
            refused.body["errors"][field].is_array(),
            "{field}: {}",
            refused.text
        );
    }
}

#[tokio::test]
async fn what_operators_decide_is_felt_by_members_at_once() {
    let installation = Installation::new().await;
    let path = format!("{PATH}/{}", installation.organization);
    let member = async || {
        let token = Some(installation.owner_token.as_str());
        let answer = installation
            .call(token, Method::GET, "/api/waha/organization", None)
            .await;
        (answer.status.as_u16(), answer.code().to_owned())
    };
    let decide = async |what: &str| {
        let answer = installation
            .operate(Method::POST, &format!("{path}/{what}"), None)
            .await;
        answer.status.as_u16()
    };
    assert_eq!(member().await.0, 200);
    assert_eq!(decide("suspend").await, 200);
    installation
        .assert_audited("platform.organizations.suspend", "success")
        .await;
    assert_eq!(member().await, (403, "ORGANIZATION_SUSPENDED".to_owned()));
    assert_eq!(decide("resume").await, 200);
    assert_eq!(member().await.0, 200);
    assert_eq!(decide("close").await, 200);
    assert_eq!(member().await, (403, "NO_ORGANIZATION".to_owned()));
    // Closing is for good.
    assert_eq!(decide("close").await, 200);
    assert_eq!(decide("resume").await, 409);
    assert_eq!(decide("suspend").await, 409);
    installation
        .assert_audited("platform.organizations.suspend", "failure")
        .await;
    assert_eq!(member().await, (403, "NO_ORGANIZATION".to_owned()));
}

#[tokio::test]
async fn the_log_of_operators_acts_is_read_page_by_page() {
    let installation = Installation::new().await;
    for number in 0..5 {
        let body = Some(json!({"name": format!("Toko {number}")}));
        installation.operate(Method::POST, PATH, body).await;
    }
    let (mut cursor, mut ids) = (String::new(), Vec::new());
    loop {
        let path = format!("/api/platform/audit-log?limit=2{cursor}");
        let page = installation.operate(Method::GET, &path, None).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let entries = page.body["data"].as_array().unwrap();
        assert!(entries.len() <= 2);
        ids.extend(
            entries
                .iter()
                .map(|entry| entry["id"].as_str().unwrap().to_owned()),
        );
        match page.body["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    // Five here, and five acts of the command line before.
    assert_eq!(ids.len(), 10);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10);
    for query in ["limit=0", "limit=101", "cursor=x", "page=1"] {
        let path = format!("/api/platform/audit-log?{query}");
        let refused = installation.operate(Method::GET, &path, None).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
}

#[tokio::test]
async fn an_organization_is_erased_once_it_is_closed() {
    let installation = Installation::new().await;
    let created = installation
        .operate(Method::POST, PATH, Some(json!({"name": "Toko Lama"})))
        .await;
    let path = format!("{PATH}/{}", created.data("id"));
    let erasure = format!("{path}/erasure");
    let ask = async |name: &str| {
        let body = Some(json!({"name": name}));
        installation.operate(Method::POST, &erasure, body).await
    };
    assert_eq!(ask("Toko Lama").await.status, StatusCode::CONFLICT);
    let none = installation.operate(Method::GET, &erasure, None).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);

    let closed = installation
        .operate(Method::POST, &format!("{path}/close"), None)
        .await;
    assert_eq!(closed.status, StatusCode::OK, "{}", closed.text);
    let mistaken = ask("Toko Baru").await;
    assert_eq!(
        mistaken.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        mistaken.text
    );
    assert!(mistaken.body["errors"]["name"].is_array(), "{}", mistaken.text);
    let asked = ask("Toko Lama").await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    assert_eq!(asked.data("state"), "running");
    installation
        .assert_audited("platform.organizations.erase", "success")
        .await;
    let shown = installation.operate(Method::GET, &erasure, None).await;
    assert_eq!(shown.body["data"], asked.body["data"]);
}
