//! What the catalogue of events says is what is told.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};
use uuid::Uuid;
use wahana_domain::{
    Direction, EventType, Happening, MessageId, MessageKind, OrganizationId, SessionId, SessionName,
    Timestamp, WebhookEndpointId,
    organization_event::{Call, DisabledEndpoint, GroupChange, HealthChange, MessageProgress, StatusChange},
};
use wahana_store::{messages::DescribedMessage, organization_events::WrittenEvent};

use super::{
    body::{MediaBody, described_data},
    render::Referred,
};

const ORGANIZATION: Uuid = Uuid::from_u128(0x0197_2f4e_8a10_7c31_9b52_0d6e_11aa_0001);
const SESSION: Uuid = Uuid::from_u128(0x0197_2f4e_8a10_7c31_9b52_0d6e_11aa_0002);
const MESSAGE: Uuid = Uuid::from_u128(0x0197_2f4e_8a10_7c31_9b52_0d6e_11aa_0003);
const ENDPOINT: Uuid = Uuid::from_u128(0x0197_2f4e_8a10_7c31_9b52_0d6e_11aa_0004);
const EVENT: u128 = 0x0197_2f4e_8a10_7c31_9b52_0d6e_11aa_1000;

fn happenings() -> Vec<Happening> {
    let progress = |status: &str, before: Option<&str>| MessageProgress {
        status: status.to_owned(),
        previous_status: before.map(str::to_owned),
    };
    vec![
        Happening::SessionCreated,
        Happening::SessionDeleted,
        Happening::SessionStatus(StatusChange {
            status: "working".to_owned(),
            previous_status: "scan_qr".to_owned(),
            waha_status: Some("WORKING".to_owned()),
            reason: None,
        }),
        Happening::SessionHealth(HealthChange {
            health_status: "healthy".to_owned(),
            previous_health_status: "unknown".to_owned(),
            reason: "The session is connected to WhatsApp.".to_owned(),
        }),
        Happening::SessionQr,
        Happening::MessageReceived(progress("received", None)),
        Happening::MessageSent(progress("accepted", None)),
        Happening::MessageStatus(progress("delivered", Some("sent"))),
        Happening::CallReceived(Call {
            call_id: Some("5A7C1E".to_owned()),
            from: Some("15550001111@c.us".to_owned()),
            is_video: false,
            is_group: false,
        }),
        Happening::GroupChanged(GroupChange {
            group_id: Some("120363000000000001@g.us".to_owned()),
            change: "participants".to_owned(),
        }),
        Happening::WebhookEndpointDisabled(DisabledEndpoint {
            endpoint_id: WebhookEndpointId::from(ENDPOINT),
            reason: "Nothing could be delivered for five days.".to_owned(),
        }),
    ]
}

fn message(direction: Direction) -> DescribedMessage {
    let is_incoming = direction == Direction::Incoming;
    let (prefix, key) = if is_incoming {
        ("false", "3A18C2")
    } else {
        ("true", "3EB0D4")
    };
    DescribedMessage {
        id: MessageId::from(MESSAGE),
        session: SessionId::from(SESSION),
        waha_message_id: Some(format!("{prefix}_15550001111@c.us_{key}")),
        key: Some(key.to_owned()),
        chat_id: "15550001111@c.us".to_owned(),
        direction,
        kind: if is_incoming {
            MessageKind::Text
        } else {
            MessageKind::Document
        },
        sender: is_incoming.then(|| "15550001111@c.us".to_owned()),
        at: Timestamp::from_seconds(1_795_412_435),
        is_handed_in: !is_incoming,
    }
}

fn media() -> MediaBody {
    let url = "https://wahana.example.com/media/01972f4e-8a10-7c31-9b52-0d6e11aa0001/\
        01972f4e-8a10-7c31-9b52-0d6e11aa0005?expires=1795416037&signature=1.6f1d";
    MediaBody {
        state: "stored",
        mimetype: "application/pdf".to_owned(),
        filename: Some("offer.pdf".to_owned()),
        size: Some(48_213),
        url: Some(url.to_owned()),
    }
}

fn referred(direction: Direction) -> Referred {
    Referred::with(
        OrganizationId::from(ORGANIZATION),
        [(SessionId::from(SESSION), SessionName::parse("support").unwrap())],
        [message(direction)],
        [(MessageId::from(MESSAGE), "Good morning, is it open?".to_owned())],
        (direction == Direction::Outgoing).then(|| (MessageId::from(MESSAGE), media())),
    )
}

fn written(number: i64, happening: &Happening) -> WrittenEvent {
    let event_type = happening.event_type();
    let word = event_type.as_str();
    WrittenEvent {
        number,
        id: Uuid::from_u128(EVENT + u128::try_from(number).unwrap()).into(),
        event_type: word.to_owned(),
        session: (!word.starts_with("webhook.")).then(|| SessionId::from(SESSION)),
        message: word.starts_with("message.").then(|| MessageId::from(MESSAGE)),
        data: happening.to_json().unwrap(),
        happened_at: Timestamp::from_seconds(1_795_412_436),
        created_at: Timestamp::from_seconds(1_795_412_437),
    }
}

/// An event of each type, rendered.
fn examples() -> Vec<(EventType, Value)> {
    (41..)
        .zip(happenings())
        .map(|(number, happening)| {
            let event_type = happening.event_type();
            let direction = match event_type {
                EventType::MessageReceived => Direction::Incoming,
                _ => Direction::Outgoing,
            };
            let rendered = referred(direction).render(&written(number, &happening)).unwrap();
            assert_eq!(rendered.event_type, Some(event_type));
            (event_type, serde_json::from_str(&rendered.json).unwrap())
        })
        .collect()
}

/// The example below a type's heading.
fn shown(catalogue: &str, event_type: EventType) -> Option<Value> {
    let section = catalogue
        .split(&format!("\n### `{}`\n", event_type.as_str()))
        .nth(1)?;
    let example = section.split("```json\n").nth(1)?.split("```").next()?;
    serde_json::from_str(example).ok()
}

#[test]
fn the_catalogue_shows_an_example_of_each_type_as_it_is_told() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    let catalogue = std::fs::read_to_string(path).unwrap();
    for (event_type, example) in examples() {
        assert_eq!(
            shown(&catalogue, event_type),
            Some(example.clone()),
            "docs/events.md should show under `{}`:\n{example:#}",
            event_type.as_str()
        );
    }
}

/// The names of an object's fields, those of them that are always there, and of those within.
fn check(schema: &Value, value: &Value, path: &str) {
    let Some(object) = value.as_object() else { return };
    let schema = schema
        .get("oneOf")
        .and_then(|either| {
            either
                .as_array()?
                .iter()
                .find(|one| one.get("properties").is_some())
        })
        .unwrap_or(schema);
    let none = json!({});
    let properties = schema.get("properties").unwrap_or(&none).as_object().unwrap();
    let described: BTreeSet<&String> = properties.keys().collect();
    let found: BTreeSet<&String> = object.keys().collect();
    assert_eq!(found, described, "the fields of {path}");
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    assert_eq!(
        required,
        described.len(),
        "the fields of {path} that are always there"
    );
    for (name, value) in object {
        check(&properties[name], value, &format!("{path}.{name}"));
    }
}

#[test]
fn the_data_of_each_type_is_described_as_it_is_told() {
    for (event_type, example) in examples() {
        let schema = serde_json::to_value(described_data(event_type)).unwrap();
        check(&schema, &example["data"], event_type.as_str());
    }
}

#[test]
fn a_message_that_is_not_kept_any_more_is_told_of_without_what_it_was() {
    let referred = Referred::with(OrganizationId::from(ORGANIZATION), [], [], [], []);
    let progress = MessageProgress {
        status: "read".to_owned(),
        previous_status: Some("delivered".to_owned()),
    };
    let rendered = referred
        .render(&written(7, &Happening::MessageStatus(progress)))
        .unwrap();
    let body: Value = serde_json::from_str(&rendered.json).unwrap();
    assert_eq!(
        body["data"],
        json!({
            "message_id": MESSAGE.to_string(), "status": "read", "previous_status": "delivered", "message": null,
        })
    );
    assert_eq!(body["session_name"], Value::Null);
}

#[test]
fn a_type_that_a_newer_release_wrote_has_a_number_and_no_body() {
    let mut event = written(7, &Happening::SessionQr);
    event.event_type = "session.teleported".to_owned();
    let rendered = referred(Direction::Incoming).render(&event).unwrap();
    assert_eq!((rendered.number, rendered.event_type), (7, None));
    assert!(rendered.json.is_empty());
}
