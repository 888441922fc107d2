//! What deliveries say. It is made when they are tried, of what is known then: what messages say is kept in one place,
//! and deliveries are not it.

use std::collections::HashMap;

use serde_json::json;
use wahana_domain::{
    EventType, Happening, MessageId, SessionId, Timestamp, WebhookDelivery, WebhookEndpoint, WebhookStyle,
};
use wahana_store::{
    TenantTx,
    messages::{self, DescribedMessage},
    organization_events::{self, WrittenEvent},
    sessions,
};

use super::{
    names::TEST,
    waha_event::{self, SessionEvent},
};
use crate::{
    ServiceError,
    organization_events::{EventBody, Referred},
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
    /// A newer release wrote it.
    #[error("This release of wahana does not know such events.")]
    Unknown,
}

impl Untellable {
    /// Whether it stays so.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Gone | Self::SubjectGone)
    }
}

/// The bodies of deliveries to an endpoint, in their order.
pub(super) async fn bodies(
    tx: &TenantTx,
    endpoint: &WebhookEndpoint,
    deliveries: &[&WebhookDelivery],
) -> Result<Vec<Result<Body, Untellable>>, ServiceError> {
    let numbers = deliveries.iter().map(|delivery| delivery.event_number);
    let events = organization_events::with_numbers(tx, numbers).await?;
    let teller = Teller::new(tx, endpoint, &events).await?;
    let events: HashMap<i64, &WrittenEvent> = events.iter().map(|event| (event.number, event)).collect();
    deliveries
        .iter()
        .map(|delivery| {
            if delivery.event_name == TEST {
                return test(endpoint, delivery).map(Ok);
            }
            match events.get(&delivery.event_number) {
                Some(event) => teller.tell(event, delivery),
                None => Ok(Err(Untellable::Gone)),
            }
        })
        .collect()
}

/// What is needed to tell some events.
enum Teller {
    Standard(Referred),
    Waha {
        sessions: HashMap<SessionId, wahana_domain::Session>,
        messages: HashMap<MessageId, DescribedMessage>,
        texts: HashMap<MessageId, String>,
    },
}

impl Teller {
    async fn new(
        tx: &TenantTx,
        endpoint: &WebhookEndpoint,
        events: &[WrittenEvent],
    ) -> Result<Self, ServiceError> {
        if endpoint.style == WebhookStyle::Standard {
            return Ok(Self::Standard(Referred::by(tx, events).await?));
        }
        let ids: Vec<_> = events.iter().filter_map(|event| event.session).collect();
        let sessions = sessions::with_ids(tx, &ids).await?;
        let described = messages::described(tx, events.iter().filter_map(|event| event.message)).await?;
        let mut texts = HashMap::new();
        for message in &described {
            if let Some(text) = messages::content(tx, message.id)
                .await?
                .and_then(|content| content.text)
            {
                texts.insert(message.id, text);
            }
        }
        Ok(Self::Waha {
            sessions: sessions
                .into_iter()
                .map(|session| (session.id, session))
                .collect(),
            messages: described
                .into_iter()
                .map(|message| (message.id, message))
                .collect(),
            texts,
        })
    }

    fn tell(
        &self,
        event: &WrittenEvent,
        delivery: &WebhookDelivery,
    ) -> Result<Result<Body, Untellable>, ServiceError> {
        let Some(event_type) = EventType::from_word(&event.event_type) else {
            return Ok(Err(Untellable::Unknown));
        };
        let json = match self {
            Self::Standard(referred) => Some(referred.render(event)?.json),
            Self::Waha {
                sessions,
                messages,
                texts,
            } => {
                let happening = Happening::parse(event_type, &event.data).map_err(|error| {
                    ServiceError::Internal(format!("event {} cannot be told: {error}", event.id))
                })?;
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
                    };
                    waha_event::render(&delivery.event_name, &event)
                })
            }
        };
        let happened_at = event.happened_at;
        Ok(json
            .map(|json| Body { json, happened_at })
            .ok_or(Untellable::SubjectGone))
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
