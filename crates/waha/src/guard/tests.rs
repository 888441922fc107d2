use super::*;
use crate::error::{LostAnswer, UnreachableReason};

fn away() -> Result<(), WahaError> {
    Err(WahaError::Unreachable {
        reason: UnreachableReason::Refused,
    })
}

fn silent() -> Result<(), WahaError> {
    Err(WahaError::OutcomeUnknown {
        cause: LostAnswer::TimedOut,
    })
}

async fn call(guard: &Guard, kind: CallKind, outcome: Result<(), WahaError>) -> bool {
    match guard.admit(kind).await {
        Ok(attempt) => {
            attempt.judge(&outcome);
            true
        }
        Err(_) => false,
    }
}

fn held_back(error: &WahaError) -> (HeldBack, Duration) {
    match error {
        WahaError::HeldBack { why, retry_after } => (*why, *retry_after),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_left_alone_and_tried_with_one_call() {
    let guard = Guard::default();
    for _ in 0..3 {
        assert_eq!(guard.circuit(), Circuit::Closed);
        assert!(call(&guard, CallKind::Send, away()).await);
    }
    let refusal = guard.admit(CallKind::Send).await.unwrap_err();
    assert_eq!(held_back(&refusal), (HeldBack::Away, Duration::from_secs(1)));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(guard.circuit(), Circuit::HalfOpen);
    let trial = guard.admit(CallKind::Send).await.unwrap();
    assert!(!call(&guard, CallKind::Send, Ok(())).await, "one trial at a time");
    trial.judge(&away());
    assert_eq!(
        guard.circuit(),
        Circuit::Open(Duration::from_secs(2)),
        "and longer each time"
    );
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(call(&guard, CallKind::Read, Ok(())).await);
    assert_eq!(guard.circuit(), Circuit::Closed);
    for _ in 0..2 {
        assert!(call(&guard, CallKind::Read, away()).await);
    }
    assert_eq!(guard.circuit(), Circuit::Closed, "old failures are forgotten");
}

#[tokio::test(start_paused = true)]
async fn pauses_are_bounded() {
    let guard = Guard::default();
    for _ in 0..20 {
        while guard.circuit() == Circuit::Closed {
            call(&guard, CallKind::Quick, silent()).await;
        }
        let Circuit::Open(pause) = guard.circuit() else {
            panic!("{:?}", guard.circuit());
        };
        assert!(pause <= Duration::from_secs(30), "{pause:?}");
        tokio::time::advance(pause).await;
        assert!(call(&guard, CallKind::Quick, silent()).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_was_given_up_is_followed_by_another() {
    let guard = Guard::default();
    for _ in 0..3 {
        call(&guard, CallKind::Quick, away()).await;
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    drop(guard.admit(CallKind::Quick).await.unwrap());
    assert!(call(&guard, CallKind::Quick, Ok(())).await);
    assert_eq!(guard.circuit(), Circuit::Closed);
}

#[tokio::test(start_paused = true)]
async fn one_organizations_broken_session_does_not_close_the_server_to_others() {
    let guard = Guard::default();
    for _ in 0..100 {
        let broken = Err(WahaError::ServerError {
            status: 500,
            exception_name: None,
            restriction: None,
        });
        assert!(call(&guard, CallKind::Send, silent()).await);
        assert!(call(&guard, CallKind::Read, broken).await);
    }
    assert_eq!(guard.circuit(), Circuit::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_proxy_without_a_waha_behind_it_is_a_server_that_is_away() {
    let bad_gateway = || WahaError::ServerError {
        status: 502,
        exception_name: None,
        restriction: None,
    };
    let page = || WahaError::BrokenAnswer {
        status: 404,
        what: "it is a web page or plain text".to_owned(),
    };
    for error in [bad_gateway(), page()] {
        let guard = Guard::default();
        for _ in 0..3 {
            assert_eq!(guard.circuit(), Circuit::Closed);
            assert!(call(&guard, CallKind::Send, Err(error.clone())).await);
        }
        assert!(matches!(guard.circuit(), Circuit::Open(_)), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_a_place_and_the_list_has_places_of_its_own() {
    let guard = Guard::new(GuardLimits {
        concurrency: 2,
        ..GuardLimits::default()
    });
    let first = guard.admit(CallKind::Send).await.unwrap();
    let second = guard.admit(CallKind::Read).await.unwrap();
    let refusal = guard.admit(CallKind::Send).await.unwrap_err();
    assert_eq!(held_back(&refusal).0, HeldBack::Crowded);
    assert!(call(&guard, CallKind::Quick, Ok(())).await);
    let (third, ()) = tokio::join!(guard.admit(CallKind::Send), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        first.judge(&silent());
    });
    assert!(third.is_ok());
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn calls_begin_no_faster_than_allowed() {
    let guard = Guard::new(GuardLimits {
        calls_per_second: Some(10),
        ..GuardLimits::default()
    });
    let begun = Instant::now();
    for _ in 0..25 {
        assert!(call(&guard, CallKind::Read, Ok(())).await);
    }
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(1_400),
        "ten at once, then ten a second: {took:?}"
    );
    assert!(took < Duration::from_secs(2), "{took:?}");
    let burst = (0..100).map(|_| guard.admit(CallKind::Read));
    let admitted = futures_util::future::join_all(burst).await;
    assert!(
        admitted.iter().any(Result::is_err),
        "who would wait too long is told so at once"
    );
}
