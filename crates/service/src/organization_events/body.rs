//! What an event says to whom it concerns. `docs/events.md` describes it, and a test holds the two together.

use std::fmt;

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};
use wahana_domain::{EventId, EventType, MessageId, OrganizationId, SessionId, Timestamp, WebhookEndpointId};

/// An event. Fields may be added; what is there keeps its meaning as long as `version` stays.
#[derive(Debug, Serialize)]
pub struct EventBody<'a, D> {
    /// Its place among the organization's events, from 1.
    pub number: i64,
    /// The same each time that the event is told.
    pub id: EventId,
    /// What kind of event it is.
    pub r#type: &'static str,
    /// The version of its type.
    pub version: u32,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The session that it is about; null for what concerns the organization.
    pub session_id: Option<SessionId>,
    /// That session's name.
    pub session_name: Option<&'a str>,
    /// When it happened.
    pub happened_at: Timestamp,
    /// What depends on the type.
    pub data: D,
}

/// Nothing more than that it happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoData {}

/// A session went from one status to another.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusData<'a> {
    /// `working`, `connecting`, `scan_qr`, `disconnected`, `error` or `action_required`.
    pub status: &'a str,
    /// The status before.
    pub previous_status: &'a str,
    /// WAHA's word for the status; null if its WAHA server does not know the session any more.
    #[schema(required = true)]
    pub waha_status: Option<&'a str>,
    /// What is wrong, or what is to be done, for people.
    #[schema(required = true)]
    pub reason: Option<&'a str>,
}

/// A session does better or worse than before.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthData<'a> {
    /// `healthy`, `warning`, `critical` or `unknown`.
    pub health_status: &'a str,
    /// The health before.
    pub previous_health_status: &'a str,
    /// Why, for people.
    pub reason: &'a str,
}

/// A message, as far as it is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageBody<'a> {
    /// wahana's id for it.
    #[schema(value_type = String, format = Uuid)]
    pub id: MessageId,
    /// WAHA's id for it; null until WAHA took it.
    #[schema(required = true)]
    pub waha_message_id: Option<&'a str>,
    /// The chat that it is in.
    pub chat_id: &'a str,
    /// `incoming` or `outgoing`.
    pub direction: &'static str,
    /// `text`, `image`, `video`, `audio`, `voice`, `document`, `sticker`, `location`, `contact`, `poll` or `other`.
    pub r#type: &'static str,
    /// Who sent it, as a chat id; null for what the session sent.
    #[schema(required = true)]
    pub sender: Option<&'a str>,
    /// When it was sent; until that is known, when it was handed to wahana.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
}

/// The file of a message.
#[derive(Clone, Serialize, ToSchema)]
pub struct MediaBody {
    /// `waiting` while it is fetched from WAHA, `stored`, `failed`, or `expired` when it is not kept any more.
    pub state: &'static str,
    /// What it is, as its sender says.
    pub mimetype: String,
    /// What it is called.
    #[schema(required = true)]
    pub filename: Option<String>,
    /// In bytes; null until it is fetched.
    #[schema(required = true)]
    pub size: Option<u64>,
    /// Where it can be fetched without a credential for an hour after this was told; null if it is not kept.
    #[schema(required = true)]
    pub url: Option<String>,
}

/// Whoever has the link may see the file.
impl fmt::Debug for MediaBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaBody")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A message came in or was sent.
#[derive(Serialize, ToSchema)]
pub struct MessageData<'a> {
    /// wahana's id for the message.
    #[schema(value_type = String, format = Uuid)]
    pub message_id: MessageId,
    /// How far it had come when this happened.
    pub status: &'a str,
    /// The message; null if it is not kept any more.
    #[schema(inline, required = true)]
    pub message: Option<MessageBody<'a>>,
    /// What it says, as far as that is kept.
    #[schema(required = true)]
    pub text: Option<&'a str>,
    /// Its file; null if it has none, or none is known.
    #[schema(inline, required = true)]
    pub media: Option<&'a MediaBody>,
}

/// What messages say is not printed.
impl fmt::Debug for MessageData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageData")
            .field("message_id", &self.message_id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A message that was sent, or is to be, went from one status to another.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageStatusData<'a> {
    /// wahana's id for the message.
    #[schema(value_type = String, format = Uuid)]
    pub message_id: MessageId,
    /// How far it had come when this happened.
    pub status: &'a str,
    /// How far before; null for one that is new.
    #[schema(required = true)]
    pub previous_status: Option<&'a str>,
    /// The message; null if it is not kept any more.
    #[schema(inline, required = true)]
    pub message: Option<MessageBody<'a>>,
}

/// Somebody calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallData<'a> {
    /// WhatsApp's id of the call.
    #[schema(required = true)]
    pub call_id: Option<&'a str>,
    /// Who calls, as a chat id.
    #[schema(required = true)]
    pub from: Option<&'a str>,
    /// Whether with a picture.
    pub is_video: bool,
    /// Whether it is a group's.
    pub is_group: bool,
}

/// A group, or who is in it, changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupData<'a> {
    /// The group's id, as a chat id.
    #[schema(required = true)]
    pub group_id: Option<&'a str>,
    /// `joined`, `left`, `updated` or `participants`.
    pub change: &'a str,
}

/// Events are not delivered to an endpoint any more.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointDisabledData<'a> {
    /// The endpoint.
    #[schema(value_type = String, format = Uuid)]
    pub endpoint_id: WebhookEndpointId,
    /// Why, for people.
    pub reason: &'a str,
}

/// What `data` is in events of a type.
#[must_use]
pub fn described_data(event_type: EventType) -> RefOr<Schema> {
    match event_type {
        EventType::SessionCreated | EventType::SessionDeleted | EventType::SessionQr => NoData::schema(),
        EventType::SessionStatus => StatusData::schema(),
        EventType::SessionHealth => HealthData::schema(),
        EventType::MessageReceived | EventType::MessageSent => MessageData::schema(),
        EventType::MessageStatus => MessageStatusData::schema(),
        EventType::CallReceived => CallData::schema(),
        EventType::GroupChanged => GroupData::schema(),
        EventType::WebhookEndpointDisabled => EndpointDisabledData::schema(),
    }
}
