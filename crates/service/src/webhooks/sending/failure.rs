//! Why a delivery failed, for the organization.

use std::{error::Error as _, io, time::Duration};

use crate::outgoing::Refusal;

/// Why a delivery failed. What is said names no address and does not tell one that is not allowed from one that
/// does not exist: who gives addresses must not learn what there is inside.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(
        "The address is not allowed: it must be an https address at port 443, without user name and password."
    )]
    Address,
    #[error("The address does not lead to a public address that can be reached.")]
    Unreachable,
    #[error("No secure connection could be made: the receiver's certificate may not be valid.")]
    Insecure,
    #[error("The receiver did not answer within {} seconds.", .0.as_secs())]
    Slow(Duration),
    #[error("The connection ended before the receiver had answered.")]
    BrokenOff,
    #[error("The receiver answered with a redirect (status {0}), which is not followed.")]
    Redirect(u16),
    #[error("The receiver answered with status {0}.")]
    Status(u16),
    #[error("The endpoint has a header that cannot be sent.")]
    Head,
    #[error("wahana could not begin to send.")]
    Client,
}

impl Failure {
    /// What a status says that is no success.
    pub(super) const fn of_status(status: u16) -> Self {
        match status {
            300..=399 => Self::Redirect(status),
            status => Self::Status(status),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Address => Self::Address,
            Refusal::Unreachable => Self::Unreachable,
            Refusal::Client(reason) => {
                tracing::error!(reason, "webhooks cannot be sent: there is no HTTP client");
                Self::Client
            }
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        if !error.is_connect() {
            Self::BrokenOff
        } else if is_about_tls(&error) {
            Self::Insecure
        } else {
            Self::Unreachable
        }
    }
}

/// Looks for the cause in the chain of errors.
fn is_about_tls(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        // `source` of an I/O error leaves out the error that it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}
