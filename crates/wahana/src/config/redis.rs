//! Where limits are shared with other processes.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;
use wahana_service::limits::RedisSettings;

use super::{UNSET, database::PLACEHOLDERS, reader::Reader};

/// Where limits are shared with other processes. By default nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    pub(crate) settings: Option<RedisSettings>,
    /// The address without what may be secret.
    shown_url: String,
    timeout: Duration,
}

const URL_NAME: &str = "redis.url";
const TIMEOUT_NAME: &str = "redis.timeout_ms";

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Redis> {
    let timeout = Duration::from_millis(reader.number(TIMEOUT_NAME, 100, 10, 5000));
    let Some(text) = reader.text(URL_NAME) else {
        return Some(Redis {
            settings: None,
            shown_url: UNSET.to_owned(),
            timeout,
        });
    };
    let (settings, shown_url) = reader.take(URL_NAME, parse(&text, timeout))?;
    Some(Redis {
        settings: Some(settings),
        shown_url,
        timeout,
    })
}

fn parse(text: &str, timeout: Duration) -> Result<(RedisSettings, String), String> {
    let settings =
        RedisSettings::new(&SecretString::from(text), timeout).map_err(|error| error.to_string())?;
    let mut url = Url::parse(text).map_err(|_| "must be an address".to_owned())?;
    let password = url.password().unwrap_or_default().to_lowercase();
    if PLACEHOLDERS.contains(&password.as_str()) {
        return Err("has a placeholder for a password; choose a real one".to_owned());
    }
    url.set_query(None);
    url.set_fragment(None);
    let hidden = url.password().map(|_| "***");
    // An address that cannot have a password has none.
    if url.set_password(hidden).is_err() {
        return Ok((settings, "(not shown)".to_owned()));
    }
    Ok((settings, format!("\"{url}\"")))
}

impl Redis {
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            (URL_NAME, self.shown_url.clone()),
            (TIMEOUT_NAME, self.timeout.as_millis().to_string()),
        ]
    }
}
