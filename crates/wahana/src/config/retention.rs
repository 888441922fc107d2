//! How long the platform keeps things. What organizations keep, they say themselves.

use wahana_service::jobs::RetentionSettings;

use super::reader::Reader;

const EVENTS: &str = "retention.events_days";
const ORGANIZATION_EVENTS: &str = "retention.organization_events_days";
const WEBHOOK_DELIVERIES: &str = "retention.webhook_deliveries_days";
const JOBS: &str = "retention.jobs_days";
const HISTORY: &str = "retention.history_days";
const AUDIT: &str = "retention.audit_days";
const SIGN_INS: &str = "retention.sign_ins_days";

/// A hundred years.
const MOST: u64 = 36_500;
/// PostgreSQL deletes no younger audit entries of the platform's.
const LEAST_AUDIT: u64 = 90;

pub(super) fn read(reader: &mut Reader<'_>) -> RetentionSettings {
    let default = RetentionSettings::default();
    let mut days = |name, default: u32, least| {
        let days = reader.number(name, default.into(), least, MOST);
        u32::try_from(days).unwrap_or(default)
    };
    RetentionSettings {
        // WAHA repeats an event for a day, and only who still knows it can tell that it is one.
        events_days: days(EVENTS, default.events_days, 2),
        // Deliveries tell what is kept, and are tried for 77 hours if their receiver asks for ten each time.
        organization_events_days: days(ORGANIZATION_EVENTS, default.organization_events_days, 4),
        // Deliveries are tried for more than a day.
        webhook_deliveries_days: days(WEBHOOK_DELIVERIES, default.webhook_deliveries_days, 2),
        jobs_days: days(JOBS, default.jobs_days, 1),
        history_days: days(HISTORY, default.history_days, 1),
        audit_days: days(AUDIT, default.audit_days, LEAST_AUDIT),
        sign_ins_days: days(SIGN_INS, default.sign_ins_days, 1),
    }
}

pub(super) fn shown(retention: RetentionSettings) -> Vec<(&'static str, String)> {
    [
        (EVENTS, retention.events_days),
        (ORGANIZATION_EVENTS, retention.organization_events_days),
        (WEBHOOK_DELIVERIES, retention.webhook_deliveries_days),
        (JOBS, retention.jobs_days),
        (HISTORY, retention.history_days),
        (AUDIT, retention.audit_days),
        (SIGN_INS, retention.sign_ins_days),
    ]
    .map(|(name, days)| (name, days.to_string()))
    .to_vec()
}
