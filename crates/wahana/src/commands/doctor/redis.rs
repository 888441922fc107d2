//! Whether the limits are shared, where they are meant to be.

use wahana_service::{Services, limits::LimitsAre};

use super::Finding;

const SUBJECT: &str = "Redis";

/// Nothing where Redis is not configured.
pub(super) async fn examine(services: &Services) -> Option<Finding> {
    match services.limits_are().await {
        LimitsAre::InProcess => None,
        LimitsAre::Shared => Some(Finding::good(
            SUBJECT,
            "it answers, and the limits are shared in it",
        )),
        LimitsAre::ShareOfEachProcess => Some(Finding::warning(
            SUBJECT,
            "it is away or slow; each process keeps to its share of the limits",
            "see that it runs at redis.url with that password, and answers within redis.timeout_ms",
        )),
    }
}
