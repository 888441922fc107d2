//! An installation with an operator and an organization with an owner, and requests to its API.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;
use url::Url;
use waha_client::{HttpClient, HttpOptions};
use wahana_api::{ApiSettings, ApiState, router};
use wahana_domain::{Abilities, EmailAddress, OrganizationId, OrganizationLimits, Role, SystemClock, UserId};
use wahana_service::{
    Operator, ServiceSettings, Services,
    platform::{
        access_tokens::{self, NewMemberToken},
        organizations::{self, NewOrganization},
        tokens::{self, NewPlatformToken},
        users::{self, NewUser},
    },
};
use wahana_store::{DatabaseSettings, KeyRing, Store, migrate};

pub(crate) struct Installation {
    pub(crate) store: Store,
    pub(crate) operator: UserId,
    pub(crate) operator_token: String,
    pub(crate) organization: OrganizationId,
    pub(crate) owner: UserId,
    pub(crate) owner_token: String,
    state: ApiState,
    router: Router,
    _folder: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    pub(crate) body: Value,
}

pub(crate) fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn new_user(address: &str) -> NewUser {
    NewUser {
        email: email(address),
        display_name: address.to_owned(),
        password: None,
        membership: None,
        is_platform_administrator: false,
    }
}

impl Installation {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = DatabaseSettings::new(format!("sqlite://{}/wahana.db", folder.path().display()));
        migrate(&settings).await.unwrap();
        let store = Store::open(&settings, KeyRing::generate(), Arc::new(SystemClock))
            .await
            .unwrap();
        let public_url: Url = "http://127.0.0.1:8080".parse().unwrap();
        // Another test of this process may have chosen the provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let settings = ServiceSettings {
            hook_url: Some("http://10.0.0.5:8080".parse().unwrap()),
            ..ServiceSettings::at(public_url.clone())
        };
        let services = Services::new(store.clone(), http, settings);
        let by = Operator::CommandLine;
        let organization = NewOrganization {
            name: "Toko Satu".to_owned(),
            country: None,
            time_zone: None,
            language: None,
            limits: OrganizationLimits::default(),
        };
        let organization = organizations::create(&services, &by, organization)
            .await
            .unwrap()
            .id;
        let operator = NewUser {
            is_platform_administrator: true,
            ..new_user("operator@example.com")
        };
        let operator = users::create(&services, &by, operator).await.unwrap().user.id;
        let owner = NewUser {
            membership: Some((organization, Role::Owner)),
            ..new_user("owner@example.com")
        };
        let owner = users::create(&services, &by, owner).await.unwrap().user.id;
        let token = NewPlatformToken {
            user_id: operator,
            name: "test".to_owned(),
            expires_at: None,
        };
        let created = tokens::create(&services, &by, token).await.unwrap();
        let operator_token = format!("{}|{}", created.token.id, created.secret.expose());
        let token = NewMemberToken {
            organization,
            email: email("owner@example.com"),
            name: "test".to_owned(),
            abilities: Abilities::All,
            sessions: None,
            expires_at: None,
        };
        let created = access_tokens::create(&services, &by, token).await.unwrap();
        let owner_token = format!("{}|{}", created.token.id, created.secret.expose());
        let state = ApiState::new(services, ApiSettings::at(public_url));
        Self {
            store,
            operator,
            operator_token,
            organization,
            owner,
            owner_token,
            router: router(state.clone()),
            state,
            _folder: folder,
        }
    }

    pub(crate) fn services(&self) -> &Services {
        self.state.services()
    }

    /// A request with this token, and this JSON if it has a body.
    pub(crate) async fn call(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self
            .router
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer {
            status,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    /// A request of the operator's.
    pub(crate) async fn operate(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.call(Some(&self.operator_token), method, path, body).await
    }

    /// The newest rows of the platform's audit log: actor, operation, outcome.
    pub(crate) async fn newest_audit(&self, count: usize) -> Vec<(String, String, String)> {
        let answer = self.operate(Method::GET, "/api/platform/audit-log", None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
        let entries = answer.body["data"].as_array().unwrap();
        entries
            .iter()
            .take(count)
            .map(|entry| {
                (
                    text(entry, "actor"),
                    text(entry, "operation"),
                    text(entry, "outcome"),
                )
            })
            .collect()
    }

    pub(crate) async fn assert_audited(&self, operation: &str, outcome: &str) {
        let newest = self.newest_audit(1).await;
        let expected = ("platform_administrator", operation, outcome);
        let found = &newest[0];
        assert_eq!((found.0.as_str(), found.1.as_str(), found.2.as_str()), expected);
    }
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["error_code"].as_str().unwrap_or_default()
    }

    pub(crate) fn data(&self, key: &str) -> String {
        self.body["data"][key].as_str().unwrap_or_default().to_owned()
    }
}
