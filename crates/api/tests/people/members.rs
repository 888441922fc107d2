//! Members: who manages whom, and who must stay.

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use serde_json::json;
use wahana_domain::{Abilities, Ability, Role, UserId};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::wahana::{Call, NO_ORGANIZATION, Somebody, Wahana};

on_both_databases!(
    members_are_listed_in_pages,
    roles_change_only_by_those_who_manage_both,
    members_are_removed_only_by_those_who_manage_them,
    the_last_owner_stays,
    owners_who_act_at_once_leave_an_owner,
    a_removed_members_token_is_refused_at_once_and_for_ever,
    everybody_may_leave_but_not_every_token,
    another_organizations_member_does_not_exist,
);

fn member_path(member: &Somebody) -> String {
    format!("/api/waha/members/{}", member.id)
}

fn set_role(bearer: &str, member: &Somebody, role: Role) -> Call {
    Call::new(Method::PATCH, &member_path(member))
        .with_token(bearer)
        .json(&json!({"role": role}))
}

fn remove(member: &Somebody) -> Call {
    Call::new(Method::DELETE, &member_path(member))
}

async fn members_are_listed_in_pages(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana
        .member(organization, "owner@example.com", Role::Owner)
        .await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    for number in 0..4 {
        let somebody = wahana.stranger(&format!("{number}@example.com")).await;
        wahana.join(organization, &somebody, Role::Viewer).await;
    }
    let page = Call::get("/api/waha/members?page=2&per_page=3").with_token(&bearer);
    let answer = wahana.send(page).await.is(StatusCode::OK);
    assert_eq!(
        answer.json()["pagination"],
        json!({
            "current_page": 2, "last_page": 2, "per_page": 3, "total": 5, "from": 4, "to": 5,
            "has_more_pages": false,
        })
    );
    assert_eq!(answer.data()[1]["email"], "3@example.com");
    let one = Call::get(&member_path(&owner)).with_token(&bearer);
    let one = wahana.send(one).await.is(StatusCode::OK).data();
    assert_eq!(
        (&one["role"], &one["is_disabled"]),
        (&json!("owner"), &json!(false))
    );
}

async fn roles_change_only_by_those_who_manage_both(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let target = wahana.stranger("target@example.com").await;
    wahana.join(organization, &target, Role::Viewer).await;
    let owner = wahana.stranger("first-owner@example.com").await;
    wahana.join(organization, &owner, Role::Owner).await;
    let owners = wahana.token(organization, &owner, Abilities::All).await;
    for actor in Role::ALL {
        let member = wahana.stranger(&format!("{actor}@example.com")).await;
        wahana.join(organization, &member, actor).await;
        let bearer = wahana.token(organization, &member, Abilities::All).await;
        for old in Role::ALL {
            for new in Role::ALL {
                wahana
                    .send(set_role(&owners, &target, old))
                    .await
                    .is(StatusCode::OK);
                let answer = wahana.send(set_role(&bearer, &target, new)).await;
                if actor.may_manage(old) && actor.may_manage(new) {
                    assert_eq!(answer.is(StatusCode::OK).data()["role"], new.as_str());
                } else {
                    answer.refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
                }
            }
        }
        // Nobody lifts themself up.
        if actor != Role::Owner {
            let lift = wahana.send(set_role(&bearer, &member, Role::Owner)).await;
            lift.refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
        }
    }
}

async fn members_are_removed_only_by_those_who_manage_them(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    for actor in Role::ALL {
        let member = wahana.stranger(&format!("{actor}@example.com")).await;
        wahana.join(organization, &member, actor).await;
        let bearer = wahana.token(organization, &member, Abilities::All).await;
        for role in Role::ALL {
            let target = wahana.stranger(&format!("{role}-for-{actor}@example.com")).await;
            wahana.join(organization, &target, role).await;
            let answer = wahana.send(remove(&target).with_token(&bearer)).await;
            if actor.may_manage(role) {
                answer.is(StatusCode::OK);
            } else {
                answer.refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
            }
        }
    }
}

async fn the_last_owner_stays(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana.stranger("owner@example.com").await;
    wahana.join(organization, &owner, Role::Owner).await;
    let admin = wahana.stranger("admin@example.com").await;
    wahana.join(organization, &admin, Role::Admin).await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    for call in [
        set_role(&bearer, &owner, Role::Admin),
        remove(&owner).with_token(&bearer),
    ] {
        wahana.send(call).await.refuses(StatusCode::CONFLICT, "CONFLICT");
    }
    wahana
        .send(set_role(&bearer, &owner, Role::Owner))
        .await
        .is(StatusCode::OK);
    wahana
        .send(set_role(&bearer, &admin, Role::Owner))
        .await
        .is(StatusCode::OK);
    wahana
        .send(remove(&owner).with_token(&bearer))
        .await
        .is(StatusCode::OK);
}

async fn owners_who_act_at_once_leave_an_owner(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    for round in 0..8 {
        let organization = wahana.organization("Kopi").await;
        let mut owners = Vec::new();
        for number in 0..2 {
            let owner = wahana.stranger(&format!("{round}-{number}@example.com")).await;
            wahana.join(organization, &owner, Role::Owner).await;
            let bearer = wahana.token(organization, &owner, Abilities::All).await;
            owners.push((owner, bearer));
        }
        // Both leave, both step down, one does each, or each takes the other's role away.
        let calls = owners.iter().enumerate().map(|(number, (owner, bearer))| {
            let (other, _) = &owners[1 - number];
            wahana.send(match (round % 4, number) {
                (0, _) | (2, 0) => remove(owner).with_token(bearer),
                (1 | 2, _) => set_role(bearer, owner, Role::Viewer),
                _ => set_role(bearer, other, Role::Agent),
            })
        });
        let answers = join_all(calls).await;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!(count(StatusCode::OK), 1, "{answers:?}");
        let tx = wahana.store.platform_read().await.unwrap();
        let tenant = tx.tenant(organization).await.unwrap().unwrap();
        let tx = wahana.store.read(tenant).await.unwrap();
        let owners = wahana_store::members::owner_count(&tx).await.unwrap();
        assert_eq!(owners, 1, "{answers:?}");
    }
}

async fn a_removed_members_token_is_refused_at_once_and_for_ever(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let owner = wahana.stranger("owner@example.com").await;
    wahana.join(organization, &owner, Role::Owner).await;
    let bearer = wahana.token(organization, &owner, Abilities::All).await;
    let agent = wahana
        .member(organization, "agent@example.com", Role::Agent)
        .await;
    let agents = wahana.token(organization, &agent, Abilities::All).await;
    let cookie = wahana.sign_in(&agent).await;
    let by_token = || Call::get("/api/waha/organization").with_token(&agents);
    let by_cookie = || Call::get("/api/waha/organization").with_bare_cookie(&cookie);
    wahana.send(by_token()).await.is(StatusCode::OK);
    wahana.send(by_cookie()).await.is(StatusCode::OK);

    wahana
        .send(remove(&agent).with_token(&bearer))
        .await
        .is(StatusCode::OK);
    wahana.send(by_token()).await.is(StatusCode::UNAUTHORIZED);
    assert_eq!(wahana.send(by_cookie()).await.text, NO_ORGANIZATION);
    wahana
        .send(remove(&agent).with_token(&bearer))
        .await
        .refuses(StatusCode::NOT_FOUND, "NOT_FOUND");

    wahana.join(organization, &agent, Role::Agent).await;
    wahana.send(by_token()).await.is(StatusCode::UNAUTHORIZED);
    wahana.send(by_cookie()).await.is(StatusCode::OK);
}

async fn everybody_may_leave_but_not_every_token(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    for role in [Role::Viewer, Role::Agent, Role::Admin] {
        let member = wahana
            .member(organization, &format!("{role}@example.com"), role)
            .await;
        let weak = Abilities::of(&[Ability::SessionsRead, Ability::MessagesSend]);
        let weak = wahana.token(organization, &member, weak).await;
        let cookie = wahana.sign_in(&member).await;
        wahana
            .send(remove(&member).with_token(&weak))
            .await
            .refuses(StatusCode::FORBIDDEN, "FORBIDDEN");
        wahana
            .send(remove(&member).with_cookie(&cookie))
            .await
            .is(StatusCode::OK);
        let gone = Call::get("/api/waha/organization").with_bare_cookie(&cookie);
        assert_eq!(wahana.send(gone).await.text, NO_ORGANIZATION);
    }
}

async fn another_organizations_member_does_not_exist(database: &TestDatabase) {
    let wahana = Wahana::on(database).await;
    let (kopi, teh) = (
        wahana.organization("Kopi").await,
        wahana.organization("Teh").await,
    );
    let attacker = wahana.stranger("attacker@example.com").await;
    wahana.join(kopi, &attacker, Role::Owner).await;
    let victim = wahana.stranger("victim@example.com").await;
    wahana.join(teh, &victim, Role::Agent).await;
    let bearer = wahana.token(kopi, &attacker, Abilities::All).await;
    let missing = Somebody {
        id: UserId::new(),
        email: String::new(),
    };
    let without_times = |answer: crate::wahana::Answer| {
        let mut body = answer.refuses(StatusCode::NOT_FOUND, "NOT_FOUND").json();
        for varying in ["timestamp", "request_id"] {
            body.as_object_mut().unwrap().remove(varying);
        }
        body
    };
    let calls: [fn(&str, &Somebody) -> Call; 3] = [
        |bearer, member| Call::get(&member_path(member)).with_token(bearer),
        |bearer, member| set_role(bearer, member, Role::Owner),
        |bearer, member| remove(member).with_token(bearer),
    ];
    for call in calls {
        let foreign = without_times(wahana.send(call(&bearer, &victim)).await);
        assert_eq!(foreign, without_times(wahana.send(call(&bearer, &missing)).await));
    }
    let malformed = Call::get("/api/waha/members/nonsense").with_token(&bearer);
    without_times(wahana.send(malformed).await);
}
