//! Reading messages of both directions, newest first.

use std::time::Duration;

use wahana_domain::{DeliveryStatus, Direction, MessageKind, SessionId, Timestamp};
use wahana_store::{
    activity::Tally,
    messages::{self, HistoryPosition, HistoryQuery, KeptMessage, Ledger, MessageNews},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, TestOrganization, World};

on_both_databases!(
    messages_are_found_by_all_that_can_be_asked_for,
    parts_are_without_gaps_also_among_messages_of_one_second,
);

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// Hears of a message that came in.
async fn hear(
    world: &World,
    organization: &TestOrganization,
    session: SessionId,
    (key, at, text): (&str, Timestamp, &str),
) {
    let tx = world.write(organization).await;
    let mut ledger = Ledger::open(&tx, session, [key]).await.unwrap();
    ledger.hear(&MessageNews {
        key: key.to_owned(),
        waha_message_id: format!("false_15550002222@c.us_{key}"),
        chat_id: "15550002222@c.us".to_owned(),
        direction: Direction::Incoming,
        kind: MessageKind::Text,
        sender: Some("15550002222@c.us".to_owned()),
        status: DeliveryStatus::Received,
        happened_at: at,
        text: Some(text.to_owned()),
        reply_to: None,
        is_from_api: false,
    });
    ledger.write(&tx, &mut Tally::new()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn find(world: &World, query: &HistoryQuery) -> Vec<KeptMessage> {
    let tx = world.read(&world.a).await;
    messages::history(&tx, query, 100).await.unwrap()
}

async fn texts(world: &World, query: &HistoryQuery) -> Vec<String> {
    let found = find(world, query).await;
    found
        .into_iter()
        .map(|message| message.text.unwrap_or_default())
        .collect()
}

async fn messages_are_found_by_all_that_can_be_asked_for(db: &TestDatabase) {
    let world = World::new(db).await;
    let one = world.session(&world.a, "one").await.id;
    let two = world.session(&world.a, "two").await.id;
    let foreign = world.session(&world.b, "one").await.id;
    hear(&world, &world.b, foreign, ("B", after(5), "100% foreign")).await;
    hear(&world, &world.a, one, ("A1", after(1), "a price of 100%")).await;
    hear(&world, &world.a, two, ("A2", after(2), "100 apples")).await;
    let tx = world.write(&world.a).await;
    // It waits, and says "Hello".
    let mut waiting = world.new_message(one);
    waiting.due_at = after(9);
    world.add_message(&tx, &waiting).await.unwrap();
    tx.commit().await.unwrap();

    let everything = HistoryQuery::default;
    assert_eq!(
        texts(&world, &everything()).await,
        ["Hello", "100 apples", "a price of 100%"]
    );
    let found = find(&world, &everything()).await;
    assert_eq!(
        (found[0].id, found[0].at, found[0].status),
        (waiting.id, after(9), waiting.status)
    );
    assert_eq!((found[1].session_id, found[1].at), (two, after(2)));
    assert_eq!(found[1].sender.as_deref(), Some("15550002222@c.us"));
    for (query, expected) in filters([one, two, foreign], waiting.chat_id.as_str()) {
        assert_eq!(texts(&world, &query).await, expected, "{query:?}");
    }
}

/// What can be asked for, and what is found then.
fn filters([one, two, foreign]: [SessionId; 3], chat: &str) -> Vec<(HistoryQuery, Vec<&'static str>)> {
    let everything = HistoryQuery::default;
    vec![
        (
            HistoryQuery {
                session: Some(two),
                ..everything()
            },
            vec!["100 apples"],
        ),
        (
            HistoryQuery {
                session: Some(foreign),
                ..everything()
            },
            vec![],
        ),
        (
            HistoryQuery {
                only: Some(vec![one, foreign]),
                ..everything()
            },
            vec!["Hello", "a price of 100%"],
        ),
        (
            HistoryQuery {
                only: Some(vec![]),
                ..everything()
            },
            vec![],
        ),
        (
            HistoryQuery {
                chat_id: Some(chat.to_owned()),
                ..everything()
            },
            vec!["Hello"],
        ),
        (
            HistoryQuery {
                direction: Some(Direction::Outgoing),
                ..everything()
            },
            vec!["Hello"],
        ),
        (
            HistoryQuery {
                status: Some(DeliveryStatus::Received),
                ..everything()
            },
            vec!["100 apples", "a price of 100%"],
        ),
        (
            HistoryQuery {
                since: Some(after(2)),
                until: Some(after(2)),
                ..everything()
            },
            vec!["100 apples"],
        ),
        (
            HistoryQuery {
                text: Some("100%".to_owned()),
                ..everything()
            },
            vec!["a price of 100%"],
        ),
        (
            HistoryQuery {
                text: Some("PRICE".to_owned()),
                ..everything()
            },
            vec!["a price of 100%"],
        ),
        (
            HistoryQuery {
                text: Some("1_0".to_owned()),
                ..everything()
            },
            vec![],
        ),
    ]
}

async fn parts_are_without_gaps_also_among_messages_of_one_second(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "one").await.id;
    for number in 0..7 {
        let (key, at) = (format!("A{number}"), after(number / 4));
        hear(&world, &world.a, session, (&key, at, &key)).await;
    }
    let all = find(&world, &HistoryQuery::default()).await;
    let (mut parts, mut before) = (Vec::new(), None);
    loop {
        let query = HistoryQuery {
            before,
            ..HistoryQuery::default()
        };
        let tx = world.read(&world.a).await;
        let part = messages::history(&tx, &query, 2).await.unwrap();
        let Some(last) = part.last() else { break };
        before = Some(HistoryPosition {
            at: last.at,
            id: last.id,
        });
        parts.extend(part);
    }
    assert_eq!(all.len(), 7);
    assert_eq!(parts, all);
}
