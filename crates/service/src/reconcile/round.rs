//! One look at a WAHA server.

use std::sync::{PoisonError, atomic::Ordering};

use tracing::Instrument as _;
use wahana_domain::{
    DesiredStatus, ServerId, SessionStatus, Timestamp,
    reconciliation::{Attempts, Decision, Halt, Seen, Situation, Step},
    silence::RESTART_AT_MOST_EVERY,
};
use wahana_store::{Lease, ServerInCare, SessionInNeed, sessions as stored, upkeep};

use super::{Care, Reconciler};
use crate::ServiceError;

/// How many sessions one round considers. Those that are left come next time.
const AT_ONCE: u64 = 200;

impl Reconciler {
    /// Looks at a server once, and begins what is to be done there. Does nothing if another process looks after
    /// it, or if WAHA does not say how its sessions are.
    pub async fn round(&self, server: ServerId) -> Result<(), ServiceError> {
        let Some(lease) = self.0.leadership.keep(server).await? else {
            return Ok(());
        };
        let services = &self.0.services;
        // What is known from before an outage says nothing of what is.
        if !services.sync.refresh(&[server]).await.is_fresh {
            return Ok(());
        }
        let tx = services.store.platform_read().await?;
        let Some(server) = tx.servers_in_care(Some(server)).await?.pop() else {
            return Ok(());
        };
        if server.is_paused {
            return Ok(());
        }
        drop(tx);
        let care = self.care(server.id);
        self.look_for_drift(&server, &lease, &care).await?;
        self.look_for_silence(&server, &lease, &care).await?;
        let tx = services.store.platform_read().await?;
        let in_need = tx.sessions_in_need(server.id, AT_ONCE).await?;
        drop(tx);
        tell(&server, &care, &in_need, services.now());
        for need in in_need {
            if care.is_busy(&need) {
                continue;
            }
            match situation(&need, services.now()).decide() {
                Decision::Act(step) => {
                    let Some(permit) = care.pace.next().await else {
                        return Ok(());
                    };
                    self.begin(&server, &lease, need, step, permit);
                }
                Decision::Forget => {
                    let kept = Attempts {
                        repaired_at: need.upkeep.attempts.repaired_at,
                        ..Attempts::default()
                    };
                    self.remember(&lease, &need, &kept, None).await?;
                }
                Decision::Halt(halt) => self.halt(&lease, &need, halt).await?,
                Decision::Leave | Decision::Wait(_) => self.explain(&lease, &need).await?,
            }
        }
        Ok(())
    }

    fn begin(
        &self,
        server: &ServerInCare,
        lease: &Lease,
        need: SessionInNeed,
        step: Step,
        permit: tokio::sync::OwnedSemaphorePermit,
    ) {
        let (own, lease, server) = (self.clone(), lease.clone(), server.clone());
        let care = self.care(server.id);
        let span = tracing::info_span!(
            "reconcile",
            organization.id = %need.session.organization_id,
            session.id = %need.session.id,
            server.name = server.name,
        );
        care.set_busy(&need, true);
        let work = async move {
            if let Err(error) = own.carry_out(server.id, &lease, &need, step).await {
                tracing::error!(error = %error, "what a session needs could not be done");
            }
            care.set_busy(&need, false);
            drop(permit);
            own.0.services.bell.ring(server.id);
        };
        self.0.steps.spawn(work.instrument(span));
    }

    async fn halt(&self, lease: &Lease, need: &SessionInNeed, halt: Halt) -> Result<(), ServiceError> {
        tracing::warn!(
            organization.id = %need.session.organization_id,
            session.id = %need.session.id,
            reason = halt.as_str(),
            "wahana does nothing more for a session until somebody acts"
        );
        let halted = Attempts {
            halt: Some(halt),
            next_at: Some(self.0.services.now()),
            ..need.upkeep.attempts
        };
        let reason = (need.session.status == SessionStatus::Error).then_some(halt);
        self.remember(lease, need, &halted, reason).await
    }

    /// Says on a session that failed why nothing more is done about it.
    async fn explain(&self, lease: &Lease, need: &SessionInNeed) -> Result<(), ServiceError> {
        let attempts = &need.upkeep.attempts;
        match attempts.halt {
            Some(halt)
                if need.session.status == SessionStatus::Error
                    && need.session.desired_status == DesiredStatus::Running
                    && need.session.last_error.as_deref() != Some(halt.as_str()) =>
            {
                self.remember(lease, need, attempts, Some(halt)).await
            }
            _ => Ok(()),
        }
    }

    async fn remember(
        &self,
        lease: &Lease,
        need: &SessionInNeed,
        attempts: &Attempts,
        reason: Option<Halt>,
    ) -> Result<(), ServiceError> {
        let Some(tx) = self.0.leadership.write(lease, need.tenant).await? else {
            return Ok(());
        };
        stored::lock(&tx, need.session.id).await?;
        // Somebody may have done something since it was looked at.
        if upkeep::get(&tx, need.session.id).await?.attempts != need.upkeep.attempts {
            return Ok(());
        }
        upkeep::set_attempts(&tx, need.session.id, attempts).await?;
        if let Some(halt) = reason {
            stored::set_last_error(&tx, need.session.id, halt.as_str()).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// What is decided from.
pub(super) fn situation(need: &SessionInNeed, now: Timestamp) -> Situation {
    let session = &need.session;
    Situation {
        now,
        wish: session.desired_status,
        is_suspended: need.is_suspended,
        // Nothing is considered there at all.
        is_server_paused: false,
        is_restricted: need.upkeep.is_restricted(now),
        seen: match session.observed_at {
            None => Seen::Nothing,
            Some(_) if session.is_gone() => Seen::Gone,
            Some(_) => Seen::Doing(session.status),
        },
        has_drifted: need.upkeep.drift.is_some(),
        may_be_woken: need.restarts_silent_sessions
            && session.warning.is_some()
            && need
                .upkeep
                .silent_restart_at
                .is_none_or(|at| now.since(at) >= RESTART_AT_MOST_EVERY),
        attempts: need.upkeep.attempts,
    }
}

/// Says in words that something is wrong on a server, once, and that it is well again.
fn tell(server: &ServerInCare, care: &Care, in_need: &[SessionInNeed], now: Timestamp) {
    let acts = in_need
        .iter()
        .filter(|need| matches!(situation(need, now).decide(), Decision::Act(_)));
    let (mut lost, mut other) = (0_u32, 0_u32);
    for need in acts {
        if need.session.is_gone() {
            lost += 1;
        } else {
            other += 1;
        }
    }
    let is_troubled = lost + other > 0;
    let was_troubled = care.has_trouble.load(Ordering::Relaxed);
    match (was_troubled, is_troubled) {
        (false, true) => tracing::warn!(
            server.name = server.name,
            sessions.lost = lost,
            sessions.other = other,
            "sessions of a WAHA server are not as wanted (lost by WAHA: {lost}, otherwise: {other}); wahana puts them right, a few a second"
        ),
        (true, false) if in_need.is_empty() && care.is_idle() => tracing::info!(
            server.name = server.name,
            "all sessions of the WAHA server are as wanted again, or wait for somebody"
        ),
        (true, false) => return,
        _ => {}
    }
    care.has_trouble.store(is_troubled, Ordering::Relaxed);
}

impl Care {
    fn is_busy(&self, need: &SessionInNeed) -> bool {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.contains(&need.session.id)
    }

    fn is_idle(&self) -> bool {
        self.busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    fn set_busy(&self, need: &SessionInNeed, is_busy: bool) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if is_busy {
            busy.insert(need.session.id);
        } else {
            busy.remove(&need.session.id);
        }
    }
}
