//! What an organization may set of a session's configuration, as a request writes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{
    ClientAppearance, IgnoredChats, NowebConfiguration, NowebStore, SessionConfiguration, Text,
};
use wahana_service::FieldErrors;

/// A session's configuration on WAHA. Webhooks, proxy, apps and metadata are the platform's.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigurationFields {
    /// Whether WAHA logs more about the session.
    pub(super) debug: Option<bool>,
    pub(super) ignore: Option<IgnoreFields>,
    pub(super) client: Option<ClientFields>,
    pub(super) noweb: Option<NowebFields>,
}

/// Which kinds of chats the session leaves alone.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IgnoreFields {
    pub(super) status: Option<bool>,
    pub(super) groups: Option<bool>,
    pub(super) channels: Option<bool>,
    pub(super) broadcast: Option<bool>,
}

/// As what the session shows itself on the phone, under "linked devices".
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientFields {
    #[schema(max_length = 50)]
    pub(super) device_name: Option<String>,
    #[schema(max_length = 50)]
    pub(super) browser_name: Option<String>,
}

/// Settings of WAHA's engine NOWEB.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NowebFields {
    /// Whether the account shows as online.
    pub(super) mark_online: Option<bool>,
    pub(super) store: Option<NowebStoreFields>,
}

/// Where the engine NOWEB keeps chats and contacts; without it they cannot be read.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NowebStoreFields {
    pub(super) enabled: Option<bool>,
    pub(super) full_sync: Option<bool>,
}

impl ConfigurationFields {
    pub(super) fn check(self, errors: &mut FieldErrors) -> SessionConfiguration {
        let mut short = |field: &str, text: Option<String>| {
            let text = text.and_then(|text| errors.take(field, Text::<50>::parse(&text)));
            text.map(Text::into_string)
        };
        SessionConfiguration {
            debug: self.debug,
            ignore: self.ignore.map(|ignore| IgnoredChats {
                status: ignore.status,
                groups: ignore.groups,
                channels: ignore.channels,
                broadcast: ignore.broadcast,
            }),
            client: self.client.map(|client| ClientAppearance {
                device_name: short("configuration.client.device_name", client.device_name),
                browser_name: short("configuration.client.browser_name", client.browser_name),
            }),
            noweb: self.noweb.map(|noweb| NowebConfiguration {
                mark_online: noweb.mark_online,
                store: noweb.store.map(|store| NowebStore {
                    enabled: store.enabled,
                    full_sync: store.full_sync,
                }),
            }),
        }
    }
}
