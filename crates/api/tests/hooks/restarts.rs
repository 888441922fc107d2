//! A WAHA that is restarted again and again and loses everything, while events and people's calls come in.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::json;
use waha_sim::{IncomingMessage, RestartLoss, SessionSeed, Status};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{
    living::Living,
    world::{Made, Owner, World, eventually},
};

on_both_databases!(in_the_end_all_sessions_are_as_wanted_and_no_others_are_touched);

/// How often WAHA is restarted.
const RESTARTS: usize = 4;
/// A session of which wahana knows nothing.
const FOREIGN: &str = "theirs";
const LOOK: &str = "GET /api/sessions";

async fn in_the_end_all_sessions_are_as_wanted_and_no_others_are_touched(database: &TestDatabase) {
    let world = World::new(database).await;
    let owners = [world.owner("a").await, world.owner("b").await];
    let mut sessions = BTreeMap::new();
    for (number, name) in ["one", "two", "three", "four", "five"].into_iter().enumerate() {
        let owner = &owners[number % 2];
        let phone = format!("1555000000{number}");
        sessions.insert(name, world.working(owner, name, &phone).await);
    }
    world.post(&owners[0], "/five/stop", &json!({})).await;
    sessions.insert("six", world.session(&owners[1], "six").await);
    world
        .sim
        .add_session(SessionSeed::new(FOREIGN).status(Status::Stopped));
    let process = Living::begin(&world, world.store.clone());

    for restart in 0..RESTARTS {
        tokio::join!(
            async {
                for _ in 0..3 {
                    world.sim.restart(RestartLoss::Configuration).await;
                    // Its owner makes it again, and wants it stopped.
                    let seed = SessionSeed::new(FOREIGN).status(Status::Stopped);
                    world.sim.add_session(seed);
                    // The next one meets what goes on meanwhile.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            people_act(&world, &owners, restart),
            events_arrive(&world, &sessions, restart),
        );
    }
    // What they said last, they say until wahana takes it.
    insist(&world, &owners[0], "/one/stop").await;
    insist(&world, &owners[0], "/five/start").await;
    insist(&world, &owners[1], "/two/start").await;

    let running = ["two", "three", "four", "five"];
    eventually(async || {
        // What was begun and never heard of again is held on to for a while.
        world.clock.advance(Duration::from_millis(250));
        sessions.iter().all(|(name, made)| {
            let status = world.sim.session_status(&made.waha_name);
            if running.contains(name) {
                status == Some(Status::Working)
            } else {
                matches!(status, None | Some(Status::Stopped))
            }
        })
    })
    .await;
    let expected = [
        "five working running",
        "four working running",
        "one disconnected stopped",
        "six disconnected stopped",
        "three working running",
        "two working running",
    ];
    let found =
        "SELECT session_name || ' ' || status || ' ' || desired_status FROM sessions ORDER BY session_name";
    eventually(async || world.texts(found).await == expected).await;

    // It stays so, and nothing more is done.
    let (acts, looks) = (world.acts(), world.sim.counts().route(LOOK));
    eventually(async || world.sim.counts().route(LOOK) > looks + 5).await;
    assert_eq!(world.acts(), acts);
    assert_eq!(world.sim.counts().session(FOREIGN), 0);
    assert_eq!(world.sim.session_status(FOREIGN), Some(Status::Stopped));
    assert_eq!(world.texts(found).await, expected);
    drop(process);
}

/// Calls that WAHA's restart may meet in the middle; whatever they are answered, it is no defect.
async fn people_act(world: &World<'_>, owners: &[Owner; 2], restart: usize) {
    let act = if restart.is_multiple_of(2) {
        "stop"
    } else {
        "start"
    };
    for (owner, method, path) in [
        (&owners[1], Method::POST, format!("/two/{act}")),
        (&owners[0], Method::GET, "/three/status".to_owned()),
        (&owners[0], Method::POST, format!("/one/{act}")),
        (&owners[0], Method::POST, "/three/restart".to_owned()),
        (&owners[1], Method::GET, String::new()),
    ] {
        let (status, body) = world.asked(owner, method, &path).await;
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}: {body}");
    }
}

/// Messages by WAHA's own webhooks, and late news of how the sessions once were.
async fn events_arrive(world: &World<'_>, sessions: &BTreeMap<&str, Made>, restart: usize) {
    for (name, made) in sessions {
        // One that does not work hears nothing.
        let _ = world.sim.receive_message(
            &made.waha_name,
            IncomingMessage::text("15550009999@c.us", "hello"),
        );
        for (step, word) in ["STOPPED", "WORKING", "FAILED"].into_iter().enumerate() {
            let mut event = world.event(&format!("evt_{name}_{restart}_{step}"), made);
            event["timestamp"] = json!(event["timestamp"].as_i64().unwrap() - 60_000);
            event["payload"]["status"] = json!(word);
            let delivery = world.delivery(world.hook(None), event.to_string());
            assert_eq!(world.deliver(&delivery).await, StatusCode::OK);
        }
    }
}

async fn insist(world: &World<'_>, owner: &Owner, path: &str) {
    eventually(async || world.asked(owner, Method::POST, path).await.0.is_success()).await;
}
