use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn situation(wish: DesiredStatus, seen: Seen) -> Situation {
    Situation {
        now: NOW,
        wish,
        is_suspended: false,
        is_server_paused: false,
        is_restricted: false,
        seen,
        has_drifted: false,
        may_be_woken: false,
        attempts: Attempts::default(),
    }
}

fn any_wish() -> impl Strategy<Value = DesiredStatus> {
    prop_oneof![
        Just(DesiredStatus::Running),
        Just(DesiredStatus::Stopped),
        Just(DesiredStatus::Deleted)
    ]
}

fn any_seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        Just(Seen::Nothing),
        Just(Seen::Gone),
        prop::sample::select(&SessionStatus::ALL).prop_map(Seen::Doing),
    ]
}

fn any_time() -> impl Strategy<Value = Option<Timestamp>> {
    prop::option::of((-200_000_i64..400).prop_map(|s| Timestamp::from_seconds(NOW.as_seconds() + s)))
}

prop_compose! {
    fn any_attempts()(
        count in 0..8_u32,
        next_at in any_time(),
        halt in prop::option::of(prop::sample::select(&Halt::ALL)),
        repaired_at in any_time(),
    ) -> Attempts {
        Attempts { count, next_at, halt, repaired_at }
    }
}

prop_compose! {
    fn any_situation()(
        wish in any_wish(),
        seen in any_seen(),
        flags in any::<[bool; 5]>(),
        attempts in any_attempts(),
    ) -> Situation {
        let [is_suspended, is_server_paused, is_restricted, has_drifted, may_be_woken] = flags;
        Situation { is_suspended, is_server_paused, is_restricted, has_drifted, may_be_woken, attempts, ..situation(wish, seen) }
    }
}

proptest! {
    #[test]
    fn only_a_session_that_works_is_woken(situation in any_situation()) {
        if situation.decide() == Decision::Act(Step::Wake) {
            prop_assert!(situation.may_be_woken && situation.attempts.halt.is_none());
            prop_assert_eq!(situation.seen, Seen::Doing(SessionStatus::Working));
        }
    }

    #[test]
    fn what_runs_a_session_needs_the_wish_and_nothing_against_it(situation in any_situation()) {
        if let Decision::Act(Step::Start | Step::Restart | Step::MakeAgain | Step::Repair | Step::Wake) = situation.decide() {
            prop_assert_eq!(situation.wish, DesiredStatus::Running);
            prop_assert!(!situation.is_suspended && !situation.is_restricted && !situation.is_server_paused);
        }
    }

    #[test]
    fn what_should_run_is_neither_stopped_nor_deleted(situation in any_situation()) {
        match situation.decide() {
            Decision::Act(Step::Stop) => {
                prop_assert!(situation.wish == DesiredStatus::Stopped
                    || (situation.wish == DesiredStatus::Running && situation.is_suspended));
            }
            Decision::Act(Step::Delete) => prop_assert_eq!(situation.wish, DesiredStatus::Deleted),
            _ => {}
        }
    }

    #[test]
    fn nothing_is_done_before_its_time(situation in any_situation()) {
        if let (Decision::Act(_) | Decision::Halt(_), Some(at)) = (situation.decide(), situation.attempts.next_at) {
            prop_assert!(at <= NOW || at.since(NOW) > LONGEST_WAIT);
        }
    }

    #[test]
    fn a_configuration_is_repaired_once_a_day_and_only_while_the_session_works(situation in any_situation()) {
        if situation.decide() == Decision::Act(Step::Repair) {
            prop_assert_eq!(situation.seen, Seen::Doing(SessionStatus::Working));
            prop_assert!(situation.attempts.repaired_at.is_none_or(|at| NOW.since(at) >= REPAIR_AT_MOST_EVERY));
        }
    }

    #[test]
    fn a_halt_is_written_once_and_ends_all_restarts(situation in any_situation()) {
        if situation.attempts.halt.is_some() {
            let decision = situation.decide();
            prop_assert!(!matches!(decision, Decision::Halt(_) | Decision::Act(Step::Restart)), "{decision:?}");
        }
    }

    #[test]
    fn a_paused_server_is_left_alone(situation in any_situation()) {
        let paused = Situation { is_server_paused: true, ..situation };
        prop_assert_eq!(paused.decide(), Decision::Leave);
    }

    #[test]
    fn waits_grow_up_to_a_bound(earlier in 0..200_u32, chance in -1.0..2.0_f64) {
        let wait = wait_after(earlier, chance);
        prop_assert!(wait >= FIRST_WAIT && wait <= LONGEST_WAIT.mul_f64(1.0 + JITTER));
        prop_assert!(wait_after(earlier + 1, 0.0) >= wait_after(earlier, 0.0));
    }

    /// WAHA does to the session what it likes for a while, and then only what it is told.
    #[test]
    fn once_waha_behaves_every_session_ends_as_it_should(
        wish in any_wish(),
        trouble in prop::collection::vec(any_seen(), 0..12),
        first in any_seen().prop_filter("a session that WAHA was asked for", |seen| *seen != Seen::Nothing),
    ) {
        let mut waha = Waha { seen: first, now: NOW, attempts: Attempts::default() };
        for seen in trouble {
            waha.seen = if seen == Seen::Nothing { first } else { seen };
            waha.round(wish);
        }
        for _ in 0..200 {
            waha.round(wish);
        }
        let is_as_it_should_be = match wish {
            DesiredStatus::Running => {
                waha.seen == Seen::Doing(SessionStatus::Working) || waha.attempts.halt.is_some()
            }
            DesiredStatus::Stopped => {
                matches!(waha.seen, Seen::Gone | Seen::Doing(SessionStatus::Disconnected | SessionStatus::Error))
            }
            DesiredStatus::Deleted => waha.seen == Seen::Gone,
        };
        prop_assert!(is_as_it_should_be, "{:?} {:?}", waha.seen, waha.attempts);
    }
}

/// A session on a WAHA that does what it is told, watched every five seconds.
struct Waha {
    seen: Seen,
    now: Timestamp,
    attempts: Attempts,
}

impl Waha {
    fn round(&mut self, wish: DesiredStatus) {
        let situation = Situation {
            now: self.now,
            attempts: self.attempts,
            ..situation(wish, self.seen)
        };
        match situation.decide() {
            Decision::Act(step) => {
                self.seen = match step {
                    Step::Start | Step::Restart | Step::MakeAgain => Seen::Doing(SessionStatus::Connecting),
                    Step::Stop => Seen::Doing(SessionStatus::Disconnected),
                    Step::Delete => Seen::Gone,
                    Step::Repair | Step::Wake => self.seen,
                };
                self.attempts.next_at = Some(self.now.plus(wait_after(self.attempts.count, 1.0)));
                self.attempts.count = self.attempts.with(step);
            }
            Decision::Halt(halt) => self.attempts.halt = Some(halt),
            Decision::Forget => self.attempts = Attempts::default(),
            Decision::Leave if self.seen == Seen::Doing(SessionStatus::Connecting) => {
                self.seen = Seen::Doing(SessionStatus::Working);
            }
            Decision::Leave | Decision::Wait(_) => {}
        }
        self.now = self.now.plus(Duration::from_secs(5));
    }
}

#[test]
fn a_session_that_fails_after_every_restart_is_restarted_so_often_and_no_more() {
    let mut waha = Waha {
        seen: Seen::Doing(SessionStatus::Error),
        now: NOW,
        attempts: Attempts::default(),
    };
    let mut restarts = 0;
    for _ in 0..1_000 {
        let before = waha.attempts.count;
        waha.round(DesiredStatus::Running);
        restarts += waha.attempts.count - before;
        waha.seen = Seen::Doing(SessionStatus::Error);
    }
    assert_eq!(restarts, MAX_RESTARTS);
    assert_eq!(waha.attempts.halt, Some(Halt::FailsAgain));
}

#[test]
fn a_session_that_waha_loses_again_and_again_comes_back_each_time_and_is_restarted_when_it_fails() {
    let mut waha = Waha {
        seen: Seen::Gone,
        now: NOW,
        attempts: Attempts::default(),
    };
    for _ in 0..20 {
        waha.seen = Seen::Gone;
        // Two minutes.
        for _ in 0..24 {
            waha.round(DesiredStatus::Running);
        }
        assert_eq!(waha.seen, Seen::Doing(SessionStatus::Working));
    }
    waha.seen = Seen::Doing(SessionStatus::Error);
    for _ in 0..24 {
        waha.round(DesiredStatus::Running);
    }
    assert_eq!(waha.seen, Seen::Doing(SessionStatus::Working));
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_a_session_down() {
    let attempts = Attempts {
        count: 3,
        next_at: Some(NOW.plus(Duration::from_hours(48))),
        ..Attempts::default()
    };
    let stopped = Situation {
        attempts,
        ..situation(DesiredStatus::Running, Seen::Doing(SessionStatus::Disconnected))
    };
    assert_eq!(stopped.decide(), Decision::Act(Step::Start));
}

#[test]
fn a_session_that_was_not_scanned_is_not_restarted_but_comes_back_when_waha_lost_it() {
    let attempts = Attempts {
        halt: Some(Halt::PhoneNeeded),
        ..Attempts::default()
    };
    let seen = |seen| Situation {
        attempts,
        ..situation(DesiredStatus::Running, seen)
    };
    assert_eq!(seen(Seen::Doing(SessionStatus::Error)).decide(), Decision::Leave);
    assert_eq!(seen(Seen::Gone).decide(), Decision::Act(Step::MakeAgain));
    assert_eq!(
        seen(Seen::Doing(SessionStatus::Working)).decide(),
        Decision::Forget
    );
}

#[test]
fn stored_reasons_are_read_again() {
    for halt in Halt::ALL {
        assert_eq!(Halt::from_stored(halt.as_str()), Some(halt));
    }
}
