//! One request, read once: what every handler gets.

use std::sync::Arc;

use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{access::Access, errors::WahaError};
use crate::{
    content::Content,
    sessions::{Session, Status},
    sim::{Sim, State},
};

/// A request with its body parsed.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) sim: Arc<Sim>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) raw_query: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// An empty object when there was none, as Express has it.
    pub(crate) body: Value,
    /// Why the body could not be read; told after the key was checked.
    pub(crate) body_error: Option<WahaError>,
    pub(crate) access: Option<Access>,
}

impl Call {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// A number of the query; what is not one is refused as WAHA refuses it.
    pub(crate) fn number(&self, name: &str, default: usize) -> Result<usize, WahaError> {
        match self.query(name) {
            None | Some("") => Ok(default),
            Some(text) => text.parse().map_err(|_invalid| {
                WahaError::invalid(&[format!(
                    "{name} must be a number conforming to the specified constraints"
                )])
            }),
        }
    }

    /// A yes or no of the query.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, WahaError> {
        match self.query(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(WahaError::invalid(&[format!("{name} must be a boolean value")])),
        }
    }

    pub(crate) fn descending(&self) -> Option<bool> {
        self.query("sortOrder")
            .map(|order| order.eq_ignore_ascii_case("desc"))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }

    pub(crate) fn access(&self) -> Result<&Access, WahaError> {
        self.access.as_ref().ok_or_else(WahaError::unauthorized)
    }

    pub(crate) fn admin(&self) -> Result<(), WahaError> {
        self.access()?.needs_admin()
    }

    /// Checks that the caller may touch this session, whether it exists or not.
    pub(crate) fn may_use(&self, session: &str) -> Result<(), WahaError> {
        self.access()?.needs_session(session)?;
        if self.sim.options.only_default_session && session != "default" {
            let base64 = data_encoding::BASE64.encode(session.as_bytes());
            return Err(WahaError::unprocessable(&format!(
                "WAHA Core support only 'default' session. You tried to access '{session}' session (base64: {base64}). \
                 If you want to run more then one WhatsApp account - please get WAHA PLUS version. \
                 Check this out: https://waha.devlike.pro/"
            )));
        }
        Ok(())
    }

    /// The session named in the body.
    pub(crate) fn body_session(&self) -> Result<String, WahaError> {
        self.named(self.text("session"))
    }

    /// The session named in the query.
    pub(crate) fn query_session(&self) -> Result<String, WahaError> {
        // Given twice it is a list to Express, and no name.
        let given_once = self.query.iter().filter(|(name, _)| name == "session").count() == 1;
        self.named(self.query("session").filter(|_| given_once))
    }

    /// The session named by `name` in the body.
    pub(crate) fn body_name(&self) -> Result<String, WahaError> {
        self.named(self.text("name"))
    }

    fn named(&self, name: Option<&str>) -> Result<String, WahaError> {
        match name {
            None | Some("") => Err(WahaError::bad_request("Session name is required")),
            Some(name) => {
                self.may_use(name)?;
                Ok(name.to_owned())
            }
        }
    }

    /// Waits until the session works, as every read and send does.
    pub(crate) async fn working(&self, session: &str) -> Result<(), WahaError> {
        self.may_use(session)?;
        self.sim.wait_for_status(session, &[Status::Working]).await
    }

    /// Reads what WAHA keeps of the session's phone.
    pub(crate) fn with_content<R>(
        &self,
        session: &str,
        read: impl FnOnce(&mut Content) -> R,
    ) -> Result<R, WahaError> {
        self.store_enabled(&self.sim.lock(), session)?;
        self.with_phone(session, read)
    }

    /// Asks WhatsApp itself, which needs no store.
    pub(crate) fn with_phone<R>(
        &self,
        session: &str,
        read: impl FnOnce(&mut Content) -> R,
    ) -> Result<R, WahaError> {
        let mut state = self.sim.lock();
        let contacts = self.sim.options.contacts;
        let content = state
            .content(session, contacts)
            .ok_or_else(|| WahaError::UnknownSession(session.to_owned()))?;
        Ok(read(content))
    }

    /// NOWEB keeps contacts, chats and messages only when told to, and not by default.
    fn store_enabled(&self, state: &State, session: &str) -> Result<(), WahaError> {
        let enabled = |session: &Session| {
            session
                .config_at("/noweb/store/enabled")
                .and_then(Value::as_bool)
                .unwrap_or(false)
        };
        let needs_store = self.sim.options.engine == crate::engine::Engine::Noweb;
        if needs_store && !state.sessions.get(session).is_some_and(enabled) {
            return Err(WahaError::bad_request(
                "Enable NOWEB store \"config.noweb.store.enabled=True\" and \"config.noweb.store.full_sync=True\" \
                 when starting a new session. Read more: https://waha.devlike.pro/docs/engines/noweb#store",
            ));
        }
        Ok(())
    }

    /// The session the request names, for counting: by path, query or body.
    pub(crate) fn named_session(&self, route: &str) -> Option<String> {
        let in_path = route
            .split('/')
            .zip(self.path.split('/'))
            .find(|(template, _)| *template == "{session}")
            .map(|(_, segment)| percent_decode_str(segment).decode_utf8_lossy().into_owned());
        in_path
            .or_else(|| self.text("session").map(str::to_owned))
            .or_else(|| self.query("session").map(str::to_owned))
            .or_else(|| {
                self.text("name")
                    .filter(|_| route.starts_with("/api/sessions"))
                    .map(str::to_owned)
            })
    }

    /// The request as WAHA's 500 answers repeat it, body and all.
    pub(crate) fn to_json(&self) -> Value {
        let query: Map<String, Value> = self
            .query
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.clone())))
            .collect();
        let path = match self.raw_query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        };
        serde_json::json!({
            "path": path,
            "method": self.method.as_str(),
            "body": self.body,
            "query": query,
        })
    }
}

/// Parses a body as Express does: JSON and forms by content type, anything else is no body.
pub(crate) fn parse_body(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, WahaError> {
    let content_type = headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if kind.eq_ignore_ascii_case("application/json") {
        return serde_json::from_slice(bytes).map_err(|error| not_json(bytes, &error));
    }
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let fields = url::form_urlencoded::parse(bytes);
        return Ok(fields
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect());
    }
    Ok(Value::Object(Map::new()))
}

/// The words of Node's parser, for the two cases that matter; others say where serde stopped.
fn not_json(bytes: &[u8], error: &serde_json::Error) -> WahaError {
    let position = error.column().saturating_sub(1);
    let text = String::from_utf8_lossy(bytes);
    if text.starts_with('{') && !text[1..].trim_start().starts_with('"') {
        return WahaError::bad_request("Expected property name or '}' in JSON at position 1");
    }
    if error.is_eof() {
        return WahaError::bad_request("Unexpected end of JSON input");
    }
    let token: String = text.chars().skip(position).take(1).collect();
    WahaError::bad_request(&format!(
        "Unexpected token '{token}', \"{text}\" is not valid JSON"
    ))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn parsed(content_type: &'static str, body: &str) -> Result<Value, WahaError> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(content_type));
        parse_body(&headers, body.as_bytes())
    }

    #[test]
    fn bodies_are_read_as_express_reads_them() {
        assert_eq!(
            parsed("application/json; charset=utf-8", "{\"a\":1,\"a\":2}").unwrap(),
            json!({"a": 2})
        );
        assert_eq!(
            parsed("application/json", "\u{feff}{\"a\":1}").unwrap(),
            json!({"a": 1})
        );
        assert_eq!(
            parsed("application/x-www-form-urlencoded", "a=b+c&d=%41").unwrap(),
            json!({"a": "b c", "d": "A"})
        );
        assert_eq!(parsed("text/plain", "{\"a\":1}").unwrap(), json!({}));
        assert_eq!(parsed("application/json", "").unwrap(), json!({}));
        assert!(matches!(
            parsed("application/json", "{\"a\":"),
            Err(WahaError::Nest { .. })
        ));
    }
}
