//! Messages whose answer was lost, and which WAHA tells of under a key that nobody chose.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio_util::sync::DropGuard;
use waha_sim::{Fault, FaultKind, WahaSim};
use wahana_domain::{
    Clock as _, DeliveryStatus, Direction, ManualClock, MessageKind, OutgoingMessage, Timestamp,
};
use wahana_store::messages::MessageNews;

use crate::{
    queued::{ASYNC, queued},
    wahana::{Setup, Wahana},
};

const CHAT: &str = "6281234567890@c.us";

/// wahana before a WAHA that takes no keys and whose answers are lost.
struct Scene {
    wahana: Wahana,
    clock: Arc<ManualClock>,
    _dispatching: DropGuard,
}

impl Scene {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_800_000_000)));
        let setup = Setup {
            clock: Some(clock.clone()),
            ..Setup::default()
        };
        let wahana = Wahana::with(WahaSim::builder().version("2026.2.1"), setup).await;
        let lost = Fault::new(FaultKind::CloseAfter).method("POST");
        wahana.sim.set_fault(lost.on_path("/api/send"));
        let dispatching = wahana.dispatch();
        Self {
            wahana,
            clock,
            _dispatching: dispatching,
        }
    }

    /// Hands in a message, and waits until its answer is lost.
    async fn lose(&self, text: &str) -> Value {
        let body = json!({"to": "+62 812-3456-7890", "text": text});
        let id = queued(&self.wahana.post_with("send-text", &body, &ASYNC).await);
        self.wahana.until(&id, DeliveryStatus::Unknown).await;
        id
    }

    fn own(&self, key: &str, text: &str) -> MessageNews {
        MessageNews {
            key: key.to_owned(),
            waha_message_id: format!("true_{CHAT}_{key}"),
            chat_id: CHAT.to_owned(),
            direction: Direction::Outgoing,
            kind: MessageKind::Text,
            sender: None,
            status: DeliveryStatus::Sent,
            happened_at: self.clock.now(),
            text: Some(text.to_owned()),
            reply_to: None,
            is_from_api: true,
        }
    }

    /// The message, after it was looked for in what WAHA told.
    async fn looked_for(&self, id: &Value) -> OutgoingMessage {
        for _ in 0..4 {
            self.clock.advance(Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.wahana.message(id).await
    }

    /// How many messages there are.
    async fn known(&self) -> usize {
        let kept = self.wahana.call("GET", "messages").await.data();
        kept.as_array().unwrap().len()
    }
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_the_messages_own_event_that_comes_later() {
    let scene = Scene::open().await;
    let id = scene.lose("hello").await;
    let message = scene.looked_for(&id).await;
    assert_eq!(
        message.status,
        DeliveryStatus::Unknown,
        "nothing was told of it yet"
    );
    scene.wahana.hear(&scene.own("3EB0A", "hello")).await;
    let message = scene.wahana.until(&id, DeliveryStatus::Sent).await;
    assert_eq!(
        message.waha_message_id.as_deref(),
        Some("true_6281234567890@c.us_3EB0A")
    );
    assert_eq!((scene.known().await, scene.wahana.sends()), (1, 1));
    assert_eq!(scene.wahana.counted().await, (1, 0));
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_the_messages_own_event_that_came_before() {
    let scene = Scene::open().await;
    scene.wahana.hear(&scene.own("3EB0B", "hello")).await;
    let id = scene.lose("hello").await;
    let message = scene.looked_for(&id).await;
    assert_eq!(message.status, DeliveryStatus::Sent);
    assert_eq!(scene.known().await, 1);
}

#[tokio::test]
async fn the_event_of_a_message_that_is_just_being_sent_settles_no_other() {
    let scene = Scene::open().await;
    let lost = scene.lose("hello").await;
    let wahana = &scene.wahana;
    wahana.sim.clear_faults();
    // The same again by somebody who waits; WAHA tells of it before it answers.
    let slow = Fault::slow(Duration::from_millis(900)).method("POST");
    wahana.sim.set_fault(slow.on_path("/api/send"));
    let calls = wahana.sends();
    let body = json!({"to": "+62 812-3456-7890", "text": "hello"}).to_string();
    let again = tokio::spawn(wahana.request(wahana.posting("send-text", "application/json", body)));
    while wahana.sends() == calls {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    wahana.hear(&scene.own("3EB0I", "hello")).await;
    scene.clock.advance(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(wahana.message(&lost).await.status, DeliveryStatus::Unknown);
    let sent = again.await.unwrap().data();
    assert_eq!(sent["status"], "accepted");
    wahana.services.drain().await;
    assert_eq!(wahana.message(&lost).await.status, DeliveryStatus::Unknown);
}

#[tokio::test]
async fn an_event_that_comes_long_after_the_attempt_settles_it_too() {
    let scene = Scene::open().await;
    let attempted_at = scene.clock.now();
    let id = scene.lose("hello").await;
    scene.clock.advance(Duration::from_hours(3));
    let news = MessageNews {
        happened_at: attempted_at,
        ..scene.own("3EB0J", "hello")
    };
    scene.wahana.hear(&news).await;
    let message = scene.wahana.until(&id, DeliveryStatus::Sent).await;
    assert_eq!(message.reason, None, "what is known has no excuse any more");
}

#[tokio::test]
async fn what_may_be_another_message_settles_nothing() {
    let scene = Scene::open().await;
    let id = scene.lose("hello").await;
    let of_phone = MessageNews {
        is_from_api: false,
        ..scene.own("3EB0C", "hello")
    };
    let of_another_chat = MessageNews {
        chat_id: "15550001111@c.us".to_owned(),
        ..scene.own("3EB0D", "hello")
    };
    let of_another_kind = MessageNews {
        kind: MessageKind::Image,
        ..scene.own("3EB0E", "hello")
    };
    let of_long_ago = MessageNews {
        happened_at: scene.clock.now().minus(Duration::from_hours(1)),
        ..scene.own("3EB0F", "hello")
    };
    let of_another_text = scene.own("3EB0G", "hello?");
    for news in [
        of_phone,
        of_another_chat,
        of_another_kind,
        of_long_ago,
        of_another_text,
    ] {
        scene.wahana.hear(&news).await;
    }
    assert_eq!(scene.looked_for(&id).await.status, DeliveryStatus::Unknown);

    // Nor what may be one of two.
    let twin = scene.lose("hello").await;
    scene.wahana.hear(&scene.own("3EB0H", "hello")).await;
    assert_eq!(scene.looked_for(&id).await.status, DeliveryStatus::Unknown);
    assert_eq!(scene.looked_for(&twin).await.status, DeliveryStatus::Unknown);
}
