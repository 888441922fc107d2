//! Messages that were handed to wahana.

use std::time::Duration;

use wahana_domain::{Clock, DeliveryStatus, Direction, MessageId, MessageKind, SessionCounters, SessionId};
use wahana_store::{
    StoreError,
    activity::Tally,
    messages::{self, Accepted, Acknowledgement, Ledger, MessageNews},
    sessions,
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World};

async fn a_message_is_kept_with_what_became_of_it(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let mut message = world.new_message(session.id);
    let tx = world.write(&world.a).await;
    world.add_message(&tx, &message).await.unwrap();
    assert_eq!(
        messages::get(&tx, message.id).await.unwrap(),
        Some(message.clone())
    );
    tx.commit().await.unwrap();

    world.clock.advance(Duration::from_secs(2));
    let tx = world.write(&world.a).await;
    messages::set_outcome(&tx, message.id, DeliveryStatus::Unknown, "It rained.")
        .await
        .unwrap();
    message.status = DeliveryStatus::Unknown;
    message.reason = Some("It rained.".to_owned());
    message.updated_at = START.plus(Duration::from_secs(2));
    assert_eq!(messages::get(&tx, message.id).await.unwrap(), Some(message));
    assert_eq!(messages::get(&tx, MessageId::new()).await.unwrap(), None);
}

const KEY: &str = "3EB0AABBCC";
const CHAT: &str = "15550001111@c.us";

fn sent(world: &World) -> MessageNews {
    MessageNews {
        key: KEY.to_owned(),
        waha_message_id: format!("true_{CHAT}_{KEY}"),
        chat_id: CHAT.to_owned(),
        direction: Direction::Outgoing,
        kind: MessageKind::Image,
        sender: None,
        status: DeliveryStatus::Accepted,
        happened_at: world.clock.now(),
        text: None,
        reply_to: None,
        is_from_api: false,
    }
}

fn acknowledged(status: DeliveryStatus) -> Acknowledgement {
    Acknowledgement {
        key: KEY.to_owned(),
        waha_message_id: format!("true_{CHAT}_{KEY}"),
        status,
    }
}

/// What is known of a message that wahana sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Answer,
    Event,
    Delivered,
}

async fn a_message_of_our_own_counts_once_whoever_speaks_of_it_first(db: &TestDatabase) {
    use Word::{Answer, Delivered, Event};
    let world = World::new(db).await;
    for (number, words) in [
        vec![Answer],
        vec![Answer, Event, Delivered],
        vec![Event, Answer, Delivered, Event],
        vec![Delivered, Answer, Event],
        vec![Delivered, Event, Answer],
        vec![Event, Delivered, Answer],
    ]
    .into_iter()
    .enumerate()
    {
        let session = world.session(&world.a, &format!("sales-{number}")).await;
        let mut message = world.new_message(session.id);
        message.kind = MessageKind::Image;
        let tx = world.write(&world.a).await;
        world.add_message(&tx, &message).await.unwrap();
        tx.commit().await.unwrap();
        for word in &words {
            let tx = world.write(&world.a).await;
            sessions::lock(&tx, session.id).await.unwrap();
            let mut tally = Tally::new();
            match word {
                Answer => {
                    let accepted = Accepted {
                        id: message.id,
                        key: KEY,
                        waha_message_id: &format!("true_{CHAT}_{KEY}"),
                        happened_at: world.clock.now(),
                    };
                    messages::accept(&tx, session.id, accepted, &mut tally)
                        .await
                        .unwrap();
                }
                Event | Delivered => {
                    let mut ledger = Ledger::open(&tx, session.id, [KEY]).await.unwrap();
                    if *word == Event {
                        ledger.hear(&sent(&world));
                    } else {
                        ledger.acknowledge(&acknowledged(DeliveryStatus::Delivered));
                    }
                    ledger.write(&tx, &mut tally).await.unwrap();
                }
            }
            tally.write(&tx, session.id).await.unwrap();
            tx.commit().await.unwrap();
        }
        let tx = world.read(&world.a).await;
        let known = messages::get(&tx, message.id).await.unwrap().unwrap();
        let is_delivered = words.iter().any(|word| matches!(word, Delivered));
        let expected = if is_delivered {
            DeliveryStatus::Delivered
        } else {
            DeliveryStatus::Accepted
        };
        assert_eq!(known.status, expected, "{words:?}");
        assert_eq!(known.waha_message_id, Some(format!("true_{CHAT}_{KEY}")));
        let found = sessions::with_ids(&tx, &[session.id]).await.unwrap().remove(0);
        let counted = SessionCounters {
            messages_sent: 1,
            media_sent: 1,
            ..Default::default()
        };
        assert_eq!(found.counters, counted, "{words:?}");
        assert_eq!(found.last_message_at, Some(START));
        let id = session.id;
        let rows = format!(
            "SELECT message_key FROM messages WHERE session_id = {}",
            db.id_literal(id.as_uuid())
        );
        assert_eq!(db.texts_unguarded(&rows).await, [KEY], "one row: {words:?}");
        let activity = format!(
            "SELECT messages_sent || ' ' || media_sent || ' ' || messages_delivered FROM session_activity
             WHERE session_id = {}",
            db.id_literal(id.as_uuid())
        );
        let delivered = u8::from(is_delivered);
        assert_eq!(
            db.texts_unguarded(&activity).await,
            [format!("1 1 {delivered}")],
            "{words:?}"
        );
    }
}

async fn a_message_cannot_name_a_session_of_another_organization(db: &TestDatabase) {
    let world = World::new(db).await;
    let foreign = world.session(&world.b, "sales").await;
    let mut errors = Vec::new();
    for session in [foreign.id, SessionId::new()] {
        let tx = world.write(&world.a).await;
        let refused: Result<(), StoreError> = world.add_message(&tx, &world.new_message(session)).await;
        errors.push(refused.unwrap_err().to_string());
    }
    assert_eq!(errors[0], errors[1], "nobody learns that it exists");
}

on_both_databases!(
    a_message_of_our_own_counts_once_whoever_speaks_of_it_first,
    a_message_is_kept_with_what_became_of_it,
    a_message_cannot_name_a_session_of_another_organization,
);
