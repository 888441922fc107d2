//! What WAHA was seen to say about a session, and what of it is new.

use std::time::Duration;

use sea_orm::{ColumnTrait, sea_query::ExprTrait};
use wahana_domain::{PhoneNumber, Session, SessionId, SessionStatus, Timestamp};

use super::living;
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
    /// How often it went into `error`.
    pub error_count: i64,
    /// When WAHA was asked.
    pub observed_at: Timestamp,
}

/// What a session says whose number another session of the organization holds.
const NUMBER_TAKEN: &str = "This session is paired with a phone number that another session of this organization holds. Log one of the two out.";

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
        if session
            .observed_at
            .is_some_and(|observed_at| self.asked_at < observed_at)
        {
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
        let number_is_known_to_be_taken = session.last_error.as_deref() == Some(NUMBER_TAKEN);
        let is_new = is_first
            || status != session.status
            || self.waha_status != session.waha_status
            || (phone_number != session.phone_number && !number_is_known_to_be_taken);
        if !is_new {
            return None;
        }
        let failed_now = status == SessionStatus::Error && session.status != SessionStatus::Error;
        Some(ObservedChange {
            session: session.id,
            status,
            waha_status: self.waha_status.clone(),
            phone_number,
            last_error: self.last_error(session, status),
            error_count: session.error_count + i64::from(failed_now),
            observed_at: self.asked_at,
        })
    }

    /// How the session takes the number that another session of the organization held when they were paired;
    /// `None` if it waits for none. To be written if nobody holds the number any more.
    #[must_use]
    pub fn claim(&self, session: &Session) -> Option<ObservedChange> {
        let is_waiting = session.last_error.as_deref() == Some(NUMBER_TAKEN);
        let is_later = session.observed_at.is_none_or(|at| at <= self.asked_at);
        let (number, word) = (self.phone_number.as_ref()?, self.waha_status.as_ref()?);
        (is_waiting && is_later).then(|| ObservedChange {
            session: session.id,
            status: SessionStatus::from_waha(word),
            waha_status: Some(word.clone()),
            phone_number: Some(number.clone()),
            last_error: None,
            error_count: session.error_count,
            observed_at: self.asked_at,
        })
    }

    fn last_error(&self, session: &Session, status: SessionStatus) -> Option<String> {
        match (status, self.waha_status.as_deref()) {
            (SessionStatus::Working, _) => None,
            (SessionStatus::Error, _) => Some("WAHA reports that the session failed.".to_owned()),
            (SessionStatus::ActionRequired, Some(word)) => Some(required_step(word)),
            (SessionStatus::Disconnected, None) => {
                Some("The session is gone from its WAHA server.".to_owned())
            }
            // Whether the number is still taken shows when it is written.
            _ => session
                .last_error
                .clone()
                .filter(|error| error != NUMBER_TAKEN || self.phone_number.is_none()),
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

/// Writes an observed change. A number that another session of the organization holds is not taken
/// from it: the caller learns of the conflict from the error and writes the rest without it, in a new
/// transaction.
pub async fn observe(tx: &TenantTx, change: &ObservedChange) -> Result<(), StoreError> {
    tx.update::<session::Entity>()
        .set(Column::Status, change.status.as_str())
        .set(Column::WahaStatus, change.waha_status.clone())
        .set(
            Column::PhoneNumber,
            change
                .phone_number
                .as_ref()
                .map(|number| number.as_str().to_owned()),
        )
        .set(Column::LastError, change.last_error.clone())
        .set(Column::ErrorCount, change.error_count)
        .set(Column::ObservedAt, change.observed_at.as_micros())
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(living(Some(&[change.session])))
        .filter(
            Column::ObservedAt
                .is_null()
                .or(Column::ObservedAt.lte(change.observed_at.as_micros())),
        )
        .run()
        .await?;
    Ok(())
}
