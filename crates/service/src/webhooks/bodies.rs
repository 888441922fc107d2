//! What deliveries say. It is made when they are tried, of what is known then: what messages say is kept in one place,
//! and deliveries are not it.

use std::collections::HashMap;

use serde_json::json;
use wahana_domain::{
    EventType, Happening, MessageId, SessionId, Timestamp, WebhookDelivery, WebhookEndpoint, WebhookStyle,
};
use wahana_store::{
    TenantTx, media_files,
    messages::{self, DescribedMessage},
    organization_events::{self, WrittenEvent},
    sessions::{self, CalledSession},
};

use super::{
    names::TEST,
    waha_event::{self, SessionEvent},
};
use crate::{
    ServiceError,
    media::MediaLinks,
    organization_events::{EventBody, MediaBody, Referred, media_body},
};

/// What a delivery says.
pub(super) struct Body {
    /// As JSON.
    pub(super) json: String,
    /// When what it tells of happened.
    pub(super) happened_at: Timestamp,
}

/// Why a delivery says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untellable {
    /// The event was deleted.
    #[error("The event is not kept any more.")]
    Gone,
    /// What the event is about was deleted, and WAHA's way of telling it needs that.
    #[error("What the event is about is not kept any more.")]
    SubjectGone,
    /// The endpoint was changed since, and is not told of such events any more.
    #[error("The webhook is not told of this event any more.")]
    Unwanted,
    /// A newer release wrote it.
    #[error("This release of wahana does not know such events.")]
    Unknown,
    /// What was kept of it cannot be read.
    #[error("What is kept of the event cannot be read.")]
    Unreadable,
}

impl Untellable {
    /// Whether it stays so.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Gone | Self::SubjectGone | Self::Unwanted)
    }
}

/// The bodies of deliveries to an endpoint, in their order.
pub(super) async fn bodies(
    tx: &TenantTx,
    endpoint: &WebhookEndpoint,
    deliveries: &[&WebhookDelivery],
    links: &MediaLinks,
) -> Result<Vec<Result<Body, Untellable>>, ServiceError> {
    let numbers = deliveries.iter().map(|delivery| delivery.event_number);
    let events = organization_events::with_numbers(tx, numbers).await?;
    let teller = Teller::new(tx, endpoint, &events, links).await?;
    let events: HashMap<i64, &WrittenEvent> = events.iter().map(|event| (event.number, event)).collect();
    deliveries
        .iter()
        .map(|delivery| {
            if delivery.event_name == TEST {
                return test(endpoint, delivery).map(Ok);
            }
            match events.get(&delivery.event_number) {
                // Also what became a delivery before somebody changed what the endpoint is told.
                Some(event) if !endpoint.wants(&delivery.event_name, event.session) => {
                    Ok(Err(Untellable::Unwanted))
                }
                Some(event) => Ok(teller.tell(event, delivery)),
                None => Ok(Err(Untellable::Gone)),
            }
        })
        .collect()
}

/// What is needed to tell some events.
enum Teller {
    Standard(Referred),
    Waha {
        /// The sessions, also those that were deleted since.
        sessions: HashMap<SessionId, CalledSession>,
        messages: HashMap<MessageId, DescribedMessage>,
        texts: HashMap<MessageId, String>,
        media: HashMap<MessageId, MediaBody>,
    },
}

impl Teller {
    async fn new(
        tx: &TenantTx,
        endpoint: &WebhookEndpoint,
        events: &[WrittenEvent],
        links: &MediaLinks,
    ) -> Result<Self, ServiceError> {
        if endpoint.style == WebhookStyle::Standard {
            return Ok(Self::Standard(Referred::by(tx, events, links).await?));
        }
        let described = messages::described(tx, events.iter().filter_map(|event| event.message)).await?;
        let files = media_files::of_described(tx, &described).await?.into_iter();
        let media = files.map(|(message, file)| Ok((message, media_body(links, file)?)));
        Ok(Self::Waha {
            sessions: sessions::called(tx, events.iter().filter_map(|event| event.session)).await?,
            texts: messages::texts(tx, described.iter().map(|message| message.id)).await?,
            media: media.collect::<Result<_, ServiceError>>()?,
            messages: described
                .into_iter()
                .map(|message| (message.id, message))
                .collect(),
        })
    }

    /// One that cannot be told says so, and does not keep the others from being told.
    fn tell(&self, event: &WrittenEvent, delivery: &WebhookDelivery) -> Result<Body, Untellable> {
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::error!(event.id = %event.id, error = %error, "an event cannot be told to a webhook");
            Untellable::Unreadable
        };
        let event_type = EventType::from_word(&event.event_type).ok_or(Untellable::Unknown)?;
        let json = match self {
            Self::Standard(referred) => {
                let rendered = referred.render(event).map_err(|error| unreadable(&error))?;
                Some(rendered.json)
            }
            Self::Waha {
                sessions,
                messages,
                texts,
                media,
            } => {
                let happening =
                    Happening::parse(event_type, &event.data).map_err(|error| unreadable(&error))?;
                let session = event.session.and_then(|id| sessions.get(&id));
                session.and_then(|session| {
                    let event = SessionEvent {
                        id: event.id,
                        happened_at: event.happened_at,
                        session_name: session.name.as_str(),
                        phone_number: session.phone_number.as_ref(),
                        happening: &happening,
                        message: event.message.and_then(|id| messages.get(&id)),
                        text: event.message.and_then(|id| texts.get(&id)).map(String::as_str),
                        media: event.message.and_then(|id| media.get(&id)),
                    };
                    waha_event::render(&delivery.event_name, &event)
                })
            }
        };
        let happened_at = event.happened_at;
        json.map(|json| Body { json, happened_at })
            .ok_or(Untellable::SubjectGone)
    }
}

/// A body that says nothing but that it arrived.
fn test(endpoint: &WebhookEndpoint, delivery: &WebhookDelivery) -> Result<Body, ServiceError> {
    let happened_at = delivery.created_at;
    let data = json!({"endpoint_id": endpoint.id});
    let json = match endpoint.style {
        WebhookStyle::Standard => serde_json::to_string(&EventBody {
            number: 0,
            id: delivery.event_id,
            r#type: TEST,
            version: 1,
            organization_id: endpoint.organization_id,
            session_id: None,
            session_name: None,
            happened_at,
            data,
        }),
        WebhookStyle::Waha => serde_json::to_string(&json!({
            "id": delivery.event_id, "timestamp": happened_at.as_micros() / 1000, "event": TEST, "session": null,
            "metadata": {}, "me": null, "payload": data, "engine": null, "environment": {},
        })),
    };
    let json = json.map_err(|error| ServiceError::Internal(format!("a test cannot be written: {error}")))?;
    Ok(Body { json, happened_at })
}
