//! What is asked for of webhooks.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;
use wahana_domain::{EndpointState, Session, SessionId, WebhookStyle};
use wahana_service::{
    Caller, FieldErrors, ServiceError, Services,
    access::Owned,
    webhooks::{EndpointUpdate, NewWebhook},
};

use crate::extract::Patch;

/// How many sessions a webhook may be limited to: more are better served by no limit.
const MAX_SESSIONS: usize = 100;

/// A webhook to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateWebhook {
    /// An https address of the internet.
    #[schema(max_length = 2048)]
    url: String,
    /// What it is for.
    #[schema(max_length = 200)]
    description: Option<String>,
    /// `standard` (Standard Webhooks), or `waha` for receivers that were made for WAHA. `standard` if left out.
    style: Option<String>,
    /// The names of the events that are delivered: the types of events, or with style `waha` WAHA's names of them. All
    /// that the caller may see if left out.
    events: Option<Vec<String>>,
    /// The only sessions of which events are delivered, by name or id; all that the caller sees if left out.
    #[schema(max_items = 100)]
    sessions: Option<Vec<String>>,
    /// Headers that deliveries are to have besides wahana's own, at most 10.
    #[schema(value_type = Option<std::collections::HashMap<String, String>>)]
    headers: Option<BTreeMap<String, String>>,
    /// What signs deliveries, if the receiver has a secret already; with style `standard` `whsec_` and Base64. A new one
    /// is made if left out.
    secret: Option<String>,
}

/// What to change of a webhook; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateWebhook {
    /// Another https address of the internet.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Another description; null for none.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    description: Patch<String>,
    /// Other names of events; null for all that the caller may see.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    events: Patch<Vec<String>>,
    /// Other sessions, by name or id; null for all that the caller sees.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    sessions: Patch<Vec<String>>,
    /// Other headers, all of them.
    #[schema(value_type = Option<std::collections::HashMap<String, String>>)]
    headers: Option<BTreeMap<String, String>>,
    /// `enabled` or `disabled`. What waits for a webhook that is disabled has failed.
    state: Option<String>,
}

impl CreateWebhook {
    pub(super) async fn check(
        self,
        services: &Services,
        caller: &Caller,
    ) -> Result<NewWebhook, ServiceError> {
        let sessions = match self.sessions {
            Some(named) => Some(found(services, caller, &named).await?),
            None => None,
        };
        let style = match self.style.as_deref() {
            None => Some(WebhookStyle::Standard),
            Some(word) => WebhookStyle::from_word(word),
        };
        let style = style.ok_or_else(|| FieldErrors::one("style", "must be standard or waha"))?;
        Ok(NewWebhook {
            url: self.url,
            description: self.description,
            style,
            events: self.events,
            sessions,
            headers: self.headers.unwrap_or_default(),
            secret: self.secret,
        })
    }
}

impl UpdateWebhook {
    pub(super) async fn check(
        self,
        services: &Services,
        caller: &Caller,
    ) -> Result<EndpointUpdate, ServiceError> {
        let sessions = match self.sessions {
            Patch::Absent => None,
            Patch::Null => Some(None),
            Patch::Value(named) => Some(Some(found(services, caller, &named).await?)),
        };
        let state = self.state.as_deref().map(EndpointState::from_word);
        if state == Some(None) {
            return Err(FieldErrors::one("state", "must be enabled or disabled").into());
        }
        Ok(EndpointUpdate {
            url: self.url,
            description: self.description.map(Some),
            events: self.events.map(Some),
            sessions,
            headers: self.headers,
            state: state.flatten(),
        })
    }
}

async fn found(
    services: &Services,
    caller: &Caller,
    named: &[String],
) -> Result<Vec<SessionId>, ServiceError> {
    if named.len() > MAX_SESSIONS {
        return Err(FieldErrors::one("sessions", format!("must be at most {MAX_SESSIONS}")).into());
    }
    let mut sessions = Vec::with_capacity(named.len());
    for name in named {
        sessions.push(Owned::<Session>::find(services, caller, name).await?.id);
    }
    sessions.sort_unstable();
    sessions.dedup();
    Ok(sessions)
}
