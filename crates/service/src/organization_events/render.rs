//! Making what is told of what was written down: the one place where an event gets its body.
//!
//! Bodies are made when they are told, from what is kept then. Of a message that is not kept any more, they say that
//! it was there.

use std::{collections::HashMap, fmt};

use serde::Serialize;
use wahana_domain::{
    EventType, Happening, MediaFile, MediaState, MessageId, OrganizationId, SessionId, SessionName,
    organization_event::MessageProgress,
};
use wahana_store::{
    TenantTx, media_files,
    messages::{self, DescribedMessage},
    organization_events::WrittenEvent,
    sessions,
};

use super::body::{
    CallData, EndpointDisabledData, EventBody, GroupData, HealthData, MediaBody, MessageBody, MessageData,
    MessageStatusData, NoData, StatusData,
};
use crate::{ServiceError, media::MediaLinks};

/// An event as it is told.
pub struct RenderedEvent {
    /// Its place among the organization's events.
    pub number: i64,
    /// Its type; `None` for one that this release does not know, which it tells nobody.
    pub event_type: Option<EventType>,
    /// The session that it is about; `None` for what concerns the organization.
    pub session: Option<SessionId>,
    /// Its body, as JSON.
    pub json: String,
}

/// What messages say is not printed.
impl fmt::Debug for RenderedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderedEvent")
            .field("number", &self.number)
            .field("event_type", &self.event_type)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// What events refer to, looked up for many at once.
pub(crate) struct Referred {
    organization: OrganizationId,
    sessions: HashMap<SessionId, SessionName>,
    messages: HashMap<MessageId, DescribedMessage>,
    texts: HashMap<MessageId, String>,
    media: HashMap<MessageId, MediaBody>,
}

impl Referred {
    /// Looks up what these events refer to. What cannot be read is told of like what is not kept any more.
    pub(crate) async fn by(
        tx: &TenantTx,
        events: &[WrittenEvent],
        links: &MediaLinks,
    ) -> Result<Self, ServiceError> {
        let organization = tx.organization_id();
        let messages = messages::described(tx, events.iter().filter_map(|event| event.message)).await?;
        let files = media_files::of_described(tx, &messages).await?.into_iter();
        let media = files.map(|(message, file)| Ok((message, media_body(links, file)?)));
        let called = sessions::called(tx, events.iter().filter_map(|event| event.session)).await?;
        let called = called.into_iter();
        Ok(Self {
            organization,
            sessions: called.map(|(id, session)| (id, session.name)).collect(),
            texts: messages::texts(tx, messages.iter().map(|message| message.id)).await?,
            media: media.collect::<Result<_, ServiceError>>()?,
            messages: messages
                .into_iter()
                .map(|message| (message.id, message))
                .collect(),
        })
    }

    #[cfg(test)]
    pub(super) fn with(
        organization: OrganizationId,
        sessions: impl IntoIterator<Item = (SessionId, SessionName)>,
        messages: impl IntoIterator<Item = DescribedMessage>,
        texts: impl IntoIterator<Item = (MessageId, String)>,
        media: impl IntoIterator<Item = (MessageId, MediaBody)>,
    ) -> Self {
        Self {
            organization,
            sessions: sessions.into_iter().collect(),
            messages: messages
                .into_iter()
                .map(|message| (message.id, message))
                .collect(),
            texts: texts.into_iter().collect(),
            media: media.into_iter().collect(),
        }
    }

    /// Makes an event's body. One that cannot be made leaves a number that is told nobody, as of a type that this
    /// release does not know, so that whoever waits for what follows gets it.
    pub(super) fn render_or_pass_over(&self, event: &WrittenEvent) -> RenderedEvent {
        self.render(event).unwrap_or_else(|error| {
            tracing::error!(error = %error, "an event is told no stream");
            RenderedEvent {
                number: event.number,
                event_type: None,
                session: event.session,
                json: String::new(),
            }
        })
    }

    /// Makes an event's body.
    pub(crate) fn render(&self, event: &WrittenEvent) -> Result<RenderedEvent, ServiceError> {
        let mut rendered = RenderedEvent {
            number: event.number,
            event_type: None,
            session: event.session,
            json: String::new(),
        };
        let Some(event_type) = EventType::from_word(&event.event_type) else {
            return Ok(rendered);
        };
        let happening = Happening::parse(event_type, &event.data)
            .map_err(|error| ServiceError::Internal(format!("event {} cannot be told: {error}", event.id)))?;
        rendered.event_type = Some(event_type);
        rendered.json = match &happening {
            Happening::SessionCreated | Happening::SessionDeleted | Happening::SessionQr => {
                self.body(event, event_type, NoData {})
            }
            Happening::SessionStatus(change) => self.body(
                event,
                event_type,
                StatusData {
                    status: &change.status,
                    previous_status: &change.previous_status,
                    waha_status: change.waha_status.as_deref(),
                    reason: change.reason.as_deref(),
                },
            ),
            Happening::SessionHealth(change) => self.body(
                event,
                event_type,
                HealthData {
                    health_status: &change.health_status,
                    previous_health_status: &change.previous_health_status,
                    reason: &change.reason,
                },
            ),
            Happening::MessageReceived(progress) | Happening::MessageSent(progress) => {
                self.message(event, event_type, progress)
            }
            Happening::MessageStatus(progress) => self.message_status(event, event_type, progress),
            Happening::CallReceived(call) => self.body(
                event,
                event_type,
                CallData {
                    call_id: call.call_id.as_deref(),
                    from: call.from.as_deref(),
                    is_video: call.is_video,
                    is_group: call.is_group,
                },
            ),
            Happening::GroupChanged(change) => self.body(
                event,
                event_type,
                GroupData {
                    group_id: change.group_id.as_deref(),
                    change: &change.change,
                },
            ),
            Happening::WebhookEndpointDisabled(disabled) => self.body(
                event,
                event_type,
                EndpointDisabledData {
                    endpoint_id: disabled.endpoint_id,
                    reason: &disabled.reason,
                },
            ),
        }?;
        Ok(rendered)
    }

    fn message(
        &self,
        event: &WrittenEvent,
        event_type: EventType,
        progress: &MessageProgress,
    ) -> Result<String, ServiceError> {
        let data = MessageData {
            message_id: event.message.unwrap_or_default(),
            status: &progress.status,
            message: self.described(event),
            text: event
                .message
                .and_then(|id| self.texts.get(&id))
                .map(String::as_str),
            media: event.message.and_then(|id| self.media.get(&id)),
        };
        self.body(event, event_type, data)
    }

    fn message_status(
        &self,
        event: &WrittenEvent,
        event_type: EventType,
        progress: &MessageProgress,
    ) -> Result<String, ServiceError> {
        let data = MessageStatusData {
            message_id: event.message.unwrap_or_default(),
            status: &progress.status,
            previous_status: progress.previous_status.as_deref(),
            message: self.described(event),
        };
        self.body(event, event_type, data)
    }

    fn described(&self, event: &WrittenEvent) -> Option<MessageBody<'_>> {
        let message = self.messages.get(&event.message?)?;
        Some(MessageBody {
            id: message.id,
            waha_message_id: message.waha_message_id.as_deref(),
            chat_id: &message.chat_id,
            direction: message.direction.as_str(),
            r#type: message.kind.as_str(),
            sender: message.sender.as_deref(),
            timestamp: message.at,
        })
    }

    fn body<D: Serialize>(
        &self,
        event: &WrittenEvent,
        event_type: EventType,
        data: D,
    ) -> Result<String, ServiceError> {
        let session = event.session.and_then(|id| self.sessions.get(&id));
        let body = EventBody {
            number: event.number,
            id: event.id,
            r#type: event_type.as_str(),
            version: event_type.version(),
            organization_id: self.organization,
            session_id: event.session,
            session_name: session.map(SessionName::as_str),
            happened_at: event.happened_at,
            data,
        };
        serde_json::to_string(&body)
            .map_err(|error| ServiceError::Internal(format!("event {} cannot be written: {error}", event.id)))
    }
}

/// What is told of a file, with a link to it as long as it is there or comes.
pub(crate) fn media_body(links: &MediaLinks, file: MediaFile) -> Result<MediaBody, ServiceError> {
    let url = match file.state {
        MediaState::Waiting | MediaState::Stored => Some(links.to(file.organization_id, file.id)?.into()),
        MediaState::Expired | MediaState::Failed => None,
    };
    Ok(MediaBody {
        state: file.state.as_str(),
        mimetype: file.media_type.as_str().to_owned(),
        filename: file.name.map(|name| name.as_str().to_owned()),
        size: file.stored.map(|stored| stored.size),
        url,
    })
}
