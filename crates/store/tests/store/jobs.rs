//! The queue of background work.

use std::{collections::HashSet, time::Duration};

use wahana_domain::{JobId, JobState, OrganizationId, ProcessId};
use wahana_store::{
    JobClaim, JobQuery,
    jobs::{self, ClaimedJob, JobLease, NewJob},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, TestOrganization, World, add_organization};

const KINDS: [&str; 1] = ["tidy"];
const LEASE: Duration = Duration::from_mins(1);

fn new_job(subject: Option<&str>) -> NewJob {
    NewJob {
        kind: "tidy",
        subject: subject.map(str::to_owned),
        payload: "{}".to_owned(),
        run_at: START,
    }
}

async fn enqueue(world: &World, organization: &TestOrganization, new: &NewJob) -> bool {
    let tx = world.write(organization).await;
    let is_added = jobs::enqueue(&tx, new).await.unwrap();
    tx.commit().await.unwrap();
    is_added
}

async fn claim_after(world: &World, owner: ProcessId, after: Option<OrganizationId>) -> Option<ClaimedJob> {
    let tx = world.platform_write().await;
    let claim = JobClaim {
        kinds: &KINDS,
        owner,
        lease: LEASE,
        after,
    };
    let claimed = tx.claim_job(&claim).await.unwrap();
    tx.commit().await.unwrap();
    claimed
}

async fn claim(world: &World) -> Option<ClaimedJob> {
    claim_after(world, ProcessId::new(), None).await
}

async fn finish(world: &World, lease: &JobLease) -> bool {
    let tx = world.platform_write().await;
    let is_finished = tx.finish_job(lease).await.unwrap();
    tx.commit().await.unwrap();
    is_finished
}

async fn fail(world: &World, lease: &JobLease, retry_after: Option<Duration>) -> bool {
    let tx = world.platform_write().await;
    let retry_at = retry_after.map(|after| tx.now().plus(after));
    let has_failed = tx.fail_job(lease, "it rained", retry_at).await.unwrap();
    tx.commit().await.unwrap();
    has_failed
}

/// Puts back what was left, as workers do.
async fn return_expired(world: &World) -> usize {
    let tx = world.platform_write().await;
    let expired = tx.expired_jobs(100).await.unwrap();
    for left in &expired {
        assert!(tx.fail_job(&left.lease, "left", Some(tx.now())).await.unwrap());
    }
    tx.commit().await.unwrap();
    expired.len()
}

async fn state(world: &World, id: JobId) -> JobState {
    let tx = world.platform_read().await;
    tx.job(id).await.unwrap().unwrap().state
}

async fn a_job_is_written_with_its_cause_and_runs_once(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.write(&world.a).await;
    assert!(jobs::enqueue(&tx, &new_job(None)).await.unwrap());
    drop(tx);
    assert_eq!(claim(&world).await, None);
    enqueue(&world, &world.a, &new_job(None)).await;
    let claimed = claim(&world).await.unwrap();
    assert_eq!(claimed.job.organization_id, Some(world.a.id()));
    assert_eq!((claimed.job.state, claimed.job.attempts), (JobState::Running, 1));
    assert_eq!(claim(&world).await, None);
    assert!(finish(&world, &claimed.lease).await);
    assert!(!finish(&world, &claimed.lease).await);
    assert_eq!(state(&world, claimed.job.id).await, JobState::Done);
}

async fn neither_later_jobs_nor_unknown_kinds_are_claimed(db: &TestDatabase) {
    let world = World::new(db).await;
    let later = NewJob {
        run_at: START.plus(Duration::from_secs(1)),
        ..new_job(None)
    };
    let unknown = NewJob {
        kind: "of a later release",
        ..new_job(None)
    };
    for new in [later, unknown] {
        enqueue(&world, &world.a, &new).await;
        assert_eq!(claim(&world).await, None);
    }
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(claim(&world).await.unwrap().job.kind, "tidy");
}

async fn one_job_waits_for_a_thing_and_another_while_it_runs(db: &TestDatabase) {
    let world = World::new(db).await;
    let new = new_job(Some("session 1"));
    assert!(enqueue(&world, &world.a, &new).await);
    assert!(!enqueue(&world, &world.a, &new).await);
    assert!(enqueue(&world, &world.a, &new_job(Some("session 2"))).await);
    let first = claim(&world).await.unwrap();
    assert_eq!(first.job.subject.as_deref(), Some("session 1"));
    assert!(enqueue(&world, &world.a, &new).await);
    // The other thing's turn comes, but not the same thing's.
    let other = claim(&world).await.unwrap();
    assert_eq!(other.job.subject.as_deref(), Some("session 2"));
    assert_eq!(claim(&world).await, None);
    assert!(finish(&world, &first.lease).await);
    let second = claim(&world).await.unwrap();
    assert_ne!(second.job.id, first.job.id);
}

async fn a_failed_job_gives_way_to_the_one_that_waits(db: &TestDatabase) {
    let world = World::new(db).await;
    let new = new_job(Some("session 1"));
    enqueue(&world, &world.a, &new).await;
    let first = claim(&world).await.unwrap();
    enqueue(&world, &world.a, &new).await;
    assert!(fail(&world, &first.lease, Some(Duration::ZERO)).await);
    assert_eq!(state(&world, first.job.id).await, JobState::Done);
    let second = claim(&world).await.unwrap();
    assert_ne!(second.job.id, first.job.id);
    // The same when an operator wants to run it again.
    assert!(fail(&world, &second.lease, None).await);
    enqueue(&world, &world.a, &new).await;
    let tx = world.platform_write().await;
    assert!(tx.retry_job(second.job.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(state(&world, second.job.id).await, JobState::Done);
}

async fn many_workers_never_have_one_job_at_once(db: &TestDatabase) {
    const JOBS: usize = 40;
    let world = World::new(db).await;
    for number in 0..JOBS {
        let organization = if number % 2 == 0 { &world.a } else { &world.b };
        enqueue(&world, organization, &new_job(None)).await;
    }
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move {
                let mut had = Vec::new();
                let mut empty = 0;
                // Others may hold all that is left for a moment.
                while empty < 3 {
                    let tx = store.platform_write().await.unwrap();
                    let claim = JobClaim {
                        kinds: &KINDS,
                        owner: ProcessId::new(),
                        lease: LEASE,
                        after: None,
                    };
                    match tx.claim_job(&claim).await.unwrap() {
                        Some(claimed) => had.push(claimed.job.id),
                        None => empty += 1,
                    }
                    tx.commit().await.unwrap();
                }
                had
            })
        })
        .collect();
    let mut had = Vec::new();
    for worker in workers {
        had.extend(worker.await.unwrap());
    }
    let distinct: HashSet<_> = had.iter().collect();
    assert_eq!((had.len(), distinct.len()), (JOBS, JOBS));
}

async fn a_job_that_was_left_runs_again_and_is_finished_once(db: &TestDatabase) {
    let world = World::new(db).await;
    enqueue(&world, &world.a, &new_job(None)).await;
    let killed = claim(&world).await.unwrap();
    world.clock.advance(LEASE / 2);
    assert_eq!(return_expired(&world).await, 0);
    world.clock.advance(LEASE / 2);
    assert_eq!(return_expired(&world).await, 1);
    let again = claim(&world).await.unwrap();
    assert_eq!(again.job.id, killed.job.id);
    assert_eq!(again.job.attempts, 2);
    assert_eq!(again.job.last_error.as_deref(), Some("left"));
    assert!(again.lease.epoch > killed.lease.epoch);
    assert!(finish(&world, &again.lease).await);
    assert!(!finish(&world, &killed.lease).await);
}

async fn a_worker_that_froze_past_its_lease_changes_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    enqueue(&world, &world.a, &new_job(None)).await;
    let owner = ProcessId::new();
    let frozen = claim_after(&world, owner, None).await.unwrap();
    world.clock.advance(LEASE);
    return_expired(&world).await;
    let lost = async |lease: &JobLease| {
        let tx = world.platform_write().await;
        assert!(!tx.holds_job(lease).await.unwrap());
        assert!(!tx.extend_job(lease, tx.now().plus(LEASE)).await.unwrap());
        assert!(!tx.finish_job(lease).await.unwrap());
        assert!(!tx.fail_job(lease, "late", Some(tx.now())).await.unwrap());
        assert!(!tx.fail_job(lease, "late", None).await.unwrap());
        tx.commit().await.unwrap();
    };
    lost(&frozen.lease).await;
    // Also when it is the same process that has the job again.
    let again = claim_after(&world, owner, None).await.unwrap();
    lost(&frozen.lease).await;
    let tx = world.platform_write().await;
    assert!(tx.holds_job(&again.lease).await.unwrap());
    drop(tx);
    assert!(finish(&world, &again.lease).await);
}

async fn a_lease_that_is_extended_does_not_expire(db: &TestDatabase) {
    let world = World::new(db).await;
    enqueue(&world, &world.a, &new_job(None)).await;
    let claimed = claim(&world).await.unwrap();
    for _ in 0..3 {
        world.clock.advance(LEASE / 2);
        let tx = world.platform_write().await;
        assert!(tx.extend_job(&claimed.lease, tx.now().plus(LEASE)).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(return_expired(&world).await, 0);
    }
    assert!(finish(&world, &claimed.lease).await);
}

async fn organizations_take_turns(db: &TestDatabase) {
    let world = World::new(db).await;
    let third = add_organization(&world.store, "Gamma", "owner@gamma.example").await;
    // One had a lot to do before the others came.
    for _ in 0..6 {
        enqueue(&world, &world.a, &new_job(None)).await;
    }
    world.clock.advance(Duration::from_secs(1));
    for organization in [&world.b, &third] {
        for _ in 0..2 {
            enqueue(&world, organization, &new_job(None)).await;
        }
    }
    let tx = world.platform_write().await;
    tx.enqueue(&new_job(None)).await.unwrap();
    tx.commit().await.unwrap();
    let mut served = Vec::new();
    let mut after = None;
    while let Some(claimed) = claim_after(&world, ProcessId::new(), after).await {
        after = claimed.job.organization_id;
        served.push(after);
    }
    assert_eq!(served.len(), 11);
    let mut everybody = [None, Some(world.a.id()), Some(world.b.id()), Some(third.id())];
    everybody.sort();
    let mut first_round = served[..4].to_vec();
    first_round.sort();
    assert_eq!(first_round, everybody);
    assert_eq!(served[4..7].iter().collect::<HashSet<_>>().len(), 3, "{served:?}");
    assert!(served[7..].iter().all(|turn| *turn == Some(world.a.id())));
}

async fn what_was_given_up_runs_when_an_operator_says_so(db: &TestDatabase) {
    let world = World::new(db).await;
    enqueue(&world, &world.a, &new_job(None)).await;
    let claimed = claim(&world).await.unwrap();
    assert!(fail(&world, &claimed.lease, None).await);
    let tx = world.platform_write().await;
    let dead = JobQuery {
        state: Some(JobState::Dead),
        kind: Some("tidy"),
        limit: 10,
    };
    let found = tx.jobs(&dead).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].last_error.as_deref(), Some("it rained"));
    assert_eq!(found[0].finished_at, Some(START));
    assert!(!tx.retry_job(JobId::new()).await.unwrap());
    assert!(tx.retry_job(claimed.job.id).await.unwrap());
    assert!(tx.jobs(&dead).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    let again = claim(&world).await.unwrap();
    assert_eq!((again.job.id, again.job.attempts), (claimed.job.id, 1));
    // What runs or is done is not begun a second time.
    let tx = world.platform_write().await;
    assert!(!tx.retry_job(again.job.id).await.unwrap());
    assert!(tx.finish_job(&again.lease).await.unwrap());
    assert!(!tx.retry_job(again.job.id).await.unwrap());
}

async fn work_is_counted_by_kind_and_state(db: &TestDatabase) {
    let world = World::new(db).await;
    for _ in 0..3 {
        enqueue(&world, &world.a, &new_job(None)).await;
    }
    let done = claim(&world).await.unwrap();
    finish(&world, &done.lease).await;
    claim(&world).await.unwrap();
    let tx = world.platform_read().await;
    let counts: Vec<_> = tx
        .job_counts()
        .await
        .unwrap()
        .into_iter()
        .map(|count| (count.kind, count.state, count.jobs, count.oldest_run_at))
        .collect();
    assert_eq!(
        counts,
        [
            ("tidy".to_owned(), JobState::Running, 1, START),
            ("tidy".to_owned(), JobState::Waiting, 1, START),
        ]
    );
    assert!(tx.has_open_job("tidy").await.unwrap());
    assert!(!tx.has_open_job("other").await.unwrap());
}

async fn one_that_is_postponed_has_not_failed(db: &TestDatabase) {
    let world = World::new(db).await;
    enqueue(&world, &world.a, &new_job(None)).await;
    let failed = claim(&world).await.unwrap();
    assert!(fail(&world, &failed.lease, Some(Duration::ZERO)).await);
    let again = claim(&world).await.unwrap();
    assert_eq!(again.job.attempts, 2);
    let tx = world.platform_write().await;
    let at = tx.now().plus(Duration::from_mins(1));
    assert!(!tx.postpone_job(&failed.lease, "it rains", at).await.unwrap());
    assert!(tx.postpone_job(&again.lease, "it rains", at).await.unwrap());
    tx.commit().await.unwrap();
    assert!(claim(&world).await.is_none());
    world.clock.advance(Duration::from_mins(1));
    let third = claim(&world).await.unwrap();
    assert_eq!(third.job.attempts, 1);
    assert_eq!(third.job.last_error.as_deref(), Some("it rains"));
}

on_both_databases!(
    one_that_is_postponed_has_not_failed,
    a_job_is_written_with_its_cause_and_runs_once,
    neither_later_jobs_nor_unknown_kinds_are_claimed,
    one_job_waits_for_a_thing_and_another_while_it_runs,
    a_failed_job_gives_way_to_the_one_that_waits,
    many_workers_never_have_one_job_at_once,
    a_job_that_was_left_runs_again_and_is_finished_once,
    a_worker_that_froze_past_its_lease_changes_nothing,
    a_lease_that_is_extended_does_not_expire,
    organizations_take_turns,
    what_was_given_up_runs_when_an_operator_says_so,
    work_is_counted_by_kind_and_state,
);
