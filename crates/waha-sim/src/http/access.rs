//! Who may call: the server's key, session keys, nobody.

use http::HeaderMap;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::errors::WahaError;
use crate::sim::Sim;

/// What a caller's key allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everything.
    Admin,
    /// One session, which is named here.
    Session(String),
}

impl Access {
    pub(crate) fn needs_admin(&self) -> Result<(), WahaError> {
        match self {
            Self::Admin => Ok(()),
            Self::Session(_) => Err(WahaError::forbidden()),
        }
    }

    /// Other sessions are forbidden whether or not they exist.
    pub(crate) fn needs_session(&self, name: &str) -> Result<(), WahaError> {
        match self {
            Self::Session(own) if own != name => Err(WahaError::forbidden()),
            _ => Ok(()),
        }
    }
}

/// A key made by `/api/keys`.
#[derive(Clone, Debug)]
pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) is_active: bool,
    pub(crate) is_admin: bool,
    pub(crate) session: Option<String>,
}

impl ApiKey {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "key": self.key,
            "isActive": self.is_active,
            "isAdmin": self.is_admin,
            "session": self.session,
        })
    }
}

/// Finds out who is calling; `None` is nobody WAHA knows.
pub(crate) fn access(sim: &Sim, headers: &HeaderMap, query: &[(String, String)]) -> Option<Access> {
    let in_header = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    let in_query = || {
        // The WebSocket always took its key from the query; see `for_websocket`.
        let found = query.iter().find(|(name, _)| name == "x-api-key");
        found
            .map(|(_, value)| value.as_str())
            .filter(|_| sim.options.version.has_message_ids())
    };
    by_key(sim, in_header.or_else(in_query))
}

/// The same for `/ws`, which takes the key from the query in every version.
pub(crate) fn for_websocket(sim: &Sim, headers: &HeaderMap, query: &[(String, String)]) -> Option<Access> {
    let in_header = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    let in_query = query
        .iter()
        .find(|(name, _)| name == "x-api-key")
        .map(|(_, value)| value.as_str());
    by_key(sim, in_query.or(in_header))
}

fn by_key(sim: &Sim, given: Option<&str>) -> Option<Access> {
    let Some(own) = &sim.options.api_key else {
        return Some(Access::Admin);
    };
    let given = given?.as_bytes();
    if bool::from(own.expose_secret().as_bytes().ct_eq(given)) {
        return Some(Access::Admin);
    }
    let state = sim.lock();
    let key = state
        .keys
        .iter()
        .find(|key| key.is_active && bool::from(key.key.as_bytes().ct_eq(given)))?;
    match &key.session {
        Some(session) => Some(Access::Session(session.clone())),
        None => key.is_admin.then_some(Access::Admin),
    }
}
