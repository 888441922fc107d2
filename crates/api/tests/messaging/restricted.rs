//! Numbers that WhatsApp restricts.

use std::time::Duration;

use waha_sim::SendRefusal;
use wahana_domain::{Clock as _, DeliveryStatus};

use crate::{
    queued::{ASYNC, queued, text, with_clock},
    wahana::Setup,
};

#[tokio::test]
async fn a_restricted_number_rests() {
    let (wahana, clock) = with_clock(Setup::default()).await;
    wahana
        .restrict("time lock (463)", Some(clock.now().plus(Duration::from_hours(1))))
        .await;
    let _dispatching = wahana.dispatch();
    let id = queued(&wahana.post_with("send-text", &text("x"), &ASYNC).await);
    wahana.until_it_waits(&id, "463").await;
    clock.advance(Duration::from_mins(30));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(wahana.sends(), 0);
    clock.advance(Duration::from_mins(31));
    wahana.until(&id, DeliveryStatus::Accepted).await;
}

#[tokio::test]
async fn the_queue_rests_until_the_time_that_waha_names_and_then_goes_on() {
    let (wahana, clock) = with_clock(Setup::default()).await;
    let until = clock.now().plus(Duration::from_hours(2));
    let session = wahana.session.waha.name.as_str();
    let seconds = until.as_micros() / 1_000_000;
    wahana
        .sim
        .refuse_sends_until(session, SendRefusal::TimeLocked, seconds);
    let _dispatching = wahana.dispatch();
    let first = queued(&wahana.post_with("send-text", &text("first"), &ASYNC).await);
    let second = queued(&wahana.post_with("send-text", &text("second"), &ASYNC).await);
    wahana.until_it_waits(&first, &until.to_string()).await;
    wahana.until_it_waits(&first, "463").await;

    // Who waits for the answer is told at once, and not that others are before them.
    let refused = wahana.post("send-text", &text("now")).await;
    assert_eq!(refused.refusal(), (409, "SESSION_NOT_READY".to_owned()));
    assert!(refused.text.contains(&until.to_string()), "{}", refused.text);

    // Nobody asks WhatsApp again before that.
    let asked = wahana.sends();
    clock.advance(Duration::from_mins(110));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(wahana.sends(), asked);
    assert_eq!(wahana.message(&first).await.status, DeliveryStatus::Queued);

    wahana.sim.accept_sends(session);
    clock.advance(Duration::from_mins(11));
    wahana.until(&second, DeliveryStatus::Accepted).await;
    assert_eq!(wahana.texts(), ["first", "second"]);
}

#[tokio::test]
async fn who_waits_is_told_of_the_restriction_that_their_message_met() {
    let (wahana, clock) = with_clock(Setup::default()).await;
    let session = wahana.session.waha.name.as_str();
    wahana.sim.refuse_sends(session, SendRefusal::Capped, Some(1));
    let refused = wahana.post("send-text", &text("x")).await;
    assert_eq!(refused.refusal(), (409, "SESSION_NOT_READY".to_owned()));
    assert!(
        refused.text.contains("475") && refused.text.contains("was not sent"),
        "{}",
        refused.text
    );
    assert_eq!(wahana.texts(), [""; 0]);

    // WAHA does not say until when, so what waits is left alone for hours.
    let _dispatching = wahana.dispatch();
    let id = queued(&wahana.post_with("send-text", &text("later"), &ASYNC).await);
    wahana.until_it_waits(&id, "does not say until when").await;
    clock.advance(Duration::from_hours(5));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(wahana.message(&id).await.status, DeliveryStatus::Queued);
    clock.advance(Duration::from_hours(2));
    wahana.until(&id, DeliveryStatus::Accepted).await;
}

#[tokio::test]
async fn what_goes_out_meanwhile_does_not_end_a_restriction() {
    let (wahana, clock) = with_clock(Setup::default()).await;
    wahana
        .restrict("time lock (463)", Some(clock.now().plus(Duration::from_hours(1))))
        .await;
    // WhatsApp lets answers to known contacts through.
    let sent = wahana.post("send-text", &text("an answer")).await.data();
    assert_eq!(sent["status"], "accepted");
    let _dispatching = wahana.dispatch();
    let id = queued(&wahana.post_with("send-text", &text("x"), &ASYNC).await);
    wahana.until_it_waits(&id, "463").await;
    assert_eq!(wahana.texts(), ["an answer"]);
}
