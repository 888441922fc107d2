//! Taking sessions over that others configured.

use serde_json::{Value, json};
use waha_sim::{Fault, FaultKind, SessionSeed, Status};
use wahana_domain::SessionName;
use wahana_service::{
    Operator,
    adoption::{self, Assignment},
    platform::servers::{self, ServerAct},
    take_over::{self, Candidate, OtherWebhooks, Report, TakeOver, TakeOverFilter},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Owner, World};

on_both_databases!(
    the_webhook_joins_what_is_there_and_the_second_time_nothing_changes,
    restricted_sessions_are_left_alone,
    what_waha_does_not_take_is_said_and_can_be_tried_again,
    on_a_paused_server_nothing_is_taken_over,
    adopted_sessions_are_not_touched_before,
);

const OPERATOR: Operator = Operator::CommandLine;

pub(crate) fn configured() -> Value {
    json!({
        "webhooks": [{"url": "https://customer.example/waha", "events": ["*"], "hmac": {"key": "theirs"}}],
        "metadata": {"customer": "7"},
        "proxy": {"server": "proxy.example:3128", "username": "u", "password": "p"},
        "ignore": {"status": true},
        "noweb": {"markOnline": false, "store": {"enabled": true, "fullSync": true}},
    })
}

pub(crate) async fn adopt(world: &World<'_>, owner: &Owner, name: &str, status: Status) {
    adopt_with(world, owner, name, status, configured()).await;
}

/// The same with a configuration that it has on WAHA.
pub(crate) async fn adopt_with(
    world: &World<'_>,
    owner: &Owner,
    name: &str,
    status: Status,
    configuration: Value,
) {
    let seed = SessionSeed::new(name).status(status).config(configuration);
    world.sim.add_session(seed);
    let assignment = Assignment {
        server: "one".to_owned(),
        waha_name: name.to_owned(),
        organization: owner.tenant.organization_id(),
        name: SessionName::parse(name).unwrap(),
    };
    let outcomes = adoption::assign(&world.services, &OPERATOR, vec![assignment], false)
        .await
        .unwrap();
    assert!(outcomes[0].outcome.is_ok(), "{outcomes:?}");
}

async fn examined(world: &World<'_>) -> Vec<TakeOver> {
    outcomes(examined_with(world, OtherWebhooks::Stay).await)
}

pub(crate) async fn taken_over(world: &World<'_>) -> Vec<TakeOver> {
    outcomes(taken_over_with(world, OtherWebhooks::Stay).await)
}

fn outcomes(reports: Vec<Report>) -> Vec<TakeOver> {
    reports
        .into_iter()
        .map(|report| {
            assert_eq!(report.webhooks, [], "nobody wanted them to be imported");
            report.outcome
        })
        .collect()
}

pub(crate) async fn examined_with(world: &World<'_>, others: OtherWebhooks) -> Vec<Report> {
    let mut found = Vec::new();
    for candidate in candidates(world).await {
        let examined = take_over::examine(&world.services, &OPERATOR, &candidate, others).await;
        found.push(examined.unwrap());
    }
    found
}

pub(crate) async fn taken_over_with(world: &World<'_>, others: OtherWebhooks) -> Vec<Report> {
    let mut found = Vec::new();
    for candidate in candidates(world).await {
        let taken_over = take_over::take_over(&world.services, &OPERATOR, &candidate, others).await;
        found.push(taken_over.unwrap());
    }
    found
}

async fn candidates(world: &World<'_>) -> Vec<Candidate> {
    let filter = TakeOverFilter::default();
    let found = take_over::candidates(&world.services, &OPERATOR, &filter).await;
    found.unwrap()
}

/// The calls that could have changed something on WAHA.
pub(crate) fn changes(world: &World<'_>) -> usize {
    let requests = world.sim.received_requests();
    requests.iter().filter(|request| request.method != "GET").count()
}

async fn audit(world: &World<'_>) -> Vec<String> {
    world
        .texts(
            "SELECT actor || ' ' || outcome FROM audit_entries
             WHERE operation = 'platform.sessions.take_over' ORDER BY created_at, outcome",
        )
        .await
}

async fn the_webhook_joins_what_is_there_and_the_second_time_nothing_changes(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    adopt(&world, &owner, "running", Status::Working).await;
    adopt(&world, &owner, "stopped", Status::Stopped).await;

    world.sim.reset_records();
    let expected = [
        TakeOver::Possible { restarts: true },
        TakeOver::Possible { restarts: false },
    ];
    assert_eq!(examined(&world).await, expected);
    assert_eq!(changes(&world), 0, "looking changes nothing");
    let expected = [
        TakeOver::Done { restarted: true },
        TakeOver::Done { restarted: false },
    ];
    assert_eq!(taken_over(&world).await, expected);
    assert_eq!(world.sim.session_status("stopped"), Some(Status::Stopped));
    world.sim.wait_for_status("running", Status::Working).await;

    for name in ["running", "stopped"] {
        let mut config = world.configuration(name).await;
        let own = config["webhooks"].as_array_mut().unwrap().remove(1);
        assert!(
            own["url"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{}hooks/waha/", world.url))
        );
        assert_eq!(config, configured(), "{name}");
    }
    let written = ["command_line intent", "command_line success"].repeat(2);
    assert_eq!(audit(&world).await, written);

    world.sim.reset_records();
    assert_eq!(examined(&world).await, [TakeOver::Unchanged, TakeOver::Unchanged]);
    assert_eq!(
        taken_over(&world).await,
        [TakeOver::Unchanged, TakeOver::Unchanged]
    );
    assert_eq!(changes(&world), 0);
    crate::world::eventually(async || {
        world
            .stored()
            .await
            .iter()
            .any(|line| line.starts_with("running "))
    })
    .await;
}

async fn restricted_sessions_are_left_alone(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    adopt(&world, &owner, "running", Status::Working).await;
    let tx = world.store.write(owner.tenant).await.unwrap();
    let id = wahana_store::sessions::get(
        &tx,
        &wahana_store::sessions::SessionReference::parse("running").unwrap(),
        None,
    )
    .await
    .unwrap()
    .unwrap()
    .id;
    wahana_store::hooks::set_applied(&tx, id, 1).await.unwrap();
    tx.commit().await.unwrap();
    world
        .database
        .execute_unguarded("UPDATE session_upkeep SET restriction = 'time lock (463)'")
        .await;
    world.sim.reset_records();
    for found in [examined(&world).await, taken_over(&world).await] {
        let [TakeOver::Skipped(why)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(why.contains("463"), "{why}");
    }
    // Nor is it reconfigured when its owner restarts it.
    world.post(&owner, "/running/restart", &json!({})).await;
    let requests = world.sim.received_requests();
    assert!(
        requests.iter().all(|request| request.method != "PUT"),
        "{requests:?}"
    );
    assert_eq!(audit(&world).await, Vec::<String>::new());
}

async fn what_waha_does_not_take_is_said_and_can_be_tried_again(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    adopt(&world, &owner, "running", Status::Working).await;
    world
        .sim
        .set_fault(Fault::new(FaultKind::Status(500)).method("PUT"));
    assert!(matches!(
        taken_over(&world).await.as_slice(),
        [TakeOver::Failed(_)]
    ));
    assert_eq!(
        audit(&world).await,
        ["command_line intent", "command_line failure"]
    );
    world.sim.clear_faults();
    assert_eq!(taken_over(&world).await, [TakeOver::Done { restarted: true }]);
}

async fn on_a_paused_server_nothing_is_taken_over(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    adopt(&world, &owner, "running", Status::Working).await;
    servers::act(&world.services, &OPERATOR, world.server, ServerAct::Pause)
        .await
        .unwrap();
    let found = taken_over(&world).await;
    assert!(
        matches!(found.as_slice(), [TakeOver::Skipped(why)] if why.contains("paused")),
        "{found:?}"
    );
    servers::act(&world.services, &OPERATOR, world.server, ServerAct::Resume)
        .await
        .unwrap();
    assert_eq!(taken_over(&world).await, [TakeOver::Done { restarted: true }]);
}

async fn adopted_sessions_are_not_touched_before(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    adopt(&world, &owner, "stopped", Status::Stopped).await;
    world.post(&owner, "/stopped/start", &json!({})).await;
    world.post(&owner, "/stopped/restart", &json!({})).await;
    assert_eq!(world.configuration("stopped").await, configured());
}
