//! Requests with one token.

use std::time::Duration;

use futures_util::future::join_all;
use wahana_domain::Role;
use wahana_testkit::{
    app::{Actor, By, Home},
    database::TestDatabase,
    on_both_databases,
};

use crate::people::{agent, allowance, assert_refused, start};

async fn a_token_has_so_many_requests_a_minute(database: &TestDatabase) {
    let (app, clock) = start(database, 5).await;
    let (one, same_home, elsewhere) = (
        agent(&app, Home::A).await,
        agent(&app, Home::A).await,
        agent(&app, Home::B).await,
    );
    let first = one.get("/api/waha/sessions").await;
    assert_eq!(first.named(), "200");
    assert_eq!(allowance(&first), [5, 4, 60]);
    // What is refused for another reason counts, and says so.
    let missing = one.get("/api/waha/sessions/none/status").await;
    assert_eq!(missing.named(), "404 SESSION_NOT_FOUND");
    assert_eq!(allowance(&missing), [5, 3, 60]);

    let answers = join_all((0..20).map(|_| one.get("/api/waha/sessions"))).await;
    let passed = answers.iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(passed, 3);
    for refused in answers.iter().filter(|answer| !answer.status.is_success()) {
        assert_refused(refused, "RATE_LIMIT_EXCEEDED", 5);
    }
    // Nothing is worked on for it, whatever it names.
    let missing = one.get("/api/waha/sessions/none/status").await;
    assert_refused(&missing, "RATE_LIMIT_EXCEEDED", 5);

    for other in [&same_home, &elsewhere] {
        assert_eq!(allowance(&other.get("/api/waha/sessions").await), [5, 4, 60]);
    }
    clock.advance(Duration::from_secs(61));
    assert_eq!(one.get("/api/waha/sessions").await.named(), "200");
}

async fn who_has_no_organization_hears_of_no_limit(database: &TestDatabase) {
    let (app, _) = start(database, 1).await;
    for actor in [Actor::Nobody, Actor::NeverMember] {
        let client = app.actor(actor).await;
        for _ in 0..3 {
            let refused = client.get("/api/waha/sessions").await;
            assert!(refused.header("ratelimit-limit").is_none(), "{refused:?}");
            assert!(matches!(refused.status.as_u16(), 401 | 403));
        }
    }
}

async fn a_sign_in_is_limited_like_a_token(database: &TestDatabase) {
    let (app, _) = start(database, 2).await;
    let person = app.actor(Actor::Member(Home::A, Role::Viewer, By::Cookie)).await;
    for _ in 0..2 {
        assert_eq!(person.get("/api/waha/sessions").await.named(), "200");
    }
    assert_refused(&person.get("/api/waha/sessions").await, "RATE_LIMIT_EXCEEDED", 2);
}

on_both_databases!(
    a_token_has_so_many_requests_a_minute,
    who_has_no_organization_hears_of_no_limit,
    a_sign_in_is_limited_like_a_token,
);
