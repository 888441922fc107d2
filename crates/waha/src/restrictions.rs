//! Until when WhatsApp restricts a number, which WAHA 2026.9.2 can be asked.
//!
//! What it answers was never recorded. The names read here are those of the pull request that brought `capping`
//! (devlikeapro/waha 2186) and of the event of WhatsApp's that `timelock` passes on (`TimeEnforcementEnds`).

use serde::Deserialize;

use crate::client::Call;
use crate::error::{NumberRestriction, WahaError};
use crate::timeouts::CallKind;
use crate::{WahaClient, wire};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRestriction {
    #[serde(default, alias = "enforcementEnds", deserialize_with = "wire::seconds")]
    time_enforcement_ends: Option<i64>,
    #[serde(default, deserialize_with = "wire::seconds")]
    cycle_end: Option<i64>,
}

impl WahaClient {
    /// When a restriction of a session's number ends, in Unix seconds; `None` if WAHA does not say. Older versions
    /// and other engines than GOWS have no such call: `Unsupported` or `NotFound`.
    pub async fn restriction_end(
        &self,
        session: &str,
        restriction: NumberRestriction,
    ) -> Result<Option<i64>, WahaError> {
        let what = match restriction {
            NumberRestriction::TimeLock => "timelock",
            NumberRestriction::Capping => "capping",
        };
        let call = Call::get(CallKind::Read, &["api", "sessions", session, what]);
        let answer: Option<WireRestriction> = self.optional_json(call).await?;
        Ok(answer.and_then(|answer| match restriction {
            NumberRestriction::TimeLock => answer.time_enforcement_ends,
            NumberRestriction::Capping => answer.cycle_end,
        }))
    }
}
