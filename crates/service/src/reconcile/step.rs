//! Carrying out one step: decided once more, written down, done, and what came of it written down.

use waha_client::WahaError;
use wahana_domain::{
    AuditOutcome, OrganizationState, ServerId, Session, Timestamp,
    reconciliation::{Attempts, Decision, Step, wait_after},
};
use wahana_store::{
    Lease, SessionInNeed, StoreError, TenantTx, Uniqueness, hooks, organizations,
    sessions::{self as stored, ObservedChange},
    upkeep::{self, Upkeep},
};

use super::{Reconciler, hold::HOLD, round::situation};
use crate::{
    ServiceError, audit,
    sessions::{Action, Call, Said},
    sync,
    upstream::{may_have_happened, refused_by_waha},
};

const fn action(step: Step) -> Action {
    match step {
        Step::Start | Step::MakeAgain => Action::Start,
        Step::Restart | Step::Wake => Action::Restart,
        Step::Stop => Action::Stop,
        Step::Delete => Action::Delete,
        Step::Repair => Action::Configure,
    }
}

/// What a step is about, as far as it was decided.
struct Intent {
    session: Session,
    /// What was remembered before.
    upkeep: Upkeep,
    /// What is written down for as long as the step takes.
    held: Attempts,
}

/// What came of a step.
struct Came {
    outcome: Result<Said, WahaError>,
    answered_at: Timestamp,
    applied_webhook: Option<i64>,
}

impl Reconciler {
    pub(super) async fn carry_out(
        &self,
        server: ServerId,
        lease: &Lease,
        need: &SessionInNeed,
        step: Step,
    ) -> Result<(), ServiceError> {
        let services = &self.0.services;
        // An operator may have paused it while this waited for its turn.
        let tx = services.store.platform_read().await?;
        let in_care = tx.servers_in_care(Some(server)).await?.pop();
        drop(tx);
        if in_care.is_none_or(|server| server.is_paused) {
            return Ok(());
        }
        let upstream = services.upstreams.get(server).await?;
        let Some(intent) = self.intend(lease, need, step).await? else {
            return Ok(());
        };
        let mut call = Call::new(services, &upstream, &intent.session, &intent.upkeep)?;
        let outcome = call.act(action(step)).await;
        let came = Came {
            applied_webhook: call.applied_webhook(),
            answered_at: services.now(),
            outcome,
        };
        let outcome = &came.outcome;
        if outcome
            .as_ref()
            .map_or_else(may_have_happened, |said| matches!(said, Said::Nothing))
        {
            services.sync.outdate(server);
        }
        match outcome {
            Ok(_) => tracing::info!(operation = action(step).operation(), "{}", done(step)),
            Err(error) => tracing::warn!(
                operation = action(step).operation(),
                error.kind = error.kind(),
                error = %error,
                "WAHA did not do what a session needs"
            ),
        }
        self.conclude(lease, need, step, &intent, &came).await
    }

    /// Decides once more, on what is so now, and writes down what is about to be done; `None` if it is not to be
    /// done any more.
    async fn intend(
        &self,
        lease: &Lease,
        need: &SessionInNeed,
        step: Step,
    ) -> Result<Option<Intent>, ServiceError> {
        let Some(tx) = self.0.leadership.write(lease, need.tenant).await? else {
            return Ok(None);
        };
        let Some(session) = stored::lock(&tx, need.session.id).await? else {
            return Ok(None);
        };
        // It was moved to another server since this one was looked at.
        if session.waha != need.session.waha {
            return Ok(None);
        }
        let upkeep = upkeep::get(&tx, session.id).await?;
        let organization = organizations::get(&tx).await?;
        let now = tx.now();
        let present = SessionInNeed {
            session,
            upkeep,
            is_suspended: organization.is_none_or(|home| home.state != OrganizationState::Active),
            ..need.clone()
        };
        if situation(&present, now).decide() != Decision::Act(step) {
            return Ok(None);
        }
        let earlier = present.upkeep.attempts;
        let held = Attempts {
            count: earlier.with(step),
            next_at: Some(now.plus(HOLD)),
            repaired_at: if step == Step::Repair {
                Some(now)
            } else {
                earlier.repaired_at
            },
            ..earlier
        };
        upkeep::set_attempts(&tx, present.session.id, &held).await?;
        if step == Step::Wake {
            upkeep::set_silent_restart(&tx, present.session.id, now).await?;
        }
        audit::record_by_system(
            &tx,
            action(step).operation(),
            Some(present.session.id),
            AuditOutcome::Intent,
        )
        .await?;
        tx.commit().await?;
        Ok(Some(Intent {
            session: present.session,
            upkeep: present.upkeep,
            held,
        }))
    }

    async fn conclude(
        &self,
        lease: &Lease,
        need: &SessionInNeed,
        step: Step,
        intent: &Intent,
        came: &Came,
    ) -> Result<(), ServiceError> {
        let observed = match &came.outcome {
            Ok(Said::Session(said)) => Some(sync::observation(Some(said), came.answered_at)),
            Ok(Said::Gone) => Some(sync::observation(None, came.answered_at)),
            Ok(Said::Nothing) | Err(_) => None,
        };
        let mut change = observed.and_then(|observation| observation.answer(&intent.session));
        loop {
            let Some(tx) = self.0.leadership.write(lease, need.tenant).await? else {
                tracing::warn!(
                    "another process looks after the WAHA server now; what came of a step is its to see"
                );
                return Ok(());
            };
            match write_outcome(&tx, step, intent, change.as_ref(), came).await {
                Err(ServiceError::Store(StoreError::Conflict(Uniqueness::SessionPhoneNumber))) => {
                    change = change.map(ObservedChange::with_taken_number);
                }
                other => {
                    other?;
                    return Ok(tx.commit().await?);
                }
            }
        }
    }
}

async fn write_outcome(
    tx: &TenantTx,
    step: Step,
    intent: &Intent,
    change: Option<&ObservedChange>,
    came: &Came,
) -> Result<(), ServiceError> {
    let (session, outcome) = (intent.session.id, &came.outcome);
    let earlier = intent.upkeep.attempts;
    // The session before its upkeep, as whoever applies its events does: else they could wait for each other.
    stored::lock(tx, session).await?;
    if let Some(version) = came.applied_webhook {
        hooks::set_applied(tx, session, version).await?;
    }
    if let Some(change) = change {
        stored::observe(tx, change).await?;
    }
    // Whoever did something to it meanwhile has said how it goes on.
    if upkeep::get(tx, session).await?.attempts == intent.held {
        // What never reached the session says nothing about it.
        let was_tried = outcome.as_ref().err().is_none_or(may_have_happened);
        let tried = Attempts {
            count: if was_tried {
                intent.held.count
            } else {
                earlier.count
            },
            next_at: Some(tx.now().plus(wait_after(earlier.count, rand::random()))),
            ..intent.held
        };
        upkeep::set_attempts(tx, session, &tried).await?;
    }
    if outcome.is_ok() && step == Step::Delete {
        stored::finish_deletion(tx, session).await?;
    }
    let result = outcome.as_ref().err().map_or(AuditOutcome::Success, |error| {
        audit::failure(refused_by_waha(error).code())
    });
    audit::record_by_system(tx, action(step).operation(), Some(session), result).await
}

const fn done(step: Step) -> &'static str {
    match step {
        Step::Start => "a session that did not run although it should was started",
        Step::Restart => "a session that had failed was restarted",
        Step::MakeAgain => "a session that WAHA had lost was made again with its configuration",
        Step::Stop => "a session that ran although it should not was stopped",
        Step::Delete => "a session that should be gone was deleted",
        Step::Wake => "a session that worked but heard nothing was restarted",
        Step::Repair => "a session's configuration was put right",
    }
}
