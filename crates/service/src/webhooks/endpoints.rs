//! Endpoints, as the organization manages them.
//!
//! An endpoint is the organization's, not its maker's: it stays when they leave. So nobody may make one, or change one,
//! that is told more than they see themselves. Of whoever changes one that is asked under its lock, since others may
//! have changed what it is told.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;
use wahana_domain::{
    CustomHeader, EndpointState, SECRET_OVERLAP, SessionId, Text, WebhookEndpoint, WebhookEndpointId,
    WebhookSecret, WebhookStyle,
};
use wahana_store::{
    Caller, Tenant, TenantTx, organizations,
    webhooks::{self, EndpointChange, NewEndpoint},
};

use super::{
    MAX_ENDPOINTS, MAX_HEADERS,
    names::{ability, event_names},
};
use crate::{
    FieldErrors, ServiceError, Services,
    access::{Granted, ManageWebhooks, Owned},
    audit,
};

/// How many deliveries are given up or deleted in one transaction.
const AT_ONCE: u64 = 500;

/// An endpoint to be made, as it was asked for.
pub struct NewWebhook {
    /// The address.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// In which way deliveries are written.
    pub style: WebhookStyle,
    /// The names of the events that are delivered; `None` for all that the caller may see.
    pub events: Option<Vec<String>>,
    /// The sessions of which events are delivered, which the caller sees; `None` for all that they see.
    pub sessions: Option<Vec<SessionId>>,
    /// Headers that deliveries are to have.
    pub headers: BTreeMap<String, String>,
    /// The secret that signs; a new one if there is none yet.
    pub secret: Option<String>,
}

/// What to change of an endpoint, as it was asked for; what is `None` stays.
#[derive(Default)]
pub struct EndpointUpdate {
    /// Another address.
    pub url: Option<String>,
    /// Another description; `Some(None)` for none.
    pub description: Option<Option<String>>,
    /// Other names of events; `Some(None)` for all.
    pub events: Option<Option<Vec<String>>>,
    /// Other sessions; `Some(None)` for all.
    pub sessions: Option<Option<Vec<SessionId>>>,
    /// Other headers.
    pub headers: Option<BTreeMap<String, String>>,
    /// Whether events are delivered.
    pub state: Option<EndpointState>,
}

/// An endpoint with its secret, which is shown this once.
#[derive(Debug)]
pub struct CreatedEndpoint {
    /// The endpoint.
    pub endpoint: WebhookEndpoint,
    /// What signs its deliveries.
    pub secret: WebhookSecret,
}

/// The endpoints that the caller sees, the oldest first.
pub async fn list(
    services: &Services,
    access: &Granted<ManageWebhooks>,
) -> Result<Vec<WebhookEndpoint>, ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    let mut endpoints = webhooks::endpoints(&tx).await?;
    endpoints.retain(|endpoint| endpoint.is_within(access.sessions()));
    Ok(endpoints)
}

/// Makes an endpoint for what happens from now on.
pub async fn create(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    new: NewWebhook,
) -> Result<CreatedEndpoint, ServiceError> {
    let new = check(services, access, new)?;
    let tx = services.store.write(access.tenant()).await?;
    // So that two who make the last one at the same moment do not make two.
    organizations::get_locked(&tx).await?;
    if webhooks::count(&tx).await? >= MAX_ENDPOINTS {
        return Err(ServiceError::conflict(format!(
            "The organization has {MAX_ENDPOINTS} webhooks, as many as it may. Delete one first."
        )));
    }
    let endpoint = webhooks::insert(&tx, &new).await?;
    audit::record_success(&tx, access.context(), "webhooks.create").await?;
    tx.commit().await?;
    Ok(CreatedEndpoint {
        endpoint,
        secret: new.secret,
    })
}

fn check(services: &Services, caller: &Caller, new: NewWebhook) -> Result<NewEndpoint, ServiceError> {
    let mut errors = FieldErrors::default();
    let url = checked_url(services, &new.url, &mut errors);
    let description = new
        .description
        .and_then(|text| checked_description(&text, &mut errors));
    let events = new
        .events
        .and_then(|names| checked_names(new.style, names, &mut errors));
    let headers = checked_headers(new.headers, &mut errors);
    let secret = match &new.secret {
        Some(text) => errors.take("secret", WebhookSecret::parse(text, new.style)),
        None => Some(WebhookSecret::generate()),
    };
    check_sessions(new.sessions.as_deref(), &mut errors);
    let (url, headers, secret) = errors.finish(url.zip(headers).zip(secret).map(|((u, h), s)| (u, h, s)))?;
    let events = match events {
        Some(names) => Some(names),
        None if sees_all(caller, new.style) => None,
        None => Some(seen(caller, new.style)),
    };
    // Whoever sees no events at all is told of the first that they do not see.
    let is_blind = events.as_ref().is_some_and(Vec::is_empty);
    let asked = events.as_deref().filter(|_| !is_blind);
    if let Some(hidden) = hidden_name(caller, new.style, asked) {
        return Err(hidden);
    }
    Ok(NewEndpoint {
        url,
        description,
        style: new.style,
        events,
        sessions: new.sessions.or_else(|| caller.sessions().map(<[_]>::to_vec)),
        headers,
        secret,
        created_by: Some(caller.user_id()),
    })
}

/// Changes an endpoint.
pub async fn update(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    endpoint: &Owned<WebhookEndpoint>,
    update: EndpointUpdate,
) -> Result<WebhookEndpoint, ServiceError> {
    let change = check_change(services, access, endpoint.style, update)?;
    // What waits goes first, in steps: an endpoint that is enabled again begins anew.
    if change.state == Some(EndpointState::Enabled) {
        give_up_waiting(services, access.tenant(), endpoint.id).await?;
    }
    let tx = services.store.write(access.tenant()).await?;
    let present = locked_wholly_seen(&tx, access, endpoint.id).await?;
    if let Some(events) = &change.events
        && let Some(hidden) = hidden_name(access, present.style, events.as_deref())
    {
        return Err(hidden);
    }
    check_headers_stay(&present, &change)?;
    if change.state == Some(EndpointState::Disabled) {
        webhooks::disable(&tx, present.id, "It was switched off.").await?;
    }
    webhooks::update(&tx, &present, &change).await?;
    let changed = webhooks::endpoint(&tx, present.id).await?;
    let changed = changed.ok_or(ServiceError::NotFound("Webhook"))?;
    audit::record_success(&tx, access.context(), "webhooks.update").await?;
    tx.commit().await?;
    if change.state == Some(EndpointState::Disabled) {
        let (own, tenant) = (services.clone(), access.tenant());
        services
            .to_the_end(async move { give_up_waiting(&own, tenant, present.id).await })
            .await?;
    }
    Ok(changed)
}

/// The values of headers are not shown, and so do not go to another server either because somebody names one.
fn check_headers_stay(present: &WebhookEndpoint, change: &EndpointChange) -> Result<(), ServiceError> {
    let origin = |url: &str| Url::parse(url).map(|url| url.origin()).ok();
    let moves = change
        .url
        .as_deref()
        .is_some_and(|url| origin(url).is_none() || origin(url) != origin(&present.url));
    if moves && change.headers.is_none() && !present.header_names.is_empty() {
        return Err(FieldErrors::one(
            "headers",
            "must be given again for an address on another server, or be {} for none",
        )
        .into());
    }
    Ok(())
}

/// The endpoint, locked, if the caller sees it.
pub(super) async fn locked(
    tx: &TenantTx,
    caller: &Caller,
    id: WebhookEndpointId,
) -> Result<WebhookEndpoint, ServiceError> {
    let endpoint = webhooks::lock(tx, id).await?;
    endpoint
        .filter(|endpoint| endpoint.is_within(caller.sessions()))
        .ok_or(ServiceError::NotFound("Webhook"))
}

/// The same for who says where its deliveries go and what proves that they are wahana's: only who sees all that it is
/// told may say that.
async fn locked_wholly_seen(
    tx: &TenantTx,
    caller: &Caller,
    id: WebhookEndpointId,
) -> Result<WebhookEndpoint, ServiceError> {
    let endpoint = locked(tx, caller, id).await?;
    match hidden_name(caller, endpoint.style, endpoint.events.as_deref()) {
        Some(hidden) => Err(hidden),
        None => Ok(endpoint),
    }
}

/// Gives up what waits for an endpoint that is disabled, in steps for which nobody waits long.
pub(super) async fn give_up_waiting(
    services: &Services,
    tenant: Tenant,
    id: WebhookEndpointId,
) -> Result<(), ServiceError> {
    loop {
        let tx = services.store.write(tenant).await?;
        let given_up = webhooks::give_up_waiting(&tx, id, AT_ONCE).await?;
        tx.commit().await?;
        if given_up < AT_ONCE {
            return Ok(());
        }
    }
}

fn check_change(
    services: &Services,
    caller: &Caller,
    style: WebhookStyle,
    update: EndpointUpdate,
) -> Result<EndpointChange, ServiceError> {
    let mut errors = FieldErrors::default();
    let url = update
        .url
        .and_then(|url| checked_url(services, &url, &mut errors));
    let description = update
        .description
        .map(|text| text.and_then(|text| checked_description(&text, &mut errors)));
    let events = update
        .events
        .map(|names| names.and_then(|names| checked_names(style, names, &mut errors)));
    let headers = update
        .headers
        .and_then(|headers| checked_headers(headers, &mut errors));
    if let Some(sessions) = &update.sessions {
        check_sessions(sessions.as_deref(), &mut errors);
    }
    errors.finish(Some(()))?;
    let events = events.map(|names| match names {
        None if !sees_all(caller, style) => Some(seen(caller, style)),
        names => names,
    });
    let own_sessions = || caller.sessions().map(<[_]>::to_vec);
    Ok(EndpointChange {
        url,
        description,
        events,
        sessions: update.sessions.map(|sessions| sessions.or_else(own_sessions)),
        headers,
        state: update.state,
    })
}

/// Deletes an endpoint with its deliveries. It gets nothing any more from the first step on; if the last is not reached,
/// because the process ends, it is there still, disabled.
pub async fn delete(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    endpoint: &Owned<WebhookEndpoint>,
) -> Result<(), ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    let endpoint = locked(&tx, access, endpoint.id).await?;
    webhooks::disable(&tx, endpoint.id, "It is being deleted.").await?;
    tx.commit().await?;
    loop {
        let tx = services.store.write(access.tenant()).await?;
        let deleted = webhooks::delete_deliveries(&tx, endpoint.id, AT_ONCE).await?;
        if deleted < AT_ONCE {
            if !webhooks::delete(&tx, endpoint.id).await? {
                return Err(ServiceError::NotFound("Webhook"));
            }
            audit::record_success(&tx, access.context(), "webhooks.delete").await?;
            return Ok(tx.commit().await?);
        }
        tx.commit().await?;
    }
}

/// Gives an endpoint a new secret. The one that it has signs too for a day.
pub async fn rotate_secret(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    endpoint: &Owned<WebhookEndpoint>,
) -> Result<CreatedEndpoint, ServiceError> {
    let secret = WebhookSecret::generate();
    let tx = services.store.write(access.tenant()).await?;
    let until = tx.now().plus(SECRET_OVERLAP);
    let not_found = || ServiceError::NotFound("Webhook");
    locked_wholly_seen(&tx, access, endpoint.id).await?;
    if !webhooks::rotate(&tx, endpoint.id, &secret, until).await? {
        return Err(not_found());
    }
    let endpoint = webhooks::endpoint(&tx, endpoint.id)
        .await?
        .ok_or_else(not_found)?;
    audit::record_success(&tx, access.context(), "webhooks.rotate_secret").await?;
    tx.commit().await?;
    Ok(CreatedEndpoint { endpoint, secret })
}

fn checked_url(services: &Services, url: &str, errors: &mut FieldErrors) -> Option<String> {
    let checked = errors.take("url", services.webhooks.sender().check(url));
    checked.map(|url| url.to_string())
}

fn checked_description(text: &str, errors: &mut FieldErrors) -> Option<String> {
    let text = errors.take("description", Text::<200>::parse(text));
    text.map(Text::into_string)
}

fn checked_names(style: WebhookStyle, names: Vec<String>, errors: &mut FieldErrors) -> Option<Vec<String>> {
    let names: BTreeSet<String> = names.into_iter().collect();
    if names.is_empty() || names.iter().any(|name| ability(style, name).is_none()) {
        let known = event_names(style).join(", ");
        errors.add("events", format!("must be some of {known}"));
        return None;
    }
    Some(names.into_iter().collect())
}

fn check_sessions(sessions: Option<&[SessionId]>, errors: &mut FieldErrors) {
    if sessions.is_some_and(<[_]>::is_empty) {
        errors.add("sessions", "must not be empty");
    }
}

fn checked_headers(headers: BTreeMap<String, String>, errors: &mut FieldErrors) -> Option<Vec<CustomHeader>> {
    if headers.len() > MAX_HEADERS {
        errors.add("headers", format!("must be at most {MAX_HEADERS}"));
        return None;
    }
    let mut names = BTreeSet::new();
    let mut checked = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        match CustomHeader::parse(&name, &value) {
            Ok(header) if names.insert(header.name.clone()) => checked.push(header),
            Ok(_) => errors.add("headers", "has a header twice"),
            Err(fault) => errors.add("headers", fault),
        }
    }
    Some(checked)
}

pub(super) fn may_be_told(caller: &Caller, style: WebhookStyle, name: &str) -> bool {
    ability(style, name).is_some_and(|ability| caller.may(ability))
}

fn seen(caller: &Caller, style: WebhookStyle) -> Vec<String> {
    let names = event_names(style).into_iter();
    let seen = names.filter(|name| may_be_told(caller, style, name));
    seen.map(str::to_owned).collect()
}

fn sees_all(caller: &Caller, style: WebhookStyle) -> bool {
    event_names(style)
        .iter()
        .all(|name| may_be_told(caller, style, name))
}

/// The refusal if an endpoint is told something that the caller may not see; `None` for all names.
fn hidden_name(caller: &Caller, style: WebhookStyle, names: Option<&[String]>) -> Option<ServiceError> {
    let names = names.map_or_else(
        || event_names(style),
        |names| names.iter().map(String::as_str).collect(),
    );
    let hidden = names.into_iter().find(|name| !may_be_told(caller, style, name))?;
    let needed = ability(style, hidden).map_or_else(String::new, |ability| format!(" {ability}"));
    Some(ServiceError::Forbidden(format!(
        "Events named {hidden} need the ability{needed}."
    )))
}
