//! How many messages an organization may send in a month.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use wahana_domain::OrganizationLimits;
use wahana_testkit::{app::Home, database::TestDatabase, on_both_databases};

use crate::people::{agent, assert_refused, organization, send_text, set_limits, start};

async fn a_quota_holds_for_a_calendar_month(database: &TestDatabase) {
    let (app, clock) = start(database, 1000).await;
    let limits = OrganizationLimits {
        monthly_messages: Some(5),
        ..OrganizationLimits::default()
    };
    set_limits(&app, Home::A, limits).await;
    let (session, client) = (app.session(Home::A).await, agent(&app, Home::A).await);
    let answers = join_all((0..12).map(|_| send_text(&client, &session))).await;
    let (sent, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status.is_success());
    assert_eq!(sent.len(), 5);
    for answer in refused {
        assert_refused(answer, "QUOTA_EXCEEDED", 5);
        // November ends in an hour.
        assert_eq!(answer.header("retry-after"), Some("3600"));
    }
    let shown = organization(&app, Home::A).await;
    assert_eq!(shown["usage"], json!({"month": "2026-11", "messages": 5}));
    assert_eq!(shown["limits"]["monthly_messages"], 5);
    assert_eq!(shown["limits"]["messages_per_minute"], 60);
    assert_eq!(organization(&app, Home::B).await["usage"]["messages"], 0);
    // Those that were refused cost nothing of the limits either.
    clock.advance(Duration::from_hours(1));
    assert_eq!(send_text(&client, &session).await.named(), "200");
    let shown = organization(&app, Home::A).await;
    assert_eq!(shown["usage"], json!({"month": "2026-12", "messages": 1}));
}

async fn a_quota_on_sessions_says_when_to_look_again(database: &TestDatabase) {
    let (app, _) = start(database, 1000).await;
    let limits = OrganizationLimits {
        sessions: Some(1),
        ..OrganizationLimits::default()
    };
    set_limits(&app, Home::A, limits).await;
    app.session(Home::A).await;
    let admin = wahana_testkit::app::Actor::Member(
        Home::A,
        wahana_domain::Role::Admin,
        wahana_testkit::app::By::Token,
    );
    let admin = app.actor(admin).await;
    let refused = admin.post_json("/api/waha/sessions", &json!({})).await;
    assert_refused(&refused, "QUOTA_EXCEEDED", 1);
}

on_both_databases!(
    a_quota_holds_for_a_calendar_month,
    a_quota_on_sessions_says_when_to_look_again,
);
