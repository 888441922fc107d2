//! What WAHA was seen to say about a session, and what of it is new.

use std::time::Duration;

use wahana_domain::{PhoneNumber, Session, SessionId, SessionStatus, Timestamp};

use super::{announce, history, living, lock_row};
use crate::{
    StoreError, TenantTx,
    entity::session::{self, Column},
};

/// What WAHA says about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// WAHA's word for what it is doing; `None` if WAHA does not know the session.
    pub waha_status: Option<String>,
    /// The number that is paired with it, if WAHA names one.
    pub phone_number: Option<PhoneNumber>,
    /// When WAHA was asked. An answer to an earlier question never overwrites a later one.
    pub asked_at: Timestamp,
}

/// The fields of a session that an observation changes. This is the only list of what is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedChange {
    /// The session.
    pub session: SessionId,
    /// What it is doing.
    pub status: SessionStatus,
    /// WAHA's word for that.
    pub waha_status: Option<String>,
    /// The number that is paired.
    pub phone_number: Option<PhoneNumber>,
    /// What last went wrong.
    pub last_error: Option<String>,
    /// When WAHA was asked.
    pub observed_at: Timestamp,
}

/// What a session says whose number another session of the organization holds.
pub(super) const NUMBER_TAKEN: &str = "This session is paired with a phone number that another session of this organization holds. Log one of the two out.";

/// What a session says that its WAHA server does not know any more.
const GONE: &str = "The session is gone from its WAHA server.";

/// How long after a session was made WAHA may not know it yet.
const BEING_CREATED: Duration = Duration::from_mins(1);

impl ObservedChange {
    /// The same change without the number, because another session of the organization holds it.
    #[must_use]
    pub fn with_taken_number(self) -> Self {
        Self {
            phone_number: None,
            last_error: Some(NUMBER_TAKEN.to_owned()),
            ..self
        }
    }

    /// The same change, and no number is paired any more.
    #[must_use]
    pub fn without_number(self) -> Self {
        Self {
            phone_number: None,
            ..self
        }
    }
}

impl Observation {
    /// What of this is new about a session; `None` if nothing is, or if later news is known.
    #[must_use]
    pub fn change(&self, session: &Session) -> Option<ObservedChange> {
        let seen = self.answer(session)?;
        let number_is_known_to_be_taken = session.last_error.as_deref() == Some(NUMBER_TAKEN);
        let is_new = session.observed_at.is_none()
            || seen.status != session.status
            || seen.waha_status != session.waha_status
            || (seen.phone_number != session.phone_number && !number_is_known_to_be_taken);
        is_new.then_some(seen)
    }

    /// What this says of a session, new or not; `None` if later news is known. To be written of WAHA's answer to a
    /// call that changed the session: what it said before may still be on its way, and is older.
    #[must_use]
    pub fn answer(&self, session: &Session) -> Option<ObservedChange> {
        if !self.is_later_than(session.observed_at) {
            return None;
        }
        let is_first = session.observed_at.is_none();
        if is_first && self.waha_status.is_none() && self.asked_at < session.created_at.plus(BEING_CREATED) {
            return None;
        }
        let status = self
            .waha_status
            .as_deref()
            .map_or(SessionStatus::Disconnected, SessionStatus::from_waha);
        // A number that WAHA does not name now was still paired with the session.
        let phone_number = self.phone_number.clone().or_else(|| session.phone_number.clone());
        Some(ObservedChange {
            session: session.id,
            status,
            waha_status: self.waha_status.clone(),
            phone_number,
            last_error: self.last_error(session, status),
            observed_at: self.asked_at,
        })
    }

    /// How the session takes the number that another session of the organization held when they were paired;
    /// `None` if it waits for none. To be written if nobody holds the number any more.
    #[must_use]
    pub fn claim(&self, session: &Session) -> Option<ObservedChange> {
        let is_waiting = session.last_error.as_deref() == Some(NUMBER_TAKEN);
        let (number, word) = (self.phone_number.as_ref()?, self.waha_status.as_ref()?);
        (is_waiting && self.is_later_than(session.observed_at)).then(|| ObservedChange {
            session: session.id,
            status: SessionStatus::from_waha(word),
            waha_status: Some(word.clone()),
            phone_number: Some(number.clone()),
            last_error: None,
            observed_at: self.asked_at,
        })
    }

    /// Whether WAHA was asked after what is known. When it is written, that is found out once more.
    fn is_later_than(&self, observed_at: Option<Timestamp>) -> bool {
        observed_at.is_none_or(|known| known <= self.asked_at || known.is_out_of_reach(self.asked_at))
    }

    fn last_error(&self, session: &Session, status: SessionStatus) -> Option<String> {
        let verdict = match self.waha_status.as_deref() {
            Some(word) => Verdict::of(status, word),
            None => Verdict::Wrong(GONE.to_owned()),
        };
        match verdict {
            Verdict::Well => None,
            Verdict::Wrong(error) => Some(error),
            // Whether the number is still taken shows when it is written.
            Verdict::Nothing => {
                let error = session.last_error.clone();
                error.filter(|error| error != NUMBER_TAKEN || self.phone_number.is_none())
            }
        }
    }
}

/// What WAHA's word says of what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is wrong any more.
    Well,
    /// This is wrong.
    Wrong(String),
    /// Nothing, so that what was known stays.
    Nothing,
}

impl Verdict {
    pub(super) fn of(status: SessionStatus, word: &str) -> Self {
        match status {
            SessionStatus::Working => Self::Well,
            SessionStatus::Error => Self::Wrong("WAHA reports that the session failed.".to_owned()),
            SessionStatus::ActionRequired => Self::Wrong(required_step(word)),
            SessionStatus::Connecting | SessionStatus::ScanQr | SessionStatus::Disconnected => Self::Nothing,
        }
    }
}

/// What a person must do on the phone, from WAHA's word (since WAHA 2026.7.1).
fn required_step(word: &str) -> String {
    match word {
        "PASSKEY_REQUIRED" => {
            "WhatsApp asks for the passkey of this account; confirm it on the phone.".to_owned()
        }
        "PASSKEY_CONFIRMATION_REQUIRED" => {
            "WhatsApp asks to confirm the passkey code that the phone shows.".to_owned()
        }
        _ => "WhatsApp asks for a step on the phone.".to_owned(),
    }
}

/// When WAHA was last seen to say something of a session, in microseconds; `None` if never, or if that was by a
/// clock that was set back since: it would hide for so long what is.
pub(super) fn seen_at(row: &session::Model, now: Timestamp) -> Option<i64> {
    row.observed_at
        .filter(|known| !Timestamp::from_micros(*known).is_out_of_reach(now))
}

/// Writes an observed change, unless later news are known by now. A number that another session of the
/// organization holds is not taken from it: the caller learns of the conflict from the error and writes the rest
/// without it, in a new transaction.
pub async fn observe(tx: &TenantTx, change: &ObservedChange) -> Result<(), StoreError> {
    let at = change.observed_at.as_micros();
    let found = lock_row(tx, change.session).await?;
    let Some(row) = found.filter(|row| seen_at(row, tx.now()).is_none_or(|known| known <= at)) else {
        return Ok(());
    };
    let is_gone = change.waha_status.is_none();
    let tells_error = is_gone
        || matches!(
            change.status,
            SessionStatus::Error | SessionStatus::ActionRequired
        );
    let seen = history::Seen {
        status: change.status,
        is_gone,
        reason: change.last_error.as_deref().filter(|_| tells_error),
        at: change.observed_at,
        keeps_repeat: false,
    };
    let failures = history::record(tx, &row, &seen).await?;
    let number = change
        .phone_number
        .as_ref()
        .map(|number| number.as_str().to_owned());
    let mut after = session::Model {
        status: change.status.as_str().to_owned(),
        waha_status: change.waha_status.clone(),
        last_error: change.last_error.clone(),
        observed_at: Some(at),
        ..row.clone()
    };
    let mut update = tx
        .update::<session::Entity>()
        .set(Column::Status, change.status.as_str())
        .set(Column::WahaStatus, change.waha_status.clone())
        .set(Column::LastError, change.last_error.clone())
        .set(Column::ErrorCount, row.error_count + failures)
        .set(Column::ObservedAt, at)
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(living(Some(&[change.session])));
    if number != row.phone_number {
        update = update
            .set(Column::PhoneNumber, number)
            .set(Column::PhoneNumberAt, at);
    }
    if !change.status.is_working() {
        // It was about a session that works.
        update = update.set(Column::Warning, None::<String>);
        after.warning = None;
    }
    update.run().await?;
    let has_code = change.status == SessionStatus::ScanQr && row.status != after.status;
    announce::changed(tx, row, after, change.observed_at)?;
    if has_code {
        announce::code(tx, change.session, change.observed_at);
    }
    Ok(())
}
