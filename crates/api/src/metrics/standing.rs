//! How sessions, events and WAHA servers stand, as this process last saw them. They are the database's, so every
//! process that works shows the same.

use std::{collections::BTreeSet, sync::PoisonError};

use metrics::{describe_gauge, gauge};
use wahana_service::platform::standing::Standing;

use super::{Metrics, number::as_gauge};

const SESSIONS: &str = "wahana_sessions";
const NOT_AS_WANTED: &str = "wahana_sessions_not_as_wanted";
const OLDEST_EVENT: &str = "wahana_waha_events_oldest_waiting_seconds";
const WAITING_DELIVERIES: &str = "wahana_webhook_deliveries_waiting";
const OLDEST_DELIVERY: &str = "wahana_webhook_deliveries_oldest_due_seconds";
const SNAPSHOT: &str = "wahana_waha_server_snapshot_timestamp_seconds";

pub(super) fn describe() {
    describe_gauge!(SESSIONS, "Living sessions, by what they are doing");
    describe_gauge!(
        NOT_AS_WANTED,
        "Sessions that are not as their organizations want them, by why"
    );
    describe_gauge!(
        OLDEST_EVENT,
        "For how long the first event that is to be applied has waited, in seconds"
    );
    describe_gauge!(
        WAITING_DELIVERIES,
        "Deliveries to webhooks that wait, those that failed and are tried again among them"
    );
    describe_gauge!(
        OLDEST_DELIVERY,
        "For how long the first delivery to a webhook that is due has waited, in seconds"
    );
    describe_gauge!(
        SNAPSHOT,
        "When a WAHA server last gave its session list, in seconds since 1970"
    );
}

impl Metrics {
    /// Shows how the installation stands.
    pub fn show_standing(&self, standing: &Standing) {
        for (status, sessions) in standing.sessions {
            gauge!(SESSIONS, "status" => status.as_str()).set(as_gauge(sessions));
        }
        for (obstacle, sessions) in standing.not_as_wanted {
            gauge!(NOT_AS_WANTED, "reason" => obstacle.as_str()).set(as_gauge(sessions));
        }
        gauge!(OLDEST_EVENT).set(standing.oldest_waiting_event.as_secs_f64());
        gauge!(WAITING_DELIVERIES).set(as_gauge(standing.waiting_deliveries));
        gauge!(OLDEST_DELIVERY).set(standing.oldest_due_delivery.as_secs_f64());
        // What was shown once cannot be taken back, and the last time of a server that was removed or renamed
        // would look like one that is away.
        let mut shown = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let present: BTreeSet<String> = standing.snapshots.iter().map(|last| last.name.clone()).collect();
        for gone in shown.difference(&present) {
            gauge!(SNAPSHOT, "server" => gone.clone()).set(f64::NAN);
        }
        for last in &standing.snapshots {
            let seconds = u64::try_from(last.at.as_seconds()).unwrap_or(0);
            gauge!(SNAPSHOT, "server" => last.name.clone()).set(as_gauge(seconds));
        }
        *shown = present;
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use metrics_exporter_prometheus::PrometheusBuilder;
    use wahana_domain::{ServerId, SessionStatus, Timestamp};
    use wahana_service::platform::standing::{LastSnapshot, Obstacle};

    use super::*;

    fn standing(server: &str) -> Standing {
        Standing {
            sessions: SessionStatus::ALL.map(|status| (status, 3)),
            not_as_wanted: Obstacle::ALL.map(|obstacle| (obstacle, 1)),
            oldest_waiting_event: Duration::from_millis(1500),
            waiting_deliveries: 7,
            oldest_due_delivery: Duration::from_secs(4),
            snapshots: vec![LastSnapshot {
                server: ServerId::new(),
                name: server.to_owned(),
                at: Timestamp::from_seconds(1_800_000_000),
            }],
        }
    }

    #[test]
    fn a_server_that_is_gone_has_no_time_any_more() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = Metrics {
            handle: recorder.handle(),
            is_public: false,
            servers: Arc::default(),
        };
        let shown = |server: &str| {
            metrics::with_local_recorder(&recorder, || metrics.show_standing(&standing(server)));
            metrics.handle.render()
        };
        let first = shown("one");
        for line in [
            r#"wahana_sessions{status="working"} 3"#,
            r#"wahana_sessions_not_as_wanted{reason="phone_needed"} 1"#,
            "wahana_waha_events_oldest_waiting_seconds 1.5",
            "wahana_webhook_deliveries_waiting 7",
            "wahana_webhook_deliveries_oldest_due_seconds 4",
            r#"wahana_waha_server_snapshot_timestamp_seconds{server="one"} 1800000000"#,
        ] {
            assert!(first.contains(line), "{line}: {first}");
        }
        let renamed = shown("two");
        for line in [
            r#"wahana_waha_server_snapshot_timestamp_seconds{server="one"} NaN"#,
            r#"wahana_waha_server_snapshot_timestamp_seconds{server="two"} 1800000000"#,
        ] {
            assert!(renamed.contains(line), "{line}: {renamed}");
        }
    }
}
