//! A session: one WhatsApp account, owned by exactly one organization.

use std::fmt;

use data_encoding::HEXLOWER;
use rand::Rng;

use crate::{
    DesiredStatus, Health, HealthStatus, OrganizationId, Pacing, PhoneNumber, ServerId, SessionConfiguration,
    SessionId, SessionName, SessionStatus, Timestamp, words::words,
};

/// The name of a session on its WAHA server. Never shown to tenants, never made from their texts,
/// never used again.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WahaName(String);

impl WahaName {
    /// A new name of 128 random bits, which nobody can guess.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        Self(format!("w_{}", HEXLOWER.encode(&bytes)))
    }

    /// The name of a session that was on the server before wahana was.
    #[must_use]
    pub const fn adopted(name: String) -> Self {
        Self(name)
    }

    /// The name, for calls to WAHA and for operators.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WahaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a session is: its server and its name there. Not for tenants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WahaAddress {
    /// The server.
    pub server: ServerId,
    /// The session's name on that server.
    pub name: WahaName,
}

/// How a session came to be wahana's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOrigin {
    /// wahana created it on WAHA.
    Created,
    /// It was on WAHA before, and an operator assigned it.
    Adopted,
}

words!(SessionOrigin {
    Created => "created",
    Adopted => "adopted",
});

/// What an organization says about itself on a session. Kept by wahana; WhatsApp does not see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusinessProfile {
    /// The business' name.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Its line of business.
    pub category: Option<String>,
    /// Its web site.
    pub website: Option<String>,
    /// Its e-mail address.
    pub email: Option<String>,
}

/// How much went through a session since wahana knows it. Only what WAHA took is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounters {
    /// Messages sent, media included.
    pub messages_sent: i64,
    /// Messages received, media included.
    pub messages_received: i64,
    /// Media sent.
    pub media_sent: i64,
    /// Media received.
    pub media_received: i64,
}

/// One WhatsApp account of one organization, as wahana last knew it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The organization that owns it.
    pub organization_id: OrganizationId,
    /// Where it is on WAHA.
    pub waha: WahaAddress,
    /// How it came to be.
    pub origin: SessionOrigin,
    /// Its name in the organization.
    pub name: SessionName,
    /// Its name for people.
    pub display_name: Option<String>,
    /// The number that is paired, once it is known.
    pub phone_number: Option<PhoneNumber>,
    /// What the organization set of its configuration on WAHA; what an adopted session brought along is
    /// known to WAHA alone.
    pub configuration: SessionConfiguration,
    /// What it is doing.
    pub status: SessionStatus,
    /// WAHA's own word for that; `None` until WAHA said one, and when the session is gone there.
    pub waha_status: Option<String>,
    /// What the organization wants of it.
    pub desired_status: DesiredStatus,
    /// When WAHA's word was heard that the row now shows. A snapshot that was asked for earlier is
    /// older news and changes nothing.
    pub observed_at: Option<Timestamp>,
    /// How often it went into `error`.
    pub error_count: i64,
    /// What last went wrong, in words.
    pub last_error: Option<String>,
    /// Why it is not to be trusted although it works, in words.
    pub warning: Option<String>,
    /// What the organization says about itself.
    pub business: BusinessProfile,
    /// The pace at which it sends; `None` if it sends as fast as it can.
    pub pacing: Option<Pacing>,
    /// How much went through it.
    pub counters: SessionCounters,
    /// When the last message went through it, in either direction.
    pub last_message_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its row last changed.
    pub updated_at: Timestamp,
}

impl Session {
    /// How well it does, from what is known of it.
    #[must_use]
    pub fn health(&self) -> Health<'_> {
        let last_error_or = |otherwise| self.last_error.as_deref().unwrap_or(otherwise);
        let reason = match self.status {
            SessionStatus::Working if let Some(warning) = &self.warning => {
                return Health {
                    status: HealthStatus::Warning,
                    reason: warning,
                };
            }
            SessionStatus::Working => "The session is connected to WhatsApp.",
            SessionStatus::Error => last_error_or("WAHA reports that the session failed."),
            SessionStatus::Disconnected if self.is_gone() => {
                last_error_or("The session is gone from its WAHA server.")
            }
            SessionStatus::Disconnected => "The session is stopped.",
            SessionStatus::Connecting => "The session is starting.",
            SessionStatus::ScanQr => "The session waits for its QR code to be scanned.",
            SessionStatus::ActionRequired => last_error_or("The session waits for a step on the phone."),
        };
        let status = self.status.health(self.is_gone());
        Health { status, reason }
    }

    /// Whether its WAHA server, when last asked, did not know it any more.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        self.observed_at.is_some() && self.waha_status.is_none()
    }
}
