//! How a caller wants something sent, as far as headers say it.

use std::time::Duration;

use axum::{extract::FromRequestParts, http::request::Parts};
use wahana_domain::Timestamp;
use wahana_service::{
    FieldErrors,
    messages::{DEFAULT_WAIT, IdempotencyKey, LONGEST_AHEAD, LONGEST_WAIT, Schedule},
};

use crate::{error::ApiError, state::ApiState};

/// The header by which a request is recognized that is made again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What the headers of a request to send say: `Idempotency-Key`, and of `Prefer` (RFC 7240) `respond-async` and
/// `wait`. Preferences that are not understood are left aside, as that RFC wants.
#[derive(Debug)]
pub(crate) struct SendPreferences {
    pub(crate) key: Option<IdempotencyKey>,
    respond_async: bool,
    wait: Duration,
}

impl FromRequestParts<ApiState> for SendPreferences {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        let mut preferences = Self {
            key: key(parts)?,
            respond_async: false,
            wait: DEFAULT_WAIT,
        };
        let lines = parts.headers.get_all("prefer").iter();
        for preference in lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
        {
            // What follows a semicolon are parameters of the preference.
            let preference = preference.split(';').next().unwrap_or_default().trim();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("respond-async") {
                preferences.respond_async = true;
            } else if name.eq_ignore_ascii_case("wait")
                && let Ok(seconds) = value.parse::<u32>()
            {
                preferences.wait = Duration::from_secs(seconds.max(1).into()).min(LONGEST_WAIT);
            }
        }
        Ok(preferences)
    }
}

fn key(parts: &Parts) -> Result<Option<IdempotencyKey>, ApiError> {
    let mut lines = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(FieldErrors::one("Idempotency-Key", "is given twice").into());
    }
    // What is no ASCII is no key.
    let key = IdempotencyKey::parse(line.to_str().unwrap_or_default());
    key.map(Some)
        .map_err(|fault| FieldErrors::one("Idempotency-Key", fault).into())
}

impl SendPreferences {
    /// When it is to be sent, with what the body says of it.
    pub(crate) fn schedule(
        &self,
        send_at: Option<&str>,
        expires_at: Option<&str>,
        now: Timestamp,
        errors: &mut FieldErrors,
    ) -> Schedule {
        let mut time = |field, text: Option<&str>| {
            let at = text.and_then(|text| errors.take(field, Timestamp::parse(text)))?;
            if at > now.plus(LONGEST_AHEAD) {
                errors.add(field, "must be at most 90 days ahead");
            }
            Some(at)
        };
        let (send, expiry) = (time("send_at", send_at), time("expires_at", expires_at));
        if expiry.is_some_and(|at| at <= send.map_or(now, |send| send.max(now))) {
            errors.add("expires_at", "must be later than now and than send_at");
        }
        if self.respond_async || send_at.is_some() || expires_at.is_some() {
            Schedule::Later {
                send_at: send,
                expires_at: expiry,
            }
        } else {
            Schedule::Now { wait: self.wait }
        }
    }
}
