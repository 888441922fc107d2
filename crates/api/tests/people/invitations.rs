//! Invitations, from the link to the membership.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use serde_json::{Value, json};
use wahana_domain::{Abilities, InvitationId, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::wahana::{Call, PASSWORD, Wahana, login, me};

on_both_databases!(
    somebody_new_joins_with_a_password,
    a_user_joins_only_signed_in_as_the_invited,
    used_by_several_at_once_it_works_once,
    used_by_several_strangers_at_once_it_works_once,
    it_ends_after_seven_days_or_when_it_is_taken_back,
    roles_are_given_only_by_those_who_manage_them,
    links_lead_to_the_public_address_whatever_the_request_says,
    another_organizations_invitation_does_not_exist,
    a_removed_member_has_no_way_back_in,
    a_demoted_admin_leaves_no_stronger_invitations,
    members_are_not_invited_again,
    an_invitation_of_a_closed_organization_is_none,
);

fn invite(bearer: &str, email: &str, role: &str) -> Call {
    let body = json!({"email": email, "role": role});
    Call::post("/api/waha/invitations", &body).with_token(bearer)
}

fn revoke(bearer: &str, id: &str) -> Call {
    Call::new(Method::DELETE, &format!("/api/waha/invitations/{id}")).with_token(bearer)
}

fn open(token: &str) -> Call {
    Call::post("/api/auth/invitations/open", &json!({"token": token}))
}

fn accept(token: &str) -> Call {
    Call::post("/api/auth/invitations/accept", &json!({"token": token}))
}

fn accept_as_new(token: &str) -> Call {
    let body = json!({"token": token, "display_name": "Budi", "password": PASSWORD});
    Call::post("/api/auth/invitations/accept", &body)
}

async fn listed(wahana: &Wahana, bearer: &str) -> Vec<Value> {
    let list = Call::get("/api/waha/invitations").with_token(bearer);
    let answer = wahana.send(list).await.is(StatusCode::OK);
    answer.data().as_array().unwrap().clone()
}

async fn somebody_new_joins_with_a_password(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let admin = wahana
        .member(organization, "admin@example.com", Role::Admin)
        .await;
    let token = wahana.token(organization, &admin, Abilities::All).await;

    let created = wahana.send(invite(&token, "Budi@Example.com", "agent")).await;
    let created = created.is(StatusCode::CREATED);
    let link = created.link_token();
    let secret = link.split_once('.').unwrap().1;
    let list = Call::get("/api/waha/invitations").with_token(&token);
    let list = wahana.send(list).await.is(StatusCode::OK);
    assert!(!list.text.contains(secret));
    assert_eq!(list.json()["pagination"]["total"], 1);
    assert_eq!(list.data()[0]["invited_by"], admin.id.to_string());

    let opened = wahana.send(open(&link)).await.is(StatusCode::OK).data();
    assert_eq!(opened["organization_name"], "Kopi");
    assert_eq!(
        (&opened["email"], &opened["role"]),
        (&json!("Budi@Example.com"), &json!("agent"))
    );

    let nameless = wahana.send(accept(&link)).await;
    let nameless = nameless.refuses(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR");
    let errors = json!({"display_name": ["is required"], "password": ["is required"]});
    assert_eq!(nameless.json()["errors"], errors);
    wahana.send(accept_as_new(&link)).await.is(StatusCode::OK);
    let again = wahana.send(accept_as_new(&link)).await;
    again.refuses(StatusCode::NOT_FOUND, "NOT_FOUND");
    assert!(listed(&wahana, &token).await.is_empty());

    let budi = wahana
        .send(login("budi@example.com", PASSWORD))
        .await
        .is(StatusCode::OK);
    assert_eq!(budi.data()["user"]["display_name"], "Budi");
    assert_eq!(budi.data()["organizations"][0]["role"], "agent");
}

async fn a_user_joins_only_signed_in_as_the_invited(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let (kopi, teh) = (
        wahana.organization("Kopi").await,
        wahana.organization("Teh").await,
    );
    let owner = wahana.member(kopi, "owner@example.com", Role::Owner).await;
    let invited = wahana.member(teh, "invited@example.com", Role::Viewer).await;
    let bearer = wahana.token(kopi, &owner, Abilities::All).await;
    let link = wahana
        .send(invite(&bearer, "INVITED@example.com", "admin"))
        .await
        .link_token();

    let owners = wahana.sign_in(&owner).await;
    let invited_token = wahana.token(teh, &invited, Abilities::All).await;
    let invited_cookie = wahana.sign_in(&invited).await;
    for call in [
        // Not with a password of one's choice for somebody else's account.
        accept_as_new(&link),
        accept(&link).with_cookie(&owners),
        accept_as_new(&link).with_cookie(&owners),
        // A token is for one organization.
        accept(&link).with_token(&invited_token),
        // Another site could make the browser send this.
        accept(&link).with_bare_cookie(&invited_cookie),
        accept(&link).header("origin", "https://evil.test"),
    ] {
        wahana
            .send(call)
            .await
            .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    }
    wahana
        .send(accept(&link).with_cookie(&invited_cookie))
        .await
        .is(StatusCode::OK);
    let me = wahana.send(me(&invited_cookie).in_organization(kopi)).await;
    assert_eq!(me.data()["role"], "admin");
    let teh_still = wahana
        .send(crate::wahana::me(&invited_cookie).in_organization(teh))
        .await;
    assert_eq!(teh_still.data()["role"], "viewer");

    // Somebody who is signed in as another does not become a new user either.
    let link = wahana
        .send(invite(&bearer, "new@example.com", "viewer"))
        .await
        .link_token();
    wahana
        .send(accept_as_new(&link).with_cookie(&owners))
        .await
        .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    // A cookie that has ended is none.
    wahana
        .send(accept_as_new(&link).with_bare_cookie("nonsense"))
        .await
        .is(StatusCode::OK);
}

async fn used_by_several_at_once_it_works_once(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    let invited = wahana.person("invited@example.com").await;
    let cookie = wahana.sign_in(&invited).await;
    let link = wahana
        .send(invite(&bearer, &invited.email, "viewer"))
        .await
        .link_token();

    let answers = join_all((0..6).map(|_| wahana.send(accept(&link).with_cookie(&cookie)))).await;
    let worked = answers.iter().filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(worked.count(), 1, "{answers:?}");
    assert!(
        answers.iter().all(|answer| answer.status.as_u16() < 500),
        "{answers:?}"
    );
    let members = Call::get("/api/waha/members").with_token(&bearer);
    assert_eq!(wahana.send(members).await.json()["pagination"]["total"], 2);
}

async fn used_by_several_strangers_at_once_it_works_once(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    let link = wahana
        .send(invite(&bearer, "new@example.com", "viewer"))
        .await
        .link_token();

    let answers = join_all((0..4).map(|_| wahana.send(accept_as_new(&link)))).await;
    let worked = answers.iter().filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(worked.count(), 1, "{answers:?}");
    assert!(
        answers.iter().all(|answer| answer.status.as_u16() < 500),
        "{answers:?}"
    );
    wahana
        .send(login("new@example.com", PASSWORD))
        .await
        .is(StatusCode::OK);
}

async fn it_ends_after_seven_days_or_when_it_is_taken_back(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    let late = wahana.send(invite(&bearer, "late@example.com", "viewer")).await;
    wahana.wait(Duration::from_hours(7 * 24));
    let revoked = wahana
        .send(invite(&bearer, "revoked@example.com", "viewer"))
        .await;
    let id = revoked.data()["id"].as_str().unwrap().to_owned();
    wahana.send(open(&revoked.link_token())).await.is(StatusCode::OK);
    wahana.send(revoke(&bearer, &id)).await.is(StatusCode::OK);
    wahana
        .send(revoke(&bearer, &id))
        .await
        .refuses(StatusCode::NOT_FOUND, "NOT_FOUND");
    assert!(listed(&wahana, &bearer).await.is_empty());

    let wrong_secret = format!(
        "{}.{}",
        late.link_token().split_once('.').unwrap().0,
        "0".repeat(64)
    );
    let missing = format!("{}.{}", InvitationId::new(), "0".repeat(64));
    for token in [
        late.link_token(),
        revoked.link_token(),
        wrong_secret,
        missing,
        "nonsense".to_owned(),
    ] {
        for call in [open(&token), accept_as_new(&token)] {
            let refused = wahana
                .send(call)
                .await
                .refuses(StatusCode::NOT_FOUND, "NOT_FOUND");
            let message = refused.json()["message"].clone();
            assert_eq!(message, "This link is not valid any more. Ask for a new one.");
        }
    }
}

async fn roles_are_given_only_by_those_who_manage_them(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let mut bearers = Vec::new();
    for role in Role::ALL {
        let member = wahana
            .member(organization, &format!("{role}@example.com"), role)
            .await;
        bearers.push((role, wahana.token(organization, &member, Abilities::All).await));
    }
    for (inviter, bearer) in &bearers {
        for role in Role::ALL {
            let call = invite(bearer, &format!("{role}-by-{inviter}@example.com"), role.as_str());
            let answer = wahana.send(call).await;
            if inviter.may_manage(role) {
                answer.is(StatusCode::CREATED);
            } else {
                answer.refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
            }
        }
    }
    let (_, admin) = &bearers[2];
    let of_owner = listed(&wahana, admin).await;
    let of_owner = of_owner
        .iter()
        .find(|invitation| invitation["role"] == "owner")
        .unwrap();
    wahana
        .send(revoke(admin, of_owner["id"].as_str().unwrap()))
        .await
        .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
    let nonsense = wahana.send(invite(admin, "nonsense", "king")).await;
    let nonsense = nonsense.refuses(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR");
    assert_eq!(nonsense.json()["errors"].as_object().unwrap().len(), 2);
}

async fn links_lead_to_the_public_address_whatever_the_request_says(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    let call = invite(&bearer, "new@example.com", "viewer")
        .header("host", "evil.test")
        .header("x-forwarded-host", "evil.test")
        .header("forwarded", "host=evil.test")
        .header("origin", "https://evil.test")
        .header("x-original-url", "https://evil.test/");
    let created = wahana.send(call).await.is(StatusCode::CREATED).data();
    let link = created["link"].as_str().unwrap();
    assert!(link.starts_with("https://wahana.example/invitation#"), "{link}");
}

async fn another_organizations_invitation_does_not_exist(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let (kopi, teh) = (
        wahana.organization("Kopi").await,
        wahana.organization("Teh").await,
    );
    let owner = wahana.member(kopi, "owner@example.com", Role::Owner).await;
    let attacker = wahana.member(teh, "attacker@example.com", Role::Owner).await;
    let owners = wahana.token(kopi, &owner, Abilities::All).await;
    let attackers = wahana.token(teh, &attacker, Abilities::All).await;
    let created = wahana.send(invite(&owners, "new@example.com", "viewer")).await;
    let foreign = wahana
        .send(revoke(&attackers, created.data()["id"].as_str().unwrap()))
        .await
        .refuses(StatusCode::NOT_FOUND, "NOT_FOUND");
    let missing = wahana
        .send(revoke(&attackers, &InvitationId::new().to_string()))
        .await;
    assert_eq!(foreign.json()["message"], missing.json()["message"]);
    assert!(listed(&wahana, &attackers).await.is_empty());
    wahana.send(open(&created.link_token())).await.is(StatusCode::OK);
}

async fn a_removed_member_has_no_way_back_in(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let owners = wahana.token(organization, &owner, Abilities::All).await;
    let email = "leaver@example.com";
    let (first, second) = (
        wahana.send(invite(&owners, email, "admin")).await.link_token(),
        wahana.send(invite(&owners, email, "admin")).await.link_token(),
    );
    wahana.send(accept_as_new(&first)).await.is(StatusCode::OK);
    let leaver = wahana.send(login(email, PASSWORD)).await.is(StatusCode::OK);
    let (id, cookie) = (
        leaver.data()["user"]["id"].as_str().unwrap().to_owned(),
        leaver.cookie(),
    );
    let call = Call::post(
        "/api/waha/invitations",
        &json!({"email": "friend@example.com", "role": "admin"}),
    );
    let friends = wahana
        .send(call.with_cookie(&cookie))
        .await
        .is(StatusCode::CREATED);

    let remove = Call::new(Method::DELETE, &format!("/api/waha/members/{id}")).with_token(&owners);
    wahana.send(remove).await.is(StatusCode::OK);
    let back = accept(&second).with_cookie(&cookie);
    wahana
        .send(back)
        .await
        .refuses(StatusCode::NOT_FOUND, "NOT_FOUND");
    wahana
        .send(accept_as_new(&friends.link_token()))
        .await
        .refuses(StatusCode::NOT_FOUND, "NOT_FOUND");
}

async fn a_demoted_admin_leaves_no_stronger_invitations(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let other = wahana
        .member(organization, "other@example.com", Role::Owner)
        .await;
    let owners = wahana.token(organization, &owner, Abilities::All).await;
    let others = wahana.token(organization, &other, Abilities::All).await;
    let stronger = wahana
        .send(invite(&others, "a@example.com", "owner"))
        .await
        .link_token();
    let weaker = wahana
        .send(invite(&others, "b@example.com", "agent"))
        .await
        .link_token();
    let demote = Call::new(Method::PATCH, &format!("/api/waha/members/{}", other.id));
    let demote = demote.with_token(&owners).json(&json!({"role": "admin"}));
    wahana.send(demote).await.is(StatusCode::OK);
    wahana.send(open(&stronger)).await.is(StatusCode::NOT_FOUND);
    wahana.send(open(&weaker)).await.is(StatusCode::OK);
}

async fn members_are_not_invited_again(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    let again = wahana.send(invite(&bearer, "Owner@EXAMPLE.com", "viewer")).await;
    again.refuses(StatusCode::CONFLICT, "CONFLICT");

    let invited = wahana.person("invited@example.com").await;
    let link = wahana
        .send(invite(&bearer, &invited.email, "viewer"))
        .await
        .link_token();
    wahana.join(organization, &invited, Role::Admin).await;
    let cookie = wahana.sign_in(&invited).await;
    let twice = wahana.send(accept(&link).with_cookie(&cookie)).await;
    twice.refuses(StatusCode::CONFLICT, "CONFLICT");
    assert_eq!(wahana.send(me(&cookie)).await.data()["role"], "admin");
}

async fn an_invitation_of_a_closed_organization_is_none(database: &TestDatabase) {
    use wahana_domain::OrganizationState::{Closed, Suspended};
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    let link = wahana
        .send(invite(&bearer, "new@example.com", "viewer"))
        .await
        .link_token();
    for (state, status) in [
        (Suspended, StatusCode::FORBIDDEN),
        (Closed, StatusCode::NOT_FOUND),
    ] {
        let tx = wahana.store.platform_write().await.unwrap();
        assert!(tx.set_organization_state(organization, state).await.unwrap());
        tx.commit().await.unwrap();
        wahana.send(accept_as_new(&link)).await.is(status);
    }
}
