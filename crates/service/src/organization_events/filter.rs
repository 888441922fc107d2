//! Which events somebody is told.

use std::sync::Arc;

use wahana_domain::{EventType, SessionId};
use wahana_store::Caller;

use super::RenderedEvent;
use crate::ServiceError;

/// Which events somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    types: u32,
    sessions: Option<Arc<[SessionId]>>,
}

impl EventFilter {
    /// What a caller wants of what they may see: of these types, or of all; of these sessions, or of all and of the
    /// organization itself.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`] if they ask for a type that they may not see, or may see none.
    pub fn new(
        caller: &Caller,
        types: Option<&[EventType]>,
        sessions: Option<Arc<[SessionId]>>,
    ) -> Result<Self, ServiceError> {
        let may_see = |event_type: &EventType| caller.may(event_type.ability());
        if let Some(hidden) = types.unwrap_or_default().iter().find(|wanted| !may_see(wanted)) {
            return Err(ServiceError::Forbidden(format!(
                "Events of type {} need the ability {}.",
                hidden.as_str(),
                hidden.ability()
            )));
        }
        let wanted = types.unwrap_or(&EventType::ALL);
        let types = wanted.iter().filter(|wanted| may_see(wanted));
        let types = types.fold(0, |bits, event_type| bits | bit(*event_type));
        if types == 0 {
            return Err(ServiceError::Forbidden(
                "This token has no ability that lets it see any events.".to_owned(),
            ));
        }
        Ok(Self {
            types,
            sessions: sessions.or_else(|| caller.session_limit()),
        })
    }

    /// Whether an event is told.
    #[must_use]
    pub fn admits(&self, event: &RenderedEvent) -> bool {
        let is_of_type = event
            .event_type
            .is_some_and(|event_type| self.types & bit(event_type) != 0);
        let is_of_session = match (&self.sessions, event.session) {
            (None, _) => true,
            (Some(sessions), Some(session)) => sessions.contains(&session),
            (Some(_), None) => false,
        };
        is_of_type && is_of_session
    }
}

const fn bit(event_type: EventType) -> u32 {
    1 << event_type as u32
}
