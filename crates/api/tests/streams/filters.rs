//! Who is told what.

use wahana_domain::{Ability, EventType, Role};
use wahana_testkit::{
    app::{Actor, By, Client, Home, Sees},
    database::{TestDatabase, run},
};

use crate::{EVENTS, OWNER, Scene, keys, open, receive};

fn scene<F: Future<Output = ()>>(test: impl FnOnce(Scene) -> F) {
    run(async { test(Scene::open(&TestDatabase::sqlite().await).await).await });
}

#[test]
fn only_what_is_asked_for_is_told() {
    scene(async |scene: Scene| {
        let owner = scene.owner().await;
        let (name, id) = (scene.session.name.as_str(), scene.session.id);
        let mut of_type = open(
            &owner,
            &format!("{EVENTS}?types=message.sent,webhook.endpoint_disabled"),
        )
        .await;
        let mut by_name = open(&owner, &format!("{EVENTS}?sessions={name}")).await;
        let mut by_id = open(&owner, &format!("{EVENTS}?sessions={id}&types=message.received")).await;
        let mut all = open(&owner, &format!("{EVENTS}?sessions=*")).await;
        let another = scene.app.session(Home::A).await;
        receive(scene.app.store(), scene.a(), another.id, "B1").await;
        scene.receive("A1").await;
        scene.happen().await;
        scene.receive("A2").await;

        assert_eq!(of_type.next().await.unwrap().event, "webhook.endpoint_disabled");
        for stream in [&mut by_name, &mut by_id] {
            for _ in 0..2 {
                let event = stream.next().await.unwrap();
                assert_eq!(event.event, "message.received");
                assert_eq!(event.data["session_name"], name);
            }
        }
        let mut told = Vec::new();
        while told.len() < 5 {
            told.push(all.next().await.unwrap().event);
        }
        assert_eq!(
            told,
            [
                "session.created",
                "message.received",
                "message.received",
                "webhook.endpoint_disabled",
                "message.received"
            ]
        );
    });
}

#[test]
fn a_token_of_one_session_is_told_of_no_other_and_not_of_the_organization() {
    scene(async |scene: Scene| {
        let another = scene.app.session(Home::A).await;
        let sees = Sees {
            that: scene.session.id,
            another: another.id,
        };
        let limited = [(Actor::LimitedToThatSession, Some(sees))];
        let limited = scene.app.actors(&limited).await.remove(0);
        let mut streams = [
            open(&limited, EVENTS).await,
            open(&limited, &format!("{EVENTS}?sessions=*&last_event_id=0")).await,
        ];
        receive(scene.app.store(), scene.a(), another.id, "B1").await;
        scene.happen().await;
        scene.receive("A1").await;
        let [live, from_the_beginning] = &mut streams;
        assert_eq!(from_the_beginning.next().await.unwrap().event, "session.created");
        for stream in [live, from_the_beginning] {
            let event = stream.next().await.unwrap();
            assert_eq!(event.data["session_name"], scene.session.name.as_str());
            assert_eq!(event.event, "message.received");
        }
        let hidden = format!("{EVENTS}?sessions={}", another.name);
        assert_eq!(limited.get(&hidden).await.named(), "404 SESSION_NOT_FOUND");
    });
}

#[test]
fn what_may_not_be_read_is_not_told() {
    scene(async |scene: Scene| {
        let without = scene.app.actor(Actor::Lacking(Ability::MessagesRead)).await;
        let mut stream = open(&without, EVENTS).await;
        let viewer = scene
            .app
            .actor(Actor::Member(Home::A, Role::Viewer, By::Token))
            .await;
        let mut seen_by_viewer = open(&viewer, EVENTS).await;
        scene.receive("A1").await;
        scene.happen().await;
        scene.app.session(Home::A).await;
        assert_eq!(stream.next().await.unwrap().event, "webhook.endpoint_disabled");
        assert_eq!(stream.next().await.unwrap().event, "session.created");
        assert_eq!(seen_by_viewer.next().await.unwrap().event, "message.received");
        assert_eq!(seen_by_viewer.next().await.unwrap().event, "session.created");
        for (client, hidden) in [
            (&without, "call.received"),
            (&viewer, "webhook.endpoint_disabled"),
        ] {
            let target = format!("{EVENTS}?types=session.qr,{hidden}");
            assert_eq!(client.get(&target).await.named(), "403 FORBIDDEN");
        }
    });
}

#[test]
fn faulty_wishes_are_named() {
    scene(async |scene: Scene| {
        let owner = scene.owner().await;
        let of_b = scene.app.session(Home::B).await;
        for (query, expected) in [
            ("types=message.burnt".to_owned(), "422 VALIDATION_ERROR"),
            ("types=".to_owned(), "422 VALIDATION_ERROR"),
            (
                "types=message.sent&types=message.sent".to_owned(),
                "422 VALIDATION_ERROR",
            ),
            ("last_event_id=-1".to_owned(), "422 VALIDATION_ERROR"),
            (
                "last_event_id=9999999999999999999".to_owned(),
                "422 VALIDATION_ERROR",
            ),
            ("since=1".to_owned(), "422 VALIDATION_ERROR"),
            ("sessions=nobody".to_owned(), "404 SESSION_NOT_FOUND"),
            (format!("sessions={}", of_b.id), "404 SESSION_NOT_FOUND"),
            (
                format!("sessions={},{}", scene.session.id, of_b.name),
                "404 SESSION_NOT_FOUND",
            ),
        ] {
            assert_eq!(
                owner.get(&format!("{EVENTS}?{query}")).await.named(),
                expected,
                "{query}"
            );
        }
        let known = owner.get(&format!("{EVENTS}?types=x")).await.json()["errors"]["types"][0].to_string();
        assert!(
            EventType::ALL
                .iter()
                .all(|known_type| known.contains(known_type.as_str())),
            "{known}"
        );
        let beyond = owner.with("last-event-id", "abc").get(EVENTS).await;
        assert_eq!(beyond.named(), "422 VALIDATION_ERROR");
    });
}

#[test]
fn a_signed_in_person_names_the_organization_in_the_query() {
    scene(async |scene: Scene| {
        let cookie = Actor::Member(Home::A, Role::Owner, By::Cookie);
        let person = scene.app.actor(cookie).await.without("x-organization-id");
        let target = |home| format!("{EVENTS}?organization={}", scene.app.organization_id(home));
        let mut stream = open(&person, &target(Home::A)).await;
        scene.receive("A1").await;
        assert_eq!(keys(&mut stream, 1).await, ["A1"]);
        let refused = |client: Client, target: String, expected| async move {
            assert_eq!(client.get(&target).await.named(), expected, "{target}");
        };
        refused(person.clone(), target(Home::B), "403 NO_ORGANIZATION").await;
        refused(
            person.clone(),
            format!("{EVENTS}?organization=me"),
            "403 NO_ORGANIZATION",
        )
        .await;
        let twice = format!("{}&organization=x", target(Home::A));
        refused(person.clone(), twice, "403 NO_ORGANIZATION").await;
        let elsewhere = format!(
            "/api/waha/organization?organization={}",
            scene.app.organization_id(Home::A)
        );
        refused(person, elsewhere, "422 VALIDATION_ERROR").await;
        // A token has its own organization, whatever is named.
        let mut own = open(&scene.app.actor(OWNER).await, &target(Home::B)).await;
        scene.receive("A2").await;
        assert_eq!(keys(&mut own, 1).await, ["A2"]);
    });
}
