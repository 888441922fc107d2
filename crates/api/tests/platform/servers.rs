//! WAHA servers through the platform API.

use axum::http::{Method, StatusCode};
use serde_json::json;
use wahana_domain::{DesiredStatus, Session, SessionStatus};
use wahana_testkit::rows;

use crate::harness::Installation;

const PATH: &str = "/api/platform/servers";
const KEY: &str = "a-key-nobody-may-see-7f3a";
const OTHER_KEY: &str = "another-key-nobody-may-see-9c1d";

#[tokio::test]
async fn a_server_lives_and_its_key_is_in_no_answer() {
    let installation = Installation::new().await;
    let new = json!({"name": "one", "base_url": "http://10.0.0.8:3000", "api_key": KEY, "capacity": 5});
    let created = installation.operate(Method::POST, PATH, Some(new)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(created.data("base_url"), "http://10.0.0.8:3000/");
    installation
        .assert_audited("platform.servers.create", "success")
        .await;
    let path = format!("{PATH}/{}", created.data("id"));
    let change = json!({"name": "eins", "api_key": OTHER_KEY, "capacity": null});
    let updated = installation.operate(Method::PATCH, &path, Some(change)).await;
    assert_eq!(updated.status, StatusCode::OK, "{}", updated.text);
    assert!(updated.body["data"]["capacity"].is_null());
    installation
        .assert_audited("platform.servers.update", "success")
        .await;
    let shown = installation.operate(Method::GET, &path, None).await;
    let list = installation.operate(Method::GET, PATH, None).await;
    assert_eq!(list.body["data"][0]["name"], "eins");
    let log = installation
        .operate(Method::GET, "/api/platform/audit-log", None)
        .await;
    for answer in [&created, &updated, &shown, &list, &log] {
        assert!(!answer.text.contains("nobody-may-see"), "{}", answer.text);
    }
    // What is kept opens to the new key.
    let tx = installation.store.platform_read().await.unwrap();
    let servers = tx.servers().await.unwrap();
    drop(tx);
    assert_eq!(
        secrecy::ExposeSecret::expose_secret(&servers[0].server.api_key),
        OTHER_KEY
    );

    let removed = installation.operate(Method::DELETE, &path, None).await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.text);
    installation
        .assert_audited("platform.servers.remove", "success")
        .await;
    let again = installation.operate(Method::DELETE, &path, None).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_same_server_is_not_added_twice_and_faulty_ones_not_at_all() {
    let installation = Installation::new().await;
    let add = async |name: &str, base_url: &str, key: &str| {
        let body = json!({"name": name, "base_url": base_url, "api_key": key});
        installation.operate(Method::POST, PATH, Some(body)).await
    };
    assert_eq!(
        add("one", "http://waha:3000", KEY).await.status,
        StatusCode::CREATED
    );
    for (name, base_url) in [("one", "http://other:3000"), ("two", "HTTP://WAHA:3000/")] {
        let refused = add(name, base_url, KEY).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    }
    for (base_url, key, field) in [
        ("http://169.254.169.254", KEY, "base_url"),
        ("http://[fe80::1]", KEY, "base_url"),
        ("ftp://waha", KEY, "base_url"),
        ("http://me:me@waha2", KEY, "base_url"),
        ("http://waha2/?q", KEY, "base_url"),
        ("http://waha2", "two words", "api_key"),
        ("http://waha2", "", "api_key"),
    ] {
        let refused = add("two", base_url, key).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{base_url}");
        assert!(refused.body["errors"][field].is_array(), "{}", refused.text);
        assert!(!refused.text.contains("two words"), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_server_with_living_sessions_stays() {
    let installation = Installation::new().await;
    let new = json!({"name": "one", "base_url": "http://waha:3000", "api_key": KEY});
    let created = installation.operate(Method::POST, PATH, Some(new)).await;
    let tx = installation.store.platform_read().await.unwrap();
    let tenant = tx.tenant(installation.organization).await.unwrap().unwrap();
    drop(tx);
    let now = installation.services().now();
    let server = created.data("id").parse().unwrap();
    let session = Session {
        status: SessionStatus::Disconnected,
        desired_status: DesiredStatus::Stopped,
        ..rows::session(installation.organization, server, "sales", now)
    };
    let tx = installation.store.write(tenant).await.unwrap();
    wahana_store::sessions::insert(&tx, &session).await.unwrap();
    tx.commit().await.unwrap();

    let path = format!("{PATH}/{}", created.data("id"));
    let shown = installation.operate(Method::GET, &path, None).await;
    assert_eq!(shown.body["data"]["sessions"], 1);
    let refused = installation.operate(Method::DELETE, &path, None).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    installation
        .assert_audited("platform.servers.remove", "failure")
        .await;

    let tx = installation.store.write(tenant).await.unwrap();
    assert!(wahana_store::sessions::delete(&tx, session.id).await.unwrap());
    tx.commit().await.unwrap();
    let removed = installation.operate(Method::DELETE, &path, None).await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.text);
}

#[tokio::test]
async fn a_hook_is_for_operators_and_its_keys_can_be_changed() {
    let installation = Installation::new().await;
    let new = json!({"name": "one", "base_url": "http://10.0.0.8:3000", "api_key": KEY});
    let id = installation
        .operate(Method::POST, PATH, Some(new))
        .await
        .data("id");
    let path = format!("{PATH}/{id}/hook");
    let first = installation.operate(Method::POST, &path, None).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let variable = |answer: &crate::harness::Answer, name: &str| {
        let variables = &answer.body["data"]["environment"];
        variables[name].as_str().unwrap().to_owned()
    };
    assert_eq!(
        variable(&first, "WHATSAPP_HOOK_URL"),
        format!("http://10.0.0.5:8080/hooks/waha/{id}/1.1")
    );
    let key = variable(&first, "WHATSAPP_HOOK_HMAC_KEY");
    assert_eq!(key.len(), 64);
    installation
        .assert_audited("platform.servers.hook", "success")
        .await;

    let again = installation.operate(Method::POST, &path, Some(json!({}))).await;
    assert_eq!(variable(&again, "WHATSAPP_HOOK_HMAC_KEY"), key);
    let rotate = Some(json!({"rotate": true}));
    let rotated = installation.operate(Method::POST, &path, rotate).await;
    assert_eq!(
        variable(&rotated, "WHATSAPP_HOOK_URL"),
        format!("http://10.0.0.5:8080/hooks/waha/{id}/1.2")
    );
    assert_ne!(variable(&rotated, "WHATSAPP_HOOK_HMAC_KEY"), key);

    let owner = Some(installation.owner_token.as_str());
    let refused = installation.call(owner, Method::POST, &path, None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_server_is_paused_drained_bound_and_limited() {
    let installation = Installation::new().await;
    let new = json!({"name": "one", "base_url": "http://waha:3000", "api_key": KEY, "concurrency": 8});
    let created = installation.operate(Method::POST, PATH, Some(new)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(created.body["data"]["concurrency"], 8);
    assert_eq!(created.body["data"]["circuit"], "closed");
    let path = format!("{PATH}/{}", created.data("id"));
    for (begin, end, field) in [
        ("pause", "resume", "paused_at"),
        ("drain", "undrain", "draining_at"),
    ] {
        let act = async |act: &str| {
            let answer = installation
                .operate(Method::POST, &format!("{path}/{act}"), None)
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            let operation = format!("platform.servers.{act}");
            installation.assert_audited(&operation, "success").await;
            answer
        };
        let first = act(begin).await.body["data"][field].clone();
        assert!(first.is_string());
        assert_eq!(
            act(begin).await.body["data"][field],
            first,
            "since the first time"
        );
        assert!(act(end).await.body["data"][field].is_null());
        assert!(act(end).await.body["data"][field].is_null());
    }
    let bind = async |organization: &str| {
        let body = json!({"organization_id": organization});
        installation
            .operate(Method::POST, &format!("{path}/bind"), Some(body))
            .await
    };
    let organization = installation.organization.to_string();
    let bound = bind(&organization).await;
    assert_eq!(bound.data("organization_id"), organization, "{}", bound.text);
    installation
        .assert_audited("platform.servers.bind", "success")
        .await;
    for unknown in ["Toko Satu", "0198f000-0000-7000-8000-000000000000"] {
        let refused = bind(unknown).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            refused.text
        );
        assert!(refused.body["errors"]["organization_id"].is_array());
    }
    let unbound = installation
        .operate(Method::POST, &format!("{path}/unbind"), None)
        .await;
    assert!(
        unbound.body["data"]["organization_id"].is_null(),
        "{}",
        unbound.text
    );

    let change = json!({"concurrency": null, "requests_per_second": 20});
    let changed = installation.operate(Method::PATCH, &path, Some(change)).await;
    assert!(changed.body["data"]["concurrency"].is_null(), "{}", changed.text);
    assert_eq!(changed.body["data"]["requests_per_second"], 20);
    for (field, number) in [
        ("concurrency", 0),
        ("requests_per_second", -1),
        ("capacity", 100_001),
    ] {
        let refused = installation
            .operate(Method::PATCH, &path, Some(json!({field: number})))
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(refused.body["errors"][field].is_array(), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_check_tells_what_answers_whether_the_key_is_right_and_what_it_is() {
    let installation = Installation::new().await;
    let sim = waha_sim::WahaSim::builder().api_key(KEY).start().await.unwrap();
    let add = async |name: &str, base_url: &str, key: &str| {
        let body = json!({"name": name, "base_url": base_url, "api_key": key});
        let created = installation.operate(Method::POST, PATH, Some(body)).await;
        format!("{PATH}/{}", created.data("id"))
    };
    let check = async |path: &str| {
        let answer = installation
            .operate(Method::GET, &format!("{path}/check"), None)
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert!(!answer.text.contains("nobody-may-see"), "{}", answer.text);
        answer.body["data"].clone()
    };
    let path = add("one", &sim.base_url(), KEY).await;
    let good = check(&path).await;
    assert_eq!(
        (&good["answers"], &good["key_is_accepted"]),
        (&json!(true), &json!(true))
    );
    assert!(good["version"].is_string() && good["engine"].is_string() && good["problem"].is_null());

    let change = json!({"api_key": OTHER_KEY});
    installation.operate(Method::PATCH, &path, Some(change)).await;
    let refused = check(&path).await;
    assert_eq!(
        (&refused["answers"], &refused["key_is_accepted"]),
        (&json!(true), &json!(false))
    );
    assert!(refused["problem"].as_str().unwrap().contains("key"), "{refused}");

    let away = check(&add("two", "http://127.0.0.1:1", KEY).await).await;
    assert_eq!(
        (&away["answers"], &away["key_is_accepted"]),
        (&json!(false), &json!(null))
    );
    assert!(away["problem"].is_string() && away["version"].is_null());
}
