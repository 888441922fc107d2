//! WAHA servers through the platform API.

use axum::http::{Method, StatusCode};
use serde_json::json;
use wahana_domain::{
    BusinessProfile, DesiredStatus, Session, SessionConfiguration, SessionCounters, SessionId, SessionName,
    SessionOrigin, SessionStatus, WahaAddress, WahaName,
};

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
    let session = Session {
        id: SessionId::new(),
        organization_id: installation.organization,
        waha: WahaAddress {
            server: created.data("id").parse().unwrap(),
            name: WahaName::generate(),
        },
        origin: SessionOrigin::Created,
        name: SessionName::parse("sales").unwrap(),
        display_name: None,
        phone_number: None,
        status: SessionStatus::Disconnected,
        waha_status: None,
        desired_status: DesiredStatus::Stopped,
        observed_at: None,
        error_count: 0,
        last_error: None,
        warning: None,
        business: BusinessProfile::default(),
        configuration: SessionConfiguration::default(),
        counters: SessionCounters::default(),
        last_message_at: None,
        created_at: now,
        updated_at: now,
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
