//! Making webhooks of the organization of those that a session has at WAHA, so that receivers go on without being
//! changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use url::{Origin, Url};
use wahana_domain::{CustomHeader, EndpointState, SessionId, WebhookEndpointId, WebhookSecret, WebhookStyle};
use wahana_store::{
    TenantTx,
    webhooks::{self, EndpointChange, NewEndpoint},
};

use super::{MAX_ENDPOINTS, MAX_HEADERS, names::event_names};
use crate::{ServiceError, Services};

/// What becomes of one of a session's webhooks at WAHA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookImport {
    /// Scheme, host and port of its address. What follows may be a credential.
    pub receiver: String,
    /// What becomes of it.
    pub outcome: ImportOutcome,
}

/// What becomes of a webhook at WAHA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// wahana delivers to it.
    Imported {
        /// The names of the events that wahana delivers.
        events: Vec<String>,
        /// What wahana does not tell in WAHA's style.
        rest: Rest,
    },
    /// WAHA goes on delivering to it, for this reason.
    Stays(String),
}

/// What becomes of events that a webhook asked for, and that wahana does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// There are none.
    Nothing,
    /// WAHA goes on delivering those of these names.
    AtWaha(Vec<String>),
    /// The webhook named none, but asked for all that there are. They are not delivered any more.
    Dropped,
}

/// What is to be done with the webhooks that a session has at WAHA. It has keys, so it is not printed.
#[derive(Default)]
pub(crate) struct ImportPlan {
    /// What becomes of each.
    pub(crate) imports: Vec<WebhookImport>,
    /// Those that WAHA is to have afterwards.
    pub(crate) left: Vec<Value>,
    steps: Vec<Step>,
}

/// A webhook that a session has at WAHA, and whether it can be imported; why not, in words without anything secret. It
/// has keys, so it is not printed.
pub(crate) struct Offered {
    receiver: String,
    webhook: Value,
    wanted: Result<Importable, String>,
}

enum Step {
    Make(NewEndpoint),
    /// The organization has the same webhook for other sessions.
    Join(WebhookEndpointId, Vec<SessionId>),
}

/// All names, as WAHA's configuration says it.
const ALL: &str = "*";
const DESCRIPTION: &str = "Was a webhook at WAHA";

/// A webhook in the configuration of a session on WAHA (2026.2.1), as far as it matters here: wahana tries again by a
/// schedule of its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AtWaha {
    url: String,
    #[serde(default)]
    events: Vec<String>,
    hmac: Option<Hmac>,
    custom_headers: Option<Vec<Header>>,
}

#[derive(Deserialize)]
struct Hmac {
    key: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

/// A webhook that can be imported.
struct Importable {
    url: String,
    /// `None` for all.
    events: Option<Vec<String>>,
    headers: Vec<CustomHeader>,
    secret: Option<WebhookSecret>,
    /// The names that wahana does not tell.
    rest: Vec<String>,
}

/// A webhook that the organization has, or will have.
struct Known {
    /// `None` if it is to be made.
    id: Option<WebhookEndpointId>,
    url: String,
    events: Option<Vec<String>>,
    sessions: Option<Vec<SessionId>>,
    headers: Vec<CustomHeader>,
    secret: WebhookSecret,
    /// Whether it is delivered to.
    is_enabled: bool,
}

impl Known {
    fn is_the_same(&self, wanted: &Importable) -> bool {
        let mut headers: Vec<_> = self.headers.iter().map(|h| (&h.name, &h.value)).collect();
        headers.sort_unstable();
        let has_key = wanted
            .secret
            .as_ref()
            .is_none_or(|secret| secret.expose() == self.secret.expose());
        let wanted_headers = wanted.headers.iter().map(|h| (&h.name, &h.value));
        self.url == wanted.url && self.events == wanted.events && has_key && wanted_headers.eq(headers)
    }
}

/// Reads webhooks that a session has at WAHA, of which none is wahana's, and looks where they lead. Not to be called in
/// a transaction: names are looked up.
pub(crate) async fn read(services: &Services, at_waha: Vec<Value>) -> Vec<Offered> {
    let mut offered = Vec::with_capacity(at_waha.len());
    for webhook in at_waha {
        offered.push(Offered {
            receiver: origin(&webhook),
            wanted: importable(services, &webhook).await,
            webhook,
        });
    }
    offered
}

/// Says what is to be done with them. Changes nothing.
pub(crate) async fn plan(
    tx: &TenantTx,
    session: SessionId,
    offered: Vec<Offered>,
) -> Result<ImportPlan, ServiceError> {
    let mut known = known(tx).await?;
    let mut count = webhooks::count(tx).await?;
    let mut plan = ImportPlan::default();
    for Offered {
        receiver,
        mut webhook,
        wanted,
    } in offered
    {
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(why) => {
                plan.stays(receiver, webhook, why);
                continue;
            }
        };
        match known.iter_mut().find(|known| known.is_the_same(&wanted)) {
            Some(known) if !known.is_enabled => {
                let why = "the organization has the same webhook, and it is disabled".to_owned();
                plan.stays(receiver, webhook, why);
                continue;
            }
            Some(known) => {
                if let Some(sessions) = known.sessions.as_mut().filter(|own| !own.contains(&session)) {
                    sessions.push(session);
                    let joined = known.id.map(|id| Step::Join(id, sessions.clone()));
                    plan.steps.extend(joined);
                }
            }
            None if count >= MAX_ENDPOINTS => {
                let why = format!("the organization has {MAX_ENDPOINTS} webhooks, as many as it may");
                plan.stays(receiver, webhook, why);
                continue;
            }
            None => {
                count += 1;
                let new = wanted.endpoint(session);
                known.push(Known::to_be_made(&new));
                plan.steps.push(Step::Make(new));
            }
        }
        let rest = if wanted.events.is_none() {
            Rest::Dropped
        } else if wanted.rest.is_empty() {
            Rest::Nothing
        } else {
            webhook["events"] = wanted.rest.clone().into();
            plan.left.push(webhook);
            let shown = wanted.rest.iter().map(|name| name.escape_default().to_string());
            Rest::AtWaha(shown.collect())
        };
        let all = || event_names(WebhookStyle::Waha).into_iter().map(str::to_owned);
        let events = wanted.events.unwrap_or_else(|| all().collect());
        let outcome = ImportOutcome::Imported { events, rest };
        plan.imports.push(WebhookImport { receiver, outcome });
    }
    Ok(plan)
}

impl ImportPlan {
    fn stays(&mut self, receiver: String, webhook: Value, why: String) {
        let outcome = ImportOutcome::Stays(why);
        self.imports.push(WebhookImport { receiver, outcome });
        self.left.push(webhook);
    }

    /// Whether WAHA is to have others than it has.
    pub(crate) fn is_change(&self) -> bool {
        let mut outcomes = self.imports.iter().map(|import| &import.outcome);
        outcomes.any(|outcome| matches!(outcome, ImportOutcome::Imported { .. }))
    }

    /// Whether the organization's webhooks are to be changed.
    pub(crate) const fn has_steps(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Does it, for what happens from now on. Says which of the organization's webhooks have the session now, and did
    /// not before.
    pub(crate) async fn apply(self, tx: &TenantTx) -> Result<Vec<Imported>, ServiceError> {
        let mut imported = Vec::with_capacity(self.steps.len());
        for step in self.steps {
            imported.push(match step {
                Step::Make(new) => Imported {
                    endpoint: webhooks::insert(tx, &new).await?.id,
                    was_made: true,
                },
                Step::Join(id, sessions) => {
                    set_sessions(tx, id, sessions).await?;
                    Imported {
                        endpoint: id,
                        was_made: false,
                    }
                }
            });
        }
        Ok(imported)
    }
}

/// A webhook of the organization that has the session since it was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    endpoint: WebhookEndpointId,
    /// Whether it was made for that.
    was_made: bool,
}

/// Takes a session out of webhooks again, because WAHA goes on delivering to them. One that people have given all
/// sessions meanwhile is theirs.
pub(crate) async fn withdraw(
    tx: &TenantTx,
    session: SessionId,
    from: &[Imported],
) -> Result<(), ServiceError> {
    for imported in from {
        let endpoint = webhooks::lock(tx, imported.endpoint).await?;
        let Some(mut sessions) = endpoint.and_then(|endpoint| endpoint.sessions) else {
            continue;
        };
        sessions.retain(|own| *own != session);
        if sessions.is_empty() && imported.was_made {
            webhooks::delete(tx, imported.endpoint).await?;
        } else {
            set_sessions(tx, imported.endpoint, sessions).await?;
        }
    }
    Ok(())
}

async fn set_sessions(
    tx: &TenantTx,
    id: WebhookEndpointId,
    sessions: Vec<SessionId>,
) -> Result<(), ServiceError> {
    if let Some(endpoint) = webhooks::lock(tx, id).await? {
        let change = EndpointChange {
            sessions: Some(Some(sessions)),
            ..EndpointChange::default()
        };
        webhooks::update(tx, &endpoint, &change).await?;
    }
    Ok(())
}

/// The webhooks of WAHA's style that the organization has.
async fn known(tx: &TenantTx) -> Result<Vec<Known>, ServiceError> {
    let mut known = Vec::new();
    for endpoint in webhooks::endpoints(tx).await? {
        if endpoint.style != WebhookStyle::Waha {
            continue;
        }
        let signing = webhooks::signing_of(tx, endpoint.id).await?;
        let Some((secret, headers)) = signing.and_then(|mut signing| {
            (!signing.secrets.is_empty()).then(|| (signing.secrets.swap_remove(0), signing.headers))
        }) else {
            continue;
        };
        known.push(Known {
            id: Some(endpoint.id),
            url: endpoint.url,
            events: endpoint.events,
            sessions: endpoint.sessions,
            headers,
            secret,
            is_enabled: endpoint.state == EndpointState::Enabled,
        });
    }
    Ok(known)
}

impl Known {
    fn to_be_made(new: &NewEndpoint) -> Self {
        Self {
            id: None,
            url: new.url.clone(),
            events: new.events.clone(),
            sessions: new.sessions.clone(),
            headers: new.headers.clone(),
            secret: new.secret.clone(),
            is_enabled: true,
        }
    }
}

impl Importable {
    fn endpoint(&self, session: SessionId) -> NewEndpoint {
        NewEndpoint {
            url: self.url.clone(),
            description: Some(DESCRIPTION.to_owned()),
            style: WebhookStyle::Waha,
            events: self.events.clone(),
            sessions: Some(vec![session]),
            headers: self.headers.clone(),
            secret: self.secret.clone().unwrap_or_else(WebhookSecret::generate),
            // Nobody of the organization made it.
            created_by: None,
        }
    }
}

async fn importable(services: &Services, webhook: &Value) -> Result<Importable, String> {
    let AtWaha {
        url,
        events,
        hmac,
        custom_headers,
    } = AtWaha::deserialize(webhook).map_err(|_| "it cannot be read".to_owned())?;
    let sender = services.webhooks.sender();
    let url = sender
        .check(&url)
        .map_err(|error| format!("its address {error}"))?;
    if !sender.is_reachable(&url).await {
        return Err("its address leads nowhere that wahana delivers to".to_owned());
    }
    let (events, rest) = chosen(events)?;
    let key = hmac.and_then(|hmac| hmac.key).filter(|key| !key.is_empty());
    let secret = key.map(|key| WebhookSecret::parse(&key, WebhookStyle::Waha));
    Ok(Importable {
        url: url.to_string(),
        events,
        headers: headers(custom_headers.unwrap_or_default())?,
        secret: secret.transpose().map_err(|error| format!("its key {error}"))?,
        rest,
    })
}

/// The names that wahana tells, `None` for all, and the others.
fn chosen(events: Vec<String>) -> Result<(Option<Vec<String>>, Vec<String>), String> {
    if events.iter().any(|name| name == ALL) {
        return Ok((None, Vec::new()));
    }
    if events.is_empty() {
        return Err("it names no events".to_owned());
    }
    let known = event_names(WebhookStyle::Waha);
    let events: BTreeSet<String> = events.into_iter().collect();
    let (told, rest): (Vec<_>, Vec<_>) = events
        .into_iter()
        .partition(|name| known.contains(&name.as_str()));
    if told.is_empty() {
        let rest: Vec<_> = rest
            .iter()
            .map(|name| name.escape_default().to_string())
            .collect();
        let rest = rest.join(", ");
        return Err(format!(
            "wahana tells none of its events in WAHA's style ({rest})"
        ));
    }
    Ok((Some(told), rest))
}

/// Headers in the order of their names.
fn headers(at_waha: Vec<Header>) -> Result<Vec<CustomHeader>, String> {
    let mut headers = BTreeMap::new();
    for Header { name, value } in at_waha {
        let shown = name.escape_default().to_string();
        let header =
            CustomHeader::parse(&name, &value).map_err(|error| format!("its header {shown} {error}"))?;
        if headers.insert(header.name.clone(), header).is_some() {
            return Err(format!("it has the header {shown} twice"));
        }
    }
    if headers.len() > MAX_HEADERS {
        return Err(format!("it has more than {MAX_HEADERS} headers"));
    }
    Ok(headers.into_values().collect())
}

/// Of an address what is no secret.
fn origin(webhook: &Value) -> String {
    let url = webhook.get("url").and_then(Value::as_str);
    let url = url.and_then(|url| Url::parse(url).ok());
    url.map_or_else(
        || "a webhook without an address".to_owned(),
        |url| match url.origin() {
            origin @ Origin::Tuple(..) => origin.ascii_serialization(),
            Origin::Opaque(_) => "a webhook at an address that is not of the web".to_owned(),
        },
    )
}
