//! What the upkeep of sessions remembers, and which sessions it looks at.

use std::{collections::HashSet, time::Duration};

use wahana_domain::{
    DesiredStatus, MessageId, Pace, Session, SessionId, SessionName, SessionStatus, Timestamp,
    reconciliation::{Attempts, Decision, Halt, Seen, Situation},
};
use wahana_store::{
    hooks::SessionHook,
    upkeep::{self, Restriction, Upkeep},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, TestOrganization, World};

on_both_databases!(
    what_is_remembered_is_read_again,
    every_session_that_needs_something_is_looked_at,
    what_was_put_off_or_waits_for_somebody_is_not_looked_at,
);

async fn what_is_remembered_is_read_again(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "one").await;
    let tx = world.write(&world.a).await;
    assert_eq!(upkeep::get(&tx, session.id).await.unwrap(), Upkeep::default());
    let attempts = Attempts {
        count: 3,
        next_at: Some(START.plus(Duration::from_secs(40))),
        halt: Some(Halt::FailsAgain),
        repaired_at: Some(START),
    };
    let restriction = Restriction {
        reason: "time lock (463)".to_owned(),
        until: Some(START.plus(Duration::from_secs(1))),
    };
    upkeep::set_attempts(&tx, session.id, &attempts).await.unwrap();
    upkeep::set_drift(&tx, session.id, Some("debug")).await.unwrap();
    upkeep::set_restriction(&tx, session.id, &restriction)
        .await
        .unwrap();
    upkeep::set_probe_failed(&tx, session.id, Some(START))
        .await
        .unwrap();
    upkeep::set_silent_restart(&tx, session.id, START).await.unwrap();
    let pace = Pace {
        next_at: Some(START.plus(Duration::from_secs(6))),
        typing_for: Some(MessageId::new()),
    };
    upkeep::set_pace(&tx, session.id, pace).await.unwrap();
    tx.commit().await.unwrap();

    let tx = world.write(&world.a).await;
    let known = upkeep::get(&tx, session.id).await.unwrap();
    let expected = Upkeep {
        attempts,
        drift: Some("debug".to_owned()),
        restriction: Some(restriction),
        restricted_at: Some(START),
        silent_restart_at: Some(START),
        last_event_at: None,
        probe_failed_at: Some(START),
        hook: SessionHook::default(),
        pace,
    };
    assert_eq!(known, expected);
    assert!(known.is_restricted(START));
    assert!(!known.is_restricted(START.plus(Duration::from_secs(1))));
    let lift = async || {
        let rested = tx.now().minus(Duration::from_hours(6));
        upkeep::lift_restriction(&tx, session.id, rested).await.unwrap();
        upkeep::get(&tx, session.id).await.unwrap().restriction
    };
    assert!(lift().await.is_some(), "its time is not over");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(lift().await, None);
    let endless = Restriction {
        reason: "capping (475)".to_owned(),
        until: None,
    };
    upkeep::set_restriction(&tx, session.id, &endless).await.unwrap();
    assert_eq!(lift().await, Some(endless), "it was heard of just now");
    world.clock.advance(Duration::from_hours(6));
    assert_eq!(lift().await, None);
    tx.commit().await.unwrap();

    let tx = world.read(&world.b).await;
    assert_eq!(
        upkeep::get(&tx, session.id).await.unwrap(),
        Upkeep::default(),
        "it is not theirs"
    );
}

/// What may be remembered of a session, as far as a decision depends on it.
fn every_upkeep() -> Vec<Upkeep> {
    let at = |seconds: i64| Some(Timestamp::from_seconds(START.as_seconds() + seconds));
    let mut all = Vec::new();
    for next_at in [None, at(-1000), at(-10), at(100), at(480), at(100_000)] {
        for (count, halt) in [
            (0, None),
            (2, None),
            (9, None),
            (9, Some(Halt::FailsAgain)),
            (0, Some(Halt::PhoneNeeded)),
        ] {
            // What was tried or halted has a time.
            if next_at.is_none() && (count > 0 || halt.is_some()) {
                continue;
            }
            for (drift, repaired_at) in [(None, None), (Some("debug"), None), (Some("debug"), at(-100))] {
                if drift.is_some() && (count > 0 || halt.is_some()) {
                    continue;
                }
                all.push(Upkeep {
                    attempts: Attempts {
                        count,
                        next_at,
                        halt,
                        repaired_at,
                    },
                    drift: drift.map(str::to_owned),
                    ..Upkeep::default()
                });
            }
        }
    }
    all
}

/// What a session may be, as far as a decision depends on it.
fn every_kind(world: &World, organization: &TestOrganization) -> Vec<Session> {
    let mut all = Vec::new();
    for wish in [
        DesiredStatus::Running,
        DesiredStatus::Stopped,
        DesiredStatus::Deleted,
    ] {
        for status in SessionStatus::ALL {
            for word in [None, Some("WORD")] {
                // What is gone does nothing.
                if word.is_none() && status != SessionStatus::Disconnected {
                    continue;
                }
                let mut session = world.new_session(organization, "kind");
                session.desired_status = wish;
                session.status = status;
                session.waha_status = word.map(str::to_owned);
                session.observed_at = Some(START);
                all.push(session);
            }
        }
    }
    all
}

fn decision(session: &Session, upkeep: &Upkeep, is_suspended: bool) -> Decision {
    Situation {
        now: START,
        wish: session.desired_status,
        is_suspended,
        is_server_paused: false,
        is_restricted: upkeep.is_restricted(START),
        seen: if session.is_gone() {
            Seen::Gone
        } else {
            Seen::Doing(session.status)
        },
        has_drifted: upkeep.drift.is_some(),
        may_be_woken: false,
        attempts: upkeep.attempts,
    }
    .decide()
}

/// Puts one session of each kind with each upkeep into an organization, and gives those for which something is
/// decided, and those for which nothing is.
async fn fill(
    world: &World,
    organization: &TestOrganization,
    is_suspended: bool,
) -> (HashSet<SessionId>, HashSet<SessionId>) {
    let (mut in_need, mut at_rest) = (HashSet::new(), HashSet::new());
    let tx = world.write(organization).await;
    let mut number = 0;
    for restriction in [None, Some("capping (475)")] {
        // A restriction counts whatever else is so.
        let upkeeps = every_upkeep()
            .into_iter()
            .take(if restriction.is_none() { usize::MAX } else { 3 });
        for upkeep in upkeeps {
            for mut session in every_kind(world, organization) {
                number += 1;
                session.name = SessionName::parse(&format!("kind-{number}")).unwrap();
                let upkeep = Upkeep {
                    restriction: restriction.map(|reason| Restriction {
                        reason: reason.to_owned(),
                        until: None,
                    }),
                    ..upkeep.clone()
                };
                wahana_store::sessions::insert(&tx, &session).await.unwrap();
                upkeep::set_attempts(&tx, session.id, &upkeep.attempts)
                    .await
                    .unwrap();
                upkeep::set_drift(&tx, session.id, upkeep.drift.as_deref())
                    .await
                    .unwrap();
                if let Some(restriction) = &upkeep.restriction {
                    upkeep::set_restriction(&tx, session.id, restriction)
                        .await
                        .unwrap();
                }
                match decision(&session, &upkeep, is_suspended) {
                    Decision::Act(_) | Decision::Halt(_) | Decision::Forget => in_need.insert(session.id),
                    Decision::Leave | Decision::Wait(_) => at_rest.insert(session.id),
                };
            }
        }
    }
    tx.commit().await.unwrap();
    (in_need, at_rest)
}

async fn looked_at(world: &World) -> HashSet<SessionId> {
    let tx = world.platform_read().await;
    let found = tx.sessions_in_need(world.server, 100_000).await.unwrap();
    found.into_iter().map(|found| found.session.id).collect()
}

async fn every_session_that_needs_something_is_looked_at(db: &TestDatabase) {
    let world = World::new(db).await;
    let suspend = "UPDATE organizations SET state = 'suspended' WHERE name = 'Beta'";
    db.execute_unguarded(suspend).await;
    let (active_need, active_rest) = fill(&world, &world.a, false).await;
    let (suspended_need, suspended_rest) = fill(&world, &world.b, true).await;
    let found = looked_at(&world).await;
    for (needed, name) in [(active_need, "active"), (suspended_need, "suspended")] {
        assert!(!needed.is_empty());
        let missed = needed.difference(&found).count();
        assert_eq!(missed, 0, "{name}");
    }
    // Few are looked at in vain, or they would take the place of others.
    for (resting, name) in [(active_rest, "active"), (suspended_rest, "suspended")] {
        let in_vain = resting.intersection(&found).count();
        assert!(
            in_vain * 20 <= resting.len(),
            "{name}: {in_vain} of {}",
            resting.len()
        );
    }
}

async fn what_was_put_off_or_waits_for_somebody_is_not_looked_at(db: &TestDatabase) {
    let world = World::new(db).await;
    let mut waiting = world.new_session(&world.a, "waiting");
    waiting.status = SessionStatus::ScanQr;
    waiting.waha_status = Some("SCAN_QR_CODE".to_owned());
    waiting.observed_at = Some(START);
    world.add(&world.a, &waiting).await;
    assert_eq!(looked_at(&world).await.len(), 1);
    let tx = world.write(&world.a).await;
    let halted = Attempts {
        halt: Some(Halt::PhoneNeeded),
        next_at: Some(START),
        ..Attempts::default()
    };
    upkeep::set_attempts(&tx, waiting.id, &halted).await.unwrap();
    tx.commit().await.unwrap();
    assert!(looked_at(&world).await.is_empty());
    // It failed: the reason is still to be said on it, and then nothing is left.
    for (error, looks) in [
        ("WAHA reports that the session failed.", 1),
        (Halt::PhoneNeeded.as_str(), 0),
    ] {
        let change = format!("UPDATE sessions SET status = 'error', last_error = '{error}'");
        db.execute_unguarded(&change).await;
        assert_eq!(looked_at(&world).await.len(), looks, "{error}");
    }
}
