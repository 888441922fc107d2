//! Keeping the pace of a session: the pauses between its messages, and typing that is shown before texts.
//!
//! When the next message may go is written down, so that all processes keep the same pause. Who decides for good
//! holds the lock of the session's row. That typing is shown matters to nobody: whether it succeeds changes nothing
//! about the message.

use std::time::Duration;

use tokio::time::timeout;
use wahana_domain::{ChatId, OutgoingMessage, Pace, PaceStep, Session};
use wahana_store::{TenantTx, messages as stored, upkeep};

use crate::{ServiceError, ready::Ready};

/// How long it is waited for WAHA to show or to end typing.
const TYPING_CALL: Duration = Duration::from_secs(2);

/// What the session's pace says about a message whose turn it is; of a text, with the number of its letters.
pub(super) async fn step(
    tx: &TenantTx,
    session: &Session,
    message: &OutgoingMessage,
    letters: Option<usize>,
) -> Result<PaceStep, ServiceError> {
    let Some(pacing) = session.pacing else {
        return Ok(PaceStep::Send { is_typing: false });
    };
    let pace = upkeep::get(tx, session.id).await?.pace;
    Ok(pacing.step(&pace, message.id, letters, tx.now()))
}

/// Writes down that typing is shown for a message from now on, if it is its turn; says whether it is.
pub(super) async fn note_typing(
    tx: &TenantTx,
    message: &OutgoingMessage,
    typing: Duration,
) -> Result<bool, ServiceError> {
    let now = tx.now();
    let first = stored::first_due(tx, message.session_id, now).await?;
    if first.is_none_or(|first| first.message.id != message.id) {
        return Ok(false);
    }
    let pace = Pace {
        next_at: Some(now.plus(typing)),
        typing_for: Some(message.id),
    };
    upkeep::set_pace(tx, message.session_id, pace).await?;
    Ok(true)
}

/// Begins a pause. Once when a message is taken, in case that nobody comes back from sending it, and again when that
/// has ended.
pub(super) async fn pause(tx: &TenantTx, session: &Session) -> Result<(), ServiceError> {
    if let Some(pacing) = session.pacing {
        let pace = Pace {
            next_at: Some(tx.now().plus(pacing.pause())),
            typing_for: None,
        };
        upkeep::set_pace(tx, session.id, pace).await?;
    }
    Ok(())
}

/// Shows in a chat that the session is typing.
pub(super) async fn start_typing(ready: &Ready, chat: &ChatId) {
    let call = ready.waha().start_typing(ready.waha_name(), chat.as_str());
    note(ready, timeout(TYPING_CALL, call).await.ok());
}

/// Shows in a chat that the session is not typing any more.
pub(super) async fn stop_typing(ready: &Ready, chat: &ChatId) {
    let call = ready.waha().stop_typing(ready.waha_name(), chat.as_str());
    note(ready, timeout(TYPING_CALL, call).await.ok());
}

fn note(ready: &Ready, outcome: Option<Result<(), waha_client::WahaError>>) {
    let kind = match outcome {
        Some(Ok(())) => return,
        Some(Err(error)) => error.kind(),
        None => "no_answer_in_time",
    };
    tracing::debug!(
        session.id = %ready.session.id,
        error.kind = kind,
        "typing was not shown or ended; the message is sent all the same"
    );
}
