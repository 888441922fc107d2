//! The configuration of a session.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A session's whole configuration as WAHA keeps it, fields that this crate does not know included.
///
/// It holds secrets (the keys that sign webhooks, the proxy's password, headers), so `Debug` shows nothing of
/// it; what may be shown is in [`visible`](Self::visible).
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionConfig(Map<String, Value>);

impl SessionConfig {
    /// An empty configuration.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A configuration made of these fields.
    #[must_use]
    pub fn from_map(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// The fields, secrets included.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The fields, secrets included.
    #[must_use]
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// Sets a field, replacing the one that was there.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// Lays other fields over this configuration as a JSON merge patch (RFC 7396): objects are merged, `null`
    /// removes, everything else (lists too, so `webhooks`) replaces. Needed before every update, because
    /// WAHA's `PUT` replaces the whole configuration.
    pub fn merge(&mut self, changes: Map<String, Value>) {
        merge_objects(&mut self.0, changes);
    }

    /// The parts without secrets. Webhooks and proxy are left out completely, and so is metadata, which
    /// belongs to whoever wrote it. A part of an unexpected type counts as not set.
    #[must_use]
    pub fn visible(&self) -> VisibleSessionConfig {
        VisibleSessionConfig {
            debug: self.part("debug"),
            ignore: self.part("ignore"),
            client: self.part("client"),
            noweb: self.part("noweb"),
        }
    }

    fn part<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        self.0.get(name).and_then(|value| T::deserialize(value).ok())
    }
}

impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionConfig").finish_non_exhaustive()
    }
}

fn merge_objects(into: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (name, change) in changes {
        match change {
            Value::Null => {
                into.remove(&name);
            }
            Value::Object(changes) => {
                let field = into.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !field.is_object() {
                    *field = Value::Object(Map::new());
                }
                if let Value::Object(field) = field {
                    merge_objects(field, changes);
                }
            }
            other => {
                into.insert(name, other);
            }
        }
    }
}

/// The parts of a configuration that are no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VisibleSessionConfig {
    /// Whether WAHA logs more about this session.
    pub debug: Option<bool>,
    /// Chats whose events are ignored.
    pub ignore: Option<IgnoredChats>,
    /// How the session appears among the phone's linked devices.
    pub client: Option<ClientAppearance>,
    /// Settings of the NOWEB engine.
    pub noweb: Option<NowebSettings>,
}

/// Kinds of chats whose events are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IgnoredChats {
    /// Status updates.
    pub status: Option<bool>,
    /// Groups.
    pub groups: Option<bool>,
    /// Channels.
    pub channels: Option<bool>,
    /// Broadcast lists.
    pub broadcast: Option<bool>,
}

/// How a session appears among the phone's linked devices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientAppearance {
    /// Such as `MacOS`.
    pub device_name: Option<String>,
    /// Such as `Firefox`.
    pub browser_name: Option<String>,
}

/// Settings of the NOWEB engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NowebSettings {
    /// Whether the account shows as online while connected.
    pub mark_online: Option<bool>,
    /// The store that chats, contacts and messages are read from.
    pub store: Option<NowebStore>,
}

/// The NOWEB engine's store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NowebStore {
    /// Without it WAHA refuses to list chats, contacts and messages.
    pub enabled: Option<bool>,
    /// Whether pairing fetches everything and not only the last months.
    pub full_sync: Option<bool>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> SessionConfig {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn merging_keeps_what_it_does_not_name() {
        let mut merged = config(json!({
            "future": {"a": 1},
            "metadata": {"org.id": "o1", "old": "x"},
            "webhooks": [{"url": "https://one.example"}, {"url": "https://two.example"}],
            "debug": true,
        }));
        let Value::Object(changes) = json!({
            "metadata": {"org.id": "o2", "old": null},
            "webhooks": [{"url": "https://three.example"}],
            "debug": {"now": "an object"},
            "noweb": {"store": {"enabled": true, "fullSync": null}},
        }) else {
            unreachable!()
        };
        merged.merge(changes);
        let expected = json!({
            "future": {"a": 1},
            "metadata": {"org.id": "o2"},
            "webhooks": [{"url": "https://three.example"}],
            "debug": {"now": "an object"},
            "noweb": {"store": {"enabled": true}},
        });
        assert_eq!(Value::Object(merged.into_map()), expected);
    }

    #[test]
    fn the_visible_part_and_debug_show_no_secret() {
        let config = config(json!({
            "metadata": {"org.id": "secret-metadata"},
            "proxy": {"server": "proxy.example:8080", "username": "u", "password": "secret-proxy"},
            "webhooks": [{"url": "https://secret-hook.example", "hmac": {"key": "secret-hmac"}}],
            "ignore": {"status": true, "groups": null},
            "client": {"deviceName": "MacOS"},
            "noweb": {"markOnline": false, "store": {"enabled": true, "fullSync": false}, "new": 1},
            "debug": "not a flag",
        }));
        let visible = config.visible();
        assert_eq!(visible.debug, None);
        assert_eq!(visible.ignore.as_ref().unwrap().status, Some(true));
        assert_eq!(
            visible.client.as_ref().unwrap().device_name.as_deref(),
            Some("MacOS")
        );
        let store = visible.noweb.as_ref().unwrap().store.as_ref().unwrap();
        assert_eq!((store.enabled, store.full_sync), (Some(true), Some(false)));

        let shown = format!(
            "{config:?} {visible:?} {}",
            serde_json::to_string(&visible).unwrap()
        );
        for hidden in ["secret", "proxy", "webhooks", "metadata"] {
            assert!(!shown.contains(hidden), "{hidden} in {shown}");
        }
    }
}
