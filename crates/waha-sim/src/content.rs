//! What a simulated phone has on it: contacts, chats with a little history, one group. All of it is generated, says so
//! by its names, and uses numbers of the unassigned +1 555 area.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::messages::{Message, jid};

/// How many messages a generated chat starts with.
const HISTORY: u64 = 3;
/// How long before pairing the newest generated message was written, in seconds.
const HISTORY_AGE: u64 = 3600;

/// Somebody in the phone's address book.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) push_name: String,
}

/// A group the phone is in.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) subject: String,
    /// Seconds since 1970.
    pub(crate) creation: u64,
    /// Ids in outward form; the first one is the group's owner.
    pub(crate) participants: Vec<String>,
}

impl Group {
    /// The group as NOWEB writes it.
    pub(crate) fn to_noweb(&self, with_participants: bool) -> Value {
        let mut group = json!({
            "id": self.id,
            "subject": self.subject,
            "owner": null,
            "creation": self.creation,
            "size": self.participants.len(),
            "addressingMode": "pn",
        });
        if with_participants {
            group["participants"] = self
                .participants
                .iter()
                .enumerate()
                .map(|(index, id)| json!({"id": jid(id), "admin": (index == 0).then_some("superadmin")}))
                .collect();
        }
        group
    }

    /// The participants in WAHA's own shape, which is the same for every engine.
    pub(crate) fn participants_v2(&self) -> Value {
        self.participants
            .iter()
            .enumerate()
            .map(|(index, id)| json!({"id": id, "role": if index == 0 { "superadmin" } else { "participant" }}))
            .collect()
    }
}

/// One chat: its name, if it has one of its own, and its messages, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chat {
    pub(crate) name: Option<String>,
    pub(crate) messages: Vec<Message>,
}

impl Chat {
    pub(crate) fn last_timestamp(&self) -> u64 {
        self.messages.last().map_or(0, |message| message.timestamp)
    }
}

/// Everything on one phone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) contacts: Vec<Contact>,
    pub(crate) chats: BTreeMap<String, Chat>,
    pub(crate) groups: Vec<Group>,
}

impl Content {
    /// The same number of contacts always gives the same content, apart from its times.
    pub(crate) fn generate(contacts: u32, paired_at: u64) -> Self {
        let contacts: Vec<Contact> = (1..=contacts)
            .map(|number| Contact {
                id: contact_id(number),
                name: format!("Contact {number}"),
                push_name: format!("c{number}"),
            })
            .collect();
        let groups = if contacts.len() < 2 {
            Vec::new()
        } else {
            vec![Group {
                id: "120363000000000001@g.us".to_owned(),
                subject: "Group 1".to_owned(),
                creation: 1_700_000_000,
                participants: contacts
                    .iter()
                    .take(5)
                    .map(|contact| contact.id.clone())
                    .collect(),
            }]
        };
        let newest = paired_at.saturating_sub(HISTORY_AGE);
        let mut chats = BTreeMap::new();
        for (index, contact) in (0u64..).zip(&contacts) {
            let messages = (1..=HISTORY)
                .map(|number| {
                    let text = format!("Message {number} with {}", contact.name);
                    let timestamp = newest.saturating_sub(index * 60 + (HISTORY - number));
                    let id = format!("HIST{index:010}{number:04}");
                    let mut message =
                        Message::text(id, contact.id.clone(), number % 2 == 0, timestamp, &text);
                    message.ack = crate::messages::Ack::Device;
                    message
                })
                .collect();
            chats.insert(
                contact.id.clone(),
                Chat {
                    name: Some(contact.name.clone()),
                    messages,
                },
            );
        }
        Self {
            contacts,
            chats,
            groups,
        }
    }

    pub(crate) fn contact(&self, id: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.id == id)
    }

    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// What the overview calls a chat.
    pub(crate) fn chat_name(&self, id: &str) -> Option<String> {
        self.chats
            .get(id)
            .and_then(|chat| chat.name.clone())
            .or_else(|| self.contact(id).map(|contact| contact.name.clone()))
            .or_else(|| self.group(id).map(|group| group.subject.clone()))
    }

    /// Puts a message into its chat, making the chat if need be. Never looks for an equal id: WAHA does not either.
    pub(crate) fn add_message(&mut self, message: Message) {
        let messages = &mut self.chats.entry(message.chat.clone()).or_default().messages;
        let place = messages.partition_point(|other| other.timestamp <= message.timestamp);
        messages.insert(place, message);
    }
}

/// The number of a generated contact.
pub(crate) fn contact_id(number: u32) -> String {
    format!("15550{:06}@c.us", u64::from(number) * 1_111)
}

/// Bytes that stand in for a file that was given by address, which the simulator never fetches.
pub(crate) fn placeholder_file() -> Bytes {
    Bytes::from_static(&[b'.'; 1234])
}
