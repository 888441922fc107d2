//! Limits as callers meet them: many at once, in several processes, with Redis and without.

use std::{slice::from_ref, sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::task::JoinSet;
use waha_client::{HttpClient, HttpOptions};
use wahana_domain::{ManualClock, OrganizationId, ProcessRole, SessionId, Timestamp, TokenId};
use wahana_testkit::{database::TestDatabase, on_both_databases, redis::TestRedis};

use super::{
    rule::{Counted, Key},
    window::Period,
    *,
};
use crate::{ServiceSettings, processes};

/// When a test gives up on Redis. Long, because tests share the machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// One process's limits, and the clock that it is told the time by.
fn process(redis: Option<&TestRedis>) -> (Arc<Limits>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_800_000_000)));
    // A test's machine may be busy for longer than an operator's is.
    let timeout = Duration::from_secs(2);
    let settings = LimitSettings {
        defaults: LimitDefaults::default(),
        redis: redis.map(|redis| RedisSettings::new(&SecretString::from(redis.url()), timeout).unwrap()),
    };
    (Limits::new(settings, clock.clone()), clock)
}

fn rule(subject: Subject, limit: u32) -> Rule {
    Rule {
        key: Key {
            counted: Counted::Messages,
            period: Period::Hour,
            subject,
        },
        limit,
    }
}

/// How many of so many attempts at once pass.
async fn burst(
    processes: &[Arc<Limits>],
    organization: OrganizationId,
    rules: &[Rule],
    attempts: usize,
) -> usize {
    let mut running = JoinSet::new();
    for limits in processes.iter().cycle().take(attempts) {
        let (limits, rules) = (limits.clone(), rules.to_vec());
        running.spawn(async move {
            let taken = limits.take(organization, &rules).await;
            taken.map(|(permit, _)| permit.spend()).is_ok()
        });
    }
    let passed = running.join_all().await;
    passed.into_iter().filter(|passed| *passed).count()
}

async fn is_shared(limits: &Limits) -> bool {
    let redis = limits.redis.as_ref().unwrap();
    redis.connected().await.is_some()
}

async fn wait_until_shared(limits: &Limits) {
    let waiting = async {
        while !is_shared(limits).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_burst_passes_exactly_the_limit() {
    let (limits, _) = process(None);
    let organization = OrganizationId::new();
    let rules = [rule(Subject::Session(SessionId::new()), 37)];
    assert_eq!(burst(from_ref(&limits), organization, &rules, 300).await, 37);
    // Another organization's is another limit, even for the same subject.
    assert_eq!(burst(&[limits], OrganizationId::new(), &rules, 300).await, 37);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tokens_of_an_organization_have_one_limit_of_it() {
    let (limits, _) = process(None);
    let organization = OrganizationId::new();
    let mut passed = 0;
    for _ in 0..30 {
        let rules = [
            rule(Subject::Token(TokenId::generate()), 2),
            rule(Subject::Organization, 11),
        ];
        passed += burst(from_ref(&limits), organization, &rules, 5).await;
    }
    assert_eq!(passed, 11);
}

#[tokio::test]
async fn setting_the_clock_opens_nothing_and_locks_nobody_out() {
    let (limits, clock) = process(None);
    let organization = OrganizationId::new();
    let rules = [rule(Subject::Organization, 3)];
    assert_eq!(burst(from_ref(&limits), organization, &rules, 5).await, 3);
    let now = clock.now();
    for set_to in [
        now.plus(Duration::from_hours(48)),
        now.minus(Duration::from_hours(48)),
    ] {
        clock.set(set_to);
        assert_eq!(burst(from_ref(&limits), organization, &rules, 5).await, 0);
    }
    // The clock stands two days in the past, and an hour later the hour has passed all the same.
    clock.advance(Duration::from_hours(1));
    assert_eq!(burst(&[limits], organization, &rules, 5).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_share_a_limit_in_redis() {
    let redis = TestRedis::start();
    let processes = [process(Some(&redis)).0, process(Some(&redis)).0];
    let organization = OrganizationId::new();
    let (wide, narrow) = (
        rule(Subject::Session(SessionId::new()), 60),
        rule(Subject::Organization, 41),
    );
    let both = [wide.clone(), narrow];
    assert_eq!(burst(&processes, organization, &both, 300).await, 41);
    // What the narrow limit refused was not taken of the wide one.
    assert_eq!(burst(&processes, organization, &[wide], 300).await, 19);
    assert_eq!(burst(&processes, OrganizationId::new(), &both, 300).await, 41);
}

#[tokio::test]
async fn what_was_not_used_is_given_back_everywhere() {
    let redis = TestRedis::start();
    let (one, other) = (process(Some(&redis)).0, process(Some(&redis)).0);
    let organization = OrganizationId::new();
    let rules = [rule(Subject::Organization, 1)];
    let (permit, allowances) = one.take(organization, &rules).await.unwrap();
    assert_eq!((allowances[0].limit, allowances[0].remaining), (1, 0));
    let (_, refusal) = other.take(organization, &rules).await.unwrap_err();
    assert!(refusal.reset_after > Duration::from_mins(58) && refusal.reset_after <= Duration::from_hours(1));
    drop(permit);
    let waiting = async {
        while other
            .take(organization, &rules)
            .await
            .map(|(permit, _)| permit.spend())
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    assert!(one.take(organization, &rules).await.is_err());
}

#[tokio::test]
async fn without_redis_each_process_has_its_share_and_with_it_the_limit_again() {
    let mut redis = TestRedis::start();
    let processes = [process(Some(&redis)).0, process(Some(&redis)).0];
    let organization = OrganizationId::new();
    let rules = [rule(Subject::Organization, 20)];
    for limits in &processes {
        limits.processes.store(2, Ordering::Relaxed);
    }
    let [one, other] = &processes;
    assert_eq!(burst(from_ref(one), organization, &rules, 4).await, 4);

    redis.kill();
    // What a process let through before counts in its share.
    assert_eq!(burst(from_ref(one), organization, &rules, 30).await, 6);
    assert_eq!(burst(from_ref(other), organization, &rules, 30).await, 10);
    assert!(!is_shared(one).await && !is_shared(other).await);

    redis.restart();
    wait_until_shared(one).await;
    wait_until_shared(other).await;
    // This Redis knows nothing any more; a process still passes no more than the limit in all.
    assert_eq!(burst(from_ref(one), organization, &rules, 30).await, 10);
    assert_eq!(burst(from_ref(other), organization, &rules, 30).await, 10);
    assert_eq!(burst(&processes, organization, &rules, 30).await, 0);
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_waited_for_once() {
    let redis = TestRedis::start();
    let (limits, _) = process(Some(&redis));
    let organization = OrganizationId::new();
    let rules = [rule(Subject::Organization, 3)];
    assert_eq!(burst(from_ref(&limits), organization, &rules, 1).await, 1);
    redis.freeze(true);
    assert_eq!(burst(from_ref(&limits), organization, &rules, 5).await, 2);
    assert!(!is_shared(&limits).await);
    redis.freeze(false);
    wait_until_shared(&limits).await;
}

#[tokio::test]
async fn redis_may_be_away_when_wahana_starts() {
    let mut redis = TestRedis::start();
    redis.kill();
    let (limits, _) = process(Some(&redis));
    let rules = [rule(Subject::Organization, 3)];
    assert_eq!(
        burst(from_ref(&limits), OrganizationId::new(), &rules, 5).await,
        3
    );
    redis.restart();
    wait_until_shared(&limits).await;
}

#[tokio::test]
async fn the_clock_of_redis_set_back_locks_out_no_longer_than_a_window() {
    let redis = TestRedis::start();
    let (limits, _) = process(Some(&redis));
    let organization = OrganizationId::new();
    let rules = [rule(Subject::Organization, 3)];
    // As if two units had been taken a year from now.
    let key = format!("wahana:limits:{{{organization}}}:{}", rules[0].key);
    let mut connection = ::redis::Client::open(redis.url())
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let ahead: i64 = ::redis::cmd("EVAL")
        .arg("local slot = math.floor(redis.call('TIME')[1] / 60) + 525600 redis.call('HSET', KEYS[1], slot, 2) return slot")
        .arg(1)
        .arg(&key)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(burst(from_ref(&limits), organization, &rules, 5).await, 1);
    let (_, refusal) = limits.take(organization, &rules).await.unwrap_err();
    assert!(refusal.reset_after <= Duration::from_hours(1), "{refusal:?}");
    let slots: Vec<i64> = ::redis::cmd("HKEYS")
        .arg(&key)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(slots.iter().all(|slot| *slot < ahead), "{slots:?}");
}

async fn processes_that_answer_requests_have_equal_shares(db: &TestDatabase) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_800_000_000)));
    let mut processes = Vec::new();
    for role in [ProcessRole::All, ProcessRole::Api, ProcessRole::Worker] {
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let settings = ServiceSettings::at("http://wahana.test/".parse().unwrap());
        let services = Services::new(db.store(clock.clone()).await, http, settings);
        processes::announce(&services, "host", role).await.unwrap();
        processes.push(services);
    }
    let [first, second, _] = processes.as_slice() else {
        unreachable!("there are three")
    };
    let share = async |organization| {
        processes::announce(first, "host", ProcessRole::All)
            .await
            .unwrap();
        let rules = [rule(Subject::Organization, 10)];
        burst(from_ref(&first.limits), organization, &rules, 20).await
    };
    assert_eq!(share(OrganizationId::new()).await, 5);
    processes::retire(second).await.unwrap();
    assert_eq!(share(OrganizationId::new()).await, 10);
    processes::announce(second, "host", ProcessRole::Api)
        .await
        .unwrap();
    assert_eq!(share(OrganizationId::new()).await, 5);
    clock.advance(Duration::from_mins(1));
    assert_eq!(share(OrganizationId::new()).await, 10);
}

on_both_databases!(processes_that_answer_requests_have_equal_shares);
