//! Messages, chats, contacts and groups: one shape, in parts, and nothing of WAHA's own.

use serde_json::{Value, json};
use waha_sim::{ChatSeed, Engine, Fault, FaultKind, IncomingMessage, WahaSim};

use crate::wahana::{Setup, Wahana};

const CHAT: &str = "6281234567890@c.us";
const BEGIN: u64 = 1_790_000_000;

/// wahana with a chat of `count` messages, each a second after the one before; every third is our own.
async fn with_messages(engine: Engine, count: u64) -> Wahana {
    let wahana = Wahana::with(
        WahaSim::builder().engine(engine).contacts_per_session(30),
        Setup::default(),
    )
    .await;
    let mut chat = ChatSeed::new(CHAT).name("Budi");
    for number in 0..count {
        chat = chat.message(number % 3 == 0, BEGIN + number, &format!("text {number}"));
    }
    let name = wahana.session.waha.name.as_str();
    wahana.sim.seed_chats(name, vec![chat]).unwrap();
    wahana
}

/// Every element of a list, part by part; and how many parts there were.
async fn walk(wahana: &Wahana, path: &str) -> (Vec<Value>, usize) {
    let (mut all, mut parts, mut next) = (Vec::new(), 0, path.to_owned());
    loop {
        let answer = wahana.get(&next).await;
        let found = answer.data();
        all.extend(found.as_array().unwrap().clone());
        parts += 1;
        match answer.json()["meta"]["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => return (all, parts),
        }
    }
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn messages_have_one_shape_whatever_the_engine() {
    for engine in [Engine::Noweb, Engine::Gows, Engine::Webjs] {
        let wahana = with_messages(engine, 1).await;
        let waha_name = wahana.session.waha.name.as_str();
        let file = IncomingMessage::text(CHAT, "below").with_media("application/pdf", Some("a.pdf"), "12345");
        wahana.sim.receive_message(waha_name, file).unwrap();
        let answer = wahana.get(&format!("messages?chat_id={CHAT}")).await;
        let messages = answer.data();
        let (received, sent) = (&messages[0], &messages[1]);
        for message in [received, sent] {
            assert_eq!(
                names(message),
                [
                    "chat_id",
                    "direction",
                    "id",
                    "media",
                    "reply_to",
                    "sender",
                    "session_id",
                    "status",
                    "text",
                    "timestamp",
                    "type",
                    "waha_message_id"
                ],
                "{engine:?}"
            );
            assert_eq!(message["session_id"], wahana.session.id.to_string(), "{engine:?}");
            assert_eq!(message["chat_id"], CHAT, "{engine:?}");
            assert_eq!(message["id"], message["waha_message_id"], "{engine:?}");
        }
        assert_eq!(
            (
                &sent["direction"],
                &sent["type"],
                &sent["text"],
                &sent["sender"],
                &sent["timestamp"]
            ),
            (
                &json!("outgoing"),
                &json!("text"),
                &json!("text 0"),
                &Value::Null,
                &json!("2026-09-21T14:13:20.000000Z")
            ),
            "{engine:?}"
        );
        assert_eq!(
            (
                &received["direction"],
                &received["type"],
                &received["text"],
                &received["sender"]
            ),
            (
                &json!("incoming"),
                &json!("document"),
                &json!("below"),
                &json!(CHAT)
            ),
            "{engine:?}"
        );
        assert_eq!(
            names(&received["media"]),
            ["filename", "mimetype", "size", "state"],
            "{engine:?}"
        );
        // Without downloading it, the simulated GOWS and WEBJS say nothing of a file.
        if engine == Engine::Noweb {
            assert_eq!(received["media"]["mimetype"], "application/pdf");
            assert_eq!(received["media"]["size"], 5);
        }
        let word = sent["status"].as_str().unwrap();
        assert!(
            ["pending", "sent", "delivered", "read", "played"].contains(&word),
            "{engine:?}"
        );

        assert_is_ours(&wahana, &answer.text);
    }
}

/// Nothing of WAHA's own is in the answer.
fn assert_is_ours(wahana: &Wahana, answer: &str) {
    let waha_name = wahana.session.waha.name.as_str();
    for inner in [waha_name, &wahana.sim.base_url(), "/api/files/"] {
        assert!(!answer.contains(inner), "{answer}");
    }
}

#[tokio::test]
async fn chats_contacts_and_groups_have_one_shape_whatever_the_engine() {
    for engine in [Engine::Noweb, Engine::Gows, Engine::Webjs] {
        let wahana = with_messages(engine, 1).await;
        for (path, shape) in [
            (
                "chats",
                vec!["id", "last_message_at", "name", "picture_url", "unread_count"],
            ),
            (
                "contacts",
                vec!["id", "is_business", "name", "phone_number", "push_name"],
            ),
            (
                "groups",
                vec![
                    "created_at",
                    "description",
                    "id",
                    "name",
                    "owner",
                    "participant_count",
                ],
            ),
        ] {
            let answer = wahana.get(path).await;
            let list = answer.data();
            let list = list.as_array().unwrap();
            assert!(!list.is_empty(), "{engine:?} {path}");
            for element in list {
                assert_eq!(names(element), shape, "{engine:?} {path}");
                let id = element["id"].as_str().unwrap();
                assert!(
                    id.contains('@') && !id.ends_with("@s.whatsapp.net"),
                    "{engine:?} {path} {id}"
                );
            }
            assert_is_ours(&wahana, &answer.text);
        }
        let chats = wahana.get("chats").await.data();
        assert_eq!(
            (&chats[0]["id"], &chats[0]["name"]),
            (&json!(CHAT), &json!("Budi")),
            "{engine:?}"
        );
        let contact = wahana.get("contacts").await.data()[0].take();
        let digits = contact["id"].as_str().unwrap().trim_end_matches("@c.us");
        assert_eq!(contact["phone_number"], format!("+{digits}"), "{engine:?}");
        assert!(
            wahana.get("groups").await.data()[0]["participant_count"].as_u64() > Some(0),
            "{engine:?}"
        );
    }
}

#[tokio::test]
async fn lists_are_read_part_by_part_to_their_end() {
    let wahana = with_messages(Engine::Noweb, 25).await;
    let (messages, parts) = walk(&wahana, &format!("messages?chat_id={CHAT}&limit=10")).await;
    let texts: Vec<&str> = messages
        .iter()
        .map(|message| message["text"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (0..25).rev().map(|number| format!("text {number}")).collect();
    assert_eq!((texts, parts), (expected.iter().map(String::as_str).collect(), 3));
    // Exactly full parts are followed by none.
    let (messages, parts) = walk(&wahana, &format!("messages?chat_id={CHAT}&limit=5")).await;
    assert_eq!((messages.len(), parts), (25, 5));
    let (contacts, parts) = walk(&wahana, "contacts?limit=7").await;
    let mut ids: Vec<&str> = contacts
        .iter()
        .map(|contact| contact["id"].as_str().unwrap())
        .collect();
    ids.dedup();
    assert_eq!((ids.len(), parts), (contacts.len(), contacts.len().div_ceil(7)));
    let before = wahana.sim.counts().total;
    wahana.get("contacts?limit=7").await.data();
    assert_eq!(wahana.sim.counts().total, before + 1, "a read is one call");
}

#[tokio::test]
async fn messages_are_filtered_by_direction_and_time() {
    let wahana = with_messages(Engine::Noweb, 9).await;
    let texts = async |filter: &str| {
        let found = wahana
            .get(&format!("messages?chat_id={CHAT}{filter}"))
            .await
            .data();
        let texts = found.as_array().unwrap().iter();
        texts
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts("&direction=outgoing").await, ["text 6", "text 3", "text 0"]);
    assert_eq!(texts("&direction=incoming&limit=2").await, ["text 8", "text 7"]);
    assert_eq!(
        texts("&since=2026-09-21T14:13:22Z&until=2026-09-21T14:13:24Z").await,
        ["text 4", "text 3", "text 2"]
    );
    assert_eq!(
        texts("&since=2026-09-21T14:13:22.5Z&until=2026-09-21T14:13:24.5Z").await,
        ["text 4", "text 3"]
    );
    assert_eq!(texts("&since=2026-09-21T21:13:28%2B07:00").await, ["text 8"]);
}

#[tokio::test]
async fn a_cursor_is_for_its_own_list() {
    let wahana = with_messages(Engine::Noweb, 9).await;
    let list = format!("messages?chat_id={CHAT}&limit=2");
    let cursor = wahana.get(&list).await.json()["meta"]["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    wahana.get(&format!("{list}&cursor={cursor}")).await.data();
    // The size of the parts may change on the way.
    wahana
        .get(&format!("messages?chat_id={CHAT}&limit=3&cursor={cursor}"))
        .await
        .data();
    let mut tampered = cursor.clone().into_bytes();
    tampered[5] = if tampered[5] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    let asked = wahana.sim.counts().total;
    for path in [
        format!("{list}&cursor={tampered}"),
        format!("{list}&cursor="),
        format!("{list}&cursor=2"),
        format!("{list}&direction=incoming&cursor={cursor}"),
        format!("messages?chat_id=6289999999999@c.us&limit=2&cursor={cursor}"),
        format!("chats?cursor={cursor}"),
        format!("contacts?cursor={cursor}"),
        format!("groups?cursor={cursor}"),
    ] {
        assert_eq!(wahana.get(&path).await.faults(), ["cursor"], "{path}");
    }
    assert_eq!(wahana.sim.counts().total, asked);
}

#[tokio::test]
async fn faulty_parameters_are_named() {
    let wahana = Wahana::start().await;
    for (path, fields) in [
        (
            "messages?limit=0&direction=up&cursor=x",
            vec!["cursor", "direction", "limit"],
        ),
        ("messages?chat_id=nobody", vec!["chat_id"]),
        ("messages?chat_id=1@c.us&limit=0", vec!["chat_id", "limit"]),
        ("messages?chat_id=6281234567890@c.us&limit=101", vec!["limit"]),
        ("messages?chat_id=6281234567890@c.us&limit=-1", vec!["limit"]),
        ("messages?chat_id=6281234567890@c.us&limit=x", vec!["limit"]),
        (
            "messages?chat_id=6281234567890@c.us&direction=up",
            vec!["direction"],
        ),
        (
            "messages?chat_id=6281234567890@c.us&since=yesterday&until=now",
            vec!["since", "until"],
        ),
        (
            "messages?chat_id=6281234567890@c.us&since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            vec!["until"],
        ),
        (
            "messages?chat_id=6281234567890@c.us&session=other",
            vec!["session"],
        ),
        ("chats?limit=101", vec!["limit"]),
        ("contacts?offset=3", vec!["offset"]),
        ("groups?limit=1&limit=2", vec!["limit"]),
    ] {
        assert_eq!(wahana.get(path).await.faults(), fields, "{path}");
    }
    assert_eq!(wahana.sim.counts().session(wahana.session.waha.name.as_str()), 0);
}

#[tokio::test]
async fn numbers_in_queries_are_read() {
    let wahana = Wahana::start().await;
    assert_eq!(wahana.get("qr?wait=1").await.data()["connected"], true);
    assert_eq!(wahana.get("qr?wait=21").await.faults(), ["wait"]);
}

#[tokio::test]
async fn without_nowebs_store_the_answer_says_what_to_change() {
    let setup = Setup {
        without_store: true,
        ..Setup::default()
    };
    let wahana = Wahana::with(WahaSim::builder(), setup).await;
    for path in ["chats", "contacts", "messages?chat_id=6281234567890@c.us"] {
        let answer = wahana.get(path).await;
        assert_eq!(answer.refusal(), (502, "WAHA_ERROR".to_owned()), "{path}");
        assert!(answer.text.contains("noweb.store.enabled"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_waha_that_fails_is_not_passed_on() {
    for (kind, refusal) in [
        (FaultKind::Status(500), (502, "WAHA_ERROR")),
        (FaultKind::Html(502), (502, "WAHA_ERROR")),
        (FaultKind::Garbage, (502, "WAHA_ERROR")),
        (FaultKind::CloseBefore, (504, "WAHA_TIMEOUT")),
    ] {
        let wahana = Wahana::start().await;
        wahana.get("contacts").await.data();
        wahana
            .sim
            .set_fault(Fault::new(kind.clone()).on_path("/api/contacts"));
        let answer = wahana.get("contacts").await;
        assert_eq!(answer.refusal(), (refusal.0, refusal.1.to_owned()), "{kind:?}");
        let inner = [
            wahana.session.waha.name.as_str(),
            "stack",
            "<html",
            &wahana.sim.base_url(),
        ];
        assert!(
            inner.iter().all(|inner| !answer.text.contains(inner)),
            "{}",
            answer.text
        );
    }
    let wahana = Wahana::start().await;
    wahana.get("contacts").await.data();
    wahana.sim.go_away().await;
    assert_eq!(
        wahana.get("contacts").await.refusal(),
        (503, "WAHA_UNAVAILABLE".to_owned())
    );
}
