//! What this process lets through, counted in its memory.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wahana_domain::OrganizationId;

use super::{
    rule::{Key, Rule, Subject},
    window::{Allowance, Window},
};

/// How many windows of one organization are kept apart, some megabytes at most. What comes on top is counted
/// together, so that an organization with very many tokens limits itself and nobody else.
const WINDOWS_PER_ORGANIZATION: usize = 10_000;
/// How many locks there are. An organization always has the same one.
const SHARDS: usize = 16;
/// How often what counts no more is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// What was taken, so that it can be given back: for each rule the key and the slot.
pub(super) type Taken = Vec<(Key, u64)>;

/// The windows of every organization.
#[derive(Debug)]
pub(super) struct InProcess {
    shards: [Mutex<Shard>; SHARDS],
    most_windows: usize,
}

#[derive(Debug, Default)]
struct Shard {
    organizations: HashMap<OrganizationId, HashMap<Key, Window>>,
    sweep_at: Duration,
}

/// Of several limits: what was taken and how much is left of each; or which refuses for longest.
pub(super) type Outcome<T> = Result<(T, Vec<Allowance>), (usize, Allowance)>;

impl InProcess {
    pub(super) fn new() -> Self {
        Self {
            shards: Default::default(),
            most_windows: WINDOWS_PER_ORGANIZATION,
        }
    }

    /// Takes one unit of each rule, or none. Each of `processes` processes has an equal share.
    pub(super) fn take(
        &self,
        organization: OrganizationId,
        rules: &[Rule],
        processes: usize,
        now: Duration,
    ) -> Outcome<Taken> {
        let mut shard = self.shard(organization);
        shard.sweep(now);
        let windows = shard.organizations.entry(organization).or_default();
        let mut keys = Vec::with_capacity(rules.len());
        let mut refusal: Option<(usize, Allowance)> = None;
        for (index, rule) in rules.iter().enumerate() {
            let key = self.key(windows, &rule.key);
            let window = windows.entry(key.clone()).or_default();
            window.forget(key.period, now);
            if let Some(refused) = window.refusal(share(rule.limit, processes), key.period, now)
                && refusal.is_none_or(|(_, longest)| longest.reset_after < refused.reset_after)
            {
                refusal = Some((index, refused));
            }
            keys.push(key);
        }
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let taken = keys.into_iter().zip(rules).map(|(key, rule)| {
            let window = windows.entry(key.clone()).or_default();
            let slot = window.take(key.period, now);
            let allowance = window.allowance(share(rule.limit, processes), key.period, now);
            ((key, slot), allowance)
        });
        Ok(taken.unzip())
    }

    pub(super) fn give_back(&self, organization: OrganizationId, taken: &Taken) {
        let mut shard = self.shard(organization);
        let Some(windows) = shard.organizations.get_mut(&organization) else {
            return;
        };
        for (key, slot) in taken {
            if let Some(window) = windows.get_mut(key) {
                window.give_back(*slot);
            }
        }
    }

    /// Where a rule's units are counted: under its own key if there is room.
    fn key(&self, windows: &HashMap<Key, Window>, key: &Key) -> Key {
        let is_shared = windows.len() >= self.most_windows
            && key.subject != Subject::Organization
            && !windows.contains_key(key);
        let subject = if is_shared {
            Subject::Others
        } else {
            key.subject.clone()
        };
        Key {
            subject,
            ..key.clone()
        }
    }

    fn shard(&self, organization: OrganizationId) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        organization.hash(&mut hasher);
        let shards = u64::try_from(SHARDS).unwrap_or(u64::MAX);
        let index = usize::try_from(hasher.finish() % shards).unwrap_or(0);
        // Counts are whole between any two statements, so a panic elsewhere leaves them usable.
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Now and then forgets windows in which nothing counts any more.
    fn sweep(&mut self, now: Duration) {
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + SWEEP_INTERVAL;
        self.organizations.retain(|_, windows| {
            windows.retain(|key, window| {
                window.forget(key.period, now);
                !window.is_empty()
            });
            windows.shrink_to(windows.len() * 2);
            !windows.is_empty()
        });
    }
}

/// One process's share of a limit: rounded down, but never nothing where there is something to share.
fn share(limit: u32, processes: usize) -> u32 {
    let processes = u32::try_from(processes.max(1)).unwrap_or(u32::MAX);
    (limit / processes).max(limit.min(1))
}

#[cfg(test)]
mod tests {
    use wahana_domain::SessionId;

    use super::{super::rule::Counted, super::window::Period, *};

    const NOW: Duration = Duration::from_secs(1000);

    fn rule(subject: Subject, limit: u32) -> Rule {
        Rule {
            key: Key {
                counted: Counted::Messages,
                period: Period::Minute,
                subject,
            },
            limit,
        }
    }

    fn session() -> Subject {
        Subject::Session(SessionId::new())
    }

    fn passes(limits: &InProcess, organization: OrganizationId, rules: &[Rule]) -> bool {
        limits.take(organization, rules, 1, NOW).is_ok()
    }

    #[test]
    fn all_units_are_taken_or_none() {
        let (limits, organization) = (InProcess::new(), OrganizationId::new());
        let (wide, narrow) = (rule(session(), 2), rule(Subject::Organization, 1));
        assert!(passes(&limits, organization, &[wide.clone(), narrow.clone()]));
        assert!(!passes(&limits, organization, &[wide.clone(), narrow]));
        assert!(passes(&limits, organization, std::slice::from_ref(&wide)));
        assert!(!passes(&limits, organization, &[wide]));
    }

    #[test]
    fn organizations_do_not_share_anything() {
        let limits = InProcess::new();
        let same = rule(session(), 1);
        for _ in 0..2 {
            assert!(passes(
                &limits,
                OrganizationId::new(),
                std::slice::from_ref(&same)
            ));
        }
    }

    #[test]
    fn a_share_is_a_part_of_the_limit_and_never_more() {
        assert_eq!([share(60, 1), share(60, 2), share(60, 7)], [60, 30, 8]);
        assert_eq!([share(3, 10), share(0, 1), share(0, 10)], [1, 0, 0]);
        assert_eq!(share(60, 0), 60);
    }

    #[test]
    fn beyond_the_room_there_is_one_limit_for_all_and_others_notice_nothing() {
        let limits = InProcess {
            most_windows: 3,
            ..InProcess::new()
        };
        let (many, other) = (OrganizationId::new(), OrganizationId::new());
        let passed = (0..20).filter(|_| passes(&limits, many, &[rule(session(), 2)]));
        // Three of their own, and two of those that share.
        assert_eq!(passed.count(), 5);
        assert!(passes(&limits, other, &[rule(session(), 2)]));
        let windows = |limits: &InProcess| limits.shard(many).organizations[&many].len();
        assert_eq!(windows(&limits), 4);
        // A while later it is all forgotten.
        let later = NOW + Duration::from_mins(2);
        assert!(limits.take(many, &[rule(session(), 2)], 1, later).is_ok());
        assert_eq!(windows(&limits), 1);
    }

    #[test]
    fn the_longest_wait_is_told() {
        let (limits, organization) = (InProcess::new(), OrganizationId::new());
        let (mut minute, mut hour) = (rule(session(), 1), rule(session(), 1));
        minute.key.period = Period::Minute;
        hour.key.period = Period::Hour;
        let rules = [minute, hour];
        assert!(passes(&limits, organization, &rules));
        let (index, refusal) = limits.take(organization, &rules, 1, NOW).unwrap_err();
        assert_eq!(index, 1);
        assert!(refusal.reset_after > Duration::from_mins(58));
    }
}
