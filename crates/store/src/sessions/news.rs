//! What an event says of a session.
//!
//! Events arrive late, twice and in any order. Each is put into its place of the session's history, and what the
//! session's row says is what the latest one said, so that the end is the same as if they had come in order.

use wahana_domain::{PhoneNumber, SessionId, SessionStatus, Timestamp};

use super::{
    announce, history, living, lock_row, number_is_taken,
    observation::{NUMBER_TAKEN, Verdict, seen_at},
};
use crate::{
    StoreError, TenantTx,
    entity::session::{self, Column, Model},
    transitions,
};

/// What WAHA told of a session on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusNews {
    /// WAHA's word for what it is doing.
    pub waha_status: String,
    /// The number that is paired with it, if WAHA names one.
    pub phone_number: Option<PhoneNumber>,
    /// When that was.
    pub happened_at: Timestamp,
}

/// Takes in what an event says of a session. Says whether that is the latest that is known of its status.
///
/// # Errors
///
/// A conflict if another session of the organization takes the same number at this moment; the transaction is to
/// be made again.
pub async fn hear(tx: &TenantTx, id: SessionId, news: &StatusNews) -> Result<bool, StoreError> {
    let Some(row) = lock_row(tx, id).await? else {
        return Ok(false);
    };
    let status = SessionStatus::from_waha(&news.waha_status);
    let is_latest = seen_at(&row, tx.now()).is_none_or(|observed_at| {
        let known = row.waha_status.as_deref();
        (observed_at, place(known)) <= (news.happened_at.as_micros(), place(Some(&news.waha_status)))
    });
    let verdict = Verdict::of(status, &news.waha_status);
    let seen = history::Seen {
        status,
        is_gone: false,
        reason: match &verdict {
            Verdict::Wrong(error) => Some(error),
            Verdict::Well | Verdict::Nothing => None,
        },
        at: news.happened_at,
        keeps_repeat: true,
    };
    let failures = history::record(tx, &row, &seen).await?;
    let mut last_error = row.last_error.clone();
    if verdict != Verdict::Nothing && !transitions::verdict_after(tx, id, status, news.happened_at).await? {
        last_error = match verdict {
            Verdict::Wrong(error) => Some(error),
            Verdict::Well | Verdict::Nothing => None,
        };
    }
    let number = number(tx, &row, news).await?;
    let mut after = row.clone();
    let mut update = tx
        .update::<session::Entity>()
        .set(Column::ErrorCount, row.error_count + failures)
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(living(Some(&[id])));
    if is_latest {
        update = update
            .set(Column::Status, status.as_str())
            .set(Column::WahaStatus, news.waha_status.clone())
            .set(Column::ObservedAt, news.happened_at.as_micros());
        status.as_str().clone_into(&mut after.status);
        after.waha_status = Some(news.waha_status.clone());
        after.observed_at = Some(news.happened_at.as_micros());
        if !status.is_working() {
            // It was about a session that works.
            update = update.set(Column::Warning, None::<String>);
            after.warning = None;
        }
    }
    match number {
        Number::Unchanged => {}
        Number::Free(number) => {
            last_error = last_error.filter(|error| error != NUMBER_TAKEN);
            update = update
                .set(Column::PhoneNumber, number.as_str().to_owned())
                .set(Column::PhoneNumberAt, news.happened_at.as_micros());
        }
        Number::Taken => {
            last_error = Some(NUMBER_TAKEN.to_owned());
            update = update
                .set(Column::PhoneNumber, None::<String>)
                .set(Column::PhoneNumberAt, news.happened_at.as_micros());
        }
    }
    after.last_error.clone_from(&last_error);
    update.set(Column::LastError, last_error).run().await?;
    announce::changed(tx, row, after, news.happened_at)?;
    if is_latest && status == SessionStatus::ScanQr {
        // WAHA says it again for each new code.
        announce::code(tx, id, news.happened_at);
    }
    Ok(is_latest)
}

/// The order of words that are of the same moment.
fn place(waha_status: Option<&str>) -> Option<(u8, &str)> {
    waha_status.map(|word| (SessionStatus::from_waha(word).progress(), word))
}

/// What news of a number change.
enum Number {
    /// WAHA named none, or it is older news.
    Unchanged,
    /// It is this session's.
    Free(PhoneNumber),
    /// Another session of the organization holds it.
    Taken,
}

async fn number(tx: &TenantTx, row: &Model, news: &StatusNews) -> Result<Number, StoreError> {
    let Some(number) = &news.phone_number else {
        return Ok(Number::Unchanged);
    };
    // A number that an earlier release wrote down was named when the session was last observed.
    let known_since = row
        .phone_number_at
        .or_else(|| row.phone_number.as_ref().and(row.observed_at))
        .filter(|known| !Timestamp::from_micros(*known).is_out_of_reach(tx.now()));
    let known = (known_since, row.phone_number.as_deref());
    if known > (Some(news.happened_at.as_micros()), Some(number.as_str())) {
        return Ok(Number::Unchanged);
    }
    Ok(if number_is_taken(tx, number, row.id.into()).await? {
        Number::Taken
    } else {
        Number::Free(number.clone())
    })
}
