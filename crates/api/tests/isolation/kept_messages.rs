//! Lists of what is kept show each caller what is theirs to see, whatever the filter says.

use std::collections::BTreeSet;

use wahana_domain::{Role, SessionStatus};
use wahana_testkit::{
    app::{Actor, By, Client, Home, Sees, TestApp},
    database::TestDatabase,
};

use crate::{
    expected::Target,
    things::{self, Thing},
};

async fn listed(client: &Client, query: &str) -> BTreeSet<String> {
    let answer = client.get(&format!("/api/waha/messages{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let messages = answer.json()["data"].take();
    let ids = messages.as_array().unwrap().iter();
    ids.map(|message| message["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn messages(app: &TestApp, target: Target) -> [Thing; 2] {
    let made = things::make(app, target, "messageId", 2, SessionStatus::Working).await;
    made.try_into().unwrap()
}

/// Compares what is listed for who sees everything of A, one of its sessions, and everything of B.
pub(crate) async fn compare(database: &TestDatabase) {
    let app = TestApp::start(database).await;
    let (of_a, of_b) = (
        messages(&app, Target::OfA).await,
        messages(&app, Target::OfB).await,
    );
    let [that, another] = of_a.each_ref().map(|message| message.session.unwrap());
    let sees = Sees { that, another };
    let owner = |home| (Actor::Member(home, Role::Owner, By::Token), None);
    let actors = [
        owner(Home::A),
        owner(Home::B),
        (Actor::LimitedToThatSession, Some(sees)),
    ];
    let clients: [Client; 3] = app.actors(&actors).await.try_into().ok().unwrap();
    let id = |message: &Thing| message.spellings[0].clone();
    let all = |messages: &[Thing]| messages.iter().map(id).collect::<BTreeSet<_>>();
    let expected = [all(&of_a), all(&of_b), all(&of_a[..1])];
    for (client, expected) in clients.iter().zip(&expected) {
        assert_eq!(listed(client, "").await, *expected);
        for message in of_a.iter().chain(&of_b) {
            let query = format!("?session_id={}", message.session.unwrap());
            let own = BTreeSet::from([id(message)]);
            assert_eq!(listed(client, &query).await, &own & expected);
        }
    }
}
