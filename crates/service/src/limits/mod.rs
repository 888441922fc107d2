//! How much callers may ask for: requests with one token, messages and media of one session and of an
//! organization.
//!
//! Units are counted in sliding windows (see `window`), in this process or, if there is Redis, for all
//! processes together. Everything is keyed by organization first. Time is measured, not read from a clock
//! that can be set; in Redis it is Redis' own.

mod in_process;
mod quota;
mod redis;
mod rule;
mod window;

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use wahana_domain::{Clock, OrganizationId, OrganizationLimits, SessionId};

pub(crate) use self::quota::{MonthlyQuota, check_queue};
use self::{
    in_process::{InProcess, Outcome, Taken},
    redis::{Redis, TakenInRedis},
    rule::{Rule, Subject},
};
pub use self::{
    redis::{InvalidRedisUrl, RedisSettings},
    rule::{EffectiveLimits, LimitDefaults},
    window::Allowance,
};
use crate::{Context, ServiceError, Services};

/// How the limits are set up.
#[derive(Clone, Debug, Default)]
pub struct LimitSettings {
    /// The limits of organizations that have none of their own.
    pub defaults: LimitDefaults,
    /// Where the limits are shared with other processes; in this process alone if there is none.
    pub redis: Option<RedisSettings>,
}

/// Where limits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsAre {
    /// In this process; with others beside it, each keeps to its share.
    InProcess,
    /// In Redis, for all processes together.
    Shared,
    /// Redis is away: in this process, which keeps to its share.
    ShareOfEachProcess,
}

impl LimitsAre {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProcess => "in_process",
            Self::Shared => "shared",
            Self::ShareOfEachProcess => "share_of_each_process",
        }
    }
}

/// The limits of this process. One a process.
#[derive(Debug)]
pub(crate) struct Limits {
    clock: Arc<dyn Clock>,
    defaults: LimitDefaults,
    in_process: InProcess,
    redis: Option<Arc<Redis>>,
    /// How many processes take requests, this one included.
    processes: AtomicUsize,
}

/// What was taken. Dropped, it is given back; what was used must be [`spent`](Self::spend).
#[must_use]
#[derive(Debug)]
pub(crate) struct Permit {
    limits: Arc<Limits>,
    organization: OrganizationId,
    taken: Taken,
    in_redis: TakenInRedis,
}

impl Limits {
    pub(crate) fn new(settings: LimitSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            defaults: settings.defaults,
            in_process: InProcess::new(),
            redis: settings.redis.map(Redis::new),
            processes: AtomicUsize::new(1),
        })
    }

    /// Takes one unit of each rule, or none.
    async fn take(self: &Arc<Self>, organization: OrganizationId, rules: &[Rule]) -> Outcome<Permit> {
        let connected = match &self.redis {
            None => None,
            Some(redis) => redis.connected().await.map(|connected| (redis, connected)),
        };
        let Some((redis, connected)) = connected else {
            return self.take_share(organization, rules);
        };
        // What Redis lets through counts here, too: a process knows its part when Redis is lost, and lets
        // through no more than the limit even if Redis forgot everything.
        let now = self.clock.elapsed();
        let (taken, _) = self.in_process.take(organization, rules, 1, now)?;
        let mut permit = self.permit(organization, taken);
        match redis.take(connected, organization, rules).await {
            Ok(Ok((in_redis, allowances))) => {
                permit.in_redis = in_redis;
                Ok((permit, allowances))
            }
            Ok(Err(refusal)) => Err(refusal),
            Err(redis::Away) => {
                drop(permit);
                self.take_share(organization, rules)
            }
        }
    }

    /// The same of this process's share.
    fn take_share(self: &Arc<Self>, organization: OrganizationId, rules: &[Rule]) -> Outcome<Permit> {
        let processes = self.processes.load(Ordering::Relaxed);
        let now = self.clock.elapsed();
        let (taken, allowances) = self.in_process.take(organization, rules, processes, now)?;
        Ok((self.permit(organization, taken), allowances))
    }

    fn permit(self: &Arc<Self>, organization: OrganizationId, taken: Taken) -> Permit {
        Permit {
            limits: self.clone(),
            organization,
            taken,
            in_redis: Vec::new(),
        }
    }
}

impl Permit {
    /// It was used: it counts.
    pub(crate) fn spend(mut self) {
        self.taken.clear();
        self.in_redis.clear();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        self.limits.in_process.give_back(self.organization, &self.taken);
        let in_redis = std::mem::take(&mut self.in_redis);
        if let Some(redis) = self.limits.redis.clone()
            && !in_redis.is_empty()
            // Without a runtime the process is ending, and the units come back with time.
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { redis.give_back(in_redis).await });
        }
    }
}

/// Counts a request of a caller, and notes for the answer how many are left.
///
/// # Errors
///
/// [`ServiceError::RateLimited`] if there were too many.
pub async fn count_request(services: &Services, context: &Context) -> Result<(), ServiceError> {
    let limits = services.limits_of(context);
    let rules = [Rule::of_request(&context.caller, &limits)];
    take(services, context, &rules).await?.spend();
    Ok(())
}

/// Takes what a message of a session needs. It is given back when it is dropped.
pub(crate) async fn take_message(
    services: &Services,
    context: &Context,
    session: SessionId,
    is_media: bool,
) -> Result<Permit, ServiceError> {
    let rules = Rule::of_message(session, is_media, &services.limits_of(context));
    take(services, context, &rules).await
}

/// Takes what a message needs that is sent while nobody waits for it.
pub(crate) async fn take_message_for(
    services: &Services,
    organization: OrganizationId,
    own: &OrganizationLimits,
    session: SessionId,
    is_media: bool,
) -> Result<Permit, ServiceError> {
    let rules = Rule::of_message(session, is_media, &services.effective_limits(own));
    match services.limits.take(organization, &rules).await {
        Ok((permit, _)) => Ok(permit),
        Err((index, allowance)) => Err(refused(&rules, index, allowance)),
    }
}

fn refused(rules: &[Rule], index: usize, allowance: Allowance) -> ServiceError {
    let message = rules.get(index).map_or_else(String::new, |rule| {
        let share = Rule {
            limit: allowance.limit,
            ..rule.clone()
        };
        share.refusal(whole_seconds(allowance.reset_after))
    });
    ServiceError::RateLimited { message, allowance }
}

async fn take(services: &Services, context: &Context, rules: &[Rule]) -> Result<Permit, ServiceError> {
    let organization = context.caller.tenant().organization_id();
    match services.limits.take(organization, rules).await {
        Ok((permit, allowances)) => {
            // A token that sees some sessions is not told how much the others do.
            let sees_all = context.caller.sessions().is_none();
            for (rule, allowance) in rules.iter().zip(allowances) {
                if sees_all || rule.key.subject != Subject::Organization {
                    context.origin.note_allowance(allowance);
                }
            }
            Ok(permit)
        }
        Err((index, allowance)) => Err(refused(rules, index, allowance)),
    }
}

/// Refuses if the organization has sent what it may in this month; for what is done before a message is
/// counted.
pub(crate) async fn check_monthly_quota(services: &Services, context: &Context) -> Result<(), ServiceError> {
    let limits = services.limits_of(context);
    if limits.monthly_messages.is_none() {
        return Ok(());
    }
    let tx = services.store.read(context.caller.tenant()).await?;
    MonthlyQuota::check(&tx, &limits).await
}

/// A time in whole seconds, rounded up and at least one: who waits so long waits long enough.
#[must_use]
pub fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

impl Services {
    /// Says how many processes take requests, this one included, for their shares of the limits while
    /// nothing is shared. One until it is said.
    pub fn set_living_processes(&self, processes: usize) {
        self.limits.processes.store(processes.max(1), Ordering::Relaxed);
    }

    /// Where limits are counted now.
    pub async fn limits_are(&self) -> LimitsAre {
        match &self.limits.redis {
            None => LimitsAre::InProcess,
            Some(redis) if redis.connected().await.is_some() => LimitsAre::Shared,
            Some(_) => LimitsAre::ShareOfEachProcess,
        }
    }

    /// The limits that hold for the caller's organization.
    pub(crate) fn limits_of(&self, context: &Context) -> EffectiveLimits {
        self.effective_limits(&context.caller.organization().limits)
    }

    /// What holds for an organization with these limits of its own.
    #[must_use]
    pub fn effective_limits(&self, own: &OrganizationLimits) -> EffectiveLimits {
        self.limits.defaults.effective(own)
    }
}
