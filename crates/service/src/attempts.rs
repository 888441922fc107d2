//! Limits on guessing: of passwords, and of the secrets in links. Counted in this process, by time that is
//! measured: setting the clock gives nobody more guesses and locks nobody out.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use wahana_domain::{Clock, EmailAddress};

use crate::ServiceError;

/// How fast attempts may follow each other.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// How many at once.
    burst: u32,
    /// After how long there is one more.
    one_each: Duration,
}

/// From one address: generous, because an office shares one, and those that succeed do not count.
const BY_SOURCE: Rate = Rate {
    burst: 20,
    one_each: Duration::from_secs(30),
};
/// On one account, from wherever.
const BY_ACCOUNT: Rate = Rate {
    burst: 10,
    one_each: Duration::from_mins(1),
};
/// How many addresses and how many accounts are remembered; some megabytes.
const CAPACITY: usize = 50_000;

/// Who guessed how often of late. Each attempt counts before it is made, so that many at once are not
/// one, and is given back if it succeeds.
#[derive(Debug)]
pub(crate) struct Attempts {
    clock: Arc<dyn Clock>,
    by_source: Limiter<Option<IpAddr>>,
    by_account: Limiter<String>,
}

/// An attempt that was counted.
#[must_use]
pub(crate) struct Attempt<'a> {
    attempts: &'a Attempts,
    source: Option<IpAddr>,
    account: Option<String>,
}

impl Attempts {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            by_source: Limiter::new(BY_SOURCE, CAPACITY),
            by_account: Limiter::new(BY_ACCOUNT, CAPACITY),
        }
    }

    /// Counts an attempt on an account, which need not exist.
    pub(crate) fn on_account(
        &self,
        source: Option<IpAddr>,
        email: &EmailAddress,
    ) -> Result<Attempt<'_>, ServiceError> {
        let mut attempt = self.on_link(source)?;
        let account = email.canonical().to_owned();
        self.by_account.take(&account, self.clock.elapsed())?;
        attempt.account = Some(account);
        Ok(attempt)
    }

    /// Counts an attempt with the secret of a link.
    pub(crate) fn on_link(&self, source: Option<IpAddr>) -> Result<Attempt<'_>, ServiceError> {
        let source = source.map(network);
        self.by_source.take(&source, self.clock.elapsed())?;
        Ok(Attempt {
            attempts: self,
            source,
            account: None,
        })
    }
}

impl Attempt<'_> {
    /// It was no guess: it does not count.
    pub(crate) fn succeeded(self) {
        self.attempts.by_source.give_back(&self.source);
        if let Some(account) = &self.account {
            self.attempts.by_account.give_back(account);
        }
    }
}

/// Whoever has one address of IPv6 has the whole network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A token bucket for each key. Holds, for each, the moment at which its bucket is full again.
#[derive(Debug)]
struct Limiter<K> {
    rate: Rate,
    capacity: usize,
    full_at: Mutex<HashMap<K, Duration>>,
}

impl<K: Clone + Eq + Hash> Limiter<K> {
    fn new(rate: Rate, capacity: usize) -> Self {
        Self {
            rate,
            capacity,
            full_at: Mutex::default(),
        }
    }

    /// Takes one from the bucket.
    fn take(&self, key: &K, now: Duration) -> Result<(), ServiceError> {
        let Rate { burst, one_each } = self.rate;
        let Ok(mut full_at) = self.full_at.lock() else {
            return Err(ServiceError::Internal("the limits are poisoned".to_owned()));
        };
        let empty = now + one_each * burst;
        let before = match full_at.get_mut(key) {
            Some(at) => {
                *at = (*at).max(now);
                *at
            }
            None => now,
        };
        let after = before + one_each;
        if after > empty {
            return Err(ServiceError::too_many_attempts(
                burst,
                after.saturating_sub(empty),
            ));
        }
        if full_at.len() >= self.capacity && !full_at.contains_key(key) {
            full_at.retain(|_, at| *at > now);
            // Forgetting somebody would give their guesses back.
            if full_at.len() >= self.capacity {
                return Err(ServiceError::too_many_attempts(burst, one_each));
            }
        }
        full_at.insert(key.clone(), after);
        Ok(())
    }

    fn give_back(&self, key: &K) {
        if let Ok(mut full_at) = self.full_at.lock()
            && let Some(at) = full_at.get_mut(key)
        {
            *at = at.saturating_sub(self.rate.one_each);
        }
    }
}

#[cfg(test)]
mod tests {
    use wahana_domain::{ManualClock, Timestamp};

    use super::*;

    const START: Duration = Duration::from_hours(24);
    const RATE: Rate = Rate {
        burst: 3,
        one_each: Duration::from_secs(10),
    };

    fn retry_after(taken: Result<(), ServiceError>) -> Duration {
        match taken {
            Err(ServiceError::RateLimited { allowance, .. }) => {
                assert_eq!((allowance.limit, allowance.remaining), (RATE.burst, 0));
                allowance.reset_after
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_each_time() {
        let limiter = Limiter::new(RATE, 10);
        for _ in 0..3 {
            limiter.take(&1, START).unwrap();
        }
        assert_eq!(retry_after(limiter.take(&1, START)), Duration::from_secs(10));
        limiter.take(&2, START).unwrap();
        let later = START + Duration::from_secs(10);
        limiter.take(&1, later).unwrap();
        assert_eq!(retry_after(limiter.take(&1, later)), Duration::from_secs(10));
    }

    #[test]
    fn what_succeeded_does_not_count() {
        let limiter = Limiter::new(RATE, 10);
        for _ in 0..50 {
            limiter.take(&1, START).unwrap();
            limiter.give_back(&1);
        }
    }

    #[test]
    fn setting_the_clock_gives_no_guesses_and_locks_nobody_out() {
        let start = Timestamp::from_seconds(1_800_000_000);
        let clock = Arc::new(ManualClock::at(start));
        let attempts = Attempts::new(clock.clone());
        let attempt = || attempts.on_link(None).map(|_counted| ());
        for _ in 0..BY_SOURCE.burst {
            attempt().unwrap();
        }
        let day = Duration::from_hours(24);
        for set_to in [start.plus(day), start.minus(day)] {
            clock.set(set_to);
            assert!(attempt().is_err());
        }
        clock.advance(BY_SOURCE.one_each);
        attempt().unwrap();
        assert!(attempt().is_err());
    }

    #[test]
    fn a_full_memory_refuses_strangers_and_forgets_nobody() {
        let limiter = Limiter::new(RATE, 2);
        for key in [1, 2] {
            for _ in 0..3 {
                limiter.take(&key, START).unwrap();
            }
        }
        retry_after(limiter.take(&3, START));
        retry_after(limiter.take(&1, START));
        limiter.take(&3, START + Duration::from_secs(31)).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_is_one_source_and_mapped_addresses_are_those_of_ipv4() {
        let attempts = Attempts::new(Arc::new(ManualClock::at(Timestamp::from_seconds(0))));
        for host in 1..=20 {
            let source = format!("2001:db8:1:2::{host:x}").parse().ok();
            let _counted = attempts.on_link(source).unwrap();
        }
        assert!(attempts.on_link("2001:db8:1:2:ffff::1".parse().ok()).is_err());
        assert!(attempts.on_link("2001:db8:1:3::1".parse().ok()).is_ok());
        assert_eq!(
            network("::ffff:192.0.2.1".parse().unwrap()),
            network("192.0.2.1".parse().unwrap())
        );
    }
}
