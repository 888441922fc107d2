//! What an organization may set of a session's configuration on WAHA.

use serde::{Deserialize, Serialize};

/// What an organization may set of a session's configuration. WAHA has more: webhooks, proxy, apps and
/// metadata would let a tenant out of its own world, so they are the platform's. Written as WAHA
/// writes it; what is `None` is left to WAHA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionConfiguration {
    /// Whether WAHA logs more about the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug: Option<bool>,
    /// Which kinds of chats it leaves alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<IgnoredChats>,
    /// As what it shows itself on the phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientAppearance>,
    /// Settings of the engine NOWEB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noweb: Option<NowebConfiguration>,
}

/// Which kinds of chats a session leaves alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct IgnoredChats {
    /// Status updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<bool>,
    /// Groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<bool>,
    /// Channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<bool>,
    /// Broadcast lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<bool>,
}

/// As what a session shows itself on the phone, under "linked devices".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientAppearance {
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// The browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser_name: Option<String>,
}

/// Settings of the engine NOWEB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NowebConfiguration {
    /// Whether the account shows as online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark_online: Option<bool>,
    /// Whether chats and contacts can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<NowebStore>,
}

/// Where the engine NOWEB keeps chats and contacts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NowebStore {
    /// Whether it keeps them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether it asks the phone for all history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_sync: Option<bool>,
}
