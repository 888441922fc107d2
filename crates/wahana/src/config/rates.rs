//! How much callers may ask for, where an organization has no limits of its own.

use wahana_service::limits::LimitDefaults;

use super::reader::Reader;

const MESSAGES_PER_MINUTE: &str = "limits.messages_per_minute";
const MESSAGES_PER_HOUR: &str = "limits.messages_per_hour";
const MEDIA_PER_MINUTE: &str = "limits.media_per_minute";
const MEDIA_PER_HOUR: &str = "limits.media_per_hour";
const REQUESTS_PER_MINUTE: &str = "limits.requests_per_minute";
const QUEUED_MESSAGES: &str = "limits.queued_messages";

/// More than anybody means; a limit that is meant to be none is so large.
const MOST: u64 = 10_000_000;

pub(super) fn read(reader: &mut Reader<'_>) -> LimitDefaults {
    let defaults = LimitDefaults::default();
    let mut limit =
        |name, default: u32| u32::try_from(reader.number(name, default.into(), 0, MOST)).unwrap_or(default);
    LimitDefaults {
        messages_per_minute: limit(MESSAGES_PER_MINUTE, defaults.messages_per_minute),
        messages_per_hour: limit(MESSAGES_PER_HOUR, defaults.messages_per_hour),
        media_per_minute: limit(MEDIA_PER_MINUTE, defaults.media_per_minute),
        media_per_hour: limit(MEDIA_PER_HOUR, defaults.media_per_hour),
        requests_per_minute: limit(REQUESTS_PER_MINUTE, defaults.requests_per_minute),
        queued_messages: limit(QUEUED_MESSAGES, defaults.queued_messages),
    }
}

pub(super) fn shown(limits: &LimitDefaults) -> Vec<(&'static str, String)> {
    vec![
        (MESSAGES_PER_MINUTE, limits.messages_per_minute.to_string()),
        (MESSAGES_PER_HOUR, limits.messages_per_hour.to_string()),
        (MEDIA_PER_MINUTE, limits.media_per_minute.to_string()),
        (MEDIA_PER_HOUR, limits.media_per_hour.to_string()),
        (REQUESTS_PER_MINUTE, limits.requests_per_minute.to_string()),
        (QUEUED_MESSAGES, limits.queued_messages.to_string()),
    ]
}
