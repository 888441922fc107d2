//! wahana's webhook: what WAHA is told of where its events go, and how they are signed.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;
use waha_client::SessionConfig;
use wahana_domain::{ServerId, Session, WahaServer};
use wahana_store::{Hook, HookKeyId};

use crate::{Conflict, ServiceError, Services};

/// The events that wahana asks for (all known to WAHA 2026.2.1). `message.any` tells of every message, so
/// `message` would only tell of those that came in a second time.
const EVENTS: [&str; 14] = [
    "session.status",
    "message.any",
    "message.ack",
    "message.ack.group",
    "message.reaction",
    "message.revoked",
    "message.edited",
    "group.v2.join",
    "group.v2.leave",
    "group.v2.update",
    "group.v2.participants",
    "call.received",
    "call.accepted",
    "call.rejected",
];

/// How WAHA tries again: the wait grows by two seconds with each attempt, so that what was missed comes soon
/// after a short absence of wahana's, and attempts last for a day.
const RETRY_POLICY: &str = "linear";
const RETRY_DELAY: Duration = Duration::from_secs(2);
const RETRY_ATTEMPTS: u32 = 293;

/// Where hooks are, below wahana's address.
const PATH: [&str; 2] = ["hooks", "waha"];

/// wahana does not know its own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("wahana does not know at which address WAHA reaches it; set hook_url in its configuration")]
pub struct MissingHookUrl;

impl From<MissingHookUrl> for ServiceError {
    fn from(missing: MissingHookUrl) -> Self {
        Self::Conflict {
            kind: Conflict::Other,
            message: missing.to_string(),
        }
    }
}

/// A WAHA server's own hook, at which the events of all its sessions come in.
#[derive(Clone, Debug)]
pub struct GlobalHook {
    url: Url,
    key: SecretString,
}

impl GlobalHook {
    /// The lines for WAHA's environment. They hold the key that signs.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, SecretString)> {
        let text = |text: &str| SecretString::from(text);
        vec![
            ("WHATSAPP_HOOK_URL", text(self.url.as_str())),
            ("WHATSAPP_HOOK_EVENTS", EVENTS.join(",").into()),
            ("WHATSAPP_HOOK_HMAC_KEY", self.key.clone()),
            ("WHATSAPP_HOOK_RETRIES_POLICY", text(RETRY_POLICY)),
            (
                "WHATSAPP_HOOK_RETRIES_DELAY_SECONDS",
                RETRY_DELAY.as_secs().to_string().into(),
            ),
            (
                "WHATSAPP_HOOK_RETRIES_ATTEMPTS",
                RETRY_ATTEMPTS.to_string().into(),
            ),
        ]
    }
}

/// The hook of a server.
pub(crate) fn global(services: &Services, server: &WahaServer) -> Result<GlobalHook, ServiceError> {
    let base = services.settings.hook_url.as_ref().ok_or(MissingHookUrl)?;
    let hook = Hook {
        server: server.id,
        session: None,
    };
    let id = services.store.hook_key_id(server.hook_version)?;
    Ok(GlobalHook {
        url: address(base, hook, id),
        key: services.store.hook_key(hook, id)?,
    })
}

/// wahana's webhook in a session's configuration.
pub(crate) struct Webhook {
    hook: Hook,
    version: i64,
    /// As WAHA wants it, with the key that signs.
    value: Value,
}

impl Webhook {
    /// A session's webhook with the key of this version; `None` if wahana does not know its own address.
    pub(crate) fn of(
        services: &Services,
        session: &Session,
        version: i64,
    ) -> Result<Option<Self>, ServiceError> {
        let Some(base) = &services.settings.hook_url else {
            return Ok(None);
        };
        let hook = hook_of(session);
        let id = services.store.hook_key_id(version)?;
        let key = services.store.hook_key(hook, id)?;
        let value = json!({
            "url": address(base, hook, id).as_str(),
            "events": EVENTS,
            "hmac": {"key": key.expose_secret()},
            "retries": {
                "policy": RETRY_POLICY,
                "delaySeconds": RETRY_DELAY.as_secs(),
                "attempts": RETRY_ATTEMPTS,
            },
        });
        Ok(Some(Self { hook, version, value }))
    }

    /// The version of its key.
    pub(crate) const fn version(&self) -> i64 {
        self.version
    }

    /// Puts it into a configuration in place of any earlier one of the same session; everything else stays.
    /// Says whether that made a difference.
    pub(crate) fn lay_over(&self, config: &mut SessionConfig) -> bool {
        let present = webhooks(config).cloned().unwrap_or_default();
        let (own, mut others): (Vec<Value>, Vec<Value>) =
            present.into_iter().partition(|webhook| is_of(self.hook, webhook));
        if let [own] = own.as_slice()
            && covers(own, &self.value)
        {
            return false;
        }
        others.push(self.value.clone());
        config.set("webhooks", others);
        true
    }
}

/// Whether a configuration has wahana's webhook for this session, whatever wahana's address and the key were then.
pub(crate) fn has_webhook_of(session: &Session, config: &SessionConfig) -> bool {
    let hook = hook_of(session);
    webhooks(config).is_some_and(|webhooks| webhooks.iter().any(|webhook| is_of(hook, webhook)))
}

/// Takes wahana's webhooks for a session out of the configuration that it has on its server; everything else
/// stays.
pub(crate) fn without_webhook(config: &mut SessionConfig, session: &Session) {
    let hook = hook_of(session);
    let Some(present) = webhooks(config) else {
        return;
    };
    let others = present.iter().filter(|webhook| !is_of(hook, webhook));
    let others: Vec<Value> = others.cloned().collect();
    config.set("webhooks", others);
}

/// The webhooks of a configuration that are none of wahana's, with their keys.
pub(crate) fn foreign_webhooks(config: &SessionConfig) -> Vec<Value> {
    let present = webhooks(config).into_iter().flatten();
    present.filter(|webhook| !is_wahanas(webhook)).cloned().collect()
}

/// Puts these in their place; wahana's stay.
pub(crate) fn set_foreign_webhooks(config: &mut SessionConfig, mut foreign: Vec<Value>) {
    let present = webhooks(config).into_iter().flatten();
    foreign.extend(present.filter(|webhook| is_wahanas(webhook)).cloned());
    config.set("webhooks", foreign);
}

/// The hook of a session on the server where it is.
const fn hook_of(session: &Session) -> Hook {
    Hook {
        server: session.waha.server,
        session: Some(session.id),
    }
}

/// The webhooks of a configuration, wahana's and others.
fn webhooks(config: &SessionConfig) -> Option<&Vec<Value>> {
    config.as_map().get("webhooks").and_then(Value::as_array)
}

fn address(base: &Url, hook: Hook, id: HookKeyId) -> Url {
    let mut address = base.clone();
    let session = hook
        .session
        .map_or_else(String::new, |session| format!("{session}/"));
    address.set_path(&format!("/{}/{}/{session}{id}", PATH.join("/"), hook.server));
    address
}

/// Whether a webhook is wahana's for this session, whatever wahana's address and the key were then.
fn is_of(hook: Hook, webhook: &Value) -> bool {
    let parts = path_of(webhook);
    let named = [
        hook.server.to_string(),
        hook.session
            .map(|session| session.to_string())
            .unwrap_or_default(),
    ];
    parts.len() == PATH.len() + named.len() + 1 && parts[..2] == PATH && parts[2..4] == named
}

/// Whether a webhook is wahana's for whatever session, whatever wahana's address was then.
fn is_wahanas(webhook: &Value) -> bool {
    let parts = path_of(webhook);
    let server = parts.get(PATH.len()).map(|server| server.parse::<ServerId>());
    parts.starts_with(&PATH.map(str::to_owned)) && matches!(server, Some(Ok(_)))
}

/// The parts of the path of a webhook's address; none if it has no address.
fn path_of(webhook: &Value) -> Vec<String> {
    let url = webhook.get("url").and_then(Value::as_str);
    let url = url.and_then(|url| Url::parse(url).ok());
    let parts = url.as_ref().and_then(Url::path_segments);
    parts.into_iter().flatten().map(str::to_owned).collect()
}

/// Whether WAHA has what is wanted. It may have filled in more.
fn covers(present: &Value, wanted: &Value) -> bool {
    match (present, wanted) {
        (Value::Object(present), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| present.get(name).is_some_and(|present| covers(present, wanted))),
        (present, wanted) => present == wanted,
    }
}

#[cfg(test)]
mod tests {
    use wahana_domain::SessionId;

    use super::*;

    fn webhook(server: ServerId, session: SessionId, version: i64) -> Webhook {
        let hook = Hook {
            server,
            session: Some(session),
        };
        let id = HookKeyId { ring_key: 1, version };
        let base = "http://10.0.0.5:8080".parse().unwrap();
        let url = address(&base, hook, id);
        let value = json!({"url": url.as_str(), "events": ["message.any"], "hmac": {"key": "k"}});
        Webhook { hook, version, value }
    }

    fn config(value: Value) -> SessionConfig {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_the_sessions_own_webhook_is_replaced() {
        let (server, session) = (ServerId::new(), SessionId::new());
        let first = webhook(server, session, 1);
        let others = json!([
            {"url": "https://customer.example/hooks/waha", "events": ["*"]},
            {"url": webhook(server, SessionId::new(), 1).value["url"], "events": ["*"]},
            {"url": webhook(ServerId::new(), session, 1).value["url"], "events": ["*"]},
            {"url": "not an address"},
        ]);
        let before = json!({"webhooks": others, "proxy": {"server": "p"}, "metadata": {"a": "b"}});
        let mut merged = config(before.clone());
        assert!(first.lay_over(&mut merged));
        assert!(!first.lay_over(&mut merged), "nothing changes the second time");

        let second = webhook(server, session, 2);
        assert!(second.lay_over(&mut merged));
        let mut expected = before;
        expected["webhooks"]
            .as_array_mut()
            .unwrap()
            .push(second.value.clone());
        assert_eq!(serde_json::to_value(&merged).unwrap(), expected);
    }

    #[test]
    fn what_waha_fills_in_makes_no_difference() {
        let hook = webhook(ServerId::new(), SessionId::new(), 1);
        let mut stored = hook.value.clone();
        stored["customHeaders"] = Value::Null;
        stored["hmac"]["algorithm"] = json!("sha512");
        assert!(!hook.lay_over(&mut config(json!({"webhooks": [stored.clone()]}))));
        for (field, other) in [("/hmac/key", json!("x")), ("/events", json!(["*"]))] {
            let mut changed = stored.clone();
            *changed.pointer_mut(field).unwrap() = other;
            let mut present = config(json!({"webhooks": [changed]}));
            assert!(hook.lay_over(&mut present), "{field}");
            assert_eq!(present.as_map()["webhooks"], json!([hook.value]));
        }
        // Two of ours would tell everything twice.
        let mut twice = config(json!({"webhooks": [stored.clone(), stored]}));
        assert!(hook.lay_over(&mut twice));
        assert_eq!(twice.as_map()["webhooks"], json!([hook.value]));
    }

    #[test]
    fn attempts_last_for_a_day_and_end_before_an_event_is_too_old() {
        let waits: Duration = (1..=RETRY_ATTEMPTS).map(|attempt| RETRY_DELAY * attempt).sum();
        assert!(
            waits <= Duration::from_hours(24) && waits > Duration::from_hours(23),
            "{waits:?}"
        );
        assert!(super::super::OLDEST >= waits + Duration::from_hours(1));
    }
}
