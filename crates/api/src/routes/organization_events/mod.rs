//! `GET /api/waha/events`

mod schema;
mod stream;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use serde::Deserialize;
use utoipa::IntoParams;
use wahana_domain::{EventType, Session, SessionId};
use wahana_service::{
    Caller, FieldErrors, ServiceError, Services,
    access::{BeMember, Owned},
    organization_events::{EventFilter, subscribe},
};

pub(super) use self::schema::EventSchemas;
use self::{schema::OrganizationEvent, stream::EventStream};
use crate::{
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfOrganization, Query, presented},
    state::ApiState,
};

/// The header in which a client that connects again says what it has seen.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";
/// How many sessions a stream may be limited to.
const MAX_SESSIONS: usize = 100;

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamEvents {
    /// Only of these types, separated by commas; all that the caller may see if left out.
    types: Option<String>,
    /// Only of these sessions, by name or id, separated by commas. `*`, or nothing: of all that the caller sees, and
    /// of the organization itself.
    sessions: Option<String>,
    /// The number after which to begin, as the header `Last-Event-ID`, which counts if both are given. From now on if
    /// neither is.
    #[param(value_type = Option<i64>, minimum = 0)]
    last_event_id: Option<String>,
    /// The organization that is meant by a signed-in person, because browsers send no headers of one's own here.
    #[param(format = Uuid)]
    #[serde(rename = "organization")]
    _organization: Option<String>,
}

impl StreamEvents {
    fn types(&self, errors: &mut FieldErrors) -> Option<Vec<EventType>> {
        let words = self.types.as_deref()?.split(',').map(str::trim);
        let types: Option<Vec<_>> = words.map(EventType::from_word).collect();
        if types.is_none() {
            let known = EventType::ALL.map(EventType::as_str).join(", ");
            errors.add("types", format!("must be some of {known}"));
        }
        types
    }

    async fn sessions(
        &self,
        services: &Services,
        caller: &Caller,
        errors: &mut FieldErrors,
    ) -> Result<Option<Arc<[SessionId]>>, ServiceError> {
        let Some(named) = self.sessions.as_deref().filter(|named| *named != "*") else {
            return Ok(None);
        };
        let named: Vec<_> = named.split(',').map(str::trim).collect();
        if named.len() > MAX_SESSIONS {
            errors.add("sessions", format!("must be at most {MAX_SESSIONS}"));
            return Ok(None);
        }
        let mut found = Vec::with_capacity(named.len());
        for name in named {
            found.push(Owned::<Session>::find(services, caller, name).await?.id);
        }
        Ok(Some(found.into()))
    }

    /// The number after which to begin.
    fn position(&self, headers: &HeaderMap, errors: &mut FieldErrors) -> Option<i64> {
        let header = headers.get(LAST_EVENT_ID).map(HeaderValue::as_bytes);
        // What a browser has before the first event.
        let given = header.filter(|id| !id.is_empty());
        let given = given.or_else(|| self.last_event_id.as_deref().map(str::as_bytes))?;
        let number = std::str::from_utf8(given).ok().and_then(|text| text.parse().ok());
        let number = number.filter(|number| *number >= 0);
        if number.is_none() {
            errors.add("last_event_id", "must be the number of an event");
        }
        number
    }
}

/// The organization's events as they happen.
///
/// Server-sent events: `id` is the event's number, `event` its type, `data` its body. Whoever connects again with
/// `Last-Event-ID` gets everything since. If that is not kept any more, or never was, there comes an event `reset`
/// first, whose `id` is the number after which it goes on. A comment comes every fifteen seconds. The stream ends within five
/// seconds when what let the caller in does not hold any more; a client then connects again.
#[utoipa::path(
    get, path = "/api/waha/events", operation_id = "events.stream", tag = "events",
    params(
        StreamEvents,
        ("Last-Event-ID" = Option<i64>, Header, description = "The number of the last event that was seen"),
    ),
    responses(
        (status = OK, content_type = "text/event-stream", body = OrganizationEvent), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn stream(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, BeMember>,
    headers: HeaderMap,
    Query(query): Query<StreamEvents>,
) -> Result<Response, ApiError> {
    let (services, caller) = (state.services(), &*allowed.access);
    let mut errors = FieldErrors::default();
    let sessions = query.sessions(services, caller, &mut errors).await?;
    let types = query.types(&mut errors);
    let position = query.position(&headers, &mut errors);
    errors.finish(Some(()))?;
    let filter = EventFilter::new(caller, types.as_deref(), sessions)?;
    let presented = presented(&headers)?;
    let subscription = subscribe(services, &allowed.access, filter, position).await?;
    let stream = EventStream::new(services.clone(), presented, caller.clone(), subscription);
    let mut response = Response::new(Body::from_stream(stream.into_chunks()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    // Asks nginx not to gather what is to arrive at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
