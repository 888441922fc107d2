//! Messages of one session, and of all of an organization.

use std::time::Duration;

use futures_util::future::join_all;
use wahana_domain::{OrganizationLimits, SessionStatus};
use wahana_testkit::{app::Home, database::TestDatabase, on_both_databases};

use crate::people::{
    agent, allowance, assert_refused, organization, send_media, send_text, set_limits, start,
};

async fn a_session_sends_so_many_messages_at_once(database: &TestDatabase) {
    let (app, clock) = start(database, 1000).await;
    let limits = OrganizationLimits {
        messages_per_minute: Some(7),
        ..OrganizationLimits::default()
    };
    set_limits(&app, Home::A, limits).await;
    let (one, other) = (app.session(Home::A).await, app.session(Home::A).await);
    let clients = [agent(&app, Home::A).await, agent(&app, Home::A).await];
    let answers = join_all((0..20).map(|number| send_text(&clients[number % 2], &one))).await;
    let (sent, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status.is_success());
    assert_eq!(sent.len(), 7);
    let mut left: Vec<u64> = sent.iter().map(|answer| allowance(answer)[1]).collect();
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 3, 4, 5, 6]);
    for answer in refused {
        assert_refused(answer, "RATE_LIMIT_EXCEEDED", 7);
    }
    assert_eq!(send_text(&clients[0], &other).await.named(), "200");
    let usage = &organization(&app, Home::A).await["usage"];
    assert_eq!(usage, &serde_json::json!({"month": "2026-11", "messages": 8}));
    clock.advance(Duration::from_mins(1));
    assert_eq!(send_text(&clients[0], &one).await.named(), "200");
}

async fn media_have_a_limit_of_their_own(database: &TestDatabase) {
    let (app, _) = start(database, 1000).await;
    let (session, client) = (app.session(Home::A).await, agent(&app, Home::A).await);
    for _ in 0..10 {
        assert_eq!(send_media(&client, &session).await.named(), "200");
    }
    assert_refused(&send_media(&client, &session).await, "RATE_LIMIT_EXCEEDED", 10);
    // A refused medium is no message: the ten count and no more.
    assert_eq!(allowance(&send_text(&client, &session).await)[..2], [60, 49]);
}

async fn an_organization_has_a_limit_over_its_sessions_and_tokens(database: &TestDatabase) {
    let (app, _) = start(database, 1000).await;
    let limits = OrganizationLimits {
        organization_messages_per_hour: Some(4),
        ..OrganizationLimits::default()
    };
    set_limits(&app, Home::A, limits).await;
    let sessions = app.sessions(Home::A, 3, SessionStatus::Working).await;
    let mut sent = 0;
    for session in &sessions {
        let client = agent(&app, Home::A).await;
        for answer in join_all((0..3).map(|_| send_text(&client, session))).await {
            if answer.status.is_success() {
                sent += 1;
            } else {
                assert_refused(&answer, "RATE_LIMIT_EXCEEDED", 4);
            }
        }
    }
    assert_eq!(sent, 4);
    let (elsewhere, of_b) = (agent(&app, Home::B).await, app.session(Home::B).await);
    assert_eq!(send_text(&elsewhere, &of_b).await.named(), "200");
}

async fn what_was_not_handed_over_does_not_count(database: &TestDatabase) {
    let (app, _) = start(database, 1000).await;
    let limits = OrganizationLimits {
        messages_per_minute: Some(1),
        monthly_messages: Some(1),
        ..OrganizationLimits::default()
    };
    set_limits(&app, Home::A, limits).await;
    let client = agent(&app, Home::A).await;
    // 409, before WAHA is asked.
    let stopped = app
        .sessions(Home::A, 1, SessionStatus::Disconnected)
        .await
        .remove(0);
    let session = app.session(Home::A).await;
    for _ in 0..3 {
        assert_eq!(
            send_text(&client, &stopped).await.named(),
            "409 SESSION_NOT_READY"
        );
    }
    // 503, because WAHA cannot be reached.
    app.waha().go_away().await;
    for _ in 0..3 {
        assert_eq!(send_text(&client, &session).await.named(), "503 WAHA_UNAVAILABLE");
    }
    app.waha().come_back().await;
    assert_eq!(organization(&app, Home::A).await["usage"]["messages"], 0);
    // For a moment more, because a WAHA that was away is left alone.
    let sent = loop {
        let answer = send_text(&client, &session).await;
        if answer.named() != "503 WAHA_UNAVAILABLE" {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(sent.named(), "200");
    assert_eq!(organization(&app, Home::A).await["usage"]["messages"], 1);
    assert_refused(&send_text(&client, &session).await, "RATE_LIMIT_EXCEEDED", 1);
}

on_both_databases!(
    a_session_sends_so_many_messages_at_once,
    media_have_a_limit_of_their_own,
    an_organization_has_a_limit_over_its_sessions_and_tokens,
    what_was_not_handed_over_does_not_count,
);
