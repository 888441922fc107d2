//! What people did, and what was refused to them, is in the audit log; secrets are not.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use wahana_domain::{Abilities, Ability, OrganizationId, Role, UserId};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::wahana::{Call, PASSWORD, Wahana, login, reset};

on_both_databases!(
    changes_and_refusals_leave_a_row_and_no_secret,
    what_concerns_no_organization_is_logged_for_the_platform,
    the_log_is_read_in_parts,
    the_log_is_filtered,
    another_organizations_cursor_leads_nowhere_else,
    the_log_is_for_those_who_may_read_it,
);

async fn read(wahana: &Wahana, bearer: &str, query: &str) -> Value {
    let call = Call::get(&format!("/api/waha/audit-log{query}")).with_token(bearer);
    wahana.send(call).await.is(StatusCode::OK).json()
}

/// Operation, outcome and error code of each entry, the oldest first.
fn summary(log: &Value) -> Vec<String> {
    let entries = log["data"].as_array().unwrap().iter().rev();
    let told = entries.map(|entry| {
        let operation = entry["operation"].as_str().unwrap();
        match entry["error_code"].as_str() {
            Some(code) => format!("{operation} {code}"),
            None => format!("{operation} {}", entry["outcome"].as_str().unwrap()),
        }
    });
    told.collect()
}

/// Every row of the log as text.
async fn rows(database: &TestDatabase) -> Vec<String> {
    let columns = [
        "operation",
        "outcome",
        "error_code",
        "actor",
        "token_id",
        "source_address",
        "request_id",
    ];
    let columns = columns
        .map(|column| format!("COALESCE({column}, '')"))
        .join(" || ' ' || ");
    let query = format!("SELECT {columns} FROM audit_entries ORDER BY created_at, id");
    database.texts_unguarded(&query).await
}

async fn changes_and_refusals_leave_a_row_and_no_secret(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let agent = wahana
        .member(organization, "agent@example.com", Role::Agent)
        .await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    let agents = wahana.token(organization, &agent, Abilities::All).await;
    let invite = || {
        let body = json!({"email": "new@example.com", "role": "viewer"});
        Call::post("/api/waha/invitations", &body)
    };
    let member = |method, id: UserId| Call::new(method, &format!("/api/waha/members/{id}"));

    let invited = wahana
        .send(invite().with_token(&bearer).header("x-request-id", "invite-1"))
        .await;
    let link = invited.is(StatusCode::CREATED).link_token();
    wahana
        .send(invite().with_token(&agents))
        .await
        .is(StatusCode::FORBIDDEN);
    let accept = json!({"token": link, "display_name": "New", "password": PASSWORD});
    let accept = Call::post("/api/auth/invitations/accept", &accept);
    wahana.send(accept).await.is(StatusCode::OK);
    let demote = member(Method::PATCH, owner.id)
        .with_token(&bearer)
        .json(&json!({"role": "viewer"}));
    wahana.send(demote).await.is(StatusCode::CONFLICT);
    let promote = member(Method::PATCH, agent.id)
        .with_token(&bearer)
        .json(&json!({"role": "admin"}));
    wahana.send(promote).await.is(StatusCode::OK);
    let nobody = member(Method::DELETE, UserId::new()).with_token(&bearer);
    wahana.send(nobody).await.is(StatusCode::NOT_FOUND);
    let remove = member(Method::DELETE, agent.id).with_token(&bearer);
    wahana.send(remove).await.is(StatusCode::OK);
    let token = Call::post("/api/waha/tokens", &json!({"name": "n"})).with_token(&bearer);
    let created = wahana.send(token).await.is(StatusCode::CREATED).data();
    let made = created["bearer"].as_str().unwrap().to_owned();

    let log = read(&wahana, &bearer, "").await;
    let expected = [
        "invitations.create success",
        "invitations.create FORBIDDEN",
        "invitations.accept success",
        "members.update CONFLICT",
        "members.update success",
        "members.remove NOT_FOUND",
        "members.remove success",
        "tokens.create success",
    ];
    assert_eq!(summary(&log), expected);
    let first = log["data"].as_array().unwrap().last().unwrap();
    assert_eq!(first["actor"], "token");
    assert_eq!(first["user_id"], owner.id.to_string());
    assert_eq!(first["token_id"], bearer.split_once('|').unwrap().0);
    assert_eq!(first["request_id"], "invite-1");
    assert_eq!(first["source_address"], "192.0.2.1");

    let all = rows(database).await.join("\n");
    for secret in [
        PASSWORD,
        link.split_once('.').unwrap().1,
        bearer.split_once('|').unwrap().1,
        made.split_once('|').unwrap().1,
        "new@example.com",
    ] {
        assert!(!all.contains(secret));
    }
}

async fn what_concerns_no_organization_is_logged_for_the_platform(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let person = wahana
        .member(organization, "person@example.com", Role::Owner)
        .await;
    let cookie = wahana.sign_in(&person).await;
    wahana
        .send(login(&person.email, "wrong horse battery"))
        .await
        .is(StatusCode::UNAUTHORIZED);
    wahana
        .send(reset("nonsense", PASSWORD))
        .await
        .is(StatusCode::NOT_FOUND);
    let change = |current: &str| {
        let body = json!({"current_password": current, "new_password": "another horse"});
        Call::post("/api/auth/password", &body).with_cookie(&cookie)
    };
    wahana
        .send(change("wrong horse battery"))
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY);
    wahana.send(change(PASSWORD)).await.is(StatusCode::OK);
    let elsewhere = Call::post("/api/waha/tokens", &json!({"name": "n"})).with_cookie(&cookie);
    let elsewhere = elsewhere.in_organization(OrganizationId::new());
    wahana.send(elsewhere).await.is(StatusCode::FORBIDDEN);
    let logout = || Call::post("/api/auth/logout", &json!({}));
    wahana
        .send(logout().with_bare_cookie(&cookie))
        .await
        .is(StatusCode::FORBIDDEN);
    wahana
        .send(logout().with_cookie(&cookie))
        .await
        .is(StatusCode::OK);

    let operations = "SELECT operation || ' ' || COALESCE(error_code, outcome) || ' ' || actor \
        FROM audit_entries WHERE organization_id IS NULL ORDER BY created_at, id";
    let expected = [
        "password_resets.create success command_line",
        "auth.reset_password success user",
        "auth.login success user",
        "auth.change_password VALIDATION_ERROR user",
        "auth.change_password success user",
        "tokens.create NO_ORGANIZATION user",
        "auth.logout FORBIDDEN user",
        "auth.logout success user",
    ];
    assert_eq!(database.texts_unguarded(operations).await, expected);
    let bearer = wahana.token(organization, &person, Abilities::All).await;
    assert!(summary(&read(&wahana, &bearer, "").await).is_empty());
}

/// An owner's token, and that many entries.
async fn with_entries(wahana: &Wahana, organization: OrganizationId, email: &str, entries: usize) -> String {
    let owner = wahana.stranger(email).await;
    wahana.join(organization, &owner, Role::Owner).await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    for _ in 0..entries {
        // The clock stands still, so that the entries differ by their ids alone.
        let refused = Call::post("/api/waha/tokens", &json!({})).with_token(&bearer);
        wahana.send(refused).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    }
    bearer
}

async fn the_log_is_read_in_parts(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let bearer = with_entries(&wahana, organization, "owner@example.com", 7).await;
    let whole = read(&wahana, &bearer, "").await;
    assert_eq!(whole["meta"], json!({"next_cursor": null}));
    let (mut query, mut parts) = ("?limit=3".to_owned(), Vec::new());
    for expected in [3, 3, 1] {
        let part = read(&wahana, &bearer, &query).await;
        let entries = part["data"].as_array().unwrap();
        assert_eq!(entries.len(), expected);
        parts.extend(entries.iter().cloned());
        query = match part["meta"]["next_cursor"].as_str() {
            Some(cursor) => format!("?limit=3&cursor={cursor}"),
            None => String::new(),
        };
    }
    assert!(query.is_empty());
    assert_eq!(whole["data"], Value::Array(parts));
    for faulty in [
        "?cursor=nonsense",
        "?cursor=",
        "?limit=0",
        "?limit=101",
        "?limit=x",
        "?since=yesterday",
        "?user_id=1",
        "?session_id=kopi",
        "?page=1",
        "?limit=1&limit=2",
    ] {
        let call = Call::get(&format!("/api/waha/audit-log{faulty}")).with_token(&bearer);
        let refused = wahana.send(call).await;
        refused.refuses(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR");
    }
}

async fn the_log_is_filtered(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let one = with_entries(&wahana, organization, "one@example.com", 2).await;
    let between = wahana.clock_now();
    let other = wahana
        .member(organization, "other@example.com", Role::Owner)
        .await;
    let others = wahana.token(organization, &other, Abilities::All).await;
    let made = Call::post("/api/waha/tokens", &json!({"name": "n"})).with_token(&others);
    wahana.send(made).await.is(StatusCode::CREATED);
    for (query, expected) in [
        (String::new(), 3),
        (format!("?user_id={}", other.id), 1),
        ("?operation=tokens.create".to_owned(), 3),
        ("?operation=tokens.revoke".to_owned(), 0),
        (format!("?since={}", wahana.clock_now()), 1),
        (format!("?until={}", wahana.clock_now()), 2),
        (format!("?since={between}&until={between}"), 0),
        (format!("?session_id={}", UserId::new()), 0),
    ] {
        let found = read(&wahana, &one, &query).await;
        assert_eq!(found["data"].as_array().unwrap().len(), expected, "{query}");
    }
}

async fn another_organizations_cursor_leads_nowhere_else(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let (kopi, teh) = (
        wahana.organization("Kopi").await,
        wahana.organization("Teh").await,
    );
    let kopis = with_entries(&wahana, kopi, "kopi@example.com", 3).await;
    let tehs = with_entries(&wahana, teh, "teh@example.com", 3).await;
    let whole = read(&wahana, &kopis, "").await;
    let foreign = read(&wahana, &tehs, "?limit=1").await;
    let cursor = foreign["meta"]["next_cursor"].as_str().unwrap();
    // It is a place in time, and everything of Kopi's is older.
    let found = read(&wahana, &kopis, &format!("?cursor={cursor}")).await;
    assert_eq!(found["data"], whole["data"]);
}

async fn the_log_is_for_those_who_may_read_it(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    for role in Role::ALL {
        let member = wahana.stranger(&format!("{role}@example.com")).await;
        wahana.join(organization, &member, role).await;
        let bearer = wahana.token(organization, &member, Abilities::All).await;
        let log = Call::get("/api/waha/audit-log").with_token(&bearer);
        let expected = if role >= Role::Admin {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        };
        wahana.send(log).await.is(expected);
        let without = Abilities::of(&[Ability::MembersManage, Ability::TokensManage]);
        let weak = wahana.token(organization, &member, without).await;
        let log = Call::get("/api/waha/audit-log").with_token(&weak);
        wahana.send(log).await.refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    }
}
