//! Taking sessions over together with the webhooks that they have at WAHA.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use waha_sim::{Fault, FaultKind, Status};
use wahana_domain::{Happening, NewOrganizationEvent, SessionId, WebhookSecret, WebhookStyle};
use wahana_service::{
    take_over::{OtherWebhooks, Report, TakeOver},
    webhooks::{self, ImportOutcome, MAX_ENDPOINTS, Rest},
};
use wahana_store::{
    organization_events, sessions,
    webhooks::{EndpointChange, NewEndpoint, insert},
};
use wahana_testkit::{database::TestDatabase, on_both_databases, receiver::WebhookReceiver};

use crate::{
    taken_over::{adopt_with, changes, examined_with, taken_over_with},
    world::{Owner, World},
};

on_both_databases!(
    what_was_delivered_by_waha_is_delivered_by_wahana,
    what_cannot_be_imported_stays_at_waha,
    the_same_webhook_of_more_sessions_is_one,
    when_an_organization_has_as_many_as_it_may_the_others_stay,
    what_waha_refuses_is_undone_and_what_it_may_have_done_is_not_made_twice,
    one_that_is_switched_off_is_neither_made_again_nor_taken_from_waha,
    a_receiver_whose_address_looks_like_wahanas_is_not_taken_for_it,
    what_people_change_meanwhile_stays,
);

const KEY: &str = "a-key-that-the-receiver-has";
/// Where wahana may deliver to here; names lead nowhere.
const URL: &str = "http://127.0.0.1:9/hook";
const ENDPOINTS: &str = "SELECT url FROM webhook_endpoints ORDER BY url";

fn webhook(url: &str, events: &[&str]) -> Value {
    json!({
        "url": url,
        "events": events,
        "hmac": {"key": KEY},
        "retries": {"policy": "constant", "delaySeconds": 2, "attempts": 15},
    })
}

fn configuration(webhooks: &[Value]) -> Value {
    json!({"webhooks": webhooks, "metadata": {"customer": "7"}, "ignore": {"status": true}})
}

async fn adopt(world: &World<'_>, owner: &Owner, name: &str, webhooks: &[Value]) {
    adopt_with(world, owner, name, Status::Stopped, configuration(webhooks)).await;
}

async fn import(world: &World<'_>) -> Vec<Report> {
    taken_over_with(world, OtherWebhooks::Import).await
}

/// The webhooks that a session has at WAHA besides wahana's, which must be there, and the rest unchanged.
async fn left(world: &World<'_>, name: &str) -> Vec<Value> {
    let mut config = world.configuration(name).await;
    let mut webhooks = config["webhooks"].as_array().unwrap().clone();
    let own = webhooks.pop().unwrap();
    let hooks = format!("{}hooks/waha/", world.url);
    assert!(own["url"].as_str().unwrap().starts_with(&hooks));
    config["webhooks"] = json!([]);
    assert_eq!(config, configuration(&[]));
    webhooks
}

async fn what_was_delivered_by_waha_is_delivered_by_wahana(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let receiver = WebhookReceiver::start().unwrap();
    let names = ["session.status", "message", "presence.update"];
    let mut own = webhook(&receiver.url("/secret-path"), &names);
    own["customHeaders"] = json!([{"name": "X-Api-Key", "value": "secret-value"}]);
    let unsigned = json!({"url": "http://127.0.0.1:9/all", "events": ["*"]});
    adopt(&world, &owner, "shop", &[own.clone(), unsigned]).await;

    world.sim.reset_records();
    let examined = examined_with(&world, OtherWebhooks::Import).await;
    assert_eq!(examined[0].outcome, TakeOver::Possible { restarts: false });
    assert_eq!((changes(&world), world.texts(ENDPOINTS).await.len()), (0, 0));
    let reports = import(&world).await;
    assert_eq!(reports[0].outcome, TakeOver::Done { restarted: false });
    assert_eq!(reports[0].webhooks, examined[0].webhooks);
    let [first, second] = reports[0].webhooks.as_slice() else {
        panic!("{reports:?}");
    };
    assert_eq!(first.receiver, receiver.url(""));
    let expected = ImportOutcome::Imported {
        events: vec!["message".to_owned(), "session.status".to_owned()],
        rest: Rest::AtWaha(vec!["presence.update".to_owned()]),
    };
    assert_eq!(first.outcome, expected);
    let all = webhooks::event_names(WebhookStyle::Waha);
    let expected = ImportOutcome::Imported {
        events: all.into_iter().map(str::to_owned).collect(),
        rest: Rest::Dropped,
    };
    assert_eq!(second.outcome, expected);
    let said = format!("{reports:?}");
    for secret in [KEY, "secret-path", "secret-value"] {
        assert!(!said.contains(secret), "{said}");
    }

    // WAHA goes on with what wahana does not tell, and with nothing else.
    let mut rest = own;
    rest["events"] = json!(["presence.update"]);
    assert_eq!(left(&world, "shop").await, [rest]);
    let audit = "SELECT operation || ' ' || outcome FROM audit_entries
        WHERE operation = 'platform.sessions.import_webhooks' ORDER BY id";
    let written = world.texts(audit).await;
    let expected =
        ["intent", "success"].map(|outcome| format!("platform.sessions.import_webhooks {outcome}"));
    assert_eq!(written, expected);

    world.sim.reset_records();
    let again = import(&world).await;
    assert_eq!(again[0].outcome, TakeOver::Unchanged);
    let ImportOutcome::Stays(why) = &again[0].webhooks[0].outcome else {
        panic!("{again:?}");
    };
    assert!(why.contains("presence.update"), "{why}");
    assert_eq!((changes(&world), world.texts(ENDPOINTS).await.len()), (0, 2));

    let told = told(&world, &owner, &receiver).await;
    assert_eq!(told["event"], "session.status");
    assert_eq!(told["session"], "shop");
}

/// What the receiver gets when a session of an organization has a new code, and it believes it.
async fn told(world: &World<'_>, owner: &Owner, receiver: &WebhookReceiver) -> Value {
    let stop = CancellationToken::new();
    let mut loops = JoinSet::new();
    let (services, ended) = (world.services.clone(), stop.clone());
    loops.spawn(async move { webhooks::fan_out(&services, &ended).await });
    let (services, ended) = (world.services.clone(), stop.clone());
    loops.spawn(async move { webhooks::dispatch(&services, &ended).await });
    let tx = world.store.write(owner.tenant).await.unwrap();
    let reference = wahana_store::sessions::SessionReference::parse("shop").unwrap();
    let session = wahana_store::sessions::get(&tx, &reference, None).await.unwrap();
    let event = NewOrganizationEvent {
        session: Some(session.unwrap().id),
        message: None,
        happened_at: tx.now(),
        happening: Happening::SessionQr,
    };
    organization_events::raise(&tx, event);
    tx.commit().await.unwrap();
    let request = receiver.received(1).await.remove(0);
    assert!(request.is_signed_as_waha(KEY));
    assert_eq!(request.header("x-api-key"), Some("secret-value"));
    stop.cancel();
    serde_json::from_slice(&request.body).unwrap()
}

async fn what_cannot_be_imported_stays_at_waha(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let url = URL;
    let with = |field: &str, value: Value| {
        let mut webhook = webhook(url, &["message"]);
        webhook[field] = value;
        webhook
    };
    let header = |name: &str| json!([{"name": name, "value": "v"}]);
    let many: Vec<Value> = (0..11)
        .map(|number| json!({"name": format!("X-{number}"), "value": "v"}))
        .collect();
    let cases = [
        (webhook("http://10.0.0.8/hook", &["message"]), "address"),
        (
            webhook("http://user:word@127.0.0.1:9/hook", &["message"]),
            "address",
        ),
        (
            webhook("http://receiver.invalid/hook", &["message"]),
            "leads nowhere",
        ),
        (
            webhook("https://receiver.invalid/hook", &["message"]),
            "leads nowhere",
        ),
        (webhook(url, &["presence.update"]), "presence.update"),
        (webhook(url, &[]), "no events"),
        (with("hmac", json!({"key": "short"})), "key"),
        (
            with("customHeaders", header("X-Webhook-Request-Id")),
            "X-Webhook-Request-Id",
        ),
        (with("customHeaders", header("Host")), "Host"),
        (
            with(
                "customHeaders",
                json!([{"name": "A", "value": "1"}, {"name": "a", "value": "2"}]),
            ),
            "twice",
        ),
        (with("customHeaders", many.into()), "more than 10"),
        (with("customHeaders", json!("X-A: v")), "read"),
    ];
    let webhooks: Vec<Value> = cases.iter().map(|(webhook, _)| webhook.clone()).collect();
    adopt(&world, &owner, "shop", &webhooks).await;
    let reports = import(&world).await;
    assert_eq!(reports[0].outcome, TakeOver::Done { restarted: false });
    assert_eq!(reports[0].webhooks.len(), cases.len());
    for (import, (_, expected)) in reports[0].webhooks.iter().zip(&cases) {
        let ImportOutcome::Stays(why) = &import.outcome else {
            panic!("{import:?}");
        };
        assert!(why.contains(expected), "{why}");
        assert!(!why.contains("short") && !why.contains(KEY), "{why}");
    }
    assert_eq!(left(&world, "shop").await, webhooks);
    assert_eq!(world.texts(ENDPOINTS).await, Vec::<String>::new());
    world.sim.reset_records();
    assert_eq!(import(&world).await[0].outcome, TakeOver::Unchanged);
    assert_eq!(changes(&world), 0);
}

async fn the_same_webhook_of_more_sessions_is_one(database: &TestDatabase) {
    let world = World::new(database).await;
    let (owner, other) = (world.owner("a").await, world.owner("b").await);
    let shared = webhook(URL, &["message"]);
    let of_another_key = json!({
        "url": URL, "events": ["message"], "hmac": {"key": "another-key"},
    });
    adopt(&world, &owner, "one", &[shared.clone(), shared.clone()]).await;
    adopt(&world, &owner, "two", std::slice::from_ref(&shared)).await;
    adopt(&world, &owner, "three", &[of_another_key]).await;
    adopt(&world, &other, "four", &[shared]).await;
    for report in import(&world).await {
        assert_eq!(report.outcome, TakeOver::Done { restarted: false });
    }
    for name in ["one", "two", "three", "four"] {
        assert_eq!(left(&world, name).await, Vec::<Value>::new(), "{name}");
    }
    let found = world
        .texts(
            "SELECT o.name || ' ' || (SELECT count(*) FROM sessions s WHERE s.organization_id = e.organization_id
                AND e.sessions LIKE '%' || lower(SESSION_ID) || '%')
             FROM webhook_endpoints e JOIN organizations o ON o.id = e.organization_id ORDER BY 1"
                .replace("SESSION_ID", session_id(database))
                .as_str(),
        )
        .await;
    assert_eq!(found, ["a 1", "a 2", "b 1"]);
}

/// A session's id as it is written in JSON.
fn session_id(database: &TestDatabase) -> &'static str {
    if database.is_postgres() {
        "CAST(s.id AS TEXT)"
    } else {
        "substr(hex(s.id), 1, 8) || '-' || substr(hex(s.id), 9, 4) || '-' || substr(hex(s.id), 13, 4) || '-'
         || substr(hex(s.id), 17, 4) || '-' || substr(hex(s.id), 21)"
    }
}

async fn when_an_organization_has_as_many_as_it_may_the_others_stay(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let tx = world.store.write(owner.tenant).await.unwrap();
    for number in 1..MAX_ENDPOINTS {
        let new = NewEndpoint {
            url: format!("https://there.example/{number:02}"),
            description: None,
            style: WebhookStyle::Standard,
            events: None,
            sessions: None,
            headers: Vec::new(),
            secret: WebhookSecret::generate(),
            created_by: None,
        };
        insert(&tx, &new).await.unwrap();
    }
    tx.commit().await.unwrap();
    let urls = ["http://127.0.0.1:9/first", "http://127.0.0.1:9/second"];
    let webhooks = urls.map(|url| webhook(url, &["message"]));
    adopt(&world, &owner, "shop", &webhooks).await;
    let reports = import(&world).await;
    let outcomes: Vec<_> = reports[0].webhooks.iter().map(|import| &import.outcome).collect();
    assert!(
        matches!(outcomes.as_slice(), [ImportOutcome::Imported { .. }, ImportOutcome::Stays(why)] if why.contains("20")),
        "{outcomes:?}"
    );
    assert_eq!(left(&world, "shop").await, webhooks[1..]);
}

async fn one_that_is_switched_off_is_neither_made_again_nor_taken_from_waha(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let webhooks = [webhook(URL, &["message"])];
    adopt(&world, &owner, "one", &webhooks).await;
    import(&world).await;
    let tx = world.store.write(owner.tenant).await.unwrap();
    let present = wahana_store::webhooks::endpoints(&tx).await.unwrap();
    assert!(
        wahana_store::webhooks::disable(&tx, present[0].id, "It was switched off.")
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    adopt(&world, &owner, "two", &webhooks).await;
    let reports = import(&world).await;
    let stays = reports
        .iter()
        .flat_map(|report| &report.webhooks)
        .find_map(|import| match &import.outcome {
            ImportOutcome::Stays(why) => Some(why.as_str()),
            ImportOutcome::Imported { .. } => None,
        });
    assert!(stays.unwrap().contains("disabled"), "{reports:?}");
    assert_eq!(left(&world, "two").await, webhooks);
    assert_eq!(world.texts(ENDPOINTS).await.len(), 1);
}

async fn a_receiver_whose_address_looks_like_wahanas_is_not_taken_for_it(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let webhooks = [webhook("http://127.0.0.1:9/hooks/waha/theirs", &["message"])];
    adopt(&world, &owner, "shop", &webhooks).await;
    let reports = import(&world).await;
    assert_eq!(reports[0].webhooks.len(), 1, "{reports:?}");
    assert_eq!(left(&world, "shop").await, Vec::<Value>::new());
}

async fn what_people_change_meanwhile_stays(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let webhooks = [webhook(URL, &["message"])];
    adopt(&world, &owner, "one", &webhooks).await;
    import(&world).await;
    adopt(&world, &owner, "other", &[]).await;
    adopt(&world, &owner, "two", &webhooks).await;
    let tx = world.store.write(owner.tenant).await.unwrap();
    let ids: Vec<SessionId> = sessions::every(&tx, None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|every| every.session)
        .filter(|session| session.name.as_str() != "two")
        .map(|session| session.id)
        .collect();
    let found = wahana_store::webhooks::endpoints(&tx).await.unwrap().remove(0);
    let endpoint = wahana_store::webhooks::lock(&tx, found.id)
        .await
        .unwrap()
        .unwrap();
    let change = EndpointChange {
        sessions: Some(Some(ids.clone())),
        ..EndpointChange::default()
    };
    wahana_store::webhooks::update(&tx, &endpoint, &change)
        .await
        .unwrap();
    // The import finds the endpoint while somebody changes it.
    let changing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tx.commit().await.unwrap();
    };
    let ((), _) = tokio::join!(changing, import(&world));
    let tx = world.store.read(owner.tenant).await.unwrap();
    let endpoint = wahana_store::webhooks::endpoint(&tx, found.id)
        .await
        .unwrap()
        .unwrap();
    let sessions = endpoint.sessions.unwrap();
    assert_eq!(sessions.len(), 3);
    assert!(ids.iter().all(|id| sessions.contains(id)));
}

async fn what_waha_refuses_is_undone_and_what_it_may_have_done_is_not_made_twice(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let webhooks = [webhook(URL, &["message"])];
    adopt(&world, &owner, "shop", &webhooks).await;
    for (fault, endpoints) in [(FaultKind::Status(403), 0), (FaultKind::Status(500), 1)] {
        world.sim.set_fault(Fault::new(fault).method("PUT"));
        let reports = import(&world).await;
        assert!(matches!(reports[0].outcome, TakeOver::Failed(_)), "{reports:?}");
        assert_eq!(reports[0].webhooks, []);
        assert_eq!(world.texts(ENDPOINTS).await.len(), endpoints);
        assert_eq!(world.configuration("shop").await, configuration(&webhooks));
        world.sim.clear_faults();
    }
    assert_eq!(
        import(&world).await[0].outcome,
        TakeOver::Done { restarted: false }
    );
    assert_eq!(left(&world, "shop").await, Vec::<Value>::new());
    assert_eq!(world.texts(ENDPOINTS).await.len(), 1);

    // What another session has already stays as it was.
    adopt(&world, &owner, "second", &webhooks).await;
    world
        .sim
        .set_fault(Fault::new(FaultKind::Status(403)).method("PUT"));
    import(&world).await;
    let tx = world.store.read(owner.tenant).await.unwrap();
    let present = wahana_store::webhooks::endpoints(&tx).await.unwrap();
    let sessions: Vec<_> = present
        .iter()
        .map(|endpoint| endpoint.sessions.as_ref().map(Vec::len))
        .collect();
    assert_eq!(sessions, [Some(1)]);
}
