//! What is counted, for whoever watches the installation.
//!
//! Labels have few values: routes are templates, methods are known ones, and nothing is labelled with
//! an organization, session or person.

mod number;
mod standing;
mod work;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, RwLock},
    time::Duration,
};

use axum::http::Method;
use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use wahana_domain::{Clock, SystemClock};

const REQUESTS: &str = "wahana_http_requests_total";
const DURATION: &str = "wahana_http_request_duration_seconds";
const RESIDENT_MEMORY: &str = "process_resident_memory_bytes";
/// As Prometheus' own libraries call it.
const STARTED: &str = "process_start_time_seconds";
const BUILD: &str = "wahana_build_info";

/// From answers out of memory to the longest waits on WAHA, in seconds.
const DURATION_BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

/// The counts of this process.
#[derive(Clone, Debug)]
pub struct Metrics {
    handle: PrometheusHandle,
    is_public: bool,
    /// The WAHA servers that are shown.
    servers: Arc<Mutex<BTreeSet<String>>>,
}

/// Something counts in this process already, or the buckets are unusable.
#[derive(Clone, Debug, thiserror::Error)]
#[error("metrics cannot be set up: {0}")]
pub struct MetricsError(String);

impl Metrics {
    /// Begins to count, once a process. `is_public`: whether the counts are shown beside the API, to
    /// everybody who can reach it.
    pub fn install(is_public: bool) -> Result<Self, MetricsError> {
        let buckets = Matcher::Full(DURATION.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(buckets, &DURATION_BUCKETS)
            .map_err(|error| MetricsError(error.to_string()))?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|error| MetricsError(error.to_string()))?;
        describe_counter!(REQUESTS, "Requests that were answered");
        describe_histogram!(DURATION, "How long answering took, in seconds");
        wahana_service::events::describe_metrics();
        wahana_service::media::describe_metrics();
        wahana_service::webhooks::describe_metrics();
        describe_gauge!(RESIDENT_MEMORY, "Memory of the process, in bytes");
        describe_gauge!(STARTED, "When the process began, in seconds since 1970");
        describe_gauge!(BUILD, "Always 1; the version is a label");
        standing::describe();
        work::describe();
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        let started = u64::try_from(SystemClock.now().as_seconds()).unwrap_or(0);
        gauge!(STARTED).set(number::as_gauge(started));
        Ok(Self {
            handle,
            is_public,
            servers: Arc::default(),
        })
    }

    pub(crate) const fn is_public(&self) -> bool {
        self.is_public
    }

    /// The counts in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        if let Some(bytes) = resident_memory() {
            gauge!(RESIDENT_MEMORY).set(bytes);
        }
        self.handle.render()
    }

    /// Folds what was measured into the buckets, so that memory does not grow while nobody looks.
    /// To be called every few seconds.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// Counts an answer.
pub(crate) fn count_request(method: &Method, route: &str, status: u16, duration: Duration) {
    let counts = Counts::of(known(method), route, status);
    counts.requests.increment(1);
    counts.durations.record(duration.as_secs_f64());
}

/// Where the answers to one kind of request are counted.
#[derive(Clone)]
struct Counts {
    requests: Counter,
    durations: Histogram,
}

/// By status and method, and then by route.
type Counted = BTreeMap<(u16, &'static str), HashMap<String, Counts>>;

/// What was counted so far: looking it up by its labels at the recorder takes a dozen allocations for
/// each request.
static COUNTED: RwLock<Counted> = RwLock::new(BTreeMap::new());

impl Counts {
    fn of(method: &'static str, route: &str, status: u16) -> Self {
        let kind = (status, method);
        if let Ok(counted) = COUNTED.read()
            && let Some(counts) = counted.get(&kind).and_then(|routes| routes.get(route))
        {
            return counts.clone();
        }
        let labels = [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        let counts = Self {
            requests: counter!(REQUESTS, &labels),
            durations: histogram!(DURATION, &labels),
        };
        // Without the list, which only a panic can poison, counting is slower.
        if let Ok(mut counted) = COUNTED.write() {
            let routes = counted.entry(kind).or_default();
            routes.insert(route.to_owned(), counts.clone());
        }
        counts
    }
}

/// Callers can invent methods; labels cannot.
const fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// As Linux tells it; `None` elsewhere.
fn resident_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u32 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(f64::from(kibibytes) * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_methods_share_a_label() {
        assert_eq!(known(&Method::PATCH), "PATCH");
        assert_eq!(known(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
