//! The list of sessions: searching, filtering, sorting and paging.

use std::{sync::Arc, time::Duration};

use wahana_domain::{HealthStatus, PhoneNumber, Session, SessionId, SessionStatus, StatusFilter};
use wahana_store::{
    CachedRead,
    sessions::{self, SessionPage, SessionQuery, SessionSort},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

fn everything() -> SessionQuery {
    SessionQuery {
        search: None,
        status: StatusFilter::All,
        health: None,
        sort: SessionSort::Name,
        descending: false,
        page: 1,
        per_page: 50,
        only: None,
    }
}

async fn list(world: &World, query: &SessionQuery) -> SessionPage {
    query.load(&world.read(&world.a).await).await.unwrap()
}

fn names(page: &SessionPage) -> Vec<&str> {
    page.sessions
        .iter()
        .map(|session| session.name.as_str())
        .collect()
}

async fn search_takes_every_character_for_itself(db: &TestDatabase) {
    let world = World::new(db).await;
    for (name, display_name) in [
        ("percent", "100% cotton"),
        ("underscore", "a_b"),
        ("backslash", r"c:\temp"),
        ("quote", "O'Brien \"Bob\""),
        ("plain", "1000 cotton axb c:temp"),
        ("umlaut", "MÜNCHEN Büro"),
    ] {
        let mut session = world.new_session(&world.a, name);
        session.display_name = Some(display_name.to_owned());
        world.add(&world.a, &session).await;
    }
    for (search, expected) in [
        ("%", vec!["percent"]),
        ("0% c", vec!["percent"]),
        ("a_b", vec!["underscore"]),
        ("_", vec!["underscore"]),
        ("\\", vec!["backslash"]),
        (r"\temp", vec!["backslash"]),
        ("o'brien", vec!["quote"]),
        ("COTTON", vec!["percent", "plain"]),
        ("PERCENT", vec!["percent"]),
        ("MÜNCHEN", vec!["umlaut"]),
        ("büro", vec!["umlaut"]),
        ("absent", vec![]),
    ] {
        let mut query = everything();
        query.search = Some(search.to_owned());
        let page = list(&world, &query).await;
        assert_eq!(names(&page), expected, "{search:?}");
        assert_eq!(page.total, expected.len() as u64);
    }
}

async fn search_looks_at_name_display_name_number_and_business(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut one = world.new_session(&world.a, "one-needle");
    one.last_error = Some("elsewhere".to_owned());
    let mut two = world.new_session(&world.a, "two");
    two.display_name = Some("The Needle".to_owned());
    let mut three = world.new_session(&world.a, "three");
    three.phone_number = Some(PhoneNumber::parse("+628111222333").unwrap());
    let mut four = world.new_session(&world.a, "four");
    four.business.name = Some("Needles Ltd".to_owned());
    for session in [&one, &two, &three, &four] {
        world.add(&world.a, session).await;
    }
    for (search, expected) in [
        ("needle", vec!["four", "one-needle", "two"]),
        ("8111222", vec!["three"]),
        ("+62", vec!["three"]),
        ("elsewhere", vec![]),
    ] {
        let mut query = everything();
        query.search = Some(search.to_owned());
        assert_eq!(names(&list(&world, &query).await), expected, "{search:?}");
    }
}

/// Every combination of what health is judged from.
async fn one_session_of_each_kind(world: &World) -> Vec<Session> {
    let mut all = Vec::new();
    for status in SessionStatus::ALL {
        for observed_at in [None, Some(START)] {
            for (waha_status, warning) in [
                (None, None),
                (Some("WORD"), None),
                (Some("WORD"), Some("It hears nothing.")),
            ] {
                let mut session = world.new_session(&world.a, &format!("kind-{}", all.len()));
                session.status = status;
                session.observed_at = observed_at;
                session.waha_status = waha_status.map(str::to_owned);
                session.warning = warning.map(str::to_owned);
                world.add(&world.a, &session).await;
                all.push(session);
            }
        }
    }
    all
}

fn ids<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Vec<SessionId> {
    let mut ids: Vec<_> = sessions.into_iter().map(|session| session.id).collect();
    ids.sort();
    ids
}

async fn the_health_filter_judges_as_the_session_does(db: &TestDatabase) {
    let world = World::new(db).await;
    let all = one_session_of_each_kind(&world).await;
    for health in [
        HealthStatus::Healthy,
        HealthStatus::Warning,
        HealthStatus::Critical,
        HealthStatus::Unknown,
    ] {
        let mut query = everything();
        query.health = Some(health);
        let page = list(&world, &query).await;
        let expected = ids(all.iter().filter(|session| session.health().status == health));
        assert_eq!(ids(page.sessions.iter()), expected, "{health}");
        assert_eq!(page.total, expected.len() as u64, "{health}");
    }
}

async fn every_status_filter_finds_its_statuses(db: &TestDatabase) {
    let world = World::new(db).await;
    let all = one_session_of_each_kind(&world).await;
    let groups = [
        StatusFilter::All,
        StatusFilter::Connected,
        StatusFilter::Connecting,
        StatusFilter::Disconnected,
        StatusFilter::Error,
    ];
    for status in groups
        .into_iter()
        .chain(SessionStatus::ALL.map(StatusFilter::Only))
    {
        let mut query = everything();
        query.status = status;
        let expected = ids(all
            .iter()
            .filter(|session| status.statuses().contains(&session.status)));
        assert_eq!(
            ids(list(&world, &query).await.sessions.iter()),
            expected,
            "{status:?}"
        );
    }
}

async fn every_order_sorts_both_ways_with_missing_values_last(db: &TestDatabase) {
    let world = World::new(db).await;
    let at = |second| START.plus(Duration::from_secs(second));
    // name, display name, status, made, changed, last message
    for (name, display_name, status, created, updated, last_message) in [
        ("a", Some("m"), SessionStatus::Working, 3, 7, Some(1)),
        ("b", None, SessionStatus::Error, 1, 9, None),
        ("c", Some("k"), SessionStatus::ScanQr, 2, 8, Some(5)),
    ] {
        let mut session = world.new_session(&world.a, name);
        session.display_name = display_name.map(str::to_owned);
        session.status = status;
        session.created_at = at(created);
        session.updated_at = at(updated);
        session.last_message_at = last_message.map(at);
        world.add(&world.a, &session).await;
    }
    let orders = [
        ("created_at", ["b", "c", "a"], ["a", "c", "b"]),
        ("updated_at", ["a", "c", "b"], ["b", "c", "a"]),
        ("session_name", ["a", "b", "c"], ["c", "b", "a"]),
        ("display_name", ["c", "a", "b"], ["a", "c", "b"]),
        ("status", ["b", "c", "a"], ["a", "c", "b"]),
        ("last_message_at", ["a", "c", "b"], ["c", "a", "b"]),
    ];
    assert_eq!(
        orders.map(|(word, ..)| word),
        SessionSort::ALL.map(|(word, _)| word)
    );
    for ((word, up, down), (_, sort)) in orders.into_iter().zip(SessionSort::ALL) {
        for (descending, expected) in [(false, up), (true, down)] {
            let mut query = everything();
            query.sort = sort;
            query.descending = descending;
            assert_eq!(
                names(&list(&world, &query).await),
                expected,
                "{word} {descending}"
            );
        }
    }
}

async fn pages_end_and_what_lies_beyond_is_empty(db: &TestDatabase) {
    let world = World::new(db).await;
    for name in ["a", "b", "c", "d", "e"] {
        world.session(&world.a, name).await;
    }
    let pages: [(u64, u64, &[&str]); 8] = [
        (1, 2, &["a", "b"]),
        (2, 2, &["c", "d"]),
        (3, 2, &["e"]),
        (4, 2, &[]),
        (0, 2, &["a", "b"]),
        (1, u64::MAX, &["a", "b", "c", "d", "e"]),
        (u64::MAX, 2, &[]),
        (u64::MAX, u64::MAX, &[]),
    ];
    for (page, per_page, expected) in pages {
        let mut query = everything();
        query.page = page;
        query.per_page = per_page;
        let found = list(&world, &query).await;
        assert_eq!(names(&found), expected, "page {page} of {per_page}");
        assert_eq!(found.total, 5, "the total is of all pages");
    }
}

async fn sessions_that_are_equal_in_the_order_are_on_one_page_each(db: &TestDatabase) {
    let world = World::new(db).await;
    for index in 0..7 {
        world.session(&world.a, &format!("same-{index}")).await;
    }
    for descending in [false, true] {
        let mut seen = Vec::new();
        for page in 1..=4 {
            let mut query = everything();
            query.sort = SessionSort::LastMessageAt;
            query.descending = descending;
            query.page = page;
            query.per_page = 2;
            let found = list(&world, &query).await;
            seen.extend(names(&found).into_iter().map(str::to_owned));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 7);
    }
}

async fn only_living_sessions_that_may_be_seen_are_listed(db: &TestDatabase) {
    let world = World::new(db).await;
    let seen = world.session(&world.a, "seen").await;
    world.session(&world.a, "unseen").await;
    let deleted = world.session(&world.a, "deleted").await;
    let foreign = world.session(&world.b, "foreign").await;
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, deleted.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(names(&list(&world, &everything()).await), ["seen", "unseen"]);
    let mut query = everything();
    query.only = Some(Arc::from([seen.id, deleted.id, foreign.id]));
    let page = list(&world, &query).await;
    assert_eq!((names(&page), page.total), (vec!["seen"], 1));
    query.only = Some(Arc::from([]));
    let page = list(&world, &query).await;
    assert_eq!((page.sessions.len(), page.total), (0, 0));
}

on_both_databases!(
    search_takes_every_character_for_itself,
    search_looks_at_name_display_name_number_and_business,
    the_health_filter_judges_as_the_session_does,
    every_status_filter_finds_its_statuses,
    every_order_sorts_both_ways_with_missing_values_last,
    pages_end_and_what_lies_beyond_is_empty,
    sessions_that_are_equal_in_the_order_are_on_one_page_each,
    only_living_sessions_that_may_be_seen_are_listed,
);
