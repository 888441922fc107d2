use uuid::Uuid;
use waha_client::events::{EventEnvelope, EventNews, GroupChange as GroupNews};
use wahana_domain::{
    MessageId, SessionId,
    organization_event::{HealthChange, StatusChange},
};

use super::*;

const EVENT: Uuid = Uuid::from_u128(0x0197_2f4e_8a10_7c31_9b52_0d6e_11aa_1000);
const CHAT: &str = "15550001111@c.us";
const GROUP: &str = "120363000000000001@g.us";

/// What WAHA was recorded to send.
const RECORDED: [(&str, &str); 6] = [
    (
        SESSION_STATUS,
        include_str!("../../../../waha/src/events/fixtures/session.status.json"),
    ),
    (
        MESSAGE,
        include_str!("../../../../waha/src/events/fixtures/message.json"),
    ),
    (
        MESSAGE_ANY,
        include_str!("../../../../waha/src/events/fixtures/message.any.json"),
    ),
    (
        MESSAGE_ACK,
        include_str!("../../../../waha/src/events/fixtures/message.ack.json"),
    ),
    (
        CALL_RECEIVED,
        include_str!("../../../../waha/src/events/fixtures/call.received.json"),
    ),
    (
        GROUP_PARTICIPANTS,
        include_str!("../../../../waha/src/events/fixtures/group.v2.participants.json"),
    ),
];

fn progress(status: &str) -> MessageProgress {
    MessageProgress {
        status: status.to_owned(),
        previous_status: None,
    }
}

fn status_change(waha_status: Option<&str>) -> Happening {
    Happening::SessionStatus(StatusChange {
        status: "working".to_owned(),
        previous_status: "scan_qr".to_owned(),
        waha_status: waha_status.map(str::to_owned),
        reason: None,
    })
}

fn group_change(change: &str) -> Happening {
    Happening::GroupChanged(GroupChange {
        group_id: Some(GROUP.to_owned()),
        change: change.to_owned(),
    })
}

fn call() -> Happening {
    Happening::CallReceived(Call {
        call_id: Some("5A7C1E".to_owned()),
        from: Some(CHAT.to_owned()),
        is_video: true,
        is_group: false,
    })
}

fn incoming() -> DescribedMessage {
    DescribedMessage {
        id: MessageId::new(),
        session: SessionId::new(),
        waha_message_id: Some(format!("false_{CHAT}_3A18C2")),
        key: Some("3A18C2".to_owned()),
        chat_id: CHAT.to_owned(),
        direction: Direction::Incoming,
        kind: MessageKind::Text,
        sender: Some(CHAT.to_owned()),
        at: Timestamp::from_seconds(1_795_412_435),
        is_handed_in: false,
    }
}

fn outgoing() -> DescribedMessage {
    DescribedMessage {
        waha_message_id: Some(format!("true_{CHAT}_3EB0D4")),
        key: Some("3EB0D4".to_owned()),
        direction: Direction::Outgoing,
        sender: None,
        is_handed_in: true,
        ..incoming()
    }
}

fn rendered(
    name: &str,
    happening: &Happening,
    message: Option<&DescribedMessage>,
    text: Option<&str>,
) -> Option<String> {
    let number = PhoneNumber::from_digits("15551230001").unwrap();
    let event = SessionEvent {
        id: EventId::from(EVENT),
        happened_at: Timestamp::from_micros(1_795_412_436_789_012),
        session_name: "support",
        phone_number: Some(&number),
        happening,
        message,
        text,
        media: None,
    };
    render(name, &event)
}

/// One of each of the recorded ones.
fn example(name: &str) -> String {
    let (happening, message) = match name {
        SESSION_STATUS => (status_change(Some("WORKING")), None),
        MESSAGE => (Happening::MessageReceived(progress("received")), Some(incoming())),
        MESSAGE_ANY => (Happening::MessageSent(progress("accepted")), Some(outgoing())),
        MESSAGE_ACK => (Happening::MessageStatus(progress("sent")), Some(outgoing())),
        CALL_RECEIVED => (call(), None),
        _ => (group_change("participants"), None),
    };
    rendered(name, &happening, message.as_ref(), Some("hello from phone")).unwrap()
}

/// Whether everything is there that WAHA wrote, in the same kind of value or empty, and nothing else.
fn compare(ours: &Value, recorded: &Value, path: &str) {
    match (ours, recorded) {
        (Value::Object(ours), Value::Object(recorded)) => {
            let wanted: Vec<_> = recorded.keys().filter(|name| *name != "_data").collect();
            assert_eq!(ours.keys().collect::<Vec<_>>(), wanted, "{path}");
            for (name, ours) in ours {
                compare(ours, &recorded[name], &format!("{path}.{name}"));
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => assert_eq!(
            std::mem::discriminant(ours),
            std::mem::discriminant(recorded),
            "{path}: {ours}"
        ),
    }
}

#[test]
fn what_waha_writes_is_there() {
    for (name, recorded) in RECORDED {
        let ours: Value = serde_json::from_str(&example(name)).unwrap();
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        compare(&ours, &recorded, name);
        assert_eq!(ours["event"], name);
        assert_eq!(ours["session"], "support");
        assert_eq!(ours["timestamp"], 1_795_412_436_789_i64);
        assert_eq!(ours["me"]["id"], "15551230001@c.us");
    }
}

fn news<T>(body: &str, read: impl Fn(EventNews) -> Option<T>) -> T {
    let envelope = EventEnvelope::parse(body).unwrap();
    read(envelope.news().unwrap()).unwrap()
}

#[test]
fn a_client_of_wahas_understands_it() {
    let status = news(&example(SESSION_STATUS), |news| match news {
        EventNews::Status(news) => Some(news),
        _ => None,
    });
    assert_eq!(status.status.as_str(), "WORKING");
    for (name, from_me) in [(MESSAGE, false), (MESSAGE_ANY, true)] {
        let message = news(&example(name), |news| match news {
            EventNews::Message(news) => Some(news),
            _ => None,
        });
        assert_eq!((message.from_me, message.chat_id.as_str()), (from_me, CHAT));
        assert_eq!(message.timestamp, Some(1_795_412_435));
    }
    let ack = news(&example(MESSAGE_ACK), |news| match news {
        EventNews::Acknowledgement(news) => Some(news),
        _ => None,
    });
    assert_eq!((ack.ack, ack.from_me, ack.key.as_str()), (1, true, "3EB0D4"));
    let call = news(&example(CALL_RECEIVED), |news| match news {
        EventNews::Call(news) => Some(news),
        _ => None,
    });
    assert_eq!((call.from.as_deref(), call.is_video), (Some(CHAT), true));
    for (change, name, expected) in [
        ("joined", GROUP_JOIN, GroupNews::Joined),
        ("left", GROUP_LEAVE, GroupNews::Left),
        ("updated", GROUP_UPDATE, GroupNews::Updated),
        ("participants", GROUP_PARTICIPANTS, GroupNews::Participants),
    ] {
        let body = rendered(name, &group_change(change), None, None).unwrap();
        let group = news(&body, |news| match news {
            EventNews::GroupChange(news) => Some(news),
            _ => None,
        });
        assert_eq!((group.change, group.group_id.as_deref()), (expected, Some(GROUP)));
    }
}

#[test]
fn each_name_has_an_id_that_stays() {
    let received = Happening::MessageReceived(progress("received"));
    let message = incoming();
    let id = |name| {
        let body: Value =
            serde_json::from_str(&rendered(name, &received, Some(&message), None).unwrap()).unwrap();
        (body["id"].clone(), body["payload"]["id"].clone())
    };
    assert_eq!(id(MESSAGE), id(MESSAGE));
    assert_eq!(id(MESSAGE).0, "evt_01jwqmx2ggfgrspmgddr8tm400");
    assert_eq!(id(MESSAGE_ANY).0, "evt_01jwqmx2ggfgrspmgddr8tm401");
    assert_eq!(id(MESSAGE).1, id(MESSAGE_ANY).1);
}

#[test]
fn what_messages_say_is_there_if_it_is_kept() {
    let received = Happening::MessageReceived(progress("received"));
    let in_group = DescribedMessage {
        chat_id: GROUP.to_owned(),
        kind: MessageKind::Image,
        ..incoming()
    };
    for (text, expected) in [(Some("look"), json!("look")), (None, Value::Null)] {
        let body = rendered(MESSAGE, &received, Some(&in_group), text).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        let payload = &body["payload"];
        assert_eq!(payload["body"], expected);
        assert_eq!(
            (&payload["from"], &payload["participant"], &payload["hasMedia"]),
            (&json!(GROUP), &json!(CHAT), &json!(true))
        );
    }
}

#[test]
fn statuses_are_told_in_wahas_words() {
    let told = |happening: &Happening| {
        let body: Value =
            serde_json::from_str(&rendered(SESSION_STATUS, happening, None, None).unwrap()).unwrap();
        body["payload"].clone()
    };
    let stopped = told(&status_change(None));
    assert_eq!(
        (&stopped["name"], &stopped["status"]),
        (&json!("support"), &json!("STOPPED"))
    );
    assert_eq!(told(&Happening::SessionQr)["status"], "SCAN_QR_CODE");
    for (status, ack, word) in [
        ("failed", -1, "ERROR"),
        ("sent", 1, "SERVER"),
        ("delivered", 2, "DEVICE"),
        ("read", 3, "READ"),
    ] {
        let happening = Happening::MessageStatus(progress(status));
        let body = rendered(MESSAGE_ACK, &happening, Some(&outgoing()), None).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&body["payload"]["ack"], &body["payload"]["ackName"]),
            (&json!(ack), &json!(word))
        );
    }
}

#[test]
fn what_waha_does_not_tell_is_not_told() {
    let health = HealthChange {
        health_status: "healthy".to_owned(),
        previous_health_status: "unknown".to_owned(),
        reason: "It works.".to_owned(),
    };
    let refused = MessageProgress {
        previous_status: Some("sending".to_owned()),
        ..progress("failed")
    };
    let silent = [
        Happening::MessageStatus(refused),
        Happening::SessionCreated,
        Happening::SessionDeleted,
        Happening::SessionHealth(health),
        Happening::MessageStatus(progress("queued")),
        Happening::MessageStatus(progress("accepted")),
        Happening::MessageStatus(progress("expired")),
    ];
    for happening in silent {
        assert!(names(&happening).is_empty(), "{happening:?}");
        for name in NAMES {
            assert_eq!(rendered(name, &happening, Some(&outgoing()), None), None);
        }
    }
    // Deleted meanwhile, or never taken by WAHA.
    let failed = Happening::MessageStatus(progress("failed"));
    let not_taken = DescribedMessage {
        waha_message_id: None,
        ..outgoing()
    };
    for message in [None, Some(&not_taken)] {
        assert_eq!(rendered(MESSAGE_ACK, &failed, message, None), None);
    }
    for happening in [status_change(None), call(), group_change("joined"), failed] {
        assert!(names(&happening).iter().all(|name| NAMES.contains(name)));
        assert_eq!(rendered("message.revoked", &happening, None, None), None);
    }
}
