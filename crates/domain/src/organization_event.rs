//! What happens in an organization, as it is written down to be told to the organization: by its event stream and
//! its webhooks.
//!
//! Only what cannot be looked up any more when it is told is kept with an event. What a message says is kept in one
//! place, and never here.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Ability, MessageId, SessionId, Timestamp, WebhookEndpointId, words::words};

/// The types of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// A session was made, or assigned to the organization.
    SessionCreated,
    /// A session was deleted.
    SessionDeleted,
    /// A session went from one status to another.
    SessionStatus,
    /// A session does better or worse than before.
    SessionHealth,
    /// A session has a new code to be scanned.
    SessionQr,
    /// A message came in.
    MessageReceived,
    /// A message was sent, through wahana or from the phone.
    MessageSent,
    /// A message that was sent, or is to be, went from one status to another.
    MessageStatus,
    /// Somebody calls.
    CallReceived,
    /// A group, or who is in it, changed.
    GroupChanged,
    /// Events are not delivered to an endpoint any more.
    WebhookEndpointDisabled,
}

words!(EventType {
    SessionCreated => "session.created",
    SessionDeleted => "session.deleted",
    SessionStatus => "session.status",
    SessionHealth => "session.health",
    SessionQr => "session.qr",
    MessageReceived => "message.received",
    MessageSent => "message.sent",
    MessageStatus => "message.status",
    CallReceived => "call.received",
    GroupChanged => "group.changed",
    WebhookEndpointDisabled => "webhook.endpoint_disabled",
});

impl EventType {
    /// The version of what events of this type say. It rises when a field goes away or changes its meaning, not
    /// when one is added.
    #[must_use]
    pub const fn version(self) -> u32 {
        1
    }

    /// What one must be allowed to do to be told of it.
    #[must_use]
    pub const fn ability(self) -> Ability {
        match self {
            Self::SessionCreated
            | Self::SessionDeleted
            | Self::SessionStatus
            | Self::SessionHealth
            | Self::SessionQr => Ability::SessionsRead,
            Self::MessageReceived | Self::MessageSent | Self::MessageStatus | Self::CallReceived => {
                Ability::MessagesRead
            }
            Self::GroupChanged => Ability::ContactsRead,
            Self::WebhookEndpointDisabled => Ability::WebhooksManage,
        }
    }
}

/// A session went from one status to another. The words are those of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// The new status.
    pub status: String,
    /// The one before.
    pub previous_status: String,
    /// WAHA's word for the new one; `None` if WAHA does not know the session any more.
    pub waha_status: Option<String>,
    /// What is wrong, or what is to be done.
    pub reason: Option<String>,
}

/// A session does better or worse than before. The words are those of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChange {
    /// How well it does.
    pub health_status: String,
    /// How well it did before.
    pub previous_health_status: String,
    /// Why, in words.
    pub reason: String,
}

/// How far a message had come. What else is known of it is looked up when it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageProgress {
    /// How far.
    pub status: String,
    /// How far before; `None` if it was not known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_status: Option<String>,
}

/// Somebody calls.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// WhatsApp's id of the call, if it has one.
    pub call_id: Option<String>,
    /// Who calls, as a chat id, if that is known.
    pub from: Option<String>,
    /// Whether with a picture.
    pub is_video: bool,
    /// Whether it is a group's.
    pub is_group: bool,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

/// A group, or who is in it, changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChange {
    /// The group's id, if it is known.
    pub group_id: Option<String>,
    /// What happened: `joined`, `left`, `updated` or `participants`.
    pub change: String,
}

/// Events are not delivered to an endpoint any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisabledEndpoint {
    /// The endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// Why, in words.
    pub reason: String,
}

/// What happened, as far as it is kept with the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// See [`EventType::SessionCreated`].
    SessionCreated,
    /// See [`EventType::SessionDeleted`].
    SessionDeleted,
    /// See [`EventType::SessionStatus`].
    SessionStatus(StatusChange),
    /// See [`EventType::SessionHealth`].
    SessionHealth(HealthChange),
    /// See [`EventType::SessionQr`].
    SessionQr,
    /// See [`EventType::MessageReceived`].
    MessageReceived(MessageProgress),
    /// See [`EventType::MessageSent`].
    MessageSent(MessageProgress),
    /// See [`EventType::MessageStatus`].
    MessageStatus(MessageProgress),
    /// See [`EventType::CallReceived`].
    CallReceived(Call),
    /// See [`EventType::GroupChanged`].
    GroupChanged(GroupChange),
    /// See [`EventType::WebhookEndpointDisabled`].
    WebhookEndpointDisabled(DisabledEndpoint),
}

/// What is kept with an event is not what its type says.
#[derive(Debug, thiserror::Error)]
#[error("what is kept of it is not what events of its type have: {0}")]
pub struct UnreadableHappening(#[from] serde_json::Error);

impl Happening {
    /// Of which type the event is.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::SessionCreated => EventType::SessionCreated,
            Self::SessionDeleted => EventType::SessionDeleted,
            Self::SessionStatus(_) => EventType::SessionStatus,
            Self::SessionHealth(_) => EventType::SessionHealth,
            Self::SessionQr => EventType::SessionQr,
            Self::MessageReceived(_) => EventType::MessageReceived,
            Self::MessageSent(_) => EventType::MessageSent,
            Self::MessageStatus(_) => EventType::MessageStatus,
            Self::CallReceived(_) => EventType::CallReceived,
            Self::GroupChanged(_) => EventType::GroupChanged,
            Self::WebhookEndpointDisabled(_) => EventType::WebhookEndpointDisabled,
        }
    }

    /// What is kept, as JSON.
    ///
    /// # Errors
    ///
    /// Never for what is in here: texts and numbers can always be written.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::SessionCreated | Self::SessionDeleted | Self::SessionQr => Ok("{}".to_owned()),
            Self::SessionStatus(change) => serde_json::to_string(change),
            Self::SessionHealth(change) => serde_json::to_string(change),
            Self::MessageReceived(progress) | Self::MessageSent(progress) | Self::MessageStatus(progress) => {
                serde_json::to_string(progress)
            }
            Self::CallReceived(call) => serde_json::to_string(call),
            Self::GroupChanged(change) => serde_json::to_string(change),
            Self::WebhookEndpointDisabled(disabled) => serde_json::to_string(disabled),
        }
    }

    /// Reads what is kept.
    pub fn parse(event_type: EventType, json: &str) -> Result<Self, UnreadableHappening> {
        fn read<T: DeserializeOwned>(
            json: &str,
            of: impl Fn(T) -> Happening,
        ) -> Result<Happening, UnreadableHappening> {
            Ok(of(serde_json::from_str(json)?))
        }
        match event_type {
            EventType::SessionCreated => Ok(Self::SessionCreated),
            EventType::SessionDeleted => Ok(Self::SessionDeleted),
            EventType::SessionQr => Ok(Self::SessionQr),
            EventType::SessionStatus => read(json, Self::SessionStatus),
            EventType::SessionHealth => read(json, Self::SessionHealth),
            EventType::MessageReceived => read(json, Self::MessageReceived),
            EventType::MessageSent => read(json, Self::MessageSent),
            EventType::MessageStatus => read(json, Self::MessageStatus),
            EventType::CallReceived => read(json, Self::CallReceived),
            EventType::GroupChanged => read(json, Self::GroupChanged),
            EventType::WebhookEndpointDisabled => read(json, Self::WebhookEndpointDisabled),
        }
    }
}

/// Something that happened, to be written down in the transaction in which it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrganizationEvent {
    /// The session that it is about; `None` for what concerns the organization.
    pub session: Option<SessionId>,
    /// The message that it is about.
    pub message: Option<MessageId>,
    /// When it happened.
    pub happened_at: Timestamp,
    /// What happened.
    pub happening: Happening,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Vec<Happening> {
        let progress = MessageProgress {
            status: "delivered".to_owned(),
            previous_status: Some("sent".to_owned()),
        };
        vec![
            Happening::SessionCreated,
            Happening::SessionDeleted,
            Happening::SessionStatus(StatusChange {
                status: "working".to_owned(),
                previous_status: "connecting".to_owned(),
                waha_status: Some("WORKING".to_owned()),
                reason: None,
            }),
            Happening::SessionHealth(HealthChange {
                health_status: "healthy".to_owned(),
                previous_health_status: "unknown".to_owned(),
                reason: "The session is connected.".to_owned(),
            }),
            Happening::SessionQr,
            Happening::MessageReceived(MessageProgress {
                previous_status: None,
                ..progress.clone()
            }),
            Happening::MessageSent(progress.clone()),
            Happening::MessageStatus(progress),
            Happening::CallReceived(Call {
                call_id: None,
                from: Some("15550001111@c.us".to_owned()),
                is_video: true,
                is_group: false,
            }),
            Happening::GroupChanged(GroupChange {
                group_id: Some("120363000000000001@g.us".to_owned()),
                change: "joined".to_owned(),
            }),
            Happening::WebhookEndpointDisabled(DisabledEndpoint {
                endpoint_id: WebhookEndpointId::new(),
                reason: "It failed for five days.".to_owned(),
            }),
        ]
    }

    #[test]
    fn what_is_kept_of_each_type_is_read_again() {
        let types: Vec<_> = examples().iter().map(Happening::event_type).collect();
        assert_eq!(types, EventType::ALL);
        for happening in examples() {
            let json = happening.to_json().unwrap();
            let read = Happening::parse(happening.event_type(), &json).unwrap();
            assert_eq!(read, happening, "{json}");
        }
        assert!(Happening::parse(EventType::SessionStatus, "{}").is_err());
    }

    #[test]
    fn who_calls_is_not_printed() {
        let printed = format!("{:?}", examples());
        assert!(!printed.contains("15550001111"), "{printed}");
    }
}
