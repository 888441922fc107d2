//! Sessions that work as far as WAHA says, and hear nothing.

use std::{sync::PoisonError, time::Duration};

use waha_client::WahaError;
use wahana_domain::{
    SessionId, SessionStatus, Timestamp,
    silence::{HISTORY, Hearing, LOOK_EVERY, RECENT},
};
use wahana_store::{Lease, ServerInCare, Tenant, sessions as stored, upkeep};

use super::{Care, Reconciler};
use crate::{ServiceError, upstream::Upstream};

/// The sessions of a server that are still to be looked at. All are once in a quarter of an hour, a few in each
/// round, so that no round asks much of WAHA.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// No more of them than it takes to find them again: of a hundred thousand, rows are many megabytes.
    due: Vec<(Tenant, SessionId)>,
    portion: usize,
    began_at: Option<Timestamp>,
}

const NOBODY: &str = "The session is connected as far as WAHA says, but WAHA does not say to whose account.";
const NO_ANSWER: &str = "The session is connected as far as WAHA says, but does not answer a simple question of whose account it is.";

impl Reconciler {
    /// Looks at a few sessions of a server.
    pub(super) async fn look_for_silence(
        &self,
        server: &ServerInCare,
        lease: &Lease,
        care: &Care,
    ) -> Result<(), ServiceError> {
        let services = &self.0.services;
        let now = services.now();
        if care.sweep_is_due(now) {
            let tx = services.store.platform_read().await?;
            let known = tx.sessions_on_server(server.id).await?;
            drop(tx);
            let working = known
                .iter()
                .filter(|known| known.session.status == SessionStatus::Working)
                .map(|known| (known.tenant, known.session.id));
            care.begin_sweep(working.collect(), now, self.0.settings.interval);
        }
        let portion = care.portion();
        if portion.is_empty() {
            return Ok(());
        }
        let upstream = services.upstreams.get(server.id).await?;
        for (tenant, session) in portion {
            self.listen(&upstream, lease, tenant, session).await?;
        }
        Ok(())
    }

    async fn listen(
        &self,
        upstream: &Upstream,
        lease: &Lease,
        tenant: Tenant,
        session: SessionId,
    ) -> Result<(), ServiceError> {
        let services = &self.0.services;
        let now = services.now();
        let tx = services.store.read(tenant).await?;
        let Some(session) = stored::with_ids(&tx, &[session]).await?.pop() else {
            return Ok(());
        };
        if session.status != SessionStatus::Working {
            return Ok(());
        }
        let upkeep = upkeep::get(&tx, session.id).await?;
        let heard_lately = upkeep.last_event_at.is_some_and(|at| now.since(at) < RECENT);
        let slots = if heard_lately {
            Vec::new()
        } else {
            upkeep::slots_with_something(&tx, session.id, now.minus(HISTORY)).await?
        };
        drop(tx);
        let hearing = Hearing {
            slots,
            last_heard_at: upkeep.last_event_at,
            works_since: session.observed_at.unwrap_or(now),
        };
        // While the events of the whole server do not arrive, silence says nothing about a session.
        let is_judged = upstream.server.event_gap_since.is_none();
        let mut evidence = hearing.evidence(now).filter(|_| is_judged);
        let mut failed_at = None;
        if evidence.is_none()
            && !heard_lately
            && let Some(problem) = probe(upstream, session.waha.name.as_str()).await
        {
            failed_at = upkeep.probe_failed_at.or(Some(now));
            // Once may be chance.
            evidence = upkeep.probe_failed_at.map(|_| problem.to_owned());
        }
        if evidence == session.warning && failed_at == upkeep.probe_failed_at {
            return Ok(());
        }
        let Some(tx) = self.0.leadership.write(lease, tenant).await? else {
            return Ok(());
        };
        // The session before its upkeep, as whoever applies its events does.
        if evidence != session.warning {
            stored::set_warning(&tx, session.id, evidence.as_deref()).await?;
        }
        if failed_at != upkeep.probe_failed_at {
            upkeep::set_probe_failed(&tx, session.id, failed_at).await?;
        }
        tx.commit().await?;
        tell(session.id, session.warning.as_deref(), evidence.as_deref());
        Ok(())
    }
}

/// Asks WAHA something that costs it nothing; says what is wrong with the answer.
async fn probe(upstream: &Upstream, name: &str) -> Option<&'static str> {
    match upstream.waha().me(name).await {
        // The key or the way to WAHA is not the session's.
        Ok(Some(_)) | Err(WahaError::KeyRefused { .. } | WahaError::Unreachable { .. }) => None,
        Ok(None) => Some(NOBODY),
        Err(_) => Some(NO_ANSWER),
    }
}

fn tell(session: SessionId, before: Option<&str>, now: Option<&str>) {
    match (before, now) {
        (None, Some(evidence)) => {
            tracing::warn!(session.id = %session, "a session seems to be deaf. {evidence}");
        }
        (Some(_), None) => {
            tracing::info!(session.id = %session, "a session that seemed to be deaf hears again");
        }
        _ => {}
    }
}

impl Care {
    fn sweep_is_due(&self, now: Timestamp) -> bool {
        let sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        // A time in the future means that the clock was set back.
        sweep
            .began_at
            .is_none_or(|began_at| began_at > now || now.since(began_at) >= LOOK_EVERY)
    }

    fn begin_sweep(&self, due: Vec<(Tenant, SessionId)>, now: Timestamp, between_rounds: Duration) {
        let rounds = LOOK_EVERY.as_millis() / between_rounds.as_millis().max(1);
        let rounds = usize::try_from(rounds).unwrap_or(usize::MAX).max(1);
        let mut sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        *sweep = Sweep {
            portion: due.len().div_ceil(rounds),
            due,
            began_at: Some(now),
        };
    }

    /// The next few of the sweep.
    fn portion(&self) -> Vec<(Tenant, SessionId)> {
        let mut sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = sweep.due.len().saturating_sub(sweep.portion);
        sweep.due.split_off(rest)
    }
}
